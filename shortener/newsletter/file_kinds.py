"""Recognition of files that cannot be an issue, such as Word documents, and of declared character sets."""

import re

import msgspec

_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.I)
_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{2,40})", re.I)
_SNIFF_BYTES = 4_096
_EXPORT = "export the newsletter as HTML or Markdown, or save the mail as .eml"
_SIGNATURES = (
    (b"\x89PNG", f"an image (PNG); {_EXPORT}"),
    (b"\xff\xd8\xff", f"an image (JPEG); {_EXPORT}"),
    (b"GIF8", f"an image (GIF); {_EXPORT}"),
    (b"%PDF", f"a PDF; {_EXPORT}"),
    (b"{\\rtf", f"rich text (.rtf); {_EXPORT}"),
    (b"\xd0\xcf\x11\xe0", f"an older Office document or an Outlook message (.doc, .msg); {_EXPORT}"),
    (b"\x1f\x8b", "a compressed file (.gz); unpack it and give the issue that is in it"),
)


def unreadable_kind(source: bytes) -> str:
    """Return the kind of a file that cannot be an issue, with advice on what to export; '' for any other file."""
    if source.startswith(b"PK\x03\x04"):
        if b"word/" in source:
            return f"a Word document (.docx); {_EXPORT}"
        if b"opendocument.text" in source[:_SNIFF_BYTES]:
            return f"an OpenDocument text (.odt); {_EXPORT}"
        return "an archive (.zip); unpack it and give the issue that is in it"
    if source[:4] == b"RIFF" and source[8:12] == b"WEBP":
        return f"an image (WebP); {_EXPORT}"
    for signature, kind in _SIGNATURES:
        if source.startswith(signature):
            return kind
    return f"JSON; {_EXPORT}" if _is_json(source) else ""


def _is_json(source: bytes) -> bool:
    if source.lstrip()[:1] not in (b"{", b"[") or source.rstrip()[-1:] not in (b"}", b"]"):
        return False
    try:
        msgspec.json.decode(source)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def declared_charset(source: bytes, *, is_html: bool) -> str:
    """Return the character set that a file declares. Return '' for UTF-8, or if nothing is declared."""
    if source[:2] in _UTF16:
        return _UTF16[source[:2]]
    if not is_html:
        return ""
    head = source[:_SNIFF_BYTES]
    declared = _META_CHARSET.search(head) or _XML_ENCODING.match(head)
    if declared is None or declared[1].lower().replace(b"_", b"-") in (
        b"utf-8",
        b"utf8",
        b"utf-16",
        b"us-ascii",
    ):
        return ""
    return "" if _is_utf8(source) else declared[1].decode()


def _is_utf8(source: bytes) -> bool:
    try:
        source.decode()
    except UnicodeDecodeError:
        return False
    return True
