"""Decoding of text that is not UTF-8, and conversion of byte offsets between the text and its copy in UTF-8."""

import codecs
import re
from collections.abc import Sequence

from shortener.newsletter.transfer_encoding import Replacement

_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSAFE_CHARSETS = frozenset(("utf-7", "hz", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"))
# Names that browsers know and Python does not. Source: the WHATWG Encoding Standard.
_ALIASES = {
    "cp-850": "cp850",
    "dos-874": "cp874",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-8-i": "iso8859-8",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "windows-874": "cp874",
    "x-cp1250": "cp1250",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "x-euc-jp": "euc-jp",
    "x-gbk": "gb18030",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-roman": "mac-roman",
    "x-sjis": "shift_jis",
}
# Senders declare ASCII and mean UTF-8. For the others browsers use the larger set of characters of Windows.
_READ_AS = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}


def decode_declared(data: bytes, *, charset: str) -> tuple[str, str] | None:
    """Decode bytes; return (text, Python's name of the encoding).

    Return None for unknown or unsafe charsets, or if encoding again would change the bytes.
    """
    name = _codec_name(charset)
    if name is None or name in _UNSAFE_CHARSETS:
        return None
    for codec in (_READ_AS.get(name, name), name):
        text = decode_text(data, charset=codec)
        if text is not None:
            return text, codec
    return None


def _codec_name(charset: str) -> str | None:
    declared = charset.strip() or "us-ascii"
    try:
        name = codecs.lookup(_ALIASES.get(declared.casefold(), declared)).name
        "".encode(name)  # raises LookupError for a codec that is not one of text, such as base64
    except (LookupError, ValueError):
        return None
    return name


def decode_text(data: bytes, *, charset: str) -> str | None:
    """Return the decoded text; None if encoding it again would change the bytes.

    Bytes that cannot be decoded become surrogates (Python's error handler ``surrogateescape``).
    """
    try:
        text = data.decode(charset, "surrogateescape")
        is_exact = text.encode(charset, "surrogateescape") == data
    except (UnicodeError, LookupError):
        return None
    return text if is_exact else None


def to_utf8(text: str) -> bytes:
    """Return the UTF-8 form of a text. A surrogate becomes U+FFFD, so that the number of characters stays the same."""
    return _SURROGATES.sub("\ufffd", text).encode()


def encode_replacements(text: str, replacements: Sequence[Replacement], *, charset: str) -> list[Replacement]:
    """Return the replacements with offsets and new bytes converted from UTF-8 to the character set ``charset``.

    ``text`` is the text in which bytes are replaced.
    """
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
