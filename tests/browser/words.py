"""Words of a page: no command, option, configuration key or HTTP word."""

import re
from html.parser import HTMLParser
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

COMMANDS = (
    "backup|clicks|collect|completion|config|demo|doctor|edge|init|issue|link|picks|rank|rebuild|reclassify|report|"
    "serve|signals|token|user"
)
STATUS_PHRASES = "|".join(sorted({status.phrase for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}))
FORBIDDEN = re.compile(
    rf"\bshortener (?:{COMMANDS})\b|(?<![\w-])--[a-z][a-z-]+|config\.toml|SHORTENER_|\[\[?[a-z]+\]\]? [a-z_]+|"
    rf"\b(?:{STATUS_PHRASES})\b|\bHTTP (?:status|error)|\b(?:POST|PUT|PATCH) request|\bstatus code\b|\btraceback\b",
)
ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "value")
QUOTING_PAGES = {"/-/settings/webhooks/1"}
"""Pages that quote what other servers answered."""


class _Words(HTMLParser):
    """Text of a page, also of closed details, the attributes that a user sees or hears, and the headings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.headings: list[str] = []
        self._open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style", "h1"}:
            self._open = tag
        if ("type", "hidden") not in attrs:
            self.texts += [f" {value} " for name, value in attrs if name in ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open not in {"script", "style"}:
            self.texts.append(data)
        if self._open == "h1":
            self.headings.append(data)


def technical_words(html: str) -> list[str]:
    """Return the words of a page that only technicians know, and the numbers of HTTP statuses in its headings."""
    words = _Words(html)
    numbers = re.findall(r"(?<![\w.,])[45]\d\d(?![\w.,])", "".join(words.headings))
    return [*FORBIDDEN.findall("".join(words.texts)), *numbers]


def check(page: "Page") -> list[str]:
    """Return what is wrong with the words of a page in the browser."""
    return [f"{page.url}: {word}" for word in technical_words(page.content())]
