"""Reads an issue as an editor would: its articles, what they are called, and what each link is for."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from shortener.newsletter import bylines, link_roles, mergetags, phrases, titles, url_kinds
from shortener.newsletter.document import Document
from shortener.newsletter.lines import PSEUDO_LEVEL, Kind, Line, Mention, split_lines
from shortener.newsletter.titles import Title

_SUMMARY = 2_000  # characters kept of a paragraph
_TITLE = 300  # characters kept of a title
_META = 25  # characters: a line behind a title that is shorter says "5 min read" or a date
_REACH = 8  # lines behind a title in which its summary stands
_WINDOW = 300  # characters on either side of a link in which its sentence is looked for
_SHORT = 40  # characters of a link text that may be a button
_ASIDE = 60  # characters around the links of a line: more, and it is prose
_TAIL = 0.5  # of the lines of an issue without titles: where its footer may begin
_SET_OFF = re.compile(r"^[\s:：–—|·•/,，.)）\]-]+")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]")
_STRAY = re.compile(r"\*{2,}|_{4,}")
_SCHEME = re.compile(r"^https?://(?:www\.)?")
_LETTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"(?:[^\W_][\W_]*){3}")  # fewer letters say nothing
_RANKS: dict[Kind, int] = {"title": 5, "button": 4, "more": 3, "text": 2, "image": 1, "footer": 0}


class Placement(Struct, frozen=True):
    """One link of an article: its index in the document, what it is in its place, and its text."""

    index: int
    kind: Kind
    text: str


class ArticleFound(Struct, frozen=True):
    """What the links of one key lead to.

    ``position`` is 1..N in document order over the articles, or None for what is tracked but no article:
    social profiles, subscription links, sponsors, pages of authors.
    """

    key: str
    position: int | None
    title: str | None
    author: str | None
    summary: str | None
    section: str | None
    placements: tuple[Placement, ...]
    image: str | None = None
    """Where the picture comes from that leads to it: a whole URL, or one relative to the issue."""


class Reading(Struct, frozen=True):
    """An issue's title, and everything its links lead to in the order in which it is first mentioned."""

    title: str | None
    articles: tuple[ArticleFound, ...]


def read(document: Document, keys: Sequence[str | None]) -> Reading:
    """Read an issue: ``keys[i]`` is the identity of what link ``i`` leads to, or None if it is not tracked.

    Links of one key are one article. Raises ValueError when there is not exactly one key for each link.
    """
    if len(keys) != len(document.links):
        raise ValueError(f"{len(keys)} keys for {len(document.links)} links")
    lines = split_lines(document, keys)
    name, name_line = _issue_title(document, lines)
    link_roles.mark(lines)
    above = name_line if name_line is not None and lines[name_line].level == 1 else None
    named = _best(titles.find(lines, issue=above))
    authors = {key: title.author or _author_below(lines, title) for key, title in named.items()}
    _mark_calls(lines, named)
    _mark_footer(lines)
    sections = _sections(lines, named, name_line)
    found: list[ArticleFound] = []
    position = 0
    for key, mentions in _by_key(lines).items():
        title = named.get(key)
        text = _title(lines, mentions, title)
        article = text is not None and _is_article(mentions, title)
        position += article
        where = sections[title.line if title else mentions[0].line]
        facts = (authors.get(key), _summary(lines, mentions, title), where) if article else (None, None, None)
        image = _picture(mentions) if article else None
        place = position if article else None
        found.append(ArticleFound(key, place, text, *facts, _placements(mentions), image))
    return Reading(name, tuple(found))


def _issue_title(document: Document, lines: list[Line]) -> tuple[str | None, int | None]:
    """The title of the issue, and the line it stands in.

    Front matter says it outright; else it is the first heading of the first level, unless there are several
    in an HTML mail, whose ``<title>`` knows better.
    """
    tops = [line for line in lines if line.level == 1 and not line.hidden]
    heads = tops or [line for line in lines if 0 < line.level < PSEUDO_LEVEL and not line.hidden]
    first = heads[0] if heads else None
    name = document.name if document.name and not mergetags.holds(document.name) else None
    if name and (document.format == "markdown" or len(tops) != 1):
        matching = first if first and first.text.casefold() == name.casefold() else None
        return name, matching.index if matching else None
    if first is None:
        return name, None
    return _clean(first.text)[:_TITLE], first.index


def _best(found: Iterable[Title]) -> dict[str, Title]:
    """The surest title of each article, and the first of several as sure."""
    best: dict[str, Title] = {}
    for title in found:
        if title.key not in best or title.rank > best[title.key].rank:
            best[title.key] = title
    return best


