"""Structure of a mail: its headers and the byte ranges of its parts.

Source: RFC 5322, section 2.1; RFC 2046, section 5.1.
"""

# Python's email package reads headers only: it reports no byte ranges, and would not keep every byte when writing.
import re
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesHeaderParser

from msgspec import Struct

HEADER_ERRORS = (MessageError, ValueError, AttributeError, IndexError, TypeError, LookupError)
"""Errors that the email package raises for malformed headers."""

_MAX_DEPTH = 20  # of nested parts
_HEADER_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LOGICAL_LINE = re.compile(rb"[^\r\n]*(?:(?>\r\n|\n|\r)[ \t][^\r\n]*)*(?>\r\n|\n|\r|\Z)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_HEADER_LINE = re.compile(
    rb"(?:From [^\r\n]*|>?[!-9;-~]+[ \t]*:[^\r\n]*(?:(?:\r\n|\n|\r)[ \t][^\r\n]*)*)(?:\r\n|\n|\r|\Z)"
)
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_MAIL_HEADER = re.compile(
    rb"(?:from|mime-version|content-type|received|subject|date|message-id|return-path)[ \t]*:", re.I
)
_STRONG_HEADER = re.compile(rb"(?:from|mime-version|content-type|received)[ \t]*:", re.I)
_CONTENT_TYPE = re.compile(rb"content-type[ \t]*:", re.I)
_HEADER_COMMENT = re.compile(r"\s*(?:[(;].*)?\Z", re.S)
_STORED_HEADER = re.compile(rb"(?:subject|date|mime-version|content-[!-9;-~]+)[ \t]*:", re.I)


class MailPart(Struct, frozen=True):
    """A part of a mail: the byte ranges of its header and its body, and values from its header."""

    header_start: int
    start: int
    end: int
    content_type: str
    charset: str
    transfer_encoding: str
    is_attachment: bool
    signed: bool
    """Whether it is inside ``multipart/signed``."""
    children: tuple["MailPart", ...] = ()
    is_closed: bool = True
    """False for a multipart whose closing boundary is missing."""

    def leaves(self) -> list["MailPart"]:
        """Return the parts inside this part that contain no other parts, in document order."""
        if not self.children and not self.content_type.startswith("multipart/"):
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]


def looks_like_mail(source: bytes) -> bool:
    """Return whether a source looks like a mail: it begins with two or more header lines before the first
    empty line.
    """
    offset, known, is_strong = 0, 0, False
    while match := _HEADER_LINE.match(source, offset):
        known += bool(_MAIL_HEADER.match(match[0]))
        is_strong = is_strong or bool(_STRONG_HEADER.match(match[0]))
        offset = match.end()
    at_empty_line = bool(_LINE_END.match(source, offset)) or offset == len(source)
    return offset > 0 and at_empty_line and is_strong and known > 1


def read_headers(source: bytes, part: MailPart) -> EmailMessage:
    """Return the headers of a part, unfolded and decoded."""
    return _parse_headers(source[part.header_start : part.start])


def _parse_headers(header: bytes) -> EmailMessage:
    # The email package ends a header at the first line that is none; mail programs go on.
    lines = [match[0] for match in _LOGICAL_LINE.finditer(header) if _FIELD.match(match[0])]
    parser = BytesHeaderParser(policy=policy.default)
    try:
        message = parser.parsebytes(b"".join(lines))
    except HEADER_ERRORS:  # the parser reads the content type at once
        message = parser.parsebytes(b"".join(line for line in lines if not _CONTENT_TYPE.match(line)))
    return message if isinstance(message, EmailMessage) else EmailMessage()


def header_value(message: EmailMessage, name: str) -> str:
    """Return the value of a header, decoded; '' if it is missing or malformed."""
    try:
        return str(message.get(name, "") or "").strip()
    except HEADER_ERRORS:
        return ""


def _parameter(message: EmailMessage, name: str) -> str:
    try:
        value = message.get_param(name, "")
    except HEADER_ERRORS:
        return ""
    return str(value[2] if isinstance(value, tuple) else value or "")


def parse_structure(
    source: bytes,
    *,
    start: int = 0,
    end: int | None = None,
    signed: bool = False,  # whether the part is inside ``multipart/signed``
    depth: int = 0,  # number of parts around the part
    default_type: str = "text/plain",  # content type of a part whose header names none
) -> MailPart:
    """Return the part of a mail whose header begins at ``start``, with all parts inside it."""
    end = len(source) if end is None else end
    body = _body_start(source, start, end)
    message = _parse_headers(source[start:body])
    content_type = message.get_content_type() if message.get("Content-Type") else default_type
    disposition = header_value(message, "Content-Disposition").casefold()
    boundary = _parameter(message, "boundary") if content_type.startswith("multipart/") else ""
    children: list[MailPart] = []
    is_closed = True
    if boundary and depth < _MAX_DEPTH:
        is_signed = signed or content_type == "multipart/signed"
        child_type = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
        ranges, is_closed = _split_at_boundary(source, boundary.encode("ascii", "replace"), body, end)
        children = [
            parse_structure(source, start=first, end=last, signed=is_signed, depth=depth + 1, default_type=child_type)
            for first, last in ranges
        ]
    return MailPart(
        header_start=start,
        start=body,
        end=end,
        content_type=content_type,
        charset=_parameter(message, "charset"),
        transfer_encoding=_HEADER_COMMENT.sub("", header_value(message, "Content-Transfer-Encoding")).casefold(),
        is_attachment=disposition.startswith("attachment"),
        signed=signed,
        children=tuple(children),
        is_closed=is_closed,
    )


def _body_start(source: bytes, start: int, end: int) -> int:
    if empty := _LINE_END.match(source, start, end):
        return empty.end()
    header_end = _HEADER_END.search(source, start, end)
    return header_end.end() if header_end else end


def _split_at_boundary(source: bytes, boundary: bytes, start: int, end: int) -> tuple[list[tuple[int, int]], bool]:
    # The line end before a boundary belongs to the boundary.
    delimiter = re.compile(
        rb"(?:\r\n|\n|\r|(?<=\n)|(?<=\r)|\A)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|\n|\r|\Z)"
    )
    ranges: list[tuple[int, int]] = []
    part_start: int | None = None
    for match in delimiter.finditer(source, max(0, start - 1), end):
        if part_start is not None:
            ranges.append((part_start, max(part_start, match.start())))
        if match[1]:
            return ranges, True
        line_end = _LINE_END.match(source, match.end(), end)
        part_start = line_end.end() if line_end else match.end()
    if part_start is not None:
        ranges.append((part_start, end))
    return ranges, False


def stored_form(source: bytes) -> bytes:
    """Return a mail without the headers that can name a person. Only Subject, Date, MIME-Version and Content-* stay.

    Attached mails lose their headers too.
    """
    structure = parse_structure(source)
    cuts = [(structure.header_start, structure.start)]
    for leaf in structure.leaves():
        if leaf.content_type == "message/rfc822":
            attached = parse_structure(source, start=leaf.start, end=leaf.end)
            cuts.append((attached.header_start, attached.start))
    parts, offset = [], 0
    for start, end in cuts:
        if start >= offset:
            parts += [source[offset:start], _stored_header(source[start:end])]
            offset = end
    return b"".join((*parts, source[offset:]))


def _stored_header(header: bytes) -> bytes:
    lines = [match[0] for match in _LOGICAL_LINE.finditer(header)]
    return b"".join(line for line in lines if _STORED_HEADER.match(line) or not line.strip(b"\r\n"))
