"""Who wrote it: the author in a heading or right behind a title, as a link or in plain words."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re

from msgspec import Struct

from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.lines import Line, Mention

_SEARCH_LENGTH = 160  # characters behind a title in which its author is named
_MAX_NAME_LENGTH = 60  # characters of a name
_NAME_END = re.compile(r"\s*(?:[|·•—–,;()（）/\n\d]|\s-\s|\s(?:on|in|for|at|@|via|and the)\s|\.\s|\.$)")
_BYLINE_PREFIX = re.compile(
    rf"\s*[-–—,(（·•|/]*\s*(?:{phrases.BYLINE_WORDS}\b[:：/／]?|作者[:：]?|//)\s*", re.I
)
_NAME = re.compile(r"[^\W\d_][\w.'’-]*(?:[ ·・]+[^\W\d_][\w.'’-]*){0,5}\Z")
_PARTICLES = frozenset(
    ("de", "da", "do", "dos", "van", "von", "der", "den", "la", "le", "di", "del", "al", "bin", "el", "und")
)
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z]")


class Byline(Struct, frozen=True):
    """An author, the range of the line in which the name and the words around it stand, and its links."""

    author: str
    start: int
    end: int
    mentions: tuple[Mention, ...] = ()


def looks_like_name(text: str) -> bool:
    """Say whether a text looks like the name of a person: two to six words, each with a capital if it can."""
    text = text.strip()
    if len(text) > _MAX_NAME_LENGTH or not _NAME.match(text):
        return False
    words = [word for word in re.split(r"[ ·・]+", text) if word not in _PARTICLES]
    if not _LATIN.search(text):
        return len(words) > 1 or 1 < len(text) <= 4
    return (
        not _IDEOGRAPH.search(text)
        and len(words) > 1
        and all(word[0].isupper() or not word[0].islower() for word in words)
    )


def find_byline_after(line: Line, title_end: int) -> Byline | None:
    """The byline that begins at ``end`` of the line's text, right behind a title."""
    linked = next((each for each in line.mentions if each.start >= title_end and each.text), None)
    if (
        linked
        and linked.start - title_end <= 20
        and phrases.TITLE_AUTHOR_SEPARATOR.match(line.text[title_end : linked.start])
    ):
        named = bool(_BYLINE_PREFIX.match(line.text[title_end : linked.start] + " "))
        if _links_to_person(linked) or (named and linked.role not in ("service", "sponsor")):
            return Byline(linked.text, title_end, linked.end, (linked,))
    return _find_unlinked_byline(line, title_end)


def _links_to_person(mention: Mention) -> bool:
    return url_kinds.is_person_page(mention.url) or (
        mention.article_key is not None and url_kinds.is_person_page(mention.article_key)
    )


def _find_unlinked_byline(line: Line, title_end: int) -> Byline | None:
    word = _BYLINE_PREFIX.match(line.text[title_end : title_end + _SEARCH_LENGTH])
    if word is None:
        return None
    start = title_end + word.end()
    cut = next((each.start for each in line.mentions if each.start > start), start + _SEARCH_LENGTH)
    name = _NAME_END.split(line.text[start : min(cut, start + _SEARCH_LENGTH)], maxsplit=1)[0].strip()
    handle = word[0].strip() == "//"  # as in "Title //author"
    if (
        not name
        or not name[0].isalpha()
        or (name[0].islower() and not handle)
        or len(name) > _MAX_NAME_LENGTH
    ):
        return None
    inside = tuple(each for each in line.mentions if start <= each.start < start + len(name))
    return Byline(name, title_end, start + len(name), inside)


def standalone_byline(line: Line) -> Byline | None:
    """The byline that a line of its own is: "by Ada Lovelace · 5 min read", or only a link to a person."""
    if not line.text or line.level or len(line.text) > _SEARCH_LENGTH:
        return None
    if (found := _find_unlinked_byline(line, 0)) is not None:
        return found
    first = line.mentions[0] if line.mentions else None
    if (
        first
        and first.text
        and first.start <= 3
        and _links_to_person(first)
        and len(line.text) < first.end + 40
    ):
        return Byline(first.text, 0, first.end, (first,))
    return None
