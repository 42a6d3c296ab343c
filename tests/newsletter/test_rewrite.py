"""Rewriting of URLs: the new URLs are read back, and every other byte is unchanged."""

import re
from html.parser import HTMLParser

import pyromark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.errors import InputError
from shortener.newsletter import Document, Format, parse, rewrite
from shortener.newsletter.markdown_reader import PYROMARK_OPTIONS

URLS = (
    *(
        "https://example.org/a",
        "http://example.org/b?c=1&d=2",
        "https://example.org/a_b_c",
        "https://example.org/(p)",
    ),
    *(
        "https://example.org/?q=a&amp;b=2",
        "https://bücher.example/ü",
        "HTTPS://EXAMPLE.ORG/UP",
        "mailto:a@b.c",
        "#anchor",
    ),
    *("https://example.org/{{id}}", "*|UNSUB|*", "https://example.org/a%20b", "/relative"),
)
MARKDOWN = (
    *(
        "text ",
        "中文，",
        "😀",
        "עברית ",
        "**",
        "*",
        "_",
        "~~",
        "`",
        "\n",
        "\n\n",
        "\r\n",
        "> ",
        "- ",
        "1. ",
        "    ",
        "# ",
    ),
    *(
        "|a|b|\n|-|-|\n",
        "---\n",
        "\\",
        "&amp;",
        "[",
        "]",
        "(",
        ")",
        "![",
        "](",
        "[ref]",
        "[t][ref]",
        "![i][ref]",
        "$",
    ),
    *("<b>", "</b>", "<div>", "</div>", "</a>", '"t"', "{{ x }}", "```\n", "  \n", "<br>", "\u00a0", "[^1]"),
    *(
        "\n\n[ref]: https://example.org/ref 't'\n\n",
        "\n> [ref]: <https://example.org/q>\n\n",
        "\n\n[^1]: note ",
    ),
)
HTML = (
    *(
        "text",
        "中文😀",
        "\r\n",
        "\n",
        "<p>",
        "</p>",
        "<div>",
        "<b>",
        "</b>",
        "&amp;",
        "<br/>",
        "<table><tr><td>",
        "</td>",
    ),
    *(
        "</table>",
        "<img src='https://example.org/i.png'>",
        "</a>",
        "<h1>",
        "</h1>",
        "<!-- c -->",
        "<script>x<y</script>",
    ),
    *("< ", "<li>", "é", "<style>a{}</style>"),
)
MARKDOWN_LINKS = (
    *(
        "[t]({})",
        "[**b**]({} 't')",
        "[]({})",
        "[![](i.png)]({})",
        "[a\nb](\n{}\n)",
        "[s](<{}>)",
        "<{}>",
        "{} ",
        "{}.",
    ),
    *("({})", "**{}**", "{}，", '<a class=x href="{}">t</a>', "<a href='{}'>t</a>", "![alt]({})"),
)
HTML_LINKS = (
    *('<a class="x" href="{}">t</a>', "<A HREF='{}'>t</A>", "<a href={}>t</a>", '<area href="{}">'),
    *(
        '<a\n href=" {} "\n>t</a>',
        '<!--[if mso]><v:rect href="{}"></v:rect><![endif]-->',
        '<form action="{}">',
    ),
    *('<a href="{}" href="{}">t</a>',),
)


