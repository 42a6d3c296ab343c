"""Facts about the browser that a user agent names, for example whether it is outdated.

The conditions and their sources are in docs/classification.md, section 3.3.
"""

import re
from bisect import bisect_right
from datetime import UTC, datetime, time
from functools import lru_cache

from msgspec import Struct

from shortener.classification.data_files import load_data
from shortener.durations import DAY_SECONDS

CACHE_SIZE = 8192
"""Maximum number of user agents whose parsed browser is cached."""
MAX_MAJORS_BEHIND = 30
"""A desktop Chrome is outdated if it is more major versions than this behind the current one (rule 12)."""
# Electron and WebView still report their build number.
FROZEN_VERSION_MAJOR = 110
"""First major version of desktop Chrome that always reports zeros after it: ``110.0.0.0``."""

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
_SECONDS_PER_MAJOR = float(_DATA["chrome"]["days_per_major"] * DAY_SECONDS)
_INTERNET_EXPLORER = re.compile(r"\bTrident/|\bMSIE ")


class Browser(Struct, frozen=True):
    """Facts about the browser that a user agent claims to be. The claim may be untrue."""

    sends_fetch_metadata: bool = False
    """Whether the real browser sends Sec-Fetch headers over https (rule 7)."""
    impossible: bool = False
    """Whether no such browser was ever built (rule 11)."""
    used_by_scanners: bool = False
    """Whether the user agent is one of the old ones that mail scanners are known to send (rule 12)."""
    obsolete: bool = False
    """Whether the browser is Internet Explorer, or an Edge from before Edge was based on Chromium."""
    chrome_major: int = 0
    """Major version if the browser is desktop Chrome or Edge, otherwise 0."""


@lru_cache(maxsize=CACHE_SIZE)
def parse_browser(ua: str) -> Browser:
    """Return the facts about the browser that a user agent claims to be."""
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
    """Return whether a browser was outdated at the time ``ts``, in seconds since the UTC epoch.

    The conditions are in docs/classification.md, rule 12.
    """
    return browser.obsolete or 0 < browser.chrome_major < current_chrome_major(ts) - MAX_MAJORS_BEHIND


def current_chrome_major(ts: float) -> float:
    """Estimate the major version of stable Chrome at the time ``ts`` (seconds of the UTC epoch)."""
    # By Chromium's release calendar. The estimate is wrong by at most two major versions.
    return _REFERENCE_MAJOR + (ts - _REFERENCE_TIME) / _SECONDS_PER_MAJOR


def _sends_fetch_metadata(ua: str) -> bool:
    first_versions = _DATA["fetch_metadata"]
    for engine, pattern in (
        ("safari", _IOS),
        ("chrome", _CHROMIUM),
        ("firefox", _FIREFOX),
        ("safari", _SAFARI),
    ):
        # The first match decides, and iOS comes first: every browser there has Safari's engine.
        if match := pattern.search(ua):
            version = [int(part or 0) for part in match.groups()]
            return bool(version + [0] * (2 - len(version)) >= first_versions[engine])
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
    builds = _DATA["builds"]
    table: list[list[int]] = builds["table"]
    index = bisect_right(table, [major, 1 << 30])
    if index in (0, len(table)):
        # The major version is unknown.
        return True
    (low_major, low_build), (high_major, high_build) = table[index - 1], table[index]
    expected = low_build + (high_build - low_build) * (major - low_major) / (high_major - low_major)
    return bool(abs(build - expected) <= builds["slack"])
