"""URLs that stand bare in Markdown text: where they begin, and where they end."""

import re
import unicodedata

_HOST_CHAR = rb"[^\x00-\x20\x7f<>\"`|*/?#]"
# Not behind "=" or '="': that is an attribute of a tag that is none, and a URL of ours could make it one.
_BARE_URL = re.compile(
    rb"(?<![A-Za-z0-9=])(?<!=['\"])https?://"
    rb"(?=" + _HOST_CHAR + rb"*(?!\.)" + _HOST_CHAR + rb"\.(?!\.)" + _HOST_CHAR + rb")"
    rb"[^\x00-\x20\x7f<>\"`|]{1,8000}",
    re.I,
)
_MAX_URL_BYTES = 8_000  # bytes behind the scheme: more than servers and mail clients take
_TRAILING_PUNCTUATION = frozenset("?!.,:;*_~([{'\\")
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_OPENERS = {opener: closer for closer, opener in _CLOSERS.items()}


def find_bare_url(source: bytes, *, start: int, stop: int) -> tuple[int, int] | None:
    """The first bare URL between two offsets: where it begins, and the furthest that it could reach."""
    match = _BARE_URL.search(source, start, stop)
    return match.span() if match else None


def trim_bare_url(candidate: bytes) -> str:
    """Cut a bare URL where it ends by GitHub's rules: before trailing punctuation and unpaired closers.

    Empty if nothing is left that is one. Source: GitHub Flavored Markdown, section 6.9. Beyond it, a URL ends
    before the first punctuation that is not ASCII, as mail clients have it: in Chinese and Japanese no space
    parts a URL from a comma.
    """
    # A character that the bound of the search cuts in two goes, with the URL that is too long.
    url = candidate.decode(errors="ignore")
    if not url.isascii():
        url = url[: next((at for at, char in enumerate(url) if _is_unicode_punctuation(char)), len(url))]
    url = url[: _trimmed_length(url)]
    return url if len(url) < _MAX_URL_BYTES and _BARE_URL.match(url.encode()) else ""


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
