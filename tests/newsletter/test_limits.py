"""What is refused, in one clear line; and that nothing, however hostile, takes long."""

import time

import pytest

from shortener.errors import InputError
from shortener.newsletter import (
    MAX_ISSUE_BYTES,
    MAX_LINKS,
    Format,
    detect_format,
    extract_articles,
    parse,
    rewrite,
)

SECONDS = 10.0
"""Bound on anything here: ten times what it takes at leisure, so that a busy machine passes."""

LINK = "[a](https://example.org/a)\n"
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b"\xef\xbb\xbf \r\n\t", "empty"),
    "Latin 1": (b"one\ntwo caf\xe9\n", "not UTF-8 \\(byte 0xe9 at offset 11, line 2\\)"),
    "UTF-16": ("<p>x</p>".encode("utf-16"), "not UTF-8"),
    "UTF-16 without a mark": ("<p>x</p>".encode("utf-16-le"), "NUL at offset 1"),
    "too large": (b"x" * (MAX_ISSUE_BYTES + 1), "5,242,881 bytes"),
    "too many links": (LINK.encode() * (MAX_LINKS + 1), "more than 5,000 links"),
    "100,000 links": (b"[a](https://a.bc)\n" * 100_000, "more than 5,000 links"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_issue_is_refused(name: str) -> None:
    """The message is one line and names the trouble."""
    source, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as caught:
        parse(source, format="markdown")
    assert "\n" not in str(caught.value)


def test_too_many_links_in_html() -> None:
    """The limit holds for HTML too."""
    with pytest.raises(InputError, match="more than 5,000 links"):
        parse(b"<a href=https://a.bc>x</a>" * (MAX_LINKS + 1), format="html")


def test_as_many_links_as_allowed() -> None:
    """Five thousand links are taken."""
    assert len(parse(LINK.encode() * MAX_LINKS, format="markdown").links) == MAX_LINKS


def test_an_issue_without_links_is_one() -> None:
    """Without links there is nothing to do, and nothing wrong."""
    document = parse(b"# Only words", format="markdown")
    assert (document.links, rewrite(document, {}), extract_articles(document, []).title) == (
        (),
        b"# Only words",
        "Only words",
    )


HOSTILE: dict[str, tuple[Format, str]] = {
    "brackets": ("markdown", "[" * 20_000),
    "images": ("markdown", "![[" * 10_000),
    "open links": ("markdown", "[a](b" * 8_000),
    "quotes": ("markdown", "> " * 5_000 + "a"),
    "angles": ("markdown", "<" * 20_000),
    "lists": ("markdown", "".join("  " * depth + "- a\n" for depth in range(500))),
    "emphasis": ("markdown", "*a_ " * 20_000),
    "definitions": ("markdown", "".join(f"[{n}]: https://a.bc/{n}\n" for n in range(30_000))),
    "bare URLs without a space": ("markdown", "https://a.bc，" * 5_000 + "x" * 500_000),
    "one endless bare URL": ("markdown", "https://a.bc/" + "&a;!)" * 300_000),
    "merge tag beginnings": ("markdown", "{{ {% %% [[ *|a <% ${" * 30_000),
    "CDATA in text": ("markdown", "a <![CDATA[" * 20_000),
    "divs": ("html", "<div>" * 20_000),
    "angles in HTML": ("html", "<" * 1_000_000),
    "comments that never close": ("html", "<!--" * 500_000),
    "CDATA that never closes": ("html", "<![CDATA[>" * 200_000),
    "tags that never close": ("html", "<a href=" * 300_000),
    "quotes that never close": ("html", '<a href="' * 300_001),
    "a long attribute": ("html", f"<a title='{'x' * 1_000_000}' href='https://a.bc'>x</a>"),
    "many attributes": ("html", "<a " + "a=b " * 300_000 + ">x</a>"),
    "scripts": ("html", "<script></script" * 200_000),
    "conditional comments": ("html", "<!--[if mso]>href" * 100_000),
    "stray end tags": ("html", "<b></i>" * 100_000),
    "words that almost say something": (
        "html",
        f"<a href='https://a.bc/'>{'view read unsubscribe ' * 50_000}</a>",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_takes_no_time(name: str) -> None:
    """Nesting, repetition and what never closes are read in linear time, or refused."""
    format, text = HOSTILE[name]
    began = time.perf_counter()
    try:
        document = parse(text.encode(), format=format)
        extract_articles(document, [link.url for link in document.links])
    except InputError as error:
        assert "markup" in str(error)  # noqa: PT017 - being refused is as good as being read
    assert time.perf_counter() - began < SECONDS


GUESSED = {
    "comments in a row": b"<!---->" * 9_000 + b"x",
    "comments that never close": b"<!--" * 16_000,
    "spaces": b" " * 65_000 + b"x",
    "declarations": b"<?xml " * 10_000,
    "tags at the end": b"<p>" + b"</a" * 20_000,
}


@pytest.mark.parametrize("source", GUESSED.values(), ids=GUESSED.keys())
def test_guessing_takes_no_time(source: bytes) -> None:
    """Nothing that an issue can begin or end with makes guessing its format slow."""
    began = time.perf_counter()
    detect_format("-", source)
    assert time.perf_counter() - began < SECONDS / 10


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_the_largest_issue_takes_two_seconds(format: Format) -> None:
    """5 MB and 5,000 links are parsed, read and rewritten in under two seconds (with a bound for busy machines)."""
    prose = "Lorem ipsum dolor sit amet, consectetur. " * 47
    shape = "## [Title {0}](https://a.bc/{0})\n\n{1}\n\n[Read more](https://a.bc/{0})\n\n"
    if format == "html":
        shape = "<h2><a href='https://a.bc/{0}'>Title {0}</a></h2><p>{1}<p><a href='https://a.bc/{0}'>Read more</a>\n"
    source = "".join(shape.format(n, prose) for n in range(MAX_LINKS // 2)).encode()
    assert 0.9 * MAX_ISSUE_BYTES < len(source) <= MAX_ISSUE_BYTES
    began = time.perf_counter()
    document = parse(source, format=format)
    reading = extract_articles(document, [link.url for link in document.links])
    output = rewrite(document, {link.index: "https://s.example/x" for link in document.links})
    assert time.perf_counter() - began < SECONDS
    assert (len(reading.articles), output.count(b"s.example")) == (MAX_LINKS // 2, MAX_LINKS)


FORMATS = {
    "markdown by name": ("a.md", b"x", "markdown"),
    "HTML by name": ("a.HTM", b"x", "html"),
    "a page under a Markdown name": ("a.md", b"\xef\xbb\xbf\n<!-- x -->\n<!DOCTYPE html><p>x", "html"),
    "HTML in Markdown": ("a.md", b"<div>x</div>", "markdown"),
    "text": ("a.txt", b"# x", "markdown"),
    "markup in a text file": ("a.txt", b"<table><tr><td>x</td></tr></table>\n", "html"),
    "no name": ("-", b"<html>", "html"),
    "an autolink first": ("-", b"<https://a.bc>", "markdown"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_is_guessed(name: str) -> None:
    """The first bytes tell if they are plain, else the file name, else what the text looks like."""
    file, source, format = FORMATS[name]
    assert detect_format(file, source) == format
