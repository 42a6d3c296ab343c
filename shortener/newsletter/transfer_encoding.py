"""Decoding of quoted-printable and base64 in mails, and replacement of bytes in the encoded form."""

# Source: RFC 2045, sections 6.7 (quoted-printable) and 6.8 (base64).
import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

IDENTITY_ENCODINGS = frozenset(("7bit", "8bit", "binary", ""))
"""Transfer encodings in which the bytes are those of the text."""

_MAX_LINE_LENGTH = 76  # characters of an encoded line without its end
# An encoded byte, a soft line break, white space at the end of a line (which is not text), literal text, a stray "=".
_QP_TOKEN = re.compile(
    rb"=([0-9A-Fa-f]{2})|=[ \t]*(?:\r\n|\n|\r|\Z)|[ \t]+(?=[\r\n]|\Z)"
    rb"|((?:[^= \t\r\n]|[\r\n]|[ \t]+(?=[^ \t\r\n]))+|=)"
)
_QP_UNIT = re.compile(rb"=[0-9A-Fa-f]{2}|.", re.S)
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Replacement(Struct, frozen=True):
    """A replacement of decoded bytes: ``new`` instead of the bytes from ``start`` to ``end``."""

    start: int
    end: int
    new: bytes


class Piece(Struct, frozen=True):
    """A piece of a quoted-printable text, with its byte ranges in the decoded text and in the source."""

    offset: int
    """Offset in the decoded text."""
    size: int
    """Number of decoded bytes. A piece of two or more bytes is not encoded: the source contains the same bytes."""
    start: int
    """Offset in the source where the piece begins; it ends at ``end``."""
    end: int


class DecodedBytes(Struct, frozen=True):
    """Decoded bytes and, for quoted-printable, the pieces from which they were decoded."""

    data: bytes
    pieces: tuple[Piece, ...] = ()

    def encoded_start(self, offset: int) -> int:
        """Convert the start of a range from an offset in the decoded bytes to an offset in the encoded bytes."""
        piece = self._piece_at(offset)
        return piece.start + (offset - piece.offset if piece.size > 1 else 0)

    def encoded_end(self, offset: int) -> int:
        """Convert the end of a range from an offset in the decoded bytes to an offset in the encoded bytes."""
        # A soft line break behind the range does not belong to it.
        piece = self._piece_at(offset - 1)
        return piece.start + offset - piece.offset if piece.size > 1 else piece.end

    def _piece_at(self, offset: int) -> Piece:
        return self.pieces[max(0, bisect_right(self.pieces, offset, key=_piece_offset) - 1)]


def _piece_offset(piece: Piece) -> int:
    return piece.offset


def decode(encoded: bytes, *, transfer_encoding: str) -> DecodedBytes | None:
    """Return the decoded bytes of a mail part. Return None for an unknown encoding or invalid base64."""
    if transfer_encoding in IDENTITY_ENCODINGS:
        return DecodedBytes(encoded)
    if transfer_encoding == "quoted-printable":
        return _decode_quoted_printable(encoded)
    if transfer_encoding == "base64":
        try:
            return DecodedBytes(base64.b64decode(b"".join(encoded.split()), validate=True))
        except (binascii.Error, ValueError):
            return None
    return None


def _decode_quoted_printable(encoded: bytes) -> DecodedBytes:
    parts: list[bytes] = []
    pieces: list[Piece] = []
    offset = 0
    for match in _QP_TOKEN.finditer(encoded):
        data = bytes((int(match[1], 16),)) if match[1] else match[2]
        if data:
            parts.append(data)
            pieces.append(Piece(offset, len(data), match.start(), match.end()))
            offset += len(data)
    return DecodedBytes(b"".join(parts), tuple(pieces))


def source_offset(decoded: DecodedBytes, offset: int, *, transfer_encoding: str) -> int:
    """Return the offset of a decoded byte in the encoded bytes; for base64 it is approximate."""
    if transfer_encoding == "quoted-printable":
        return decoded.encoded_start(offset) if decoded.pieces else 0
    return offset * 4 // 3 if transfer_encoding == "base64" else offset


