"""Parsing of an issue: its size and encoding are checked, its format is detected, and a reader is chosen."""

import re
from pathlib import PurePath

from msgspec.structs import replace

from shortener.errors import DocumentTooLarge, UnreadableDocument
from shortener.messages import Message
from shortener.newsletter import (
    encoded_document,
    file_kinds,
    html_reader,
    mail,
    markdown_reader,
    mime,
)
from shortener.newsletter.document import Document, Format

MAX_ISSUE_BYTES = 5 * 1024 * 1024
"""Maximum size of an issue in bytes."""
PASTED_NAME = "issue.md"
"""File name of a pasted document, which is read as Markdown unless its content is that of another format."""

_BOM = b"\xef\xbb\xbf"
_HTML_SUFFIXES = frozenset((".html", ".htm", ".xhtml", ".xht"))
_MAIL_SUFFIXES = frozenset((".eml", ".mht", ".mhtml"))
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MJML_DOCUMENT = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?>.*?-->)\s*)*<mjml[\s>]", re.I | re.S)
_MARKDOWN_SUFFIXES = frozenset((".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mdx", ".qmd", ".rmd"))
# The atomic group matches a comment whole or not at all; backtracking over a row of comments would take far too long.
_HTML_DOCUMENT = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?>.*?-->)\s*)*<(?:!doctype\s+html|html|head|body)[\s>]", re.I | re.S
)
_HTML_START = re.compile(rb"\s*<[a-z!]", re.I)
_HTML_END = re.compile(rb"</[a-z]+>\s*\Z", re.I)
_SNIFF_BYTES = 65_536  # at the start and at the end of a source


def detect_format(filename: str, source: bytes) -> Format:
    """Return the format of an issue, such as "markdown", from its file name and its content."""
    head = source[:_SNIFF_BYTES].removeprefix(_BOM)
    if head[:2] in _UTF16_MARKS:
        head = head.decode("utf-16", "replace").encode()
    suffix = PurePath(filename).suffix.lower()
    # The start of the content decides for mails, MJML and whole HTML documents, then the suffix.
    if suffix in _MAIL_SUFFIXES or mime.looks_like_mail(head):
        return "eml"
    if suffix == ".mjml" or _MJML_DOCUMENT.match(head):
        return "mjml"
    if _HTML_DOCUMENT.match(head):
        return "html"
    if suffix in _HTML_SUFFIXES:
        return "html"
    if suffix in _MARKDOWN_SUFFIXES:
        return "markdown"
    return "html" if _HTML_START.match(head) and _HTML_END.search(source[-_SNIFF_BYTES:]) else "markdown"


def parse(
    source: bytes,
    *,
    format: Format,
    take_over_tracking: bool = False,  # whether links tracked by the software listmonk can be replaced
    break_signature: bool = False,  # whether links in signed parts of a mail can be replaced
) -> Document:
    """Parse an issue into its links and blocks of text. Raises DocumentTooLarge, UnreadableDocument."""
    if len(source) > MAX_ISSUE_BYTES:
        raise DocumentTooLarge(
            Message(
                "the issue has {value} bytes; the limit is 5 MB ({limit} bytes); split the issue",
                value=len(source),
                limit=MAX_ISSUE_BYTES,
            )
        )
    if not source.removeprefix(_BOM).strip():
        raise UnreadableDocument(Message("the issue is empty; give a Markdown or HTML file with text"))
    if kind := file_kinds.unreadable_kind(source):
        raise UnreadableDocument(Message("the issue is {kind}", kind=kind))
    if format == "eml":
        return mail.parse_mail(source, take_over_tracking=take_over_tracking, break_signature=break_signature)
    charset = file_kinds.declared_charset(source, is_html=format == "html")
    if charset:
        return _parse_in_charset(source, charset, format=format, take_over_tracking=take_over_tracking)
    _check_text(source)
    return _parse_text(source, format=format, take_over_tracking=take_over_tracking)


def _parse_text(source: bytes, *, format: Format, take_over_tracking: bool) -> Document:
    start = len(_BOM) if source.startswith(_BOM) else 0
    if format == "markdown":
        return markdown_reader.parse_markdown(source, start=start, take_over_tracking=take_over_tracking)
    return html_reader.parse_html(source, start=start, format=format, take_over_tracking=take_over_tracking)


def _parse_in_charset(source: bytes, charset: str, *, format: Format, take_over_tracking: bool) -> Document:
    part = encoded_document.decode_part(
        source, start=0, end=len(source), charset=charset, encoding="", is_html=format != "markdown"
    )
    if part is None:
        raise UnreadableDocument(Message("the issue cannot be read as {charset}; save it as UTF-8", charset=charset))
    document = _parse_text(part.text, format=format, take_over_tracking=take_over_tracking)
    base = replace(document, source=source, links=(), untouched=(), blocks=(), warnings=())
    return encoded_document.join_parts(source, [(part, document, False)], base=base)


def _check_text(source: bytes) -> None:
    try:
        source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        position = f"byte 0x{source[error.start]:02x} at offset {error.start}, line {line}"
        raise UnreadableDocument(
            Message("the issue is not UTF-8 ({position}); save it as UTF-8", position=position)
        ) from None
    if b"\0" in source:
        raise UnreadableDocument(
            Message("the issue is not text (NUL at offset {index}); save it as UTF-8", index=source.index(0))
        )
