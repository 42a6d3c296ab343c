"""Recognition of navigation: bars and columns of links with few words, the sender's front page, and service pages."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest

from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.lines import LETTER, PSEUDO_HEADING_LEVEL, Line, Mention

_MAX_BAR_WORDS = 5  # words of a link in a bar: a headline has more
_MAX_BAR_LENGTH = 32  # characters of a link in a bar
_MAX_COLUMN_WORDS = 4  # words of most links in a column
_MIN_COLUMN_LINKS = 3
_MIN_SHORT_FRACTION = 0.75  # of the links of a column
_MAX_HEADING_SCOPE = 12  # lines below a heading such as "quick links"
_HEADER_LINES = 8  # lines at the top of an issue among which its logo is
_WIDE_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def mark_navigation(lines: list[Line]) -> None:
    """Set the role ``navigation`` on links to other pages of the newsletter, so that they do not count as articles."""
    mention_counts = Counter(m.article_key for line in lines for m in line.mentions)
    image_keys = {m.article_key for line in lines for m in line.mentions if m.has_image}
    for line in lines:
        if line.navigation or _is_link_bar(line):
            _mark(line.mentions)
    for column in _link_columns(lines, mention_counts, image_keys):
        if _is_navigation_column(column):
            for line in column:
                _mark(line.mentions)
    _mark_below_navigation_headings(lines)
    _mark_own_pages(lines)
    _undo_if_no_links_remain(lines)


def _undo_if_no_links_remain(lines: list[Line]) -> None:
    mentions = [mention for line in lines if not line.navigation for mention in line.mentions]
    # An issue may consist of three links side by side, which are its articles.
    if not any(mention.is_content for mention in mentions):
        for mention in mentions:
            if mention.role == "navigation":
                mention.role = ""


def _mark(mentions: list[Mention]) -> None:
    for mention in mentions:
        mention.role = mention.role or "navigation"


def _count_words(text: str) -> int:
    # Two wide characters (Chinese, Japanese) count as one word.
    wide = len(_WIDE_CHARACTER.findall(text))
    return len(_WIDE_CHARACTER.sub(" ", text).split()) + (wide + 1) // 2


def _is_short(text: str) -> bool:
    return 0 < len(text) <= _MAX_BAR_LENGTH and _count_words(text) <= _MAX_BAR_WORDS


def _is_link_bar(line: Line) -> bool:
    if len(line.mentions) < 2 or 0 < line.level < PSEUDO_HEADING_LEVEL or line.item_part:
        return False
    if len({mention.article_key or mention.url for mention in line.mentions}) < 2:
        return False
    if not all(_is_short(mention.text) for mention in line.mentions if mention.text):
        return False
    ends = [0, *(mention.end for mention in line.mentions)]
    starts = [*(mention.start for mention in line.mentions), len(line.text)]
    return bool(line.text) and not any(
        LETTER.search(line.text, end, start) for end, start in zip(ends, starts, strict=True)
    )


def _link_columns(lines: list[Line], counts: Counter[str | None], image_keys: set[str | None]) -> Iterator[list[Line]]:
    # Each line in a column contains one text link and nothing else.
    column: list[Line] = []
    visible = [line for line in lines if not line.hidden and (line.text or line.mentions)]
    previous: Line | None = None
    for line, following in zip_longest(visible, visible[1:]):
        link = line.only_mention
        is_member = (
            link is not None
            and bool(link.text)
            and not link.has_image
            and not line.item_part
            and not (following and _is_prose(following))
            # a button below a text belongs to the text
            and not (link.button and previous and previous.text and not previous.mentions)
            and (not line.level or line.level == PSEUDO_HEADING_LEVEL)
            and counts[link.article_key] == 1
            and link.article_key not in image_keys
        )
        if is_member:
            column.append(line)
        elif line.mentions or any(map(str.isalpha, line.text)):
            yield column
            column = []
        previous = line
    yield column


def _is_prose(line: Line) -> bool:
    return _count_words(line.text) > _MAX_COLUMN_WORDS and not line.only_mention and not line.level


def _is_navigation_column(column: list[Line]) -> bool:
    links = [line.mentions[0] for line in column]
    if len(links) < _MIN_COLUMN_LINKS or len({link.article_key for link in links}) < _MIN_COLUMN_LINKS:
        return False
    short = sum(_count_words(link.text) <= _MAX_COLUMN_WORDS and len(link.text) <= _MAX_BAR_LENGTH for link in links)
    return short >= _MIN_SHORT_FRACTION * len(links)


def _mark_below_navigation_headings(lines: list[Line]) -> None:
    remaining = 0
    for line in lines:
        if line.text and len(line.text) <= _MAX_BAR_LENGTH and not line.mentions:
            is_heading = bool(phrases.NAVIGATION_HEADING.match(phrases.normalize(line.text)))
            if is_heading:
                remaining = _MAX_HEADING_SCOPE
                continue
        if line.is_rule or line.level or (line.text and not line.mentions):
            remaining = 0 if not line.mentions else remaining
        if remaining and line.mentions:
            remaining -= 1
            if all(_is_short(mention.text) or not mention.text for mention in line.mentions):
                _mark(line.mentions)
            else:
                remaining = 0


def _mark_own_pages(lines: list[Line]) -> None:
    # The web version is the target of the "view in browser" link.
    own_pages = {
        url_kinds.without_query(mention.url)
        for line in lines
        for mention in line.mentions
        if mention.role == "service" and not url_kinds.is_social(mention.url) and not url_kinds.is_homepage(mention.url)
    }
    # The front page is on the host of links such as "unsubscribe", or is the target of the logo at the top.
    service_hosts = {
        url_kinds.site_name(mention.url)
        for line in lines
        for mention in line.mentions
        if mention.role == "service" and not url_kinds.is_social(mention.url)
    }
    logos = {
        mention.article_key
        for line in [line for line in lines if line.mentions and not line.hidden][:_HEADER_LINES]
        for mention in line.mentions
        if mention.has_image and not mention.text and url_kinds.is_homepage(mention.url)
    }
    for line in lines:
        for mention in line.mentions:
            # Links that a sender tracks differ only in their query, so that one with a query proves nothing.
            is_own = ("?" not in mention.url and url_kinds.without_query(mention.url) in own_pages) or (
                url_kinds.is_homepage(mention.url) and url_kinds.site_name(mention.url) in service_hosts
            )
            if mention.is_content and (is_own or mention.article_key in logos):
                mention.role = "navigation"