def replace(encoded: bytes, replacements: Sequence[Replacement], *, transfer_encoding: str) -> bytes:
    """Replace ranges of the decoded bytes, and return the new encoded bytes.

    The ranges must be in order and not overlap.
    """
    if not replacements:
        return encoded
    if transfer_encoding == "quoted-printable":
        return _replace_quoted_printable(encoded, replacements)
    if transfer_encoding == "base64":
        decoded = base64.b64decode(b"".join(encoded.split()))
        return _encode_base64(_splice(decoded, replacements), like=encoded)
    return _splice(encoded, replacements)


def _splice(data: bytes, replacements: Sequence[Replacement]) -> bytes:
    parts, offset = [], 0
    for replacement in replacements:
        parts += [data[offset : replacement.start], replacement.new]
        offset = replacement.end
    return b"".join((*parts, data[offset:]))


def _line_end(data: bytes) -> bytes:
    match = _LINE_END.search(data)
    return match[0] if match else b"\r\n"


def _encode_base64(data: bytes, *, like: bytes) -> bytes:
    # Line width, line ends and outer white space stay as they are in ``like``.
    body = like.strip()
    start = like.index(body) if body else 0
    first_line = body.split(None, 1)[0] if body else b""
    width = len(first_line) if len(body) > len(first_line) else max(len(first_line), _MAX_LINE_LENGTH)
    width = max(4, width - width % 4)
    text = base64.b64encode(data)
    lines = [text[offset : offset + width] for offset in range(0, len(text), width)]
    return like[:start] + _line_end(like).join(lines) + like[start + len(body) :]


def _replace_quoted_printable(encoded: bytes, replacements: Sequence[Replacement]) -> bytes:
    decoded, line_end = _decode_quoted_printable(encoded), _line_end(encoded)
    output, offset = bytearray(), 0
    starts = [*(decoded.encoded_start(replacement.start) for replacement in replacements), len(encoded)]
    for replacement, (start, next_start) in zip(replacements, pairwise(starts), strict=True):
        end = decoded.encoded_end(replacement.end)
        output += encoded[offset:start]
        column = len(output) - max(output.rfind(b"\n"), output.rfind(b"\r")) - 1
        column = _append_quoted_printable(output, replacement.new, column=column, line_end=line_end)
        following = _LINE_END.search(encoded, end, next_start)
        rest = encoded[end : following.start() if following else next_start]
        # Where another replacement follows in the line, there has to be room for a soft line break in front of it.
        is_line_end = following is not None or next_start == len(encoded)
        limit = _MAX_LINE_LENGTH if is_line_end else _MAX_LINE_LENGTH - 1
        if column + len(rest) > limit and rest not in (b"", b"="):
            if column:
                output += b"=" + line_end
            end += _append_long_rest(output, rest, limit=limit, line_end=line_end)
        offset = end
    return bytes(output + encoded[offset:])


def _append_quoted_printable(output: bytearray, data: bytes, *, column: int, line_end: bytes) -> int:
    for byte in data:
        token = b"=%02X" % byte if byte == 0x3D or byte > 0x7E or byte < 0x21 else bytes([byte])
        if column + len(token) > _MAX_LINE_LENGTH - 1:
            output += b"=" + line_end
            column = 0
        output += token
        column += len(token)
    return column


def _append_long_rest(output: bytearray, rest: bytes, *, limit: int, line_end: bytes) -> int:
    # Append the start of ``rest`` until what remains fits in one line.
    taken, column = 0, 0
    if len(rest) <= limit:
        return 0
    for match in _QP_UNIT.finditer(rest):
        if len(rest) - taken <= limit:
            break
        if column + len(match[0]) > _MAX_LINE_LENGTH - 1:
            output += b"=" + line_end
            column = 0
        output += match[0]
        column += len(match[0])
        taken = match.end()
    if column:
        output += b"=" + line_end
    return taken
