"""Recognition of bylines, which name the author: after a title or in a line of their own, with or without a link."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re

from msgspec import Struct

from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.data_files import language_entries, language_pattern
from shortener.newsletter.lines import Line, Mention

_SEARCH_LENGTH = 160  # characters after a title in which its author is searched for
_MAX_NAME_LENGTH = 60  # characters
_MAX_SEPARATOR_LENGTH = 20  # characters between a title and the link to its author
_MAX_TEXT_BEHIND_LINK = 40  # characters behind a link to a person, such as "· 5 min read"
_NAME_END = re.compile(
    rf"\s*(?:[|·•—–,，。；：;()（）/\n\d]|\s-\s|\s(?:{language_pattern('name_end')}|@)\s|(?<!\b[^\W\d_])\.\s|\.$)"
)
_BYLINE_PREFIX = re.compile(rf"\s*[-–—,(（·•|/]*\s*(?:{phrases.BYLINE_WORDS}\b[:：/／]?|作者[:：]?|//)\s*", re.I)
_NAME = re.compile(r"[^\W\d_][\w.'’-]*(?:[ ·・]+[^\W\d_][\w.'’-]*){0,5}\Z")
_NAME_PARTICLES = frozenset(language_entries("name_particle"))
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z]")


_AUTHOR_WORD = re.compile(r"作者\s*\Z")
_NAME_JOINER = re.compile(rf"\s*(?:[,，、]\s*(?:{phrases.NAME_JOINER}\s+)?|\s{phrases.NAME_JOINER}\s+)", re.I)
_JOINED_NAMES = re.compile(rf"\s+{phrases.NAME_JOINER}\s+", re.I)
_MAX_LETTERS_BEHIND_NAME = 12  # of a date or a reading time; prose has more


class Byline(Struct, frozen=True):
    """A byline: the author's name, the offsets in the line's text where the byline begins and ends, and its links."""

    author: str
    start: int
    end: int
    mentions: tuple[Mention, ...] = ()


def looks_like_name(text: str) -> bool:
    """Return whether a text looks like the name of a person."""
    text = text.strip()
    if len(text) > _MAX_NAME_LENGTH or not _NAME.match(text):
        return False
    words = [word for word in re.split(r"[ ·・]+", text) if word not in _NAME_PARTICLES]
    if not _LATIN.search(text):
        return len(words) > 1 or 1 < len(text) <= 4
    return not _CJK.search(text) and len(words) > 1 and not any(word[0].islower() for word in words)


def find_byline_after(
    line: Line,
    title_end: int,  # offset in the text of the line
) -> Byline | None:
    """Return the byline after a title in the same line, such as "by Ada Lovelace". Return None if there is none."""
    linked = next((mention for mention in line.mentions if mention.start >= title_end and mention.text), None)
    if linked and linked.start - title_end <= _MAX_SEPARATOR_LENGTH:
        separator = line.text[title_end : linked.start]
        has_prefix = bool(_BYLINE_PREFIX.match(separator + " "))
        if phrases.TITLE_AUTHOR_SEPARATOR.match(separator) and (
            _links_to_person(linked) or (has_prefix and linked.role not in ("service", "sponsor"))
        ):
            return Byline(linked.text, title_end, linked.end, (linked,))
    return _find_unlinked_byline(line, title_end)


def _links_to_person(mention: Mention) -> bool:
    return url_kinds.is_person_page(mention.url) or (
        mention.article_key is not None and url_kinds.is_person_page(mention.article_key)
    )


def _find_unlinked_byline(line: Line, title_end: int) -> Byline | None:
    prefix = _BYLINE_PREFIX.match(line.text[title_end : title_end + _SEARCH_LENGTH])
    if prefix is None:
        return None
    start = title_end + prefix.end()
    end = start + _SEARCH_LENGTH
    next_link = next((mention.start for mention in line.mentions if mention.start > start), end)
    text = line.text[start : min(next_link, end)]
    name = _NAME_END.split(text, maxsplit=1)[0].strip()
    if _AUTHOR_WORD.search(prefix[0]) and not (looks_like_name(name) and not _continues_as_text(text[len(name) :])):
        return None  # "the author argues …" is prose
    is_handle = prefix[0].strip() == "//"  # as in "Title //author"
    if not name or not name[0].isalpha() or (name[0].islower() and not is_handle) or len(name) > _MAX_NAME_LENGTH:
        return None
    name = _with_further_names(text, name)
    inside = tuple(mention for mention in line.mentions if start <= mention.start < start + len(name))
    return Byline(name, title_end, start + len(name), inside)


def _continues_as_text(text: str) -> bool:
    return sum(map(str.isalpha, text)) > _MAX_LETTERS_BEHIND_NAME


def _with_further_names(text: str, name: str) -> str:
    end = text.find(name) + len(name)
    first = text[:end]
    # "Ann Lee and Bo Marsh" is read as one name.
    if not all(looks_like_name(part) for part in _JOINED_NAMES.split(name)):
        return name
    while match := _NAME_JOINER.match(text, end):
        following = _NAME_END.split(text[match.end() :], maxsplit=1)[0].strip()
        parts = _JOINED_NAMES.split(following)
        if not following or not all(looks_like_name(part) for part in parts):
            break
        end = match.end() + len(following)
        first = text[:end]
    return first.strip()


def standalone_byline(line: Line) -> Byline | None:
    """Return the byline of a line without other content, such as "by Ada Lovelace · 5 min read"; else None."""
    if not line.text or line.level or len(line.text) > _SEARCH_LENGTH:
        return None
    if (byline := _find_unlinked_byline(line, 0)) is not None:
        return byline
    first = line.mentions[0] if line.mentions else None
    if (
        first
        and first.text
        and first.start <= 3
        and _links_to_person(first)
        and len(line.text) < first.end + _MAX_TEXT_BEHIND_LINK
        and not _is_recommender(line, first)
        and (first.role != "service" or looks_like_name(first.text))
    ):
        return Byline(first.text, 0, first.end, (first,))
    return None


def _is_recommender(line: Line, mention: Mention) -> bool:
    # As in "@name: this article is worth your time".
    return line.text[mention.end : mention.end + 3].lstrip().startswith((":", "："))
