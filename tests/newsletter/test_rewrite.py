"""Rewriting: new URLs in place, and not one other byte changed."""

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
    """Issues made of pieces of text and markup, and of links to the URLs above."""
    linked = st.builds(
        lambda shape, url: shape.replace("{}", url), st.sampled_from(links), st.sampled_from(URLS)
    )
    return st.lists(st.one_of(st.sampled_from(plain), linked), max_size=14).map("".join)


MARKDOWN_ISSUES, HTML_ISSUES = issues(MARKDOWN, MARKDOWN_LINKS), issues(HTML, HTML_LINKS)
ANY_ISSUE = st.one_of(
    st.tuples(st.just("markdown"), MARKDOWN_ISSUES),
    st.tuples(st.just("html"), HTML_ISSUES),
    st.tuples(st.sampled_from(("markdown", "html")), st.text(max_size=60)),
)


def parsed(text: str, format: Format) -> Document | None:
    """The document, or None where a text is none."""
    try:
        return parse(text.encode(errors="replace"), format=format)
    except InputError:
        return None


def hrefs(html: str) -> list[str]:
    """The href of every ``a`` and ``area``, by the standard library's parser."""
    found: list[str] = []

    class Collector(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            first = next((value for name, value in attrs if name == "href"), None)
            if tag in ("a", "area") and first is not None:
                found.append(first.strip())

    collector = Collector()
    collector.feed(html)
    collector.close()
    return found


@given(ANY_ISSUE)
@settings(max_examples=300, deadline=None)
def test_bytes_outside_urls_are_unchanged(issue: tuple[Format, str]) -> None:
    """Between the replaced URLs, and around them, output and input are the same bytes."""
    document = parsed(issue[1], issue[0])
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
@settings(max_examples=300, deadline=None)
def test_parsing_what_was_rewritten_gives_the_new_urls(issue: tuple[Format, str]) -> None:
    """The rewritten issue has the same links in the same order, with the new URLs; rewriting again changes nothing."""
    document = parsed(issue[1], issue[0])
    if document is None:
        return
    urls = {link.index: f"https://s.example/c{link.index}" for link in document.links}
    output = rewrite(document, urls)
    again = parse(output, format=issue[0])
    assert [link.url for link in again.links] == list(urls.values())
    assert [link.syntax for link in again.links] == [link.syntax for link in document.links]
    assert [each.url for each in again.untouched] == [each.url for each in document.untouched]
    assert rewrite(again, urls) == output
    assert rewrite(document, {link.index: link.url for link in document.links}) == document.source


@given(MARKDOWN_ISSUES)
@settings(max_examples=200, deadline=None)
def test_markdown_renders_with_the_new_urls(text: str) -> None:
    """What a renderer makes of the rewritten Markdown has our URLs wherever it had an http(s) link, and no others."""
    document = parsed(text, "markdown")
    if document is None:
        return
    output = rewrite(document, {link.index: f"https://s.example/c{link.index}" for link in document.links})
    before = hrefs(pyromark.html(text, options=PYROMARK_OPTIONS))
    after = hrefs(pyromark.html(output.decode(), options=PYROMARK_OPTIONS))
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        ours = new.startswith("https://s.example/c")
        assert ours or old == new
        assert ours or not re.match(r"(?i)https?://[\w.]+/[\w()/]*\Z", old)
    expected = {f"https://s.example/c{link.index}" for link in document.links if link.syntax != "bare"}
    assert {url for url in after if url.startswith("https://s.example/c")} == expected


@given(HTML_ISSUES)
@settings(max_examples=200, deadline=None)
def test_html_reads_with_the_new_urls(text: str) -> None:
    """The standard library's parser reads the new URLs from the rewritten HTML, in order."""
    document = parsed(text, "html")
    if document is None or "[if mso]" in text:
        return
    output = rewrite(document, {link.index: f"https://s.example/c{link.index}" for link in document.links})
    ours = [url for url in hrefs(output.decode()) if url.startswith("https://s.example/c")]
    assert ours == [f"https://s.example/c{link.index}" for link in document.links]


ODD = [
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
SHAPES: dict[str, tuple[Format, str]] = {
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


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("url", ODD)
def test_odd_urls_are_written_as_their_place_demands(shape: str, url: str) -> None:
    """A URL with quotes, brackets, entities or marks reads back as itself from every kind of place."""
    format, text = SHAPES[shape]
    document = parse(text.encode(), format=format)
    again = parse(rewrite(document, {link.index: url for link in document.links}), format=format)
    assert [link.url for link in again.links] == [url] * len(document.links)


@pytest.mark.parametrize(
    "url", ["", "/x", "javascript:alert(1)", "https://a b", "https://a\nb", "https://", "ftp://a.example"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    """Nothing but an http(s) URL without spaces is ever written into an issue."""
    document = parse(b"[a](https://example.org/)", format="markdown")
    with pytest.raises(InputError):
        rewrite(document, {0: url})


def test_some_links_only() -> None:
    """Links that are not named stay as they are, written as they were."""
    document = parse(
        b"<a href=\"https://a.example/?x=1&y=2\">a</a><a href='https://b.example/'>b</a>", format="html"
    )
    output = rewrite(document, {1: "https://s.example/b"})
    assert output == b"<a href=\"https://a.example/?x=1&y=2\">a</a><a href='https://s.example/b'>b</a>"


def test_byte_order_mark_and_line_ends_stay() -> None:
    """A byte order mark, carriage returns and trailing blanks are kept."""
    source = b"\xef\xbb\xbf# x\r\n\r\n[a](https://example.org/)  \r\n\t\r\n"
    document = parse(source, format="markdown")
    assert rewrite(document, {0: "https://s.example/"}) == source.replace(
        b"https://example.org/", b"https://s.example/"
    )
