"""Limits of parsing: refused sources, running time of hostile input, and detection of the format."""

from functools import partial

import pytest

from shortener.errors import InputError
from shortener.newsletter import MAX_ISSUE_BYTES, Format, detect_format, extract_articles, parse, rewrite
from shortener.newsletter.builder import MAX_LINKS
from tests.growth import SIZE_RATIO, grows_with_length

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
    "emphasis": ("markdown", "*a_ " * 8_000),
    "definitions": ("markdown", "".join(f"[{n}]: https://a.bc/{n}\n" for n in range(10_000))),
    "bare URLs without a space": ("markdown", ("https://a.bc，" + "x" * 100) * 2_000),
    "one endless bare URL": ("markdown", "https://a.bc/" + "&a;!)" * 150_000),
    "merge tag beginnings": ("markdown", "{{ {% %% [[ *|a <% ${" * 10_000),
    "CDATA in text": ("markdown", "a <![CDATA[" * 8_000),
    "divs": ("html", "<div>" * 20_000),
    "angles in HTML": ("html", "<" * 500_000),
    "comments that never close": ("html", "<!--" * 500_000),
    "CDATA that never closes": ("html", "<![CDATA[>" * 70_000),
    "tags that never close": ("html", "<a href=" * 100_000),
    "quotes that never close": ("html", '<a href="' * 100_001),
    "a long attribute": ("html", f"<a title='{'x' * 1_000_000}' href='https://a.bc'>x</a>"),
    "many attributes": ("html", "<a " + "a=b " * 100_000 + ">x</a>"),
    "scripts": ("html", "<script></script" * 200_000),
    "conditional comments": ("html", "<!--[if mso]>href" * 100_000),
    "stray end tags": ("html", "<b></i>" * 40_000),
    "words that almost say something": (
        "html",
        f"<a href='https://a.bc/'>{'view read unsubscribe ' * 30_000}</a>",
    ),
}


def read_or_refuse(format: Format, source: bytes) -> None:
    """Parse a source and extract its articles; a refusal of its markup is as good as a result."""
    try:
        document = parse(source, format=format)
        extract_articles(document, [link.url for link in document.links])
    except InputError as error:
        assert "markup" in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", HOSTILE)
def test_time_for_hostile_input_grows_with_its_length(name: str) -> None:
    """Deep nesting, repetition and missing ends are read or refused in a time that does not grow with the square."""
    format, text = HOSTILE[name]
    beginning = text[: len(text) // SIZE_RATIO]
    assert grows_with_length(partial(read_or_refuse, format), text.encode(), small=beginning.encode())


HOSTILE_STARTS = {
    "comments in a row": b"<!---->" * 9_000 + b"x",
    "comments that never close": b"<!--" * 16_000,
    "spaces": b" " * 65_000 + b"x",
    "declarations": b"<?xml " * 10_000,
    "tags at the end": b"<p>" + b"</a" * 20_000,
}


@pytest.mark.parametrize("source", HOSTILE_STARTS.values(), ids=HOSTILE_STARTS.keys())
def test_time_to_detect_a_format_grows_with_the_length(source: bytes) -> None:
    """The format of sources with hostile starts or ends is detected in a time that does not grow with the square."""
    assert grows_with_length(partial(detect_format, "-"), source, small=source[: len(source) // SIZE_RATIO])


def issue_source(format: Format, articles: int) -> bytes:
    """Return an issue of articles of 2 kB with two links each."""
    prose = "Lorem ipsum dolor sit amet, consectetur. " * 47
    shape = "## [Title {0}](https://a.bc/{0})\n\n{1}\n\n[Read more](https://a.bc/{0})\n\n"
    if format == "html":
        shape = "<h2><a href='https://a.bc/{0}'>Title {0}</a></h2><p>{1}<p><a href='https://a.bc/{0}'>Read more</a>\n"
    return "".join(shape.format(n, prose) for n in range(articles)).encode()


def process(source: bytes, format: Format) -> tuple[int, int]:
    """Parse, read and rewrite an issue; return the numbers of its articles and its short links."""
    document = parse(source, format=format)
    issue = extract_articles(document, [link.url for link in document.links])
    output = rewrite(document, {link.index: "https://s.example/x" for link in document.links})
    return len(issue.articles), output.count(b"s.example")


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_time_for_the_largest_issue_grows_with_its_length(format: Format) -> None:
    """An issue of 5 MB with 5,000 links is processed whole, in a time that does not grow with the square."""
    articles = MAX_LINKS // 2
    source, small = issue_source(format, articles), issue_source(format, articles // SIZE_RATIO)
    assert 0.9 * MAX_ISSUE_BYTES < len(source) <= MAX_ISSUE_BYTES
    processed = []
    assert grows_with_length(lambda each: processed.append(process(each, format)), source, small=small)
    assert processed[-1] == (articles, MAX_LINKS)


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
