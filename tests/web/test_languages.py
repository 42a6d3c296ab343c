"""Tests for the texts of the pages."""

import pytest

from shortener.web.languages import gettext, ngettext


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
