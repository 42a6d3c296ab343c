"""Text in a character set other than UTF-8, and conversion of its offsets to and from its UTF-8 form."""

import codecs
import re
from collections.abc import Sequence

from shortener.newsletter.transfer_encoding import Replacement

_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSAFE_CHARSETS = frozenset(("utf-7", "hz", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"))


def codec_name(charset: str) -> str | None:
    """Return Python's name of a text encoding; None if it is unknown, or if text written in it could be misread."""
    try:
        name = codecs.lookup(charset.strip() or "us-ascii").name
        "".encode(name)  # raises LookupError for a codec that is not one of text, such as base64
    except (LookupError, ValueError):
        return None
    if name in _UNSAFE_CHARSETS:
        return None
    # Senders declare ASCII and mean UTF-8, and browsers read ISO 8859-1 as Windows-1252.
    return {"ascii": "utf-8", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}.get(name, name)


def decode_text(data: bytes, *, charset: str) -> str | None:
    """Decode text. Return None if encoding it again would change the bytes.

    Bytes that cannot be decoded become surrogates (Python's error handler ``surrogateescape``).
    """
    try:
        text = data.decode(charset, "surrogateescape")
        is_exact = text.encode(charset, "surrogateescape") == data
    except (UnicodeError, LookupError):
        return None
    return text if is_exact else None


def to_utf8(text: str) -> bytes:
    """Return the UTF-8 form that is parsed; a surrogate becomes U+FFFD, which is one character too."""
    return _SURROGATES.sub("\ufffd", text).encode()


def encode_replacements(text: str, replacements: Sequence[Replacement], *, charset: str) -> list[Replacement]:
    """Convert replacements from offsets in the UTF-8 bytes of ``text`` to offsets in its bytes in ``charset``."""
    utf8 = to_utf8(text)
    encoded: list[Replacement] = []
    position, characters, size = 0, 0, 0
    for replacement in replacements:
        offsets = []
        for offset in (replacement.start, replacement.end):
            count = len(utf8[position:offset].decode())
            size += len(_encode_piece(text[characters : characters + count], charset, is_start=characters == 0))
            position, characters = offset, characters + count
            offsets.append(size)
        new = _encode_piece(replacement.new.decode(), charset, is_start=offsets[0] == 0)
        encoded.append(Replacement(offsets[0], offsets[1], new))
    return encoded


def _encode_piece(piece: str, charset: str, *, is_start: bool) -> bytes:
    data = piece.encode(charset, "surrogateescape")
    if is_start or charset not in ("utf-16", "utf-32", "utf-8-sig"):
        return data
    mark = "".encode(charset)
    return data.removeprefix(mark)