def issues(plain: tuple[str, ...], links: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Return a strategy for issues made of pieces of text and markup, and of links to the URLs above."""
    linked = st.builds(lambda template, url: template.replace("{}", url), st.sampled_from(links), st.sampled_from(URLS))
    return st.lists(st.one_of(st.sampled_from(plain), linked), max_size=14).map("".join)


MARKDOWN_ISSUES, HTML_ISSUES = issues(MARKDOWN, MARKDOWN_LINKS), issues(HTML, HTML_LINKS)
ANY_ISSUE = st.one_of(
    st.tuples(st.just("markdown"), MARKDOWN_ISSUES),
    st.tuples(st.just("html"), HTML_ISSUES),
    st.tuples(st.sampled_from(("markdown", "html")), st.text(max_size=60)),
)


def parse_or_none(text: str, format: Format) -> Document | None:
    """Return the document, or None if the text is no valid issue."""
    try:
        return parse(text.encode(errors="replace"), format=format)
    except InputError:
        return None


def hrefs(html: str) -> list[str]:
    """Return the href of every ``a`` and ``area`` that the parser of the standard library finds."""
    urls: list[str] = []

    class Collector(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            first = next((value for name, value in attrs if name == "href"), None)
            if tag in ("a", "area") and first is not None:
                urls.append(first.strip())

    collector = Collector()
    collector.feed(html)
    collector.close()
    return urls


@given(ANY_ISSUE)
@settings(max_examples=100, deadline=None)
def test_bytes_outside_urls_are_unchanged(issue: tuple[Format, str]) -> None:
    """Source and output have equal bytes between and around the replaced URLs."""
    document = parse_or_none(issue[1], issue[0])
    if document is None:
        return
    urls = {link.index: f"https://s.example/c{link.index}" for link in document.links}
    rest, position = rewrite(document, urls), 0
    for link in sorted(document.links, key=lambda link: link.start):
        assert position <= link.start < link.end
        between = document.source[position : link.start]
        assert rest.startswith(between)
        new = urls[link.index].encode()
        assert rest[len(between) :].startswith(new)
        rest, position = rest[len(between) + len(new) :], link.end
    assert rest == document.source[position:]


@given(st.one_of(st.tuples(st.just("markdown"), MARKDOWN_ISSUES), st.tuples(st.just("html"), HTML_ISSUES)))
@settings(max_examples=100, deadline=None)
def test_reparsed_output_has_the_new_urls(issue: tuple[Format, str]) -> None:
    """The output has the links of the source in order, with the new URLs, and a second rewrite changes nothing."""
    document = parse_or_none(issue[1], issue[0])
    if document is None:
        return
    urls = {link.index: f"https://s.example/c{link.index}" for link in document.links}
    output = rewrite(document, urls)
    reparsed = parse(output, format=issue[0])
    assert [link.url for link in reparsed.links] == list(urls.values())
    assert [link.syntax for link in reparsed.links] == [link.syntax for link in document.links]
    assert [link.url for link in reparsed.untouched] == [link.url for link in document.untouched]
    assert rewrite(reparsed, urls) == output
    assert rewrite(document, {link.index: link.url for link in document.links}) == document.source


@given(MARKDOWN_ISSUES)
@settings(max_examples=100, deadline=None)
def test_rendered_markdown_has_the_new_urls(text: str) -> None:
    """The rendered output has a new URL for every http(s) link of the rendered source, and no other URL changes."""
    document = parse_or_none(text, "markdown")
    if document is None:
        return
    output = rewrite(document, {link.index: f"https://s.example/c{link.index}" for link in document.links})
    before = hrefs(pyromark.html(text, options=PYROMARK_OPTIONS))
    after = hrefs(pyromark.html(output.decode(), options=PYROMARK_OPTIONS))
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        is_rewritten = new.startswith("https://s.example/c")
        assert is_rewritten or old == new
        assert is_rewritten or not re.match(r"(?i)https?://[\w.]+/[\w()/]*\Z", old)
    expected = {f"https://s.example/c{link.index}" for link in document.links if link.syntax != "bare"}
    assert {url for url in after if url.startswith("https://s.example/c")} == expected


@given(HTML_ISSUES)
@settings(max_examples=100, deadline=None)
def test_standard_parser_finds_the_new_urls(text: str) -> None:
    """The parser of the standard library finds the new URLs in the rewritten HTML, in order."""
    document = parse_or_none(text, "html")
    if document is None or "[if mso]" in text:
        return
    output = rewrite(document, {link.index: f"https://s.example/c{link.index}" for link in document.links})
    new_urls = [url for url in hrefs(output.decode()) if url.startswith("https://s.example/c")]
    assert new_urls == [f"https://s.example/c{link.index}" for link in document.links]


SPECIAL_URLS = [
    "https://s.example" + path
    for path in (
        *(
            "/?a=1&b=2",
            "/&copy;",
            "/(a",
            "/a)b",
            "/it's",
            '/"q"',
            "/<a>",
            "/a\\b",
            "/a*b_c`d",
            "/a|b",
            "/a.",
            "/[x]",
        ),
        *("/ü", "/~~x~~", "/#a", "/$x", "/!x"),
    )
]
SYNTAXES: dict[str, tuple[Format, str]] = {
    "destination": ("markdown", "a [t](https://example.org/x 'y') b"),
    "angle": ("markdown", "a [t](<https://example.org/x> 'y') b"),
    "definition": ("markdown", "a [t] b\n\n[t]: https://example.org/x 'y'\n"),
    "autolink": ("markdown", "a <https://example.org/x> b"),
    "bare": ("markdown", "a (https://example.org/x), b"),
    "cell": ("markdown", "|a|b|\n|-|-|\n|[t](https://example.org/x)|<https://example.org/y>|"),
    "double": ("html", '<a href="https://example.org/x">t</a>'),
    "single": ("html", "<a href='https://example.org/x'>t</a>"),
    "unquoted": ("html", "<a href=https://example.org/x>t</a>"),
    "Outlook": ("html", "<!--[if mso]><a href='https://example.org/x'>t</a><![endif]-->"),
}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("url", SPECIAL_URLS)
def test_special_characters_are_escaped(syntax: str, url: str) -> None:
    """A URL with quotes, brackets, entities or marks is read back unchanged from every syntax."""
    format, text = SYNTAXES[syntax]
    document = parse(text.encode(), format=format)
    reparsed = parse(rewrite(document, {link.index: url for link in document.links}), format=format)
    assert [link.url for link in reparsed.links] == [url] * len(document.links)


@pytest.mark.parametrize(
    "url", ["", "/x", "javascript:alert(1)", "https://a b", "https://a\nb", "https://", "ftp://a.example"]
)
def test_invalid_urls_are_refused(url: str) -> None:
    """A replacement that is not an http(s) URL without spaces raises InputError."""
    document = parse(b"[a](https://example.org/)", format="markdown")
    with pytest.raises(InputError):
        rewrite(document, {0: url})


def test_links_without_replacement_are_unchanged() -> None:
    """Only the links with a new URL are rewritten; the others keep their bytes."""
    document = parse(b"<a href=\"https://a.example/?x=1&y=2\">a</a><a href='https://b.example/'>b</a>", format="html")
    output = rewrite(document, {1: "https://s.example/b"})
    assert output == b"<a href=\"https://a.example/?x=1&y=2\">a</a><a href='https://s.example/b'>b</a>"


def test_byte_order_mark_and_line_ends_are_kept() -> None:
    """A byte order mark, carriage returns and trailing spaces are unchanged."""
    source = b"\xef\xbb\xbf# x\r\n\r\n[a](https://example.org/)  \r\n\t\r\n"
    document = parse(source, format="markdown")
    assert rewrite(document, {0: "https://s.example/"}) == source.replace(
        b"https://example.org/", b"https://s.example/"
    )
