"""Which mentions are no sign of an article: the machinery of the mail, its surroundings, paid matter."""

import re

from msgspec import Struct, field

from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.lines import Line, Mention, Role

_LONGEST = 70  # characters of a link text that may still be "view this email in your browser"
_LABEL = 60  # characters of a line that says no more than "sponsored by …"
_HEAD = re.compile(r"\s*[|↓]")
_HANDLE = re.compile(r"@[\w.-]+\Z")
_CARD = re.compile(r"\s*\[#{1,6}\s+(.+)")
_IMAGES = re.compile(
    r"logo|icon|avatar|banner|spacer|divider|facebook|twitter|instagram|linkedin|youtube", re.I
)


def card_title(line: Line, mention: Mention) -> str:
    """The title of a card that Medium's exports tear apart: an empty link, and behind it ``[## Title``."""
    match = _CARD.match(line.text[mention.end : mention.end + 300]) if not mention.text else None
    return match[1] if match else ""


def mark(lines: list[Line]) -> None:
    """Give roles to the mentions that URLs and words alone give away; bylines and footers come later."""
    for line in lines:
        for mention in line.mentions:
            mention.role = _by_address(mention) or _by_words(mention, line)
    _mark_sponsored(lines)


def _by_address(mention: Mention) -> Role:
    urls = {mention.url, mention.key or ""}
    if any(map(url_kinds.is_service, urls)):
        return "service"
    if any(map(url_kinds.is_person, urls)):
        return "byline"
    return "chrome" if any(url_kinds.is_chrome(url) or url_kinds.is_picture(url) for url in urls) else ""


def _by_words(mention: Mention, line: Line) -> Role:
    before = phrases.plain(line.text[: mention.start]) if 0 < mention.start < _LABEL else ""
    if before and phrases.ORIGIN.match(before) and mention.text == mention.url:
        return "service"
    if _HANDLE.match(mention.text):
        return "byline"
    text = mention.text or mention.alternative or _HEAD.split(card_title(line, mention))[0]
    if len(text) > _LONGEST:
        return ""
    words = phrases.plain(text)
    if phrases.SERVICE.search(words):
        return "service"
    if mention.image and not mention.text and _IMAGES.search(text):
        return "chrome"
    return "chrome" if phrases.CHROME.match(words) else ""


def _mark_sponsored(lines: list[Line]) -> None:
    """Mark what stands under a heading or label that says "sponsored", or behind a title that does."""
    scope: _Scope | None = None
    for line in lines:
        if line.rule or (scope and scope.ends_at(line)):
            scope = None
        opened = _opened(line)
        scope = opened or scope
        for mention in line.mentions:
            if scope is not None:
                mention.role = mention.role or "sponsor"
                scope.keys.add(mention.key)


def _opened(line: Line) -> "_Scope | None":
    tagged = any(phrases.SPONSOR_TAG.search(mention.text) for mention in line.mentions)
    words = phrases.plain(line.text[:300]) if line.text else ""
    labelled = bool(phrases.SPONSOR_LABEL.match(words))
    if line.level and (tagged or labelled):
        return _Scope(line.level, line.index)
    if tagged or (labelled and (len(line.text) <= _LABEL or line.mentions)):
        return _Scope(0, line.index, named=bool(labelled and not tagged and line.mentions))
    return None


class _Scope(Struct):
    """What was paid for, from the line ``opened``: below a heading of ``level``, or (0) behind a label.

    A label that is ``named`` links its sponsor itself ("sponsored by X"): it speaks of that link and no other.
    """

    level: int
    opened: int
    named: bool = False
    keys: set[str | None] = field(default_factory=set)

    def ends_at(self, line: Line) -> bool:
        """A heading not below its own ends it; a label reaches over one title, to the next one."""
        if self.level:
            return 0 < line.level <= self.level
        if self.named:
            return line.level > 0 or any(mention.key not in self.keys for mention in line.mentions)
        whole = line.whole
        other = bool(self.keys) and whole is not None and not whole.image and whole.key not in self.keys
        return other or (line.level > 0 and line.index > self.opened + 1)
