"""Which lines are titles, and of which article: a heading with a link, a link that leads a line, a heading
between an image and its "read more"."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Iterator

from msgspec import Struct

from shortener.newsletter import bylines, link_roles, phrases
from shortener.newsletter.bylines import Byline
from shortener.newsletter.lines import PSEUDO_LEVEL, Kind, Line, Mention

_CROWDED = 6  # links in a line: more, and it is a list, no title
_SHORT = 40  # characters of a link text that may be a button or "read more"
_WORDY = 60  # characters of a link text that may be "continue reading on …"
_PROSE = 20  # characters of a line that is more than a label
_LONG = 220  # characters of a title
_TAIL = 4  # letters behind a byline: more, and the byline stands in the midst of the title
_SEPARATOR = re.compile(r"\s*(?:[:：–—|·•(（/\[【,，]|-\s|-$|\.\.\.|…|\s\s|$)")
_SEPARATOR_BEFORE = re.compile(r"(?:[:：|·•)）\]】/–—-]|\d\.)\s*$")
_CLAUSE = re.compile(r"[,，、;；。]")
_SENTENCE_END = re.compile(r"[.!?。！？…]['\"”’)]*$")
# What may stand before a title in its line: a number, an emoji, "[video]"; but no dash: that is whom one quotes.
_LABEL = re.compile(r"[^\w—–-]*(?:\d{1,3}[^\w—–-]+)?(?:[\[(【（][^\])】）]{1,20}[\])】）]\W*)?\Z")
_STOP = re.compile(r"[.!?]['\"”’]?\s")
_ARROW = re.compile(r"[→»›➜➔▶►⟶⇒>][\s»›>]*$")
_LETTER = re.compile(r"[^\W_]")

HEADING, BETWEEN, LEAD, CARD = 5, 4, 3, 2
"""How surely a line is the title of an article."""


class Title(Struct, frozen=True):
    """A title of the article ``key``: its text, author, how sure it is, and where it ends in its line."""

    key: str
    text: str
    author: str | None
    rank: int
    line: int
    end: int


def find(lines: list[Line], *, issue: int | None) -> Iterator[Title]:
    """Yield every title, and set the kinds of the mentions that carry one or that lead on from one.

    ``issue`` is the line that is the title of the whole issue, which names an article only if it links to it.
    """
    _mark_more(lines)
    found: list[Title] = []
    placed: set[int] = set()
    for line in lines:
        # A card is one link around its image, title and text: only one of its lines is the title.
        if any(mention.link in placed for mention in line.mentions[:1]) or _leads_back(line, found):
            continue
        found += _in_heading(line) if line.level else _in_lead(line, lines)
        placed |= {mention.link for mention in line.mentions if mention.kind == "title"}
    titled = {title.key for title in found}
    yield from found
    yield from _between(lines, titled, issue)


def _leads_back(line: Line, found: list[Title]) -> bool:
    """A short link alone in its line leads on to the title before it, if that is of the same article."""
    whole = line.whole
    return bool(
        found and whole and not line.level and whole.key == found[-1].key and len(whole.text) <= _SHORT
    )


def _mark_more(lines: list[Line]) -> None:
    for line in lines:
        for at, mention in enumerate(line.mentions):
            if mention.kind == "text" and not 0 < line.level < PSEUDO_LEVEL:
                mention.kind = _kind(line, at)
        if line.whole and line.whole.kind in ("more", "button"):
            line.level = 0


def _kind(line: Line, at: int) -> Kind:
    """``more`` or ``button`` for a mention that is one by its words or looks, whatever stands around its line."""
    mention = line.mentions[at]
    if 0 < len(mention.text) <= _WORDY and phrases.READ_MORE.match(phrases.plain(mention.text)):
        return "text" if _goes_on(line, at) else "more"
    if line.whole is not mention or not 0 < len(mention.text) <= _SHORT:
        return "text"
    if mention.button:
        return "button"
    return "more" if _ARROW.search(mention.text) else "text"


def _goes_on(line: Line, at: int) -> bool:
    """There are words behind a link that are no links themselves: it stands in a sentence."""
    following = line.mentions[at + 1 : at + 1 + _CROWDED]
    ends = [line.mentions[at].end, *(each.end for each in following)]
    starts = [*(each.start for each in following), ends[-1] + _LONG]
    return any(_LETTER.search(line.text, end, start) for end, start in zip(ends, starts, strict=True))


def _in_heading(line: Line) -> Iterator[Title]:
    """The titles in a heading: one, and perhaps its author; or as many as it has links to other things."""
    if len(line.mentions) > _CROWDED:
        return
    mains = [
        each for each in line.mentions if each.counts and each.kind == "text" and _LETTER.search(each.text)
    ]
    mains = [each for each in mains if each.text != each.url]
    if not mains:
        return
    main = mains[0]
    end = max(each.end for each in mains if each.key == main.key)
    byline = bylines.behind(line, end)
    others = [each for each in mains if each.key != main.key and not (byline and each in byline.mentions)]
    for mention in byline.mentions if byline else ():
        mention.role = "byline"
    for mention in mains:
        if not mention.role:
            mention.kind = "title"
    if others:
        for each in (main, *others):
            if each.key is not None:
                yield Title(each.key, each.text, None, HEADING, line.index, len(line.text))
        return
    if main.key is not None:
        text, author = _heading_text(line, main, end, byline)
        yield Title(main.key, text, author, HEADING, line.index, len(line.text))


def _heading_text(line: Line, main: Mention, end: int, byline: Byline | None) -> tuple[str, str | None]:
    """The title that a heading gives to a link, and its author.

    The text of the link, if it is set off from what stands around it; all of the heading, if the link covers
    only a part of what reads on. A translator (or an editor) may have swapped the links of title and author.
    """
    if byline is None:
        return _whole_or_link(line.text, main.start, end), None
    if byline.mentions and _swapped(line, main, end, byline):
        return _without(line.text, main.start, end), line.text[main.start : end].strip()
    if len(_LETTER.findall(line.text[byline.end :])) > _TAIL and not _SEPARATOR.match(
        line.text[byline.end :]
    ):
        return line.text, byline.author
    return _whole_or_link(line.text[: byline.start], main.start, end), byline.author


def _swapped(line: Line, main: Mention, end: int, byline: Byline) -> bool:
    touching = not _LETTER.search(line.text[end : byline.mentions[0].start])
    return touching and bylines.is_name(line.text[main.start : end]) and not bylines.is_name(byline.author)


def _without(text: str, start: int, end: int) -> str:
    return " ".join((text[:start] + " " + text[end:]).split())


def _whole_or_link(text: str, start: int, end: int) -> str:
    before, link, after = text[:start], text[start:end].strip(), text[end:]
    leads = bool(_LETTER.search(before)) and not _SEPARATOR_BEFORE.search(before)
    reads_on = bool(_LETTER.search(after)) and not _SEPARATOR.match(after)
    if not (leads or reads_on) or len(text) > _LONG:
        return link
    amid = leads and bool(_LETTER.search(after))
    return link if amid and _CLAUSE.search(before + after) else text.strip()


def _in_lead(line: Line, lines: list[Line]) -> Iterator[Title]:
    """The title that a line begins with: all of it, or set off from what follows."""
    first = line.mentions[0] if line.mentions else None
    if first is None or line.hidden or line.footer or not first.counts or first.key is None:
        return
    card = link_roles.card_title(line, first)
    if card:
        yield Title(first.key, card.strip(), None, CARD, line.index, len(line.text))
    if first.kind != "text" or not _is_lead(line, first, lines):
        return
    byline = bylines.behind(line, first.end)
    for mention in byline.mentions if byline else ():
        mention.role = "byline"
    first.kind = "title"
    author, end = (byline.author, byline.end) if byline else (None, first.end)
    yield Title(first.key, first.text, author, LEAD, line.index, end)


def _is_lead(line: Line, first: Mention, lines: list[Line]) -> bool:
    words = phrases.plain(first.text)
    if len(words) < 3 or len(first.text) > _LONG or first.text == first.url or phrases.GENERIC.match(words):
        return False
    if not _LABEL.match(line.text[max(0, first.start - 40) : first.start]) or len(line.mentions) > _CROWDED:
        return False
    if line.whole is first:
        return not _closes(line, first, lines)
    after = line.text[first.end : first.end + 40]
    if bylines.behind(line, first.end) or _SEPARATOR.match(after):
        return not _CLAUSE.match(after.lstrip())
    set_off = first.strong or line.item == "first"
    if set_off and _STOP.match(after):
        return True
    follows = after.lstrip()[:1]
    return set_off and (follows.isupper() or bool(_SENTENCE_END.search(first.text)))


def _closes(line: Line, first: Mention, lines: list[Line]) -> bool:
    """A link alone in its line closes what stands above it if prose stands above it and none below."""
    previous = _neighbour(lines, line.index, -1)
    following = _neighbour(lines, line.index, 1)
    prose_above = previous is not None and not previous.level and _is_prose(previous)
    prose_below = following is not None and not following.level and bool(following.text)
    return prose_above and not prose_below and (first.button or len(first.text) <= _SHORT)


def _neighbour(lines: list[Line], at: int, step: int) -> Line | None:
    at += step
    while 0 <= at < len(lines) and lines[at].hidden:
        at += step
    return lines[at] if 0 <= at < len(lines) else None


def _is_prose(line: Line) -> bool:
    return len(line.text) > _PROSE and not line.whole


def _between(lines: list[Line], titled: set[str], issue: int | None) -> Iterator[Title]:
    """The headings without a link that name what the image before or the "read more" behind them leads to."""
    heads = [line.index for line in lines if line.level]
    for at, head in enumerate(heads):
        line = lines[head]
        if line.mentions and any(each.counts or each.role == "sponsor" for each in line.mentions):
            continue
        until = _region_end(lines, heads[at + 1] if at + 1 < len(heads) else len(lines))
        key = _named(lines, head, until, titled) if head != issue else None
        if key is None:
            continue
        titled.add(key)
        yield Title(key, line.text, None, BETWEEN, head, len(line.text))


def _region_end(lines: list[Line], end: int) -> int:
    """Where ends what a heading is above: before the next one, and before the images that belong to that."""
    following = {each.key for each in lines[end].mentions if each.counts} if end < len(lines) else {None}
    while lines[end - 1].pictures and end < len(lines):
        if following and not following & {each.key for each in lines[end - 1].mentions}:
            break
        end -= 1
    return end


def _images_before(lines: list[Line], head: int) -> set[str]:
    keys: set[str] = set()
    at = head - 1
    while at >= 0 and lines[at].pictures:
        keys |= {each.key for each in lines[at].mentions if each.counts and each.key is not None}
        at -= 1
    return keys


def _named(lines: list[Line], head: int, until: int, titled: set[str]) -> str | None:
    """The key of the article that an unlinked heading names, if it is one."""
    inside = [each for line in lines[head + 1 : until] for each in line.mentions if each.counts]
    keys = dict.fromkeys(each.key for each in inside if each.key is not None)
    before = [key for key in _images_before(lines, head) if key not in titled]
    for key in before:
        if key in keys or (not keys and any(line.text for line in lines[head + 1 : until])):
            return key
    if any(each.kind == "title" for each in inside):
        return None
    alone = len(keys) == 1
    calls = dict.fromkeys(each.key for each in inside if _calls(lines, each, alone=alone))
    if not calls and alone and all(_says_nothing(each) for each in inside):
        calls = dict.fromkeys(each.key for each in inside)
    first = [each for each in inside if each.line == head + 1]
    calls = calls or dict.fromkeys(each.key for each in first if each.image or _is_bare(lines, each))
    free = [key for key in calls if key is not None and key not in titled]
    return free[0] if len(free) == 1 else None


def _is_bare(lines: list[Line], mention: Mention) -> bool:
    """A bare URL that is all of its line: what stands above it is what it is called."""
    return mention.text == mention.url and lines[mention.line].whole is mention


def _says_nothing(mention: Mention) -> bool:
    return bool(phrases.GENERIC.match(phrases.plain(mention.text)))


def _calls(lines: list[Line], mention: Mention, *, alone: bool) -> bool:
    """A "read more", a button, or, if nothing else is linked there, a short link that is all of its line."""
    whole = alone and lines[mention.line].whole is mention and 0 < len(mention.text) <= _SHORT
    return whole or mention.kind in ("more", "button")
