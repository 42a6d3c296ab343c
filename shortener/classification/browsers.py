"""What a browser of a user agent's claimed version would be like: does it send Sec-Fetch, was it ever built,
is it old.
"""

import re
from bisect import bisect_right
from datetime import UTC, datetime, time
from functools import lru_cache

from msgspec import Struct

from shortener.classification.data_files import load

CACHED = 8192
BEHIND = 30
"""A desktop Chrome that many majors behind its time is old (rule 12): it has updated itself every month since
2008.
"""
FROZEN_SINCE = 110
"""From this major on, desktop Chrome reports ``x.0.0.0``; Electron and WebView still tell their build."""
SECONDS_PER_DAY = 86_400

_CHROME = re.compile(r"\bChrome/(\d{1,4})\.(\d+)\.(\d+)\.(\d+)")
_CHROMIUM = re.compile(r"\b(?:Chrome|Chromium)/(\d{1,4})(?!\d)")
_FIREFOX = re.compile(r"\bFirefox/(\d{1,4})(?!\d)")
_SAFARI = re.compile(r"\bVersion/(\d{1,3})(?:\.(\d{1,3}))?[.\d]* (?:Mobile/\w+ )?Safari/")
_IOS = re.compile(r"\b(?:iPhone|CPU) OS (\d{1,3})_(\d{1,3})")
_PLAIN_DESKTOP = re.compile(
    r"Mozilla/5\.0 \((?:Windows NT|Macintosh|X11; (?:Ubuntu; )?Linux)[^()]*\) "
    r"AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/[\d.]+ Safari/537\.36(?: Edge?/[\d.]+)?"
)
_KNOWN = load("browsers")
_MAJOR = float(_KNOWN["chrome"]["major"])
_MAJOR_SINCE = datetime.combine(_KNOWN["chrome"]["date"], time(), UTC).timestamp()
_SECONDS_PER_MAJOR = float(_KNOWN["chrome"]["days_per_major"] * SECONDS_PER_DAY)
_INTERNET_EXPLORER = re.compile(r"\bTrident/|\bMSIE ")


class Browser(Struct, frozen=True):
    """What a user agent claims. ``sends_fetch``: a real one sends Sec-Fetch headers over https."""

    sends_fetch: bool = False
    odd: bool = False
    scanner: bool = False
    obsolete: bool = False
    chrome: int = 0
    """The major of a plain desktop Chrome or Edge, else 0."""


@lru_cache(maxsize=CACHED)
def claimed(ua: str) -> Browser:
    """What a user agent claims to be."""
    plain = _PLAIN_DESKTOP.fullmatch(ua)
    chrome = _CHROME.search(ua) if plain else None
    return Browser(
        sends_fetch=_sends_fetch(ua),
        odd=_never_built(ua, chrome),
        scanner=ua in _KNOWN["scanners"]["agents"],
        obsolete=_INTERNET_EXPLORER.search(ua) is not None or " Edge/1" in ua,
        chrome=int(chrome[1]) if chrome else 0,
    )


def is_old(browser: Browser, *, ts: float) -> bool:
    """Whether a browser was long out of date at ``ts`` (seconds of UTC epoch).

    Source: Chromium's calendar, about a major a month; an estimate on the careful side.
    """
    return browser.obsolete or 0 < browser.chrome < current_chrome(ts) - BEHIND


def current_chrome(ts: float) -> float:
    """The stable Chrome's major at ``ts`` (seconds of UTC epoch), to within two."""
    return _MAJOR + (ts - _MAJOR_SINCE) / _SECONDS_PER_MAJOR


def _sends_fetch(ua: str) -> bool:
    since = _KNOWN["fetch_metadata"]
    for engine, pattern in (
        ("safari", _IOS),
        ("chrome", _CHROMIUM),
        ("firefox", _FIREFOX),
        ("safari", _SAFARI),
    ):
        found = pattern.search(ua)
        if (
            found
        ):  # the first that speaks decides: on iOS every browser is Safari's engine, whatever it calls itself
            version = [int(part or 0) for part in found.groups()]
            return bool(version + [0] * (2 - len(version)) >= since[engine])
    return False


def _never_built(ua: str, chrome: re.Match[str] | None) -> bool:
    if "iPhone" in ua and _CHROMIUM.search(ua):
        return True  # on an iPhone, Chrome calls itself CriOS
    if chrome is None:
        return False
    major, minor, build, patch = map(int, chrome.groups())
    if major >= FROZEN_SINCE:
        return (minor, build, patch) != (0, 0, 0)
    return (build, patch) != (0, 0) and not _plausible(major, build)


def _plausible(major: int, build: int) -> bool:
    """Whether Chrome's build belongs to its major; True where the table does not reach."""
    known = _KNOWN["builds"]
    table: list[list[int]] = known["table"]
    index = bisect_right(table, [major, 1 << 30])
    if index in (0, len(table)):
        return True
    (low, first), (high, last) = table[index - 1], table[index]
    expected = first + (last - first) * (major - low) / (high - low)
    return bool(abs(build - expected) <= known["slack"])
