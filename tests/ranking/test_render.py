"""The section as Markdown and HTML."""

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
FULL = ArticleDetails(
    "https://a.example/",
    "All of it",
    "https://d.io/abc",
    "img/a.png",
    "Ann",
    "https://m.example/ann",
    "Short.",
)
BARE = ArticleDetails("https://b.example/", "Bare", "https://d.io/xyz/")
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


class Page(HTMLParser):
    """Collects the tags, the links and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag and its destination."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def test_the_markdown_has_the_shape_of_an_issue() -> None:
    """Image link, heading link with byline, blurb, read more; numbered links; optional parts left out."""
    assert render_markdown(PICKS, details=[FULL, BARE]) == SECTION


def test_the_html_says_the_same() -> None:
    """The HTML has the same links in the same order."""
    page = Page(render_html(PICKS, details=[FULL, BARE]))
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


def test_reasons_stay_inside() -> None:
    """Readers see that the editors chose; why, and which of them, they do not."""
    for page in (render_markdown(PICKS, details=[FULL, BARE]), render_html(PICKS, details=[FULL, BARE])):
        assert "Chosen by our editors" in page
        assert "secret" not in page
        assert "Ana" not in page


TEXT = st.text(st.sampled_from("ab \\`*_{}[]()<>#+-.!|~&;$=:\"'19\n\t的é/@"), max_size=14)


@settings(max_examples=60, deadline=None)
@given(title=TEXT, blurb=TEXT, byline=TEXT)
def test_no_text_becomes_markup(title: str, blurb: str, byline: str) -> None:
    """Whatever title, blurb and byline hold, both pages show it as text and gain no tag or link."""
    facts = [
        ArticleDetails(
            "https://a.example/", f"x{title}", "https://d.io/abc", None, f"x{byline}", None, f"{blurb}x"
        ),
        BARE,
    ]
    plain = [" ".join(f"{text}".split()) for text in (f"x{title}", f"x{byline}", f"{blurb}x")]
    expected = ["https://d.io/abc/1", "https://d.io/abc/2", "https://d.io/xyz/1", "https://d.io/xyz/2"]
    for page in (
        Page(render_html(PICKS, details=facts)),
        Page(rendered(render_markdown(PICKS, details=facts))),
    ):
        assert page.links == expected
        assert set(page.tags) <= {"section", "article", "h1", "h2", "p", "a", "em", "strong"}
        assert page.tags.count("p") == 4
        assert all(text in page.text for text in plain)


def rendered(text: str) -> str:
    """Markdown as HTML, by CommonMark."""
    return Markdown().html(text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        pytest.param(
            "plain words, e.g. these - and (those)!", "plain words, e.g. these - and (those)!", id="plain"
        ),
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
def test_escaping_touches_only_markup(text: str, escaped: str) -> None:
    """What Markdown would read as markup is escaped; ordinary punctuation is left for editors to read."""
    assert escape_markdown(text) == escaped


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        pytest.param("https://a.example/b?c=d&e=%20#f", "https://a.example/b?c=d&e=%20#f", id="as it is"),
        pytest.param("img/1 (2).png", "img/1%20%282%29.png", id="space and brackets"),
        pytest.param('https://a.example/"><b>', "https://a.example/%22%3E%3Cb%3E", id="quote"),
        pytest.param("https://例え.example/é", "https://例え.example/é", id="other scripts"),
    ],
)
def test_safe_destinations(url: str, safe: str) -> None:
    """What would end the destination is percent-encoded, the rest left alone."""
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
    """A link that runs, or is none, is refused."""
    with pytest.raises(InputError, match=r"http or https|no URL"):
        sanitize_url(url)


def test_an_editors_template_is_used() -> None:
    """A template of one's own sees the entries and the filters."""
    template = "{% for pick in featured %}{{ pick.title | text }}={{ pick.title_link | url }};{% endfor %}"
    assert render_markdown(PICKS, details=[FULL, BARE], template=template) == "All of it=https://d.io/abc/2;"


def test_html_escapes_by_itself() -> None:
    """In an HTML template a forgotten filter is no hole."""
    facts = [FULL, ArticleDetails("https://b.example/", "<script>", "https://d.io/x")]
    assert render_html(PICKS, details=facts, template="{{ lesser_known[0].title }}") == "&lt;script&gt;"


@pytest.mark.parametrize(
    ("template", "words"),
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
def test_a_template_that_fails_is_an_input_error(template: str, words: str) -> None:
    """A bad template ends in one error that names the fault."""
    with pytest.raises(InputError, match=words):
        render_markdown(PICKS, details=[FULL, BARE], template=template)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param([FULL], "no short link for the pick https://b.example/", id="missing"),
        pytest.param(
            [FULL, ArticleDetails("https://b.example/", "t", "javascript:x")],
            "http or https",
            id="unsafe short link",
        ),
    ],
)
def test_facts_that_do_not_do(facts: list[Any], words: str) -> None:
    """A pick without a short link, or with an unsafe one, is refused."""
    with pytest.raises(InputError, match=words):
        render_markdown(PICKS, details=facts)


@pytest.mark.parametrize("name", ["picks.md.j2", "picks.html.j2"])
def test_the_shipped_templates_are_there(name: str) -> None:
    """Both templates come with the package, to be copied and changed."""
    assert "{% for pick in featured %}" in bundled_template(name)
