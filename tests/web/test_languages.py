"""Tests for the texts of the pages."""

from typing import Any

import pytest
from babel import Locale
from flask import get_flashed_messages, render_template_string

from shortener.errors import InputError
from shortener.messages import Message, Number, join_messages
from shortener.web.error_pages import error_message, sentence
from shortener.web.filters import script_json
from shortener.web.languages import build_language, gettext, ngettext, use_language
from shortener.web.responses import show_notice
from tests.pseudo_languages import LONG, PseudoTranslations, lengthen, pseudo_languages
from tests.web.conftest import EditorSite


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("Sent", {}, "Sent"),
        ("Sent {when}", {"when": "today"}, "Sent today"),
        ("By {author}", {"author": "<b>Ada</b> & {when}"}, "By &lt;b&gt;Ada&lt;/b&gt; &amp; {when}"),
        ("<b>{count}</b> of {total}", {"count": 1, "total": 2}, "<b>1</b> of 2"),
    ],
)
def test_values_fill_the_placeholders_and_are_escaped(text: str, values: dict[str, object], expected: str) -> None:
    assert str(gettext(text, **values)) == expected


def test_a_count_chooses_the_form_and_fills_its_placeholder() -> None:
    forms = ("{count} link", "{count} links")

    assert [str(ngettext(*forms, count)) for count in (0, 1, 2)] == ["0 links", "1 link", "2 links"]
    assert str(ngettext(*forms, 1200, count="1,200")) == "1,200 links"


def test_a_count_has_the_separators_of_the_language() -> None:
    """A count without another form has separators of thousands."""
    assert str(ngettext("{count} link", "{count} links", 1234)) == "1,234 links"


def test_messages_are_shown_in_the_language_of_the_page(empty_site: EditorSite) -> None:
    """Templates, texts with messages as values, data of charts and errors show a message in the page's language."""
    german = build_language(Locale("de"), PseudoTranslations(lengthen), has_editor_pages=True, tag="de-XA")
    empty_site.app.extensions["languages"] |= pseudo_languages() | {german.tag: german}
    message = Message("ab {share} of {total}", share=Number(1.5, 1), total=1234)
    plural = Message.plural("{count} ab", "{count} abs <", 2)
    error = InputError(message, kind="code_taken")
    with empty_site.app.test_request_context("/-/"), use_language(german.tag):
        assert render_template_string("{{ message }}", message=message) == "àƀö 1,5 öƒö 1.234"
        assert render_template_string("{{ message }}", message=plural) == "2 àƀšö &lt;"
        assert str(gettext("<b>{what}</b>", what=plural)) == "<b>2 àƀšö &lt;</b>"
        assert script_json([gettext("{x} & y", x="<a>")]) == '["\\u003ca\\u003e \\u0026 ý"]'
        show_notice(gettext("{x} b", x="<a>"))
        notices: list[Any] = list(get_flashed_messages())
        assert notices[0]["text"] == "<a> ƀ"
        assert script_json([message]) == '["àƀö 1,5 öƒö 1.234"]'
        assert sentence(error_message(error)).startswith("Àƀö 1,5")
        assert sentence(join_messages([message, "x y"])).endswith(" 1.234; x y.")
    assert str(message) == "ab 1.5 of 1,234"
    assert error_message(error) == "ab 1.5 of 1,234; choose another"


def test_a_sentence_ends_as_its_language_wants(empty_site: EditorSite) -> None:
    """A message becomes a sentence with a capital letter and the full stop of the language."""
    for tag, text, expected in (
        ("en", "no name", "No name."),
        ("en", "a.example: refused", "a.example: refused."),
        ("de", "über allem", "Über allem."),
        ("zh-Hans", "没有名称", "没有名称。"),
        ("zh-Hans", "没有名称。", "没有名称。"),
    ):
        with empty_site.app.test_request_context("/"), use_language(tag):
            assert sentence(text) == expected


def test_the_long_language_is_longer() -> None:
    """The pseudo-language keeps placeholders, tags and entities."""
    assert LONG in pseudo_languages()
    assert lengthen("<b>Send</b> {count} a &amp; b") == "<b>Šéñđöö</b> {count} à &amp; ƀ"