def _by_key(lines: list[Line]) -> dict[str, list[Mention]]:
    by_key: dict[str, list[Mention]] = {}
    for line in lines:
        for mention in line.mentions:
            if mention.key is not None:
                by_key.setdefault(mention.key, []).append(mention)
    return by_key


def _author_below(lines: list[Line], title: Title) -> str | None:
    """The author that the line behind a title names, whose link then is no article."""
    for line in lines[title.line + 1 : title.line + 3]:
        byline = bylines.alone(line)
        if byline is not None:
            for mention in byline.mentions:
                mention.role = "byline"
            return byline.author
        if line.text and not line.hidden:
            return None
    return None


def _mark_calls(lines: list[Line], named: dict[str, Title]) -> None:
    """A short link alone in its line, behind the title of the same article, is a button or "read more"."""
    placed = {each.link for line in lines for each in line.mentions if each.kind == "title"}
    for line in lines:
        mention = line.whole
        if mention is None or mention.kind != "text" or mention.key is None or mention.link in placed:
            continue
        title = named.get(mention.key)
        short = 0 < len(mention.text) <= _SHORT and mention.text != mention.url
        if title and title.line < line.index and short:
            drawn = mention.button or phrases.IMPERATIVE.match(phrases.plain(mention.text))
            mention.kind = "button" if drawn else "more"


def _mark_footer(lines: list[Line]) -> None:
    """What the markup calls a footer is one; so is what is behind the last title, from the first sign on."""
    last = max((line.index for line in lines if any(_is_matter(each) for each in line.mentions)), default=-1)
    begin = last + 1 if last >= 0 else int(len(lines) * _TAIL)
    inside = False
    for line in lines:
        inside = inside or (line.index >= begin and _begins_footer(line))
        for mention in line.mentions:
            if inside or (line.footer and mention.kind != "title"):
                mention.role, mention.kind = mention.role or "service", "footer"
            elif mention.role == "service":
                mention.kind = "footer"


def _is_matter(mention: Mention) -> bool:
    return mention.counts and mention.kind in ("title", "more", "button")


def _begins_footer(line: Line) -> bool:
    if line.footer or phrases.FOOTER_MARK.search(line.text[:_WINDOW].casefold()):
        return True
    signs = [each for each in line.mentions if each.role in ("service", "chrome") and not each.image]
    if any(phrases.SERVICE.search(phrases.plain(each.text[:_WINDOW])) for each in signs):
        return True
    linked = sum(len(each.text) for each in line.mentions)
    return bool(signs) and len(line.text) - linked <= _ASIDE


def _sections(lines: list[Line], named: dict[str, Title], issue: int | None) -> list[str | None]:
    """For each line, the nearest heading above it that is not an article's own, nor the issue's."""
    own = {title.line for title in named.values()}
    alone = issue is not None and sum(line.level == lines[issue].level for line in lines) == 1
    above = issue if issue is not None and (lines[issue].level == 1 or alone) else None
    sections, current = [], None
    for line in lines:
        if line.level and line.index not in own and line.index != above and not line.hidden:
            current = _clean(line.text)[:_TITLE]
        sections.append(current)
    return sections


def _is_article(mentions: list[Mention], title: Title | None) -> bool:
    """Whether something is matter: it has a title, or is mentioned as such and never as anything else."""
    if any(each.role == "service" and each.kind == "footer" and not title for each in mentions):
        return False
    counting = [each for each in mentions if each.counts]
    if title is not None:
        return bool(counting)
    if len(counting) < len(mentions):
        return False
    return any(each.text for each in counting) or _shows_matter(counting)


def _shows_matter(images: list[Mention]) -> bool:
    """An image alone stands for an article if it says so, and does not lead to a front page."""
    first = images[0]
    return not first.image or (len(first.alternative.split()) > 1 and not url_kinds.is_root(first.url))


