"""The picks rendered as Markdown and HTML."""

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyromark import Markdown

from shortener.errors import InputError
from shortener.ranking.picks import ArticleDetails, Decision, Pick, Picks
from shortener.ranking.render import (
    bundled_template,
    escape_markdown,
    render_html,
    render_markdown,
    sanitize_url,
)

DECISION = Decision("https://b.example/", "choose", "a secret reason", "Ana", 1.0)
PICKS = Picks(
    featured=(Pick("https://a.example/", "list", None, None),),
    lesser_known=(Pick("https://b.example/", "chosen", None, DECISION),),
    excluded=(),
    footer="",
    warnings=(),
)
COMPLETE = ArticleDetails(
    "https://a.example/",
    "All of it",
    "https://d.io/abc",
    "img/a.png",
    "Ann",
    "https://m.example/ann",
    "Short.",
)
MINIMAL = ArticleDetails("https://b.example/", "Bare", "https://d.io/xyz/")
SECTION = """\
# Our picks of the month

[![](img/a.png)](https://d.io/abc/1)

## [All of it](https://d.io/abc/2) by [Ann](https://m.example/ann)

Short.

[**Read more**](https://d.io/abc/3)

# Worth a second look

## [Bare](https://d.io/xyz/1)

*Chosen by our editors*

[**Read more**](https://d.io/xyz/2)
"""


class ParsedPage(HTMLParser):
    """The tags, the link and image URLs, and the text of an HTML page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Store the tag and its link or image URL."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        """Store the text."""
        self.text += data


def test_markdown_of_a_complete_and_a_minimal_article() -> None:
    """Image, heading with byline, blurb and "read more" have numbered links; missing parts are left out."""
    assert render_markdown(PICKS, details=[COMPLETE, MINIMAL]) == SECTION


def test_html_has_the_links_of_the_markdown() -> None:
    """The HTML has the same links in the same order."""
    page = ParsedPage(render_html(PICKS, details=[COMPLETE, MINIMAL]))
    assert page.links == [
        "https://d.io/abc/1",
        "img/a.png",
        "https://d.io/abc/2",
        "https://m.example/ann",
        "https://d.io/abc/3",
        "https://d.io/xyz/1",
        "https://d.io/xyz/2",
    ]
    assert page.tags.count("h2") == 2


def test_readers_see_no_reason_and_no_name() -> None:
    """Readers see that editors chose an article, but neither the reason nor the name."""
    for page in (
        render_markdown(PICKS, details=[COMPLETE, MINIMAL]),
        render_html(PICKS, details=[COMPLETE, MINIMAL]),
    ):
        assert "Chosen by our editors" in page
        assert "secret" not in page
        assert "Ana" not in page


TEXT = st.text(st.sampled_from("ab \\`*_{}[]()<>#+-.!|~&;$=:\"'19\n\t的é/@"), max_size=14)


@settings(max_examples=30, deadline=None)
@given(title=TEXT, blurb=TEXT, byline=TEXT)
def test_no_text_becomes_markup(title: str, blurb: str, byline: str) -> None:
    """Any title, blurb and byline appears as text, and adds no tag and no link."""
    details = [
        ArticleDetails("https://a.example/", f"x{title}", "https://d.io/abc", None, f"x{byline}", None, f"{blurb}x"),
        MINIMAL,
    ]
    plain = [" ".join(f"{text}".split()) for text in (f"x{title}", f"x{byline}", f"{blurb}x")]
    expected = ["https://d.io/abc/1", "https://d.io/abc/2", "https://d.io/xyz/1", "https://d.io/xyz/2"]
    for page in (
        ParsedPage(render_html(PICKS, details=details)),
        ParsedPage(markdown_to_html(render_markdown(PICKS, details=details))),
    ):
        assert page.links == expected
        assert set(page.tags) <= {"section", "article", "h1", "h2", "p", "a", "em", "strong"}
        assert page.tags.count("p") == 4
        assert all(text in page.text for text in plain)


def markdown_to_html(text: str) -> str:
    """Convert Markdown to HTML by CommonMark."""
    return Markdown().html(text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        pytest.param("plain words, e.g. these - and (those)!", "plain words, e.g. these - and (those)!", id="plain"),
        pytest.param("1. first", "1\\. first", id="numbered"),
        pytest.param("- item", "\\- item", id="item"),
        pytest.param("# heading", "\\# heading", id="heading"),
        pytest.param("a # b C# #", "a \\# b C# \\#", id="closing heading"),
        pytest.param("a *b* [c]", "a \\*b\\* \\[c\\]", id="inline"),
        pytest.param("AT&T &amp; co", "AT&T \\&amp; co", id="entity"),
        pytest.param("*|FNAME|*", "\\*\\|FNAME\\|\\*", id="merge tag"),
        pytest.param("two\n\nparagraphs", "two paragraphs", id="one line"),
    ],
)
def test_only_markup_is_escaped(text: str, escaped: str) -> None:
    """Characters that Markdown reads as markup are escaped, and ordinary punctuation is not."""
    assert escape_markdown(text) == escaped


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        pytest.param("https://a.example/b?c=d&e=%20#f", "https://a.example/b?c=d&e=%20#f", id="unchanged"),
        pytest.param("img/1 (2).png", "img/1%20%282%29.png", id="space and brackets"),
        pytest.param('https://a.example/"><b>', "https://a.example/%22%3E%3Cb%3E", id="quote"),
        pytest.param("https://例え.example/é", "https://例え.example/é", id="other scripts"),
    ],
)
def test_safe_destinations(url: str, safe: str) -> None:
    """Characters that would end the destination are percent-encoded, and others are unchanged."""
    assert sanitize_url(url) == safe


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "https:x",
        "https://[bad",
        "file:///x",
    ],
)
def test_unsafe_destinations(url: str) -> None:
    """A script URL, a local file or an invalid URL raises InputError."""
    with pytest.raises(InputError, match=r"http or https|not a valid URL"):
        sanitize_url(url)


def test_an_editors_template_is_used() -> None:
    """An editor's template has the entries and the filters."""
    template = "{% for pick in featured %}{{ pick.title | text }}={{ pick.title_link | url }};{% endfor %}"
    assert render_markdown(PICKS, details=[COMPLETE, MINIMAL], template=template) == "All of it=https://d.io/abc/2;"


