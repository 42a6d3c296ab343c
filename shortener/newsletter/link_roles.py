"""Roles of links that lead to no article: links about the mail itself, boilerplate, sponsors and authors."""

import re

from msgspec import Struct, field

from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.data_files import language_pattern
from shortener.newsletter.lines import Line, Mention, MentionRole

_MAX_LINK_TEXT_LENGTH = 70  # characters: "view this email in your browser" and its like are shorter
_MAX_LABEL_LENGTH = 60  # characters: a longer line says more than "sponsored by …"
_LABEL_SEARCH_LENGTH = 300  # characters of a line in which a sponsor label is looked for
_MAX_ITEM_START = 4  # characters in front of the link of a list item, such as an emoji
_MIN_DESCRIPTION_LENGTH = 15  # letters and digits of the description of a recommended channel
_LABEL_SEPARATOR = re.compile(r"\s*[|↓]")
_HANDLE = re.compile(r"@[\w.-]+\Z")
_CARD_TITLE = re.compile(r"\s*\[#{1,6}\s+(.+)")
_DECORATIVE_IMAGE = re.compile(language_pattern("decorative_image"), re.I)


def card_title(line: Line, mention: Mention) -> str:
    """Return the title of a link card in an export from Medium; '' for any other link.

    A link card is a box that shows the title of the linked article. The export writes it as ``[](URL) [## Title``: a
    link without text, and after it the title.
    """
    match = _CARD_TITLE.match(line.text[mention.end : mention.end + 300]) if not mention.text else None
    return match[1] if match else ""


def assign_roles(lines: list[Line]) -> None:
    """Set the role of each link that leads to no article, by its URL, its text or a sponsor label above it."""
    for line in lines:
        for mention in line.mentions:
            role = _role_from_url(mention)
            if role in ("service", "byline") and _is_recommended(lines, line, mention):
                role = ""
            mention.role = role or _role_from_text(mention, line)
    _mark_sponsored(lines)


def _is_recommended(lines: list[Line], line: Line, mention: Mention) -> bool:
    """Return whether a link leads to a social profile that the issue recommends, not to the sender's own profile."""
    if not url_kinds.is_social(mention.url) or url_kinds.is_share(mention.url):
        return False
    if mention.text == mention.url:
        above = lines[line.index - 1] if line.index else None
        is_titled = above is not None and above.level > 0 and not above.mentions and bool(above.text)
        return is_titled and line.only_mention is mention
    if _HANDLE.match(mention.text) or line.item_part != "first" or mention.start > _MAX_ITEM_START:
        return False
    after = line.text[mention.end : mention.end + _LABEL_SEARCH_LENGTH]
    return len(line.mentions) == 1 and sum(map(str.isalnum, after)) >= _MIN_DESCRIPTION_LENGTH


def _role_from_url(mention: Mention) -> MentionRole:
    urls = {mention.url, mention.article_key or ""}
    if any(map(url_kinds.is_service, urls)):
        return "service"
    if any(map(url_kinds.is_person_page, urls)):
        return "byline"
    # A link to an image file only enlarges an image of the issue.
    is_boilerplate = any(url_kinds.is_boilerplate(url) or url_kinds.is_image(url) for url in urls)
    return "boilerplate" if is_boilerplate else ""


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
        return "boilerplate"
    return "boilerplate" if phrases.BOILERPLATE_TEXT.match(words) else ""


def _mark_sponsored(lines: list[Line]) -> None:
    """Set the role ``sponsor`` on links below a sponsor label, and on links after a title that is marked as paid."""
    scope: _SponsorScope | None = None
    for line in lines:
        if line.is_rule or (scope and scope.ends_at(line)):
            scope = None
        scope = _open_sponsor_scope(line) or scope
        for mention in line.mentions:
            if scope is not None:
                mention.role = mention.role or "sponsor"
                scope.article_keys.add(mention.article_key)


def _open_sponsor_scope(line: Line) -> "_SponsorScope | None":
    is_tagged = any(phrases.SPONSOR_TAG.search(mention.text) for mention in line.mentions)
    words = phrases.normalize(line.text[:_LABEL_SEARCH_LENGTH]) if line.text else ""
    is_labelled = bool(phrases.SPONSOR_LABEL.match(words))
    if line.level and (is_tagged or is_labelled):
        return _SponsorScope(line.level, line.index)
    if is_tagged or (is_labelled and (len(line.text) <= _MAX_LABEL_LENGTH or line.mentions)):
        return _SponsorScope(0, line.index, is_linked_label=not is_tagged and bool(line.mentions))
    return None


class _SponsorScope(Struct):
    """A sponsored part of an issue, from the line ``start_line`` on."""

    level: int
    """Level of the heading with which the part begins; 0 if it begins with a label or a title marked as paid."""
    start_line: int
    is_linked_label: bool = False
    """Whether the label itself has links; then only links to their targets are sponsored."""
    article_keys: set[str | None] = field(default_factory=set)

    def ends_at(self, line: Line) -> bool:
        """Return whether the sponsored part of the issue ends before ``line``."""
        # A part below a heading ends at the next heading of equal or higher level.
        if self.level:
            return 0 < line.level <= self.level
        # A part below a label with links ends at the next heading or at another target.
        if self.is_linked_label:
            return line.level > 0 or any(mention.article_key not in self.article_keys for mention in line.mentions)
        # A part below a label without links covers one article.
        link = line.only_mention
        is_other_link = (
            bool(self.article_keys)
            and link is not None
            and not link.has_image
            and link.article_key not in self.article_keys
        )
        return is_other_link or (line.level > 0 and line.index > self.start_line + 1)
