"""Recognition of article titles: headings with a link, links at the start of a line, and headings without a link."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from shortener.newsletter import bylines, link_roles, phrases
from shortener.newsletter.bylines import Byline
from shortener.newsletter.lines import LETTER, PSEUDO_HEADING_LEVEL, Line, Mention, PlacementKind

MAX_BUTTON_LENGTH = 40
"""Maximum length, in characters, of the text of a button, or of a link that its place shows to be one."""

_MAX_TITLE_LINKS = 6  # links in a line: a line with more is a list
_MAX_READ_MORE_LENGTH = 60  # characters, which fit "continue reading on …"
_MAX_CALL_WORDS = 3  # words of "buy it now"; a title has more
_MAX_LABEL_LENGTH = 20  # characters: a longer line is prose
_MAX_TITLE_LENGTH = 220  # characters
_MAX_LETTERS_AFTER_BYLINE = 4  # with more letters behind it, the byline is in the middle of the title
_SEPARATOR_AFTER = re.compile(r"\s*(?:[:：–—|·•(（/\[【,，]|-\s|-$|\.\.\.|…|\s\s|$)")
_SEPARATOR_BEFORE = re.compile(r"(?:[:：|·•)）\]】/–—-]|\d\.)\s*$")
_CLAUSE = re.compile(r"[,，、;；。]")
_SENTENCE_END = re.compile(r"[.!?。！？…]['\"”’)]*$")
# A number, an emoji or "[video]" can precede a title; what follows a dash is the source of a quotation.
_TITLE_PREFIX = re.compile(r"[^\w—–-]*(?:\d{1,3}[^\w—–-]+)?(?:[\[(【（][^\])】）]{1,20}[\])】）]\W*)?\Z")
_SENTENCE_STOP = re.compile(r"[.!?]['\"”’]?\s")
_ARROW = re.compile(r"[→»›➜➔▶►⟶⇒>][\s»›>]*$")

HEADING_CONFIDENCE, UNLINKED_HEADING_CONFIDENCE, LEADING_LINK_CONFIDENCE, CARD_CONFIDENCE = 5, 4, 3, 2
"""Confidence that a line is the title of an article, from 5 (a heading with a link) to 2 (a link card)."""


class Title(Struct, frozen=True):
    """A text in a line that is probably the title of an article."""

    article_key: str
    text: str
    author: str | None
    confidence: int
    """Confidence that it is a title, from 5 (a heading with a link) to 2 (a link card)."""
    line_index: int
    end: int
    """Offset in the line after the title or, if an author's name follows, after the name."""


def find_titles(
    lines: list[Line],
    *,
    issue_title_line: int | None,  # index of the line with the title of the issue
) -> Iterator[Title]:
    """Yield the titles of articles. Also set the ``kind`` of links that are titles, buttons or "read more" links."""
    _mark_read_more(lines)
    titles: list[Title] = []
    title_links: set[int] = set()
    for line in lines:
        # A card is one link around image, title and text, and only one of its lines is the title.
        if any(mention.link_index in title_links for mention in line.mentions[:1]) or _only_links_to_last_title(
            line, titles
        ):
            continue
        titles += _titles_in_heading(line) if line.level else _title_at_line_start(line, lines)
        title_links |= {mention.link_index for mention in line.mentions if mention.kind == "title"}
    titled_keys = {title.article_key for title in titles}
    yield from titles
    yield from _titles_from_unlinked_headings(lines, titled_keys, issue_title_line)


def _only_links_to_last_title(line: Line, titles: list[Title]) -> bool:
    link = line.only_mention
    return bool(
        titles
        and link
        and not line.level
        and link.article_key == titles[-1].article_key
        and len(link.text) <= MAX_BUTTON_LENGTH
    )


def _mark_read_more(lines: list[Line]) -> None:
    for line in lines:
        for index, mention in enumerate(line.mentions):
            if mention.kind == "text" and not 0 < line.level < PSEUDO_HEADING_LEVEL:
                mention.kind = _call_to_action_kind(line, index)
        if line.only_mention and line.only_mention.kind in ("more", "button"):
            line.level = 0


def _call_to_action_kind(line: Line, mention_index: int) -> PlacementKind:
    mention = line.mentions[mention_index]
    if 0 < len(mention.text) <= _MAX_READ_MORE_LENGTH and phrases.READ_MORE.match(phrases.normalize(mention.text)):
        return "text" if _is_followed_by_unlinked_text(line, mention_index) else "more"
    if line.only_mention is not mention or not 0 < len(mention.text) <= MAX_BUTTON_LENGTH:
        return "text"
    if mention.button:
        return "button"
    return "more" if _ARROW.search(mention.text) else "text"


def _is_followed_by_unlinked_text(line: Line, mention_index: int) -> bool:
    following = line.mentions[mention_index + 1 : mention_index + 1 + _MAX_TITLE_LINKS]
    ends = [line.mentions[mention_index].end, *(mention.end for mention in following)]
    starts = [*(mention.start for mention in following), ends[-1] + _MAX_TITLE_LENGTH]
    return any(LETTER.search(line.text, end, start) for end, start in zip(ends, starts, strict=True))