def test_html_is_escaped_without_a_filter() -> None:
    """An HTML template that forgets the filter still escapes its text."""
    details = [COMPLETE, ArticleDetails("https://b.example/", "<script>", "https://d.io/x")]
    assert render_html(PICKS, details=details, template="{{ lesser_known[0].title }}") == "&lt;script&gt;"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param("{% for %}", "line 1", id="syntax"),
        pytest.param("a\n{{ pick.title }}", "'pick' is undefined", id="unknown name"),
        pytest.param("{{ featured[0].nope }}", "nope", id="unknown field"),
        pytest.param("{{ featured.__class__.__mro__ }}", "unsafe", id="out of the sandbox"),
        pytest.param("{{ 1 / 0 }}", "division", id="arithmetic"),
        pytest.param("{{ range(10000000) }}", "Range too big", id="endless"),
        pytest.param("{% include 'x' %}", "cannot be used", id="include"),
    ],
)
def test_a_template_that_fails_is_an_input_error(template: str, message: str) -> None:
    """A template that fails raises InputError with the cause."""
    with pytest.raises(InputError, match=message):
        render_markdown(PICKS, details=[COMPLETE, MINIMAL], template=template)


@pytest.mark.parametrize(
    ("details", "message"),
    [
        pytest.param([COMPLETE], "no short link for the pick https://b.example/", id="missing"),
        pytest.param(
            [COMPLETE, ArticleDetails("https://b.example/", "t", "javascript:x")],
            "http or https",
            id="unsafe short link",
        ),
    ],
)
def test_missing_or_unsafe_links_are_refused(details: list[Any], message: str) -> None:
    """A pick without a short link, or with an unsafe one, raises InputError."""
    with pytest.raises(InputError, match=message):
        render_markdown(PICKS, details=details)


@pytest.mark.parametrize("name", ["picks.md.j2", "picks.html.j2"])
def test_the_bundled_templates_are_found(name: str) -> None:
    """Both templates are part of the package."""
    assert "{% for pick in featured %}" in bundled_template(name)
