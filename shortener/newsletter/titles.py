"""Which lines are titles, and of which article: a heading with a link, a link that leads a line, a heading
between an image and its "read more"."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Iterator

from msgspec import Struct

from shortener.newsletter import bylines, link_roles, phrases
from shortener.newsletter.bylines import Byline
from shortener.newsletter.lines import PSEUDO_HEADING_LEVEL, Line, Mention, PlacementKind

_MAX_TITLE_LINKS = 6  # links in a line: more, and it is a list, no title
_MAX_BUTTON_LENGTH = 40  # characters of a link text that may be a button or "read more"
_MAX_READ_MORE_LENGTH = 60  # characters of a link text that may be "continue reading on …"
_MAX_LABEL_LENGTH = 20  # characters of a line that is more than a label
_MAX_TITLE_LENGTH = 220  # characters of a title
_MAX_LETTERS_AFTER_BYLINE = (
    4  # letters behind a byline: more, and the byline stands in the midst of the title
)
_SEPARATOR_AFTER = re.compile(r"\s*(?:[:：–—|·•(（/\[【,，]|-\s|-$|\.\.\.|…|\s\s|$)")
_SEPARATOR_BEFORE = re.compile(r"(?:[:：|·•)）\]】/–—-]|\d\.)\s*$")
_CLAUSE = re.compile(r"[,，、;；。]")
_SENTENCE_END = re.compile(r"[.!?。！？…]['\"”’)]*$")
# What may stand before a title in its line: a number, an emoji, "[video]"; but no dash: that is whom one quotes.
_TITLE_PREFIX = re.compile(r"[^\w—–-]*(?:\d{1,3}[^\w—–-]+)?(?:[\[(【（][^\])】）]{1,20}[\])】）]\W*)?\Z")
_SENTENCE_STOP = re.compile(r"[.!?]['\"”’]?\s")
_ARROW = re.compile(r"[→»›➜➔▶►⟶⇒>][\s»›>]*$")
_LETTER = re.compile(r"[^\W_]")

HEADING_CONFIDENCE, UNLINKED_HEADING_CONFIDENCE, LEADING_LINK_CONFIDENCE, CARD_CONFIDENCE = 5, 4, 3, 2
"""How surely a line is the title of an article."""


class Title(Struct, frozen=True):
    """A title of the article ``key``: its text, author, how sure it is, and where it ends in its line."""

    article_key: str
    text: str
    author: str | None
    confidence: int
    line_index: int
    end: int


def find_titles(lines: list[Line], *, issue_title_line: int | None) -> Iterator[Title]:
    """Yield every title, and set the kinds of the mentions that carry one or that lead on from one.

    ``issue`` is the line that is the title of the whole issue, which names an article only if it links to it.
    """
    _mark_read_more(lines)
    found: list[Title] = []
    placed: set[int] = set()
    for line in lines:
        # A card is one link around its image, title and text: only one of its lines is the title.
        if any(mention.link_index in placed for mention in line.mentions[:1]) or _repeats_previous_title(
            line, found
        ):
            continue
        found += _titles_in_heading(line) if line.level else _title_at_line_start(line, lines)
        placed |= {mention.link_index for mention in line.mentions if mention.kind == "title"}
    titled = {title.article_key for title in found}
    yield from found
    yield from _titles_from_unlinked_headings(lines, titled, issue_title_line)


def _repeats_previous_title(line: Line, titles: list[Title]) -> bool:
    """A short link alone in its line leads on to the title before it, if that is of the same article."""
    whole = line.only_mention
    return bool(
        titles
        and whole
        and not line.level
        and whole.article_key == titles[-1].article_key
        and len(whole.text) <= _MAX_BUTTON_LENGTH
    )


def _mark_read_more(lines: list[Line]) -> None:
    for line in lines:
        for at, mention in enumerate(line.mentions):
            if mention.kind == "text" and not 0 < line.level < PSEUDO_HEADING_LEVEL:
                mention.kind = _call_to_action_kind(line, at)
        if line.only_mention and line.only_mention.kind in ("more", "button"):
            line.level = 0


def _call_to_action_kind(line: Line, mention_index: int) -> PlacementKind:
    """``more`` or ``button`` for a mention that is one by its words or looks, whatever stands around its line."""
    mention = line.mentions[mention_index]
    if 0 < len(mention.text) <= _MAX_READ_MORE_LENGTH and phrases.READ_MORE.match(
        phrases.normalize(mention.text)
    ):
        return "text" if _is_followed_by_text(line, mention_index) else "more"
    if line.only_mention is not mention or not 0 < len(mention.text) <= _MAX_BUTTON_LENGTH:
        return "text"
    if mention.button:
        return "button"
    return "more" if _ARROW.search(mention.text) else "text"


def _is_followed_by_text(line: Line, mention_index: int) -> bool:
    """There are words behind a link that are no links themselves: it stands in a sentence."""
    following = line.mentions[mention_index + 1 : mention_index + 1 + _MAX_TITLE_LINKS]
    ends = [line.mentions[mention_index].end, *(each.end for each in following)]
    starts = [*(each.start for each in following), ends[-1] + _MAX_TITLE_LENGTH]
    return any(_LETTER.search(line.text, end, start) for end, start in zip(ends, starts, strict=True))


def _titles_in_heading(line: Line) -> Iterator[Title]:
    """The titles in a heading: one, and perhaps its author; or as many as it has links to other things."""
    if len(line.mentions) > _MAX_TITLE_LINKS:
        return
    mains = [
        each
        for each in line.mentions
        if each.is_content and each.kind == "text" and _LETTER.search(each.text)
    ]
    mains = [each for each in mains if each.text != each.url]
    if not mains:
        return
    main = mains[0]
    end = max(each.end for each in mains if each.article_key == main.article_key)
    byline = bylines.find_byline_after(line, end)
    others = [
        each
        for each in mains
        if each.article_key != main.article_key and not (byline and each in byline.mentions)
    ]
    for mention in byline.mentions if byline else ():
        mention.role = "byline"
    for mention in mains:
        if not mention.role:
            mention.kind = "title"
    if others:
        for each in (main, *others):
            if each.article_key is not None:
                yield Title(each.article_key, each.text, None, HEADING_CONFIDENCE, line.index, len(line.text))
        return
    if main.article_key is not None:
        text, author = _split_title_and_author(line, main, end, byline)
        yield Title(main.article_key, text, author, HEADING_CONFIDENCE, line.index, len(line.text))


def _split_title_and_author(
    line: Line, title_mention: Mention, end: int, byline: Byline | None
) -> tuple[str, str | None]:
    """The title that a heading gives to a link, and its author.

    The text of the link, if it is set off from what stands around it; all of the heading, if the link covers
    only a part of what reads on. A translator (or an editor) may have swapped the links of title and author.
    """
    if byline is None:
        return _title_or_link_text(line.text, title_mention.start, end), None
    if byline.mentions and _is_author_swapped(line, title_mention, end, byline):
        return _text_without(line.text, title_mention.start, end), line.text[
            title_mention.start : end
        ].strip()
    if len(
        _LETTER.findall(line.text[byline.end :])
    ) > _MAX_LETTERS_AFTER_BYLINE and not _SEPARATOR_AFTER.match(line.text[byline.end :]):
        return line.text, byline.author
    return _title_or_link_text(line.text[: byline.start], title_mention.start, end), byline.author


def _is_author_swapped(line: Line, title_mention: Mention, end: int, byline: Byline) -> bool:
    touching = not _LETTER.search(line.text[end : byline.mentions[0].start])
    return (
        touching
        and bylines.looks_like_name(line.text[title_mention.start : end])
        and not bylines.looks_like_name(byline.author)
    )


def _text_without(text: str, start: int, end: int) -> str:
    return " ".join((text[:start] + " " + text[end:]).split())


def _title_or_link_text(text: str, start: int, end: int) -> str:
    before, link, after = text[:start], text[start:end].strip(), text[end:]
    leads = bool(_LETTER.search(before)) and not _SEPARATOR_BEFORE.search(before)
    reads_on = bool(_LETTER.search(after)) and not _SEPARATOR_AFTER.match(after)
    if not (leads or reads_on) or len(text) > _MAX_TITLE_LENGTH:
        return link
    amid = leads and bool(_LETTER.search(after))
    return link if amid and _CLAUSE.search(before + after) else text.strip()


def _title_at_line_start(line: Line, lines: list[Line]) -> Iterator[Title]:
    """The title that a line begins with: all of it, or set off from what follows."""
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
        return not _closes_previous_text(line, first, lines)
    after = line.text[first.end : first.end + 40]
    if bylines.find_byline_after(line, first.end) or _SEPARATOR_AFTER.match(after):
        return not _CLAUSE.match(after.lstrip())
    set_off = first.strong or line.item_part == "first"
    if set_off and _SENTENCE_STOP.match(after):
        return True
    follows = after.lstrip()[:1]
    return set_off and (follows.isupper() or bool(_SENTENCE_END.search(first.text)))


def _closes_previous_text(line: Line, first: Mention, lines: list[Line]) -> bool:
    """A link alone in its line closes what stands above it if prose stands above it and none below."""
    previous = _adjacent_visible_line(lines, line.index, -1)
    following = _adjacent_visible_line(lines, line.index, 1)
    prose_above = previous is not None and not previous.level and _is_prose(previous)
    prose_below = following is not None and not following.level and bool(following.text)
    return prose_above and not prose_below and (first.button or len(first.text) <= _MAX_BUTTON_LENGTH)


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
    """The headings without a link that name what the image before or the "read more" behind them leads to."""
    heads = [line.index for line in lines if line.level]
    for at, head in enumerate(heads):
        line = lines[head]
        if line.mentions and any(each.is_content or each.role == "sponsor" for each in line.mentions):
            continue
        until = _region_end(lines, heads[at + 1] if at + 1 < len(heads) else len(lines))
        key = _key_for_heading(lines, head, until, titled_keys) if head != issue_title_line else None
        if key is None:
            continue
        titled_keys.add(key)
        yield Title(key, line.text, None, UNLINKED_HEADING_CONFIDENCE, head, len(line.text))


def _region_end(lines: list[Line], end: int) -> int:
    """Where ends what a heading is above: before the next one, and before the images that belong to that."""
    following = (
        {each.article_key for each in lines[end].mentions if each.is_content} if end < len(lines) else {None}
    )
    while lines[end - 1].has_only_images and end < len(lines):
        if following and not following & {each.article_key for each in lines[end - 1].mentions}:
            break
        end -= 1
    return end


def _image_keys_before(lines: list[Line], heading_index: int) -> set[str]:
    keys: set[str] = set()
    at = heading_index - 1
    while at >= 0 and lines[at].has_only_images:
        keys |= {
            each.article_key
            for each in lines[at].mentions
            if each.is_content and each.article_key is not None
        }
        at -= 1
    return keys


def _key_for_heading(lines: list[Line], heading_index: int, end: int, titled_keys: set[str]) -> str | None:
    """The key of the article that an unlinked heading names, if it is one."""
    inside = [each for line in lines[heading_index + 1 : end] for each in line.mentions if each.is_content]
    keys = dict.fromkeys(each.article_key for each in inside if each.article_key is not None)
    before = [key for key in _image_keys_before(lines, heading_index) if key not in titled_keys]
    for key in before:
        if key in keys or (not keys and any(line.text for line in lines[heading_index + 1 : end])):
            return key
    if any(each.kind == "title" for each in inside):
        return None
    alone = len(keys) == 1
    calls = dict.fromkeys(
        each.article_key for each in inside if _is_call_to_action(lines, each, is_only_article=alone)
    )
    if not calls and alone and all(_is_generic_text(each) for each in inside):
        calls = dict.fromkeys(each.article_key for each in inside)
    first = [each for each in inside if each.line_index == heading_index + 1]
    calls = calls or dict.fromkeys(
        each.article_key for each in first if each.has_image or _is_bare_url_line(lines, each)
    )
    free = [key for key in calls if key is not None and key not in titled_keys]
    return free[0] if len(free) == 1 else None


def _is_bare_url_line(lines: list[Line], mention: Mention) -> bool:
    """A bare URL that is all of its line: what stands above it is what it is called."""
    return mention.text == mention.url and lines[mention.line_index].only_mention is mention


def _is_generic_text(mention: Mention) -> bool:
    return bool(phrases.GENERIC_TEXT.match(phrases.normalize(mention.text)))


def _is_call_to_action(lines: list[Line], mention: Mention, *, is_only_article: bool) -> bool:
    """A "read more", a button, or, if nothing else is linked there, a short link that is all of its line."""
    whole = (
        is_only_article
        and lines[mention.line_index].only_mention is mention
        and 0 < len(mention.text) <= _MAX_BUTTON_LENGTH
    )
    return whole or mention.kind in ("more", "button")