def _titles_in_heading(line: Line) -> Iterator[Title]:
    if len(line.mentions) > _MAX_TITLE_LINKS:
        return
    candidates = [
        mention
        for mention in line.mentions
        if mention.is_content and mention.kind == "text" and LETTER.search(mention.text) and mention.text != mention.url
    ]
    if not candidates:
        return
    first = candidates[0]
    end = max(mention.end for mention in candidates if mention.article_key == first.article_key)
    byline = bylines.find_byline_after(line, end)
    others = [
        mention
        for mention in candidates
        if mention.article_key != first.article_key and not (byline and mention in byline.mentions)
    ]
    for mention in byline.mentions if byline else ():
        mention.role = "byline"
    for mention in candidates:
        if not mention.role:
            mention.kind = "title"
    titles = [(first, *_split_title_and_author(line, first, end, byline))]
    if others:
        titles = [(mention, mention.text, None) for mention in (first, *others)]
    for mention, text, author in titles:
        if mention.article_key is not None:
            yield Title(mention.article_key, text, author, HEADING_CONFIDENCE, line.index, len(line.text))


def _split_title_and_author(
    line: Line, title_mention: Mention, end: int, byline: Byline | None
) -> tuple[str, str | None]:
    if byline is None:
        return _title_or_link_text(line.text, title_mention.start, end), None
    # In a translated issue the link of the article can be around the author's name, and the author's around the
    # title.
    if byline.mentions and _is_author_swapped(line, title_mention, end, byline):
        return _text_without(line.text, title_mention.start, end), line.text[title_mention.start : end].strip()
    if len(LETTER.findall(line.text[byline.end :])) > _MAX_LETTERS_AFTER_BYLINE and not _SEPARATOR_AFTER.match(
        line.text[byline.end :]
    ):
        return line.text, byline.author
    return _title_or_link_text(line.text[: byline.start], title_mention.start, end), byline.author


def _is_author_swapped(line: Line, title_mention: Mention, end: int, byline: Byline) -> bool:
    touching = not LETTER.search(line.text[end : byline.mentions[0].start])
    return (
        touching
        and bylines.looks_like_name(line.text[title_mention.start : end])
        and not bylines.looks_like_name(byline.author)
    )


def _text_without(text: str, start: int, end: int) -> str:
    return " ".join((text[:start] + " " + text[end:]).split())


def _title_or_link_text(text: str, start: int, end: int) -> str:
    before, link, after = text[:start], text[start:end].strip(), text[end:]
    leads = bool(LETTER.search(before)) and not _SEPARATOR_BEFORE.search(before)
    reads_on = bool(LETTER.search(after)) and not _SEPARATOR_AFTER.match(after)
    if not (leads or reads_on) or len(text) > _MAX_TITLE_LENGTH:
        return link
    is_inside = leads and bool(LETTER.search(after))
    return link if is_inside and _CLAUSE.search(before + after) else text.strip()


def _title_at_line_start(line: Line, lines: list[Line]) -> Iterator[Title]:
    first = line.mentions[0] if line.mentions else None
    if first is None or line.hidden or line.footer or not first.is_content or first.article_key is None:
        return
    card = link_roles.card_title(line, first)
    if card:
        yield Title(first.article_key, card.strip(), None, CARD_CONFIDENCE, line.index, len(line.text))
    if first.kind != "text" or not _is_leading_title(line, first, lines):
        return
    byline = bylines.find_byline_after(line, first.end)
    for mention in byline.mentions if byline else ():
        mention.role = "byline"
    first.kind = "title"
    author, end = (byline.author, byline.end) if byline else (None, first.end)
    yield Title(first.article_key, first.text, author, LEADING_LINK_CONFIDENCE, line.index, end)


def _is_leading_title(line: Line, first: Mention, lines: list[Line]) -> bool:
    words = phrases.normalize(first.text)
    if (
        len(words) < 3
        or len(first.text) > _MAX_TITLE_LENGTH
        or first.text == first.url
        or phrases.GENERIC_TEXT.match(words)
    ):
        return False
    if (
        not _TITLE_PREFIX.match(line.text[max(0, first.start - 40) : first.start])
        or len(line.mentions) > _MAX_TITLE_LINKS
    ):
        return False
    if line.only_mention is first:
        return not (_is_button_of_text_above(line, first, lines) or _is_call_below_text(line, words, lines))
    after = line.text[first.end : first.end + 40]
    byline = bylines.find_byline_after(line, first.end)
    if byline and bylines.looks_like_name(byline.author):
        return True
    if byline or _SEPARATOR_AFTER.match(after):
        return not _CLAUSE.match(after.lstrip())
    is_prominent = first.strong or line.item_part == "first"
    if is_prominent and _SENTENCE_STOP.match(after):
        return True
    next_char = after.lstrip()[:1]
    return is_prominent and (next_char.isupper() or bool(_SENTENCE_END.search(first.text)))


