"""Which mentions are no sign of an article: the machinery of the mail, its surroundings, paid matter."""

import re

from msgspec import Struct, field

from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.lines import Line, Mention, MentionRole

_MAX_LINK_TEXT_LENGTH = 70  # characters of a link text that may still be "view this email in your browser"
_MAX_LABEL_LENGTH = 60  # characters of a line that says no more than "sponsored by …"
_LABEL_SEPARATOR = re.compile(r"\s*[|↓]")
_HANDLE = re.compile(r"@[\w.-]+\Z")
_CARD_TITLE = re.compile(r"\s*\[#{1,6}\s+(.+)")
_DECORATIVE_IMAGE = re.compile(
    r"logo|icon|avatar|banner|spacer|divider|facebook|twitter|instagram|linkedin|youtube", re.I
)


def card_title(line: Line, mention: Mention) -> str:
    """The title of a card that Medium's exports tear apart: an empty link, and behind it ``[## Title``."""
    match = _CARD_TITLE.match(line.text[mention.end : mention.end + 300]) if not mention.text else None
    return match[1] if match else ""


def assign_roles(lines: list[Line]) -> None:
    """Give roles to the mentions that URLs and words alone give away; bylines and footers come later."""
    for line in lines:
        for mention in line.mentions:
            mention.role = _role_from_url(mention) or _role_from_text(mention, line)
    _mark_sponsored(lines)


def _role_from_url(mention: Mention) -> MentionRole:
    urls = {mention.url, mention.article_key or ""}
    if any(map(url_kinds.is_service, urls)):
        return "service"
    if any(map(url_kinds.is_person_page, urls)):
        return "byline"
    return "chrome" if any(url_kinds.is_boilerplate(url) or url_kinds.is_image(url) for url in urls) else ""


def _role_from_text(mention: Mention, line: Line) -> MentionRole:
    before = phrases.normalize(line.text[: mention.start]) if 0 < mention.start < _MAX_LABEL_LENGTH else ""
    if before and phrases.CANONICAL_URL_LABEL.match(before) and mention.text == mention.url:
        return "service"
    if _HANDLE.match(mention.text):
        return "byline"
    text = mention.text or mention.alt_text or _LABEL_SEPARATOR.split(card_title(line, mention))[0]
    if len(text) > _MAX_LINK_TEXT_LENGTH:
        return ""
    words = phrases.normalize(text)
    if phrases.SERVICE_TEXT.search(words):
        return "service"
    if mention.has_image and not mention.text and _DECORATIVE_IMAGE.search(text):
        return "chrome"
    return "chrome" if phrases.BOILERPLATE_TEXT.match(words) else ""


def _mark_sponsored(lines: list[Line]) -> None:
    """Mark what stands under a heading or label that says "sponsored", or behind a title that does."""
    scope: _SponsorScope | None = None
    for line in lines:
        if line.is_rule or (scope and scope.ends_at(line)):
            scope = None
        opened = _open_sponsor_scope(line)
        scope = opened or scope
        for mention in line.mentions:
            if scope is not None:
                mention.role = mention.role or "sponsor"
                scope.article_keys.add(mention.article_key)


def _open_sponsor_scope(line: Line) -> "_SponsorScope | None":
    tagged = any(phrases.SPONSOR_TAG.search(mention.text) for mention in line.mentions)
    words = phrases.normalize(line.text[:300]) if line.text else ""
    labelled = bool(phrases.SPONSOR_LABEL.match(words))
    if line.level and (tagged or labelled):
        return _SponsorScope(line.level, line.index)
    if tagged or (labelled and (len(line.text) <= _MAX_LABEL_LENGTH or line.mentions)):
        return _SponsorScope(0, line.index, is_linked_label=bool(labelled and not tagged and line.mentions))
    return None


class _SponsorScope(Struct):
    """What was paid for, from the line ``opened``: below a heading of ``level``, or (0) behind a label.

    A label that is ``named`` links its sponsor itself ("sponsored by X"): it speaks of that link and no other.
    """

    level: int
    start_line: int
    is_linked_label: bool = False
    article_keys: set[str | None] = field(default_factory=set)

    def ends_at(self, line: Line) -> bool:
        """A heading not below its own ends it; a label reaches over one title, to the next one."""
        if self.level:
            return 0 < line.level <= self.level
        if self.is_linked_label:
            return line.level > 0 or any(
                mention.article_key not in self.article_keys for mention in line.mentions
            )
        whole = line.only_mention
        other = (
            bool(self.article_keys)
            and whole is not None
            and not whole.has_image
            and whole.article_key not in self.article_keys
        )
        return other or (line.level > 0 and line.index > self.start_line + 1)
