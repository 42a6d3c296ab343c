"""What a browser of a user agent's claimed version would be like: does it send Sec-Fetch, was it ever built,
is it old.
"""

import re
from bisect import bisect_right
from datetime import UTC, datetime, time
from functools import lru_cache

from msgspec import Struct

from shortener.classification.data_files import load_data

CACHE_SIZE = 8192
MAX_MAJORS_BEHIND = 30
"""A desktop Chrome that many majors behind its time is old (rule 12): it has updated itself every month since
2008.
"""
FROZEN_VERSION_MAJOR = 110
"""From this major on, desktop Chrome reports ``x.0.0.0``; Electron and WebView still tell their build."""
SECONDS_PER_DAY = 86_400

_CHROME = re.compile(r"\bChrome/(\d{1,4})\.(\d+)\.(\d+)\.(\d+)")
_CHROMIUM = re.compile(r"\b(?:Chrome|Chromium)/(\d{1,4})(?!\d)")
_FIREFOX = re.compile(r"\bFirefox/(\d{1,4})(?!\d)")
_SAFARI = re.compile(r"\bVersion/(\d{1,3})(?:\.(\d{1,3}))?[.\d]* (?:Mobile/\w+ )?Safari/")
_IOS = re.compile(r"\b(?:iPhone|CPU) OS (\d{1,3})_(\d{1,3})")
_DESKTOP_CHROME = re.compile(
    r"Mozilla/5\.0 \((?:Windows NT|Macintosh|X11; (?:Ubuntu; )?Linux)[^()]*\) "
    r"AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/[\d.]+ Safari/537\.36(?: Edge?/[\d.]+)?"
)
_DATA = load_data("browsers")
_REFERENCE_MAJOR = float(_DATA["chrome"]["major"])
_REFERENCE_TIME = datetime.combine(_DATA["chrome"]["date"], time(), UTC).timestamp()
_SECONDS_PER_MAJOR = float(_DATA["chrome"]["days_per_major"] * SECONDS_PER_DAY)
_INTERNET_EXPLORER = re.compile(r"\bTrident/|\bMSIE ")


class Browser(Struct, frozen=True):
    """What a user agent claims. ``sends_fetch``: a real one sends Sec-Fetch headers over https."""

    sends_fetch_metadata: bool = False
    impossible: bool = False
    used_by_scanners: bool = False
    obsolete: bool = False
    chrome_major: int = 0
    """The major of a plain desktop Chrome or Edge, else 0."""


@lru_cache(maxsize=CACHE_SIZE)
def parse_browser(ua: str) -> Browser:
    """What a user agent claims to be."""
    plain = _DESKTOP_CHROME.fullmatch(ua)
    chrome = _CHROME.search(ua) if plain else None
    return Browser(
        sends_fetch_metadata=_sends_fetch_metadata(ua),
        impossible=_is_impossible(ua, chrome),
        used_by_scanners=ua in _DATA["scanners"]["agents"],
        obsolete=_INTERNET_EXPLORER.search(ua) is not None or " Edge/1" in ua,
        chrome_major=int(chrome[1]) if chrome else 0,
    )


def is_old(browser: Browser, *, ts: float) -> bool:
    """Whether a browser was long out of date at ``ts`` (seconds of UTC epoch).

    Source: Chromium's calendar, about a major a month; an estimate on the careful side.
    """
    return browser.obsolete or 0 < browser.chrome_major < current_chrome_major(ts) - MAX_MAJORS_BEHIND


def current_chrome_major(ts: float) -> float:
    """The stable Chrome's major at ``ts`` (seconds of UTC epoch), to within two."""
    return _REFERENCE_MAJOR + (ts - _REFERENCE_TIME) / _SECONDS_PER_MAJOR


def _sends_fetch_metadata(ua: str) -> bool:
    since = _DATA["fetch_metadata"]
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


def _is_impossible(ua: str, chrome: re.Match[str] | None) -> bool:
    if "iPhone" in ua and _CHROMIUM.search(ua):
        return True  # on an iPhone, Chrome calls itself CriOS
    if chrome is None:
        return False
    major, minor, build, patch = map(int, chrome.groups())
    if major >= FROZEN_VERSION_MAJOR:
        return (minor, build, patch) != (0, 0, 0)
    return (build, patch) != (0, 0) and not _is_plausible_build(major, build)


def _is_plausible_build(major: int, build: int) -> bool:
    """Whether Chrome's build belongs to its major; True where the table does not reach."""
    known = _DATA["builds"]
    table: list[list[int]] = known["table"]
    index = bisect_right(table, [major, 1 << 30])
    if index in (0, len(table)):
        return True
    (low, first), (high, last) = table[index - 1], table[index]
    expected = first + (last - first) * (major - low) / (high - low)
    return bool(abs(build - expected) <= known["slack"])
