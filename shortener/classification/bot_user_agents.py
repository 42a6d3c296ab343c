"""Recognition of user agents that name a program: mail scanners, link previews, crawlers, tools and libraries.

The steps and their sources are in docs/classification.md, section 3.2.
"""

import re
from functools import lru_cache

from is_bot import Bots
from ua_parser import parse_device

from shortener.classification.data_files import load_data

MAX_USER_AGENT_LENGTH = 512
"""Number of characters of a user agent that are examined. Longer ones could take over 5 ms each."""
MAX_PARSED_LENGTH = 256
"""Number of characters that are passed to ua-parser, because some of its patterns take quadratic time."""
MIN_USER_AGENT_LENGTH = 12
"""Length in characters of the shortest user agent that can be a browser's."""
CACHE_SIZE = 8192
"""Maximum number of user agents whose reasons are kept in memory; the cache takes at most about 6 MB."""

_ANDROID_MODEL = re.compile(
    r"(\(Linux;(?: U;| arm_64;)? Android [^;()]*);(?![^()]*(?:compatible|https?:|@|; *(?!Build)[\w-]+/\d))"
    r"[^()]*(?:\([^()]*\)[^()]*)?\)"
)
_ANDROID_DETAILS = re.compile(r"Android \([^()]*\)")


def _compile_patterns(section: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in load_data("agents")[section]["patterns"]), re.IGNORECASE)


_BROWSER_NAMES = _compile_patterns("people")
_SCANNER = _compile_patterns("scanner")
_PREVIEW = _compile_patterns("preview")
_BOTS = Bots()
_BOTS.exclude(load_data("agents")["excluded"]["patterns"])


@lru_cache(maxsize=CACHE_SIZE)
def bot_reason(ua: str) -> str | None:  # docs/classification.md, rules 2 and 3
    """Return why a user agent cannot be a person's, such as ``named-bot``; None if it can be.

    ``ua`` must not be longer than MAX_USER_AGENT_LENGTH.
    """
    ua = ua.strip()
    if not ua:
        return "no-user-agent"
    text, recognised_names = _BROWSER_NAMES.subn("", strip_device_model(ua))
    if _SCANNER.search(text):
        return "named-scanner"
    # People open links in the desktop app of a messenger, whose user agent has the name of the preview fetcher.
    desktop_app = "Electron/" in text
    if not desktop_app and _PREVIEW.search(text):
        return "named-preview"
    if _BOTS.is_bot(text) or (not desktop_app and _is_spider(text)):
        return "named-bot"
    too_short = len(ua) < MIN_USER_AGENT_LENGTH or " " not in ua
    return "no-browser-name" if too_short and not recognised_names else None


def _is_spider(text: str) -> bool:
    device = parse_device(text[:MAX_PARSED_LENGTH])
    return device is not None and device.family == "Spider"


def strip_device_model(ua: str) -> str:
    """Return a user agent without the model name of an Android device.

    A model name may contain "bot" although the client is no bot.
    """
    return _ANDROID_DETAILS.sub("Android", _ANDROID_MODEL.sub(r"\1)", ua, count=1))
