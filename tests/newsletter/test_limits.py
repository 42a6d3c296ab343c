"""Limits of parsing: refused sources, running time of hostile input, and detection of the format."""

import time

import pytest

from shortener.errors import InputError
from shortener.newsletter import MAX_ISSUE_BYTES, Format, detect_format, extract_articles, parse, rewrite
from shortener.newsletter.builder import MAX_LINKS

MAX_SECONDS = 10.0
"""Time limit of each test, ten times the time on an idle machine."""

LINK = "[a](https://example.org/a)\n"
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b"\xef\xbb\xbf \r\n\t", "empty"),
    "Latin 1": (b"one\ntwo caf\xe9\n", "not UTF-8 \\(byte 0xe9 at offset 11, line 2\\)"),
    "Word": (b"PK\x03\x04....word/document.xml", "a Word document .*export"),
    "archive": (b"PK\x03\x04....x.html", "an archive .*unpack"),
    "image": (b"\x89PNG\r\n\x1a\n", "an image \\(PNG\\).*export"),
    "rich text": (b"{\\rtf1 x}", "rich text"),
    "PDF": (b"%PDF-1.7", "a PDF"),
    "JSON": (b'{"a": ["https://example.org/"]}', "JSON"),
    "half of a UTF-16 character": (b"\xff\xfe<\x00\x00\xd8", "cannot be read as utf-16-le"),
    "UTF-16 without a mark": ("<p>x</p>".encode("utf-16-le"), "NUL at offset 1"),
    "too large": (b"x" * (MAX_ISSUE_BYTES + 1), "5,242,881 bytes"),
    "too many links": (LINK.encode() * (MAX_LINKS + 1), "more than 5,000 links"),
    "100,000 links": (b"[a](https://a.bc)\n" * 100_000, "more than 5,000 links"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_sources_are_refused(name: str) -> None:
    """The error message is one line that contains the expected cause."""
    source, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as error:
        parse(source, format="markdown")
    assert "\n" not in str(error.value)


def test_too_many_links_in_html() -> None:
    """HTML with more links than the limit is refused."""
    with pytest.raises(InputError, match="more than 5,000 links"):
        parse(b"<a href=https://a.bc>x</a>" * (MAX_LINKS + 1), format="html")


def test_maximum_number_of_links() -> None:
    """An issue with exactly the maximum number of links is parsed."""
    assert len(parse(LINK.encode() * MAX_LINKS, format="markdown").links) == MAX_LINKS


def test_issue_without_links() -> None:
    """An issue without links is parsed, and rewriting it changes nothing."""
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
def test_hostile_input_is_read_in_time(name: str) -> None:
    """Deep nesting, repetition and missing ends are read or refused within the time limit."""
    format, text = HOSTILE[name]
    start = time.perf_counter()
    try:
        document = parse(text.encode(), format=format)
        extract_articles(document, [link.url for link in document.links])
    except InputError as error:
        assert "markup" in str(error)  # noqa: PT017 - a refusal is as good as a result
    assert time.perf_counter() - start < MAX_SECONDS


HOSTILE_STARTS = {
    "comments in a row": b"<!---->" * 9_000 + b"x",
    "comments that never close": b"<!--" * 16_000,
    "spaces": b" " * 65_000 + b"x",
    "declarations": b"<?xml " * 10_000,
    "tags at the end": b"<p>" + b"</a" * 20_000,
}


@pytest.mark.parametrize("source", HOSTILE_STARTS.values(), ids=HOSTILE_STARTS.keys())
def test_format_of_hostile_input_is_detected_in_time(source: bytes) -> None:
    """The format of sources with hostile starts or ends is detected within the time limit."""
    start = time.perf_counter()
    detect_format("-", source)
    assert time.perf_counter() - start < MAX_SECONDS


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_largest_issue_is_processed_in_time(format: Format) -> None:
    """An issue of 5 MB with 5,000 links is parsed, read and rewritten within the time limit."""
    prose = "Lorem ipsum dolor sit amet, consectetur. " * 47
    shape = "## [Title {0}](https://a.bc/{0})\n\n{1}\n\n[Read more](https://a.bc/{0})\n\n"
    if format == "html":
        shape = "<h2><a href='https://a.bc/{0}'>Title {0}</a></h2><p>{1}<p><a href='https://a.bc/{0}'>Read more</a>\n"
    source = "".join(shape.format(n, prose) for n in range(MAX_LINKS // 2)).encode()
    assert 0.9 * MAX_ISSUE_BYTES < len(source) <= MAX_ISSUE_BYTES
    start = time.perf_counter()
    document = parse(source, format=format)
    issue = extract_articles(document, [link.url for link in document.links])
    output = rewrite(document, {link.index: "https://s.example/x" for link in document.links})
    assert time.perf_counter() - start < MAX_SECONDS
    assert (len(issue.articles), output.count(b"s.example")) == (MAX_LINKS // 2, MAX_LINKS)


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
def test_detect_format(name: str) -> None:
    """The start of the source decides first, then the file name, then the tags at both ends."""
    filename, source, format = FORMATS[name]
    assert detect_format(filename, source) == format


ENCODED: dict[str, tuple[str, str]] = {
    "UTF-16": ("utf-16-le", "\ufeff"),
    "UTF-16, big endian": ("utf-16-be", "\ufeff"),
    "Latin 1": ("iso-8859-1", "<meta charset=iso-8859-1>"),
    "Cyrillic": (
        "windows-1251",
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
    ),
    "GB 2312": ("gb2312", '<?xml version="1.0" encoding="gb2312"?>'),
}


@pytest.mark.parametrize("name", ENCODED)
def test_html_in_a_declared_character_set(name: str) -> None:
    """HTML with a byte order mark or a declared character set is rewritten in it; nothing but URLs changes."""
    charset, start = ENCODED[name]
    letters = {"windows-1251": "жук", "gb2312": "漁网"}.get(charset, "café").replace("漁", "鱼")
    text = f"{start}<html><body>\n<h2>{letters}<a href='https://example.org/a'>{letters} is a title</a></h2>{letters}"
    source = text.encode(charset)
    document = parse(source, format=detect_format("issue.html", source))
    assert [(link.url, link.line) for link in document.links] == [("https://example.org/a", 2)]
    assert extract_articles(document, ["a"]).articles[0].title == f"{letters}{letters} is a title"
    output = rewrite(document, {0: "https://s.example/1"})
    assert output == text.replace("https://example.org/a", "https://s.example/1").encode(charset)
