"""HTML as browsers tokenise it, on bytes, so that every position is a byte offset of the source.

The standard library's ``html.parser`` tells where a tag begins, but not where an attribute's value does,
gives columns of characters that have to be turned into bytes, reads broken markup differently from release
to release of Python, and takes quadratic time on unclosed comments. The rules here are those of the WHATWG
standard (section 13.2.5), and linear. Every character that means something is ASCII, so UTF-8 is never cut.
"""

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from shortener.newsletter.document import UrlSyntax

_MARKUP_START = re.compile(rb"<(?:(/?)([A-Za-z][^\t\n\f\r />]*)|[!?/])")
_ATTRIBUTE_NAME = re.compile(rb"[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)")
_EQUALS = re.compile(rb"[\t\n\f\r ]*=[\t\n\f\r ]*")
_UNQUOTED_VALUE = re.compile(rb"[^\t\n\f\r >]+")
_TAG_WHITESPACE = re.compile(rb"[\t\n\f\r /]*")
_COMMENT_END = re.compile(rb"--!?>")
RAW_TEXT_ELEMENTS = frozenset(b"script style xmp iframe noembed noframes textarea title plaintext".split())
"""Elements whose content is text, whatever it looks like."""

_RAW_TEXT_END = {
    name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.I)
    for name in RAW_TEXT_ELEMENTS - {b"plaintext"}
}

TokenKind = Literal["text", "raw", "start", "end", "comment"]


class Attribute(Struct, frozen=True):
    """One attribute of a tag: lower-case name, and the bytes between which its value stands."""

    name: bytes
    start: int
    end: int
    syntax: UrlSyntax


class Token(Struct, frozen=True):
    """A piece of HTML from ``start`` to ``end``.

    ``name`` is the lower-case tag name; for ``raw`` text (scripts, styles, titles) that of its element.
    For a ``comment``, ``start`` and ``end`` enclose what stands between its marks.
    """

    kind: TokenKind
    start: int
    end: int
    name: bytes = b""
    attributes: tuple[Attribute, ...] = ()


def _parse_attribute_value(source: bytes, offset: int) -> tuple[int, int, int, UrlSyntax] | None:
    """Start and end of the value at ``at``, where to go on, its quoting; None if its quote never closes."""
    quote = source[offset : offset + 1]
    if quote in (b'"', b"'"):
        end = source.find(quote, offset + 1)
        return None if end < 0 else (offset + 1, end, end + 1, "double" if quote == b'"' else "single")
    match = _UNQUOTED_VALUE.match(source, offset)
    end = match.end() if match else offset
    return offset, end, end, "unquoted"


def _parse_attributes(source: bytes, offset: int) -> tuple[tuple[Attribute, ...], int]:
    """The attributes from ``at`` on and the offset behind the tag, or -1 if the tag never ends."""
    found: list[Attribute] = []
    while match := _ATTRIBUTE_NAME.match(source, offset):
        name, offset = match[1].lower(), match.end()
        equals = _EQUALS.match(source, offset)
        if equals is None:
            continue
        value = _parse_attribute_value(source, equals.end())
        if value is None:
            return (), -1
        start, end, offset, quote = value
        found.append(Attribute(name, start, end, quote))
    gap = _TAG_WHITESPACE.match(source, offset)
    offset = gap.end() if gap else offset
    return tuple(found), offset + 1 if source[offset : offset + 1] == b">" else -1


def _parse_declaration(source: bytes, offset: int, last_cdata_end: int) -> tuple[Token, int]:
    """The comment, declaration or instruction that begins at ``at``, and the offset behind it."""
    size = len(source)
    if source.startswith(b"<!--", offset):
        for empty in (b"<!-->", b"<!--->"):
            if source.startswith(empty, offset):
                return Token("comment", offset + 4, offset + 4), offset + len(empty)
        close = _COMMENT_END.search(source, offset + 4)
        start, end, after = offset + 4, *((close.start(), close.end()) if close else (size, size))
        return Token("comment", start, end), after
    # A CDATA section ends at its own mark: what an XHTML author meant, though a browser would stop at ">".
    mark = b"]]>" if offset < last_cdata_end and source[offset : offset + 9].upper() == b"<![CDATA[" else b">"
    end = source.find(mark, offset + 2)
    return Token("comment", size, size), end + len(mark) if end >= 0 else size


def tokenize(source: bytes, *, raw_element: bytes = b"") -> Iterator[Token]:
    """Yield the tokens of ``source`` in order; ``raw`` names the raw-text element it begins in, if any.

    A tag that the end of the source cuts off is no tag, as in browsers: nothing is yielded from there on.
    """
    at, size, last_cdata = 0, len(source), source.rfind(b"]]>")
    while at < size:
        if raw_element:
            close = find_raw_text_end(source, raw_element, at)
            yield Token("raw", at, close, raw_element)
            at, raw_element = close, b""
            continue
        match = _MARKUP_START.search(source, at)
        start = match.start() if match else size
        if start > at:
            yield Token("text", at, start)
        if match is None:
            return
        if not match[2]:
            token, at = _parse_declaration(source, start, last_cdata)
            yield token
            continue
        name = match[2].lower()
        attributes, at = _parse_attributes(source, match.end())
        if at < 0:
            return
        closing = bool(match[1])
        yield Token("end" if closing else "start", start, at, name, attributes)
        raw_element = name if not closing and name in RAW_TEXT_ELEMENTS else b""


def find_raw_text_end(source: bytes, raw_element: bytes, offset: int) -> int:
    """Where the text of the element ``raw`` ends that goes on at ``at``: before its end tag, if any."""
    match = _RAW_TEXT_END[raw_element].search(source, offset) if raw_element in _RAW_TEXT_END else None
    return match.start() if match else len(source)
