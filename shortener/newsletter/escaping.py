"""Escaping and unescaping of URLs in Markdown and in HTML attributes."""

import re
from html import unescape
from html.entities import html5

from shortener.errors import InputError
from shortener.messages import Message
from shortener.newsletter.document import UrlSyntax

_MARKDOWN_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])|&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ATTRIBUTE_REFERENCE = re.compile(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*(?:;|=)?)")
_ENTITY_START = re.compile(r"&(?=#?[A-Za-z0-9]+;)")
_HTTP_URL = re.compile(r"https?://[^\x00-\x20\x7f\u0085\u00a0\u2028\u2029]+", re.I)
# Programs disagree about where a bare URL ends if it has other characters than these.
_SAFE_BARE_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&,;=%+-]*[A-Za-z0-9/=#&+-]", re.I)
_DESTINATION_ESCAPES = {ord(char): "\\" + char for char in "\\()<>*_`[]~"} | {ord("|"): "&#124;"}
_ANGLE_ESCAPES = {ord(char): "\\" + char for char in "\\<>"} | {ord("|"): "&#124;"}
_AUTOLINK_ESCAPES = {ord("<"): "&lt;", ord(">"): "&gt;", ord("|"): "&#124;"}
_ATTRIBUTE_ESCAPES = {
    ord(char): f"&#{ord(char)};" for char in "'`"
} | {ord("&"): "&amp;", ord('"'): "&quot;", ord("<"): "&lt;", ord(">"): "&gt;"}  # fmt: skip


def _decode_numeric_reference(reference: str) -> str:
    # A reference is, for example, "#38". Source: CommonMark, section 2.5.
    code = int(reference[2:], 16) if reference[1] in "xX" else int(reference[1:])
    return "\ufffd" if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)


def _unescape_markdown_match(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    if match[2].startswith("#"):
        return _decode_numeric_reference(match[2])
    return html5.get(match[2] + ";", match[0])


def unescape_markdown(text: str) -> str:
    """Return Markdown text with backslash escapes and entities resolved. Source: CommonMark, sections 2.4 and 2.5."""
    return _MARKDOWN_ESCAPE.sub(_unescape_markdown_match, text) if "\\" in text or "&" in text else text


def unescape_autolink(text: str) -> str:
    """Return the text of a Markdown autolink with entities resolved. Autolinks have no backslash escapes."""
    return _MARKDOWN_ESCAPE.sub(lambda match: match[0] if match[1] else _unescape_markdown_match(match), text)


def _unescape_attribute_match(match: re.Match[str]) -> str:
    name = match[1]
    if name.startswith("#") or name in html5:
        return unescape(match[0])
    return match[0]


def unescape_attribute(text: str) -> str:
    """Return the value of an HTML attribute with entities resolved as browsers do. ``&amp;`` becomes ``&``."""
    # The URL parameter ``&copy=1`` stays, although ``&copy`` is an entity. Source: WHATWG HTML, section 13.2.5.73.
    return _ATTRIBUTE_REFERENCE.sub(_unescape_attribute_match, text) if "&" in text else text


def _format_bare_url(url: str) -> str:
    if _SAFE_BARE_URL.fullmatch(url) and "~~" not in url and not _ENTITY_START.search(url):
        return url
    return f"<{_escape(url, 'autolink')}>"


def _escape(url: str, syntax: UrlSyntax) -> str:
    if syntax == "plain":
        return url
    if syntax in ("double", "single", "unquoted"):
        return url.translate(_ATTRIBUTE_ESCAPES)
    table = {"angle": _ANGLE_ESCAPES, "autolink": _AUTOLINK_ESCAPES}.get(syntax, _DESTINATION_ESCAPES)
    return _ENTITY_START.sub("&amp;", url).translate(table)


def escape_url(url: str, *, syntax: UrlSyntax) -> bytes:
    """Return a URL as bytes, escaped for the syntax in which it will be written. Raises InputError."""
    if not _HTTP_URL.fullmatch(url):
        raise InputError(
            Message("{url} cannot be written into an issue; give an http(s) URL without spaces", url=repr(url))
        )
    return (_format_bare_url(url) if syntax == "bare" else _escape(url, syntax)).encode()
