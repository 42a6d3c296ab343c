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

from shortener.newsletter.document import Encoding

_OPENING = re.compile(rb"<(?:(/?)([A-Za-z][^\t\n\f\r />]*)|[!?/])")
_ATTRIBUTE_NAME = re.compile(rb"[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)")
_EQUALS = re.compile(rb"[\t\n\f\r ]*=[\t\n\f\r ]*")
_UNQUOTED = re.compile(rb"[^\t\n\f\r >]+")
_GAP = re.compile(rb"[\t\n\f\r /]*")
_COMMENT_END = re.compile(rb"--!?>")
RAW = frozenset(b"script style xmp iframe noembed noframes textarea title plaintext".split())
"""Elements whose content is text, whatever it looks like."""

_RAW_END = {name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.I) for name in RAW - {b"plaintext"}}

TokenKind = Literal["text", "raw", "start", "end", "comment"]


class Attribute(Struct, frozen=True):
    """One attribute of a tag: lower-case name, and the bytes between which its value stands."""

    name: bytes
    start: int
    end: int
    quote: Encoding


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


def _value(source: bytes, at: int) -> tuple[int, int, int, Encoding] | None:
    """Start and end of the value at ``at``, where to go on, its quoting; None if its quote never closes."""
    quote = source[at : at + 1]
    if quote in (b'"', b"'"):
        end = source.find(quote, at + 1)
        return None if end < 0 else (at + 1, end, end + 1, "double" if quote == b'"' else "single")
    match = _UNQUOTED.match(source, at)
    end = match.end() if match else at
    return at, end, end, "unquoted"


def _attributes(source: bytes, at: int) -> tuple[tuple[Attribute, ...], int]:
    """The attributes from ``at`` on and the offset behind the tag, or -1 if the tag never ends."""
    found: list[Attribute] = []
    while match := _ATTRIBUTE_NAME.match(source, at):
        name, at = match[1].lower(), match.end()
        equals = _EQUALS.match(source, at)
        if equals is None:
            continue
        value = _value(source, equals.end())
        if value is None:
            return (), -1
        start, end, at, quote = value
        found.append(Attribute(name, start, end, quote))
    gap = _GAP.match(source, at)
    at = gap.end() if gap else at
    return tuple(found), at + 1 if source[at : at + 1] == b">" else -1


def _declaration(source: bytes, at: int, last_cdata: int) -> tuple[Token, int]:
    """The comment, declaration or instruction that begins at ``at``, and the offset behind it."""
    size = len(source)
    if source.startswith(b"<!--", at):
        for empty in (b"<!-->", b"<!--->"):
            if source.startswith(empty, at):
                return Token("comment", at + 4, at + 4), at + len(empty)
        close = _COMMENT_END.search(source, at + 4)
        start, end, after = at + 4, *((close.start(), close.end()) if close else (size, size))
        return Token("comment", start, end), after
    # A CDATA section ends at its own mark: what an XHTML author meant, though a browser would stop at ">".
    mark = b"]]>" if at < last_cdata and source[at : at + 9].upper() == b"<![CDATA[" else b">"
    end = source.find(mark, at + 2)
    return Token("comment", size, size), end + len(mark) if end >= 0 else size


def tokens(source: bytes, *, raw: bytes = b"") -> Iterator[Token]:
    """Yield the tokens of ``source`` in order; ``raw`` names the raw-text element it begins in, if any.

    A tag that the end of the source cuts off is no tag, as in browsers: nothing is yielded from there on.
    """
    at, size, last_cdata = 0, len(source), source.rfind(b"]]>")
    while at < size:
        if raw:
            close = raw_end(source, raw, at)
            yield Token("raw", at, close, raw)
            at, raw = close, b""
            continue
        match = _OPENING.search(source, at)
        start = match.start() if match else size
        if start > at:
            yield Token("text", at, start)
        if match is None:
            return
        if not match[2]:
            token, at = _declaration(source, start, last_cdata)
            yield token
            continue
        name = match[2].lower()
        attributes, at = _attributes(source, match.end())
        if at < 0:
            return
        closing = bool(match[1])
        yield Token("end" if closing else "start", start, at, name, attributes)
        raw = name if not closing and name in RAW else b""


def raw_end(source: bytes, raw: bytes, at: int) -> int:
    """Where the text of the element ``raw`` ends that goes on at ``at``: before its end tag, if any."""
    match = _RAW_END[raw].search(source, at) if raw in _RAW_END else None
    return match.start() if match else len(source)
