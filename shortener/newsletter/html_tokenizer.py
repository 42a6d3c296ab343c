"""Tokenizer of HTML by the rules of browsers (WHATWG HTML, section 13.2.5). It reports byte offsets in linear time."""

# The standard library's html.parser has no offsets of attribute values, reads broken markup differently from release
# to release, and takes quadratic time on unclosed comments.
import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from shortener.newsletter.document import UrlSyntax

# Works on bytes: every character with a meaning in HTML is ASCII, so no UTF-8 sequence is split.
_MARKUP_START = re.compile(rb"<(?:(/?)([A-Za-z][^\t\n\f\r />]*)|[!?/])")
_ATTRIBUTE_NAME = re.compile(rb"[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)")
_EQUALS = re.compile(rb"[\t\n\f\r ]*=[\t\n\f\r ]*")
_UNQUOTED_VALUE = re.compile(rb"[^\t\n\f\r >]+")
_TAG_WHITESPACE = re.compile(rb"[\t\n\f\r /]*")
_COMMENT_END = re.compile(rb"--!?>")
RAW_TEXT_ELEMENTS = frozenset(b"script style xmp iframe noembed noframes textarea title plaintext".split())
"""Elements whose content is text even if it looks like markup."""

_RAW_TEXT_END = {
    name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.I) for name in RAW_TEXT_ELEMENTS - {b"plaintext"}
}

TokenKind = Literal["text", "raw", "start", "end", "comment"]
"""Kind of a token: text, content of a raw-text element, start tag, end tag or comment."""


class Attribute(Struct, frozen=True):
    """An attribute of a tag: its name in lower case, the byte range of its value, and the quotes around the value."""

    name: bytes
    start: int
    end: int
    syntax: UrlSyntax


class Token(Struct, frozen=True):
    """A token of HTML: the bytes from ``start`` to ``end`` of the source. A comment is without ``<!--`` and ``-->``."""

    kind: TokenKind
    start: int
    end: int
    name: bytes = b""
    """Lower-case name of the tag or, for ``raw`` text, of the element around it, such as ``script``."""
    attributes: tuple[Attribute, ...] = ()
    flags: tuple[bytes, ...] = ()
    """Lower-case names of the attributes without a value."""


def _parse_attribute_value(source: bytes, offset: int) -> tuple[int, int, int, UrlSyntax] | None:
    quote = source[offset : offset + 1]
    if quote in (b'"', b"'"):
        end = source.find(quote, offset + 1)
        # A value without its closing quote makes the tag unclosed.
        return None if end < 0 else (offset + 1, end, end + 1, "double" if quote == b'"' else "single")
    match = _UNQUOTED_VALUE.match(source, offset)
    end = match.end() if match else offset
    return offset, end, end, "unquoted"


def _parse_attributes(source: bytes, offset: int) -> tuple[tuple[Attribute, ...], tuple[bytes, ...], int]:
    attributes: list[Attribute] = []
    flags: list[bytes] = []
    while match := _ATTRIBUTE_NAME.match(source, offset):
        name, offset = match[1].lower(), match.end()
        equals = _EQUALS.match(source, offset)
        if equals is None:
            flags.append(name)
            continue
        value = _parse_attribute_value(source, equals.end())
        if value is None:
            return (), (), -1  # the tag is not closed
        start, end, offset, quote = value
        attributes.append(Attribute(name, start, end, quote))
    gap = _TAG_WHITESPACE.match(source, offset)
    offset = gap.end() if gap else offset
    end = offset + 1 if source[offset : offset + 1] == b">" else -1
    return tuple(attributes), tuple(flags), end


def _parse_comment_or_declaration(source: bytes, offset: int, last_cdata_end: int) -> tuple[Token, int]:
    size = len(source)
    if source.startswith(b"<!--", offset):
        for empty in (b"<!-->", b"<!--->"):
            if source.startswith(empty, offset):
                return Token("comment", offset + 4, offset + 4), offset + len(empty)
        close = _COMMENT_END.search(source, offset + 4)
        start, end, after = offset + 4, *((close.start(), close.end()) if close else (size, size))
        return Token("comment", start, end), after
    # A browser ends a CDATA section at ">", but its own end mark is what an author of XHTML means. Behind
    # ``last_cdata_end``, the offset of the last "]]>" in the source, no section is closed, so ">" ends it there too.
    mark = b"]]>" if offset < last_cdata_end and source[offset : offset + 9].upper() == b"<![CDATA[" else b">"
    end = source.find(mark, offset + 2)
    return Token("comment", size, size), end + len(mark) if end >= 0 else size


def tokenize(source: bytes, *, raw_element: bytes = b"") -> Iterator[Token]:
    """Yield the tokens of ``source`` in order.

    If the source begins inside an element with raw text, such as a script, ``raw_element`` is its name.
    """
    offset, size, last_cdata = 0, len(source), source.rfind(b"]]>")
    while offset < size:
        if raw_element:
            close = _find_raw_text_end(source, raw_element, offset)
            yield Token("raw", offset, close, raw_element)
            offset, raw_element = close, b""
            continue
        match = _MARKUP_START.search(source, offset)
        start = match.start() if match else size
        if start > offset:
            yield Token("text", offset, start)
        if match is None:
            return
        if not match[2]:
            token, offset = _parse_comment_or_declaration(source, start, last_cdata)
            yield token
            continue
        name = match[2].lower()
        attributes, flags, offset = _parse_attributes(source, match.end())
        if offset < 0:
            return
        is_end_tag = bool(match[1])
        yield Token("end" if is_end_tag else "start", start, offset, name, attributes, flags)
        raw_element = name if not is_end_tag and name in RAW_TEXT_ELEMENTS else b""


def _find_raw_text_end(source: bytes, raw_element: bytes, offset: int) -> int:
    match = _RAW_TEXT_END[raw_element].search(source, offset) if raw_element in _RAW_TEXT_END else None
    return match.start() if match else len(source)
