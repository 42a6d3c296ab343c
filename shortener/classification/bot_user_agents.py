"""Whether a user agent names a machine: mail scanners, link previews, crawlers, tools and libraries."""

import re
from functools import lru_cache

from is_bot import Bots
from ua_parser import parse_device

from shortener.classification.data_files import load_data

MAX_USER_AGENT_LENGTH = 512
"""Characters that are looked at: longer strings are cut, so that a hostile one stays cheap (under 5 ms)."""
MAX_PARSED_LENGTH = 256
"""Characters that ua-parser gets: some of its patterns take quadratic time."""
MIN_USER_AGENT_LENGTH = 12
"""Characters of the shortest user agent that is believed to be a browser's."""
CACHE_SIZE = 8192
"""Strings whose answer is remembered, about 6 MB at worst."""

_ANDROID_MODEL = re.compile(
    r"(\(Linux;(?: U;| arm_64;)? Android [^;()]*);(?![^()]*(?:compatible|https?:|@|; *(?!Build)[\w-]+/\d))"
    r"[^()]*(?:\([^()]*\)[^()]*)?\)"
)
_ANDROID_DETAILS = re.compile(r"Android \([^()]*\)")


def _compile_patterns(section: str) -> re.Pattern[str]:
    return re.compile(
        "|".join(f"(?:{pattern})" for pattern in load_data("agents")[section]["patterns"]), re.IGNORECASE
    )


_BROWSER_NAMES = _compile_patterns("people")
_SCANNER = _compile_patterns("scanner")
_PREVIEW = _compile_patterns("preview")
_BOTS = Bots()
_BOTS.exclude(load_data("agents")["excluded"]["patterns"])


@lru_cache(maxsize=CACHE_SIZE)
def bot_reason(ua: str) -> str | None:
    """The reason why a user agent cannot be a person's browser, or None. Expects at most MAX_AGENT
    characters.

    Reasons: ``no-user-agent``, ``no-browser-name``, ``named-scanner``, ``named-preview``, ``named-bot``.
    """
    ua = ua.strip()
    if not ua:
        return "no-user-agent"
    words, known = _BROWSER_NAMES.subn("", strip_device_model(ua))
    if _SCANNER.search(words):
        return "named-scanner"
    desktop_app = "Electron/" in words  # messengers' own apps carry the name that their previews have
    if not desktop_app and _PREVIEW.search(words):
        return "named-preview"
    if _BOTS.is_bot(words) or (not desktop_app and _is_spider(words)):
        return "named-bot"
    return "no-browser-name" if not known and (len(ua) < MIN_USER_AGENT_LENGTH or " " not in ua) else None


def _is_spider(text: str) -> bool:
    """What ``user_agents`` calls ``is_bot``, without its parsing of browser and system, which costs more."""
    device = parse_device(text[:MAX_PARSED_LENGTH])
    return device is not None and device.family == "Spider"


def strip_device_model(ua: str) -> str:
    """The user agent without what an Android device calls itself.

    A model's name is free text (``M bot 51``, ``Spider 8``, ``CUBOT``) and declares nothing about the
    software.
    """
    return _ANDROID_DETAILS.sub("Android", _ANDROID_MODEL.sub(r"\1)", ua, count=1))