def _title(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    if title is not None:
        return _clean(title.text)[:_TITLE] or None
    texts = [each for each in mentions if each.text and each.kind not in ("more", "button")]
    for mention in texts or [each for each in mentions if each.text]:
        plain = phrases.plain(mention.text)
        bare = mention.text == mention.url
        if (
            len(plain) > 1
            and not bare
            and not phrases.GENERIC.match(plain)
            and not phrases.READ_MORE.match(plain)
        ):
            return mention.text[:_TITLE]
    alternative = next((each.alternative for each in mentions if each.alternative), "")[:_TITLE]
    return alternative or (_sentence(lines, mentions[0]) if mentions[0].counts else None)


def _sentence(lines: list[Line], mention: Mention) -> str | None:
    """The sentence around a link that says nothing itself; without words around it, the URL."""
    line = lines[mention.line]
    before = _SENTENCE_END.split(line.text[max(0, mention.start - _WINDOW) : mention.start])[-1]
    end = _SENTENCE_END.search(line.text, mention.end, mention.end + _WINDOW)
    after = line.text[mention.end : end.end() if end else mention.end + _WINDOW]
    bare = mention.text == mention.url
    if not bare and not _WORD.search(before + after):
        return _before(lines, mention)
    sentence = " ".join(f"{before}{'' if bare else line.text[mention.start : mention.end]}{after}".split())
    if _WORD.search(sentence):
        return sentence[:_TITLE]
    if bare and not sentence and (above := _caption(lines, mention.line)):
        return above
    return _SCHEME.sub("", mention.url).rstrip("/")[:_TITLE]


def _before(lines: list[Line], mention: Mention) -> str | None:
    """What a "read more" without a title leads on from: the sentence before it, or the line above."""
    line = lines[mention.line]
    said = line.text[max(0, mention.start - _WINDOW) : mention.start].strip()
    if mention.line and not _WORD.search(said):
        said = lines[mention.line - 1].text[:_WINDOW]
    sentences = [part.strip() for part in _SENTENCE_END.split(said + " ") if _WORD.search(part)]
    return (sentences[-1] if sentences else line.text)[:_TITLE] or None


def _caption(lines: list[Line], at: int) -> str | None:
    """The line above a bare URL that stands alone, as plain-text letters have it."""
    above = lines[at - 1] if at else None
    fits = above is not None and not above.mentions and 0 < len(above.text) <= _TITLE
    return above.text if above and fits else None


def _summary(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    """The paragraph behind the title; of an article that is only mentioned, the one that mentions it."""
    if title is None:
        first = next((each for each in mentions if each.text), mentions[0])
        return _paragraph(lines, first.line, 0) if not lines[first.line].whole else None
    tail = _SET_OFF.sub("", lines[title.line].text[title.end :])
    if len(tail) > _META:
        return _paragraph(lines, title.line, title.end)
    listed = bool(lines[title.line].item)
    for line in lines[title.line + 1 : title.line + 1 + _REACH]:
        if line.level or any(each.kind == "title" for each in line.mentions):
            return None
        if listed and line.item != "rest":
            return None
        prose = not line.hidden and len(line.text) > _META and bylines.alone(line) is None
        if prose and not any(
            each.kind == "footer" or (line.whole and each.kind != "text") for each in line.mentions
        ):
            return _paragraph(lines, line.index, 0)
    return None


def _paragraph(lines: list[Line], at: int, start: int) -> str | None:
    """The text from ``start`` of a line to the end of its paragraph, without a "read more" at its end."""
    parts, size = [], 0
    while at < len(lines) and size < _SUMMARY:
        line = lines[at]
        parts.append(_without_more(line)[start : start + _SUMMARY])
        size, start, at = size + len(parts[-1]), 0, at + 1
        if (
            at == len(lines)
            or not lines[at].continued
            or any(each.kind == "title" for each in lines[at].mentions)
        ):
            break
    text = _SET_OFF.sub("", _clean(" ".join(part.strip() for part in parts)))
    return text[:_SUMMARY] or None


def _clean(text: str) -> str:
    """Text without the emphasis marks that a broken export leaves behind."""
    return " ".join((_STRAY.sub("", text) if "**" in text or "__" in text else text).split())


def _without_more(line: Line) -> str:
    last = line.mentions[-1] if line.mentions else None
    if last and last.kind == "more" and not _LETTER.search(line.text[last.end : last.end + _META]):
        return line.text[: last.start]
    return line.text


def _picture(mentions: list[Mention]) -> str | None:
    """The first picture that links to an article, be it alone in its link or on a whole card."""
    return next((each.source for each in mentions if each.source), None)


def _placements(mentions: list[Mention]) -> tuple[Placement, ...]:
    """One placement a link, in document order: of several mentions (image and title of a card), the chief."""
    chief: dict[int, Mention] = {}
    for mention in mentions:
        known = chief.get(mention.link)
        if known is None or _RANKS[mention.kind] > _RANKS[known.kind]:
            chief[mention.link] = mention
    placed = sorted(chief.items())
    return tuple(
        Placement(link, each.kind, (each.text or each.alternative)[:_TITLE]) for link, each in placed
    )
