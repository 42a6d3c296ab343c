"""Takes an issue in: refuses what is none, tells Markdown from HTML, and has it parsed."""

import re
from pathlib import PurePath

from shortener.errors import TooLarge, Unreadable
from shortener.newsletter import html_reader, markdown_reader
from shortener.newsletter.document import Document, Format

MAX_BYTES = 5 * 1024 * 1024
"""Largest issue in bytes."""

_BOM = b"\xef\xbb\xbf"
_HTML_SUFFIXES = frozenset((".html", ".htm", ".xhtml", ".xht"))
_MARKDOWN_SUFFIXES = frozenset((".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mdx", ".qmd", ".rmd"))
# A comment is taken whole or not at all: tried at each of its ends, a row of them would take for ever.
_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?>.*?-->)\s*)*<(?:!doctype\s+html|html|head|body)[\s>]", re.I | re.S
)
_MARKUP = re.compile(rb"\s*<[a-z!]", re.I)
_MARKUP_END = re.compile(rb"</[a-z]+>\s*\Z", re.I)
_SNIFFED = 65_536


def guess_format(name: str, source: bytes) -> Format:
    """Tell how an issue is written: by its first bytes where they are plain, else by its file name."""
    head = source[:_SNIFFED].removeprefix(_BOM)
    if _PAGE.match(head):
        return "html"
    suffix = PurePath(name).suffix.lower()
    if suffix in _HTML_SUFFIXES:
        return "html"
    if suffix in _MARKDOWN_SUFFIXES:
        return "markdown"
    return "html" if _MARKUP.match(head) and _MARKUP_END.search(source[-_SNIFFED:]) else "markdown"


def _check(source: bytes) -> None:
    if len(source) > MAX_BYTES:
        raise TooLarge(
            f"the issue is {len(source):,} bytes long: 5 MB ({MAX_BYTES:,} bytes) is the most; split it"
        )
    if not source.removeprefix(_BOM).strip():
        raise Unreadable("the issue is empty: give a Markdown or HTML file with text in it")
    try:
        source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        where = f"byte 0x{source[error.start]:02x} at offset {error.start}, line {line}"
        raise Unreadable(f"the issue is not UTF-8 ({where}): save it as UTF-8") from None
    if b"\0" in source:
        raise Unreadable(f"the issue is not text (NUL at offset {source.index(0)}): save it as UTF-8")


def parse(source: bytes, *, format: Format) -> Document:
    """Parse an issue; its links, untouched links and outline are in document order.

    Raises Unreadable, in one line, when it is not UTF-8 text, empty, larger than ``MAX_BYTES`` (TooLarge), or has
    more than 5,000 links or more markup than a newsletter can have.
    """
    _check(source)
    start = len(_BOM) if source.startswith(_BOM) else 0
    return (
        html_reader.parse(source, start=start)
        if format == "html"
        else markdown_reader.parse(source, start=start)
    )