def _is_button_of_text_above(line: Line, first: Mention, lines: list[Line]) -> bool:
    previous = _adjacent_visible_line(lines, line.index, -1)
    following = _adjacent_visible_line(lines, line.index, 1)
    prose_above = previous is not None and not previous.level and _is_prose(previous)
    prose_below = following is not None and not following.level and bool(following.text)
    return prose_above and not prose_below and (first.button or len(first.text) <= MAX_BUTTON_LENGTH)


def _is_call_below_text(line: Line, words: str, lines: list[Line]) -> bool:
    previous = _adjacent_visible_line(lines, line.index, -1)
    is_call = len(words.split()) <= _MAX_CALL_WORDS and phrases.BUTTON_VERB.match(words) is not None
    return is_call and previous is not None and bool(previous.text) and not previous.mentions


def _adjacent_visible_line(lines: list[Line], index: int, step: int) -> Line | None:
    index += step
    while 0 <= index < len(lines) and lines[index].hidden:
        index += step
    return lines[index] if 0 <= index < len(lines) else None


def _is_prose(line: Line) -> bool:
    return len(line.text) > _MAX_LABEL_LENGTH and not line.only_mention


def _titles_from_unlinked_headings(
    lines: list[Line], titled_keys: set[str], issue_title_line: int | None
) -> Iterator[Title]:
    headings = [line.index for line in lines if line.level]
    for index, next_index in pairwise([*headings, len(lines)]):
        line = lines[index]
        if line.mentions and any(mention.is_content or mention.role == "sponsor" for mention in line.mentions):
            continue
        end = _content_end(lines, next_index)
        key = _article_key_for_heading(lines, index, end, titled_keys)
        # The title of the issue names an article only if an image or a button beside it links to the article.
        if key is None or (index == issue_title_line and not _issue_title_names_article(lines, index, end, key)):
            continue
        titled_keys.add(key)
        yield Title(key, line.text, None, UNLINKED_HEADING_CONFIDENCE, index, len(line.text))


def _content_end(lines: list[Line], end: int) -> int:
    # ``end`` is the index of the next heading. Images above that heading belong to it if they link to its article.
    next_keys = (
        {mention.article_key for mention in lines[end].mentions if mention.is_content} if end < len(lines) else {None}
    )
    while lines[end - 1].has_only_images and end < len(lines):
        if next_keys and not next_keys & {mention.article_key for mention in lines[end - 1].mentions}:
            break
        end -= 1
    return end


def _issue_title_names_article(lines: list[Line], title_index: int, end: int, url: str) -> bool:
    # It does if an image directly above the title links to the article.
    if url in _image_keys_before(lines, title_index):
        return True
    # It also does if the first two links below lead to the article, and there is a button below.
    inside = [mention for line in lines[title_index + 1 : end] for mention in line.mentions if mention.is_content]
    return {mention.article_key for mention in inside[:2]} == {url} and any(mention.button for mention in inside)


def _image_keys_before(lines: list[Line], heading_index: int) -> list[str]:
    keys: list[str] = []
    index = heading_index - 1
    while index >= 0 and lines[index].has_only_images:
        keys += [
            mention.article_key
            for mention in lines[index].mentions
            if mention.is_content and mention.article_key is not None
        ]
        index -= 1
    return keys


def _article_key_for_heading(lines: list[Line], heading_index: int, end: int, titled_keys: set[str]) -> str | None:
    # The links below the heading and the linked images directly above it show the article.
    inside = [mention for line in lines[heading_index + 1 : end] for mention in line.mentions if mention.is_content]
    keys = dict.fromkeys(mention.article_key for mention in inside if mention.article_key is not None)
    for key in _image_keys_before(lines, heading_index):
        if key in titled_keys:
            continue
        if key in keys or (not keys and any(line.text for line in lines[heading_index + 1 : end])):
            return key
    if any(mention.kind == "title" for mention in inside):  # a button before the first title is the heading's
        first = inside[0]
        is_own_button = first.button and first.kind != "title" and first.article_key not in titled_keys
        return first.article_key if is_own_button else None
    is_only = len(keys) == 1
    links = [mention for mention in inside if _is_call_to_action(lines, mention, is_only_article=is_only)]
    if not links and is_only and all(_is_generic_text(mention) for mention in inside):
        links = inside
    links = links or [
        mention
        for mention in inside
        if mention.line_index == heading_index + 1 and (mention.has_image or _is_bare_url_line(lines, mention))
    ]
    untitled_keys = {mention.article_key for mention in links} - titled_keys
    return untitled_keys.pop() if len(untitled_keys) == 1 else None


def _is_bare_url_line(lines: list[Line], mention: Mention) -> bool:
    return mention.text == mention.url and lines[mention.line_index].only_mention is mention


def _is_generic_text(mention: Mention) -> bool:
    return bool(phrases.GENERIC_TEXT.match(phrases.normalize(mention.text)))


def _is_call_to_action(lines: list[Line], mention: Mention, *, is_only_article: bool) -> bool:
    # If all links below a heading lead to one article, a short link that fills its line counts too.
    is_short_line = (
        is_only_article
        and lines[mention.line_index].only_mention is mention
        and 0 < len(mention.text) <= MAX_BUTTON_LENGTH
    )
    return is_short_line or mention.kind in ("more", "button")
