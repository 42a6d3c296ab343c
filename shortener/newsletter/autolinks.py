"""Finding of bare URLs (URLs without link markup) in text."""

import re
import unicodedata

_HOST_CHAR = rb"[^\x00-\x20\x7f<>\"`|*/?#]"
# Not after "=" or '="': such a URL is in an attribute of a broken tag, and a new URL could make the tag valid.
_BARE_URL = re.compile(
    rb"(?<![A-Za-z0-9=])(?<!=['\"])https?://"
    rb"(?=" + _HOST_CHAR + rb"*(?!\.)" + _HOST_CHAR + rb"\.(?!\.)" + _HOST_CHAR + rb")"
    rb"[^\x00-\x20\x7f<>\"`|]{1,8000}",
    re.I,
)
_WWW = re.compile(rb"(?<![A-Za-z0-9@/._=-])www\.(?=[^\x00-\x20\x7f<>\"`|*/?#]+\.)[^\x00-\x20\x7f<>\"`|]{1,2000}", re.I)
_MAX_URL_LENGTH = 8_000  # characters: more than servers and mail clients accept
_TRAILING_PUNCTUATION = frozenset("?!.,:;*_~([{'\\")
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_OPENERS = {opener: closer for closer, opener in _CLOSERS.items()}


def find_bare_url(source: bytes, *, start: int, stop: int) -> tuple[int, int] | None:
    """Return (start, end) of the first bare URL between two offsets, or None.

    The range can include punctuation after the URL.
    """
    # ``trim_bare_url`` removes the punctuation.
    match = _BARE_URL.search(source, start, stop)
    return match.span() if match else None


def find_www(source: bytes, *, start: int, stop: int) -> list[tuple[str, int, int]]:
    """Return (URL, start, end) of each address without a scheme, such as "www.example.com", between two
    byte offsets.
    """
    found = []
    for match in _WWW.finditer(source, start, stop):
        url = _trim(match[0])
        if url.count(".") > 1:
            found.append((url, match.start(), match.start() + len(url.encode())))
    return found


def find_clickable_text(source: bytes, *, start: int, stop: int) -> list[tuple[str, int, int]]:
    """Return (URL, start, end) of each bare URL or address such as "www.example.com" between two byte offsets.

    Mail programs show both as links.
    """
    found, offset = [], start
    while span := find_bare_url(source, start=offset, stop=stop):
        url = trim_bare_url(source[span[0] : span[1]])
        end = span[0] + max(len(url.encode()), len("https://"))
        if url:
            found.append((url, span[0], end))
        offset = end
    return sorted([*found, *find_www(source, start=start, stop=stop)], key=lambda item: item[1])


def trim_bare_url(candidate: bytes) -> str:
    """Return a URL without the punctuation and unpaired closing brackets at its end. Return '' if no URL is left."""
    # Source: GitHub Flavored Markdown, section 6.9.
    url = _trim(candidate)
    return url if len(url) < _MAX_URL_LENGTH and _BARE_URL.match(url.encode()) else ""


def _trim(candidate: bytes) -> str:
    # The end of the search may split a character; such a URL is too long anyway.
    url = candidate.decode(errors="ignore")
    if not url.isascii():
        url = url[: next((i for i, char in enumerate(url) if _is_unicode_punctuation(char)), len(url))]
    return url[: _trimmed_length(url)]


def _trimmed_length(url: str) -> int:
    surplus = {closer: url.count(closer) - url.count(opener) for closer, opener in _CLOSERS.items()}
    end = len(url)
    while end:
        last = url[end - 1]
        entity = url.rfind("&", 0, end) if last == ";" else -1
        if entity >= 0 and url[entity + 1 : end - 1].isalnum():
            end = entity
        elif last in _TRAILING_PUNCTUATION or surplus.get(last, 0) > 0:
            surplus[last] = surplus.get(last, 0) - 1
            if last in _OPENERS:
                surplus[_OPENERS[last]] += 1
            end -= 1
        else:
            break
    return end


def _is_unicode_punctuation(char: str) -> bool:
    return char > "\x7f" and unicodedata.category(char)[0] in "PZC"
