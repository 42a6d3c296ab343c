"""Reads an issue as an editor would: its articles, what they are called, and what each link is for."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from shortener.newsletter import bylines, link_roles, mergetags, phrases, titles, url_kinds
from shortener.newsletter.document import Document
from shortener.newsletter.lines import PSEUDO_HEADING_LEVEL, Line, Mention, PlacementKind, build_lines
from shortener.newsletter.titles import Title

_MAX_SUMMARY_LENGTH = 2_000  # characters kept of a paragraph
_MAX_TITLE_LENGTH = 300  # characters kept of a title
_MAX_METADATA_LENGTH = 25  # characters: a line behind a title that is shorter says "5 min read" or a date
_SUMMARY_SEARCH_LINES = 8  # lines behind a title in which its summary stands
_CONTEXT_LENGTH = 300  # characters on either side of a link in which its sentence is looked for
_MAX_BUTTON_LENGTH = 40  # characters of a link text that may be a button
_MAX_TEXT_BESIDE_LINKS = 60  # characters around the links of a line: more, and it is prose
_FOOTER_START_FRACTION = 0.5  # of the lines of an issue without titles: where its footer may begin
_LEADING_SEPARATOR = re.compile(r"^[\s:：–—|·•/,，.)）\]-]+")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]")
_STRAY_EMPHASIS = re.compile(r"\*{2,}|_{4,}")
_URL_PREFIX = re.compile(r"^https?://(?:www\.)?")
_LETTER = re.compile(r"[^\W_]")
_THREE_LETTERS = re.compile(r"(?:[^\W_][\W_]*){3}")  # fewer letters say nothing
_KIND_PRIORITY: dict[PlacementKind, int] = {
    "title": 5,
    "button": 4,
    "more": 3,
    "text": 2,
    "image": 1,
    "footer": 0,
}


class Placement(Struct, frozen=True):
    """One link of an article: its index in the document, what it is in its place, and its text."""

    link_index: int
    kind: PlacementKind
    text: str


class ExtractedArticle(Struct, frozen=True):
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


class ExtractedIssue(Struct, frozen=True):
    """An issue's title, and everything its links lead to in the order in which it is first mentioned."""

    title: str | None
    articles: tuple[ExtractedArticle, ...]


def extract_articles(document: Document, article_keys: Sequence[str | None]) -> ExtractedIssue:
    """Read an issue: ``keys[i]`` is the identity of what link ``i`` leads to, or None if it is not tracked.

    Links of one key are one article. Raises ValueError when there is not exactly one key for each link.
    """
    if len(article_keys) != len(document.links):
        raise ValueError(f"{len(article_keys)} keys for {len(document.links)} links")
    lines = build_lines(document, article_keys)
    name, name_line = _issue_title(document, lines)
    link_roles.assign_roles(lines)
    above = name_line if name_line is not None and lines[name_line].level == 1 else None
    named = _best_titles(titles.find_titles(lines, issue_title_line=above))
    authors = {key: title.author or _author_below(lines, title) for key, title in named.items()}
    _mark_calls_to_action(lines, named)
    _mark_footer(lines)
    sections = _section_by_line(lines, named, name_line)
    found: list[ExtractedArticle] = []
    position = 0
    for key, mentions in _mentions_by_key(lines).items():
        title = named.get(key)
        text = _article_title(lines, mentions, title)
        article = text is not None and _is_article(mentions, title)
        position += article
        where = sections[title.line_index if title else mentions[0].line_index]
        facts = (
            (authors.get(key), _article_summary(lines, mentions, title), where)
            if article
            else (None, None, None)
        )
        image = _first_image_source(mentions) if article else None
        place = position if article else None
        found.append(ExtractedArticle(key, place, text, *facts, _placements_by_link(mentions), image))
    return ExtractedIssue(name, tuple(found))


def _issue_title(document: Document, lines: list[Line]) -> tuple[str | None, int | None]:
    """The title of the issue, and the line it stands in.

    Front matter says it outright; else it is the first heading of the first level, unless there are several
    in an HTML mail, whose ``<title>`` knows better.
    """
    tops = [line for line in lines if line.level == 1 and not line.hidden]
    heads = tops or [line for line in lines if 0 < line.level < PSEUDO_HEADING_LEVEL and not line.hidden]
    first = heads[0] if heads else None
    name = document.title if document.title and not mergetags.contains_merge_tag(document.title) else None
    if name and (document.format == "markdown" or len(tops) != 1):
        matching = first if first and first.text.casefold() == name.casefold() else None
        return name, matching.index if matching else None
    if first is None:
        return name, None
    return _strip_stray_emphasis(first.text)[:_MAX_TITLE_LENGTH], first.index


def _best_titles(candidates: Iterable[Title]) -> dict[str, Title]:
    """The surest title of each article, and the first of several as sure."""
    best: dict[str, Title] = {}
    for title in candidates:
        if title.article_key not in best or title.confidence > best[title.article_key].confidence:
            best[title.article_key] = title
    return best


def _mentions_by_key(lines: list[Line]) -> dict[str, list[Mention]]:
    by_key: dict[str, list[Mention]] = {}
    for line in lines:
        for mention in line.mentions:
            if mention.article_key is not None:
                by_key.setdefault(mention.article_key, []).append(mention)
    return by_key


def _author_below(lines: list[Line], title: Title) -> str | None:
    """The author that the line behind a title names, whose link then is no article."""
    for line in lines[title.line_index + 1 : title.line_index + 3]:
        byline = bylines.standalone_byline(line)
        if byline is not None:
            for mention in byline.mentions:
                mention.role = "byline"
            return byline.author
        if line.text and not line.hidden:
            return None
    return None


def _mark_calls_to_action(lines: list[Line], titles_by_key: dict[str, Title]) -> None:
    """A short link alone in its line, behind the title of the same article, is a button or "read more"."""
    placed = {each.link_index for line in lines for each in line.mentions if each.kind == "title"}
    for line in lines:
        mention = line.only_mention
        if (
            mention is None
            or mention.kind != "text"
            or mention.article_key is None
            or mention.link_index in placed
        ):
            continue
        title = titles_by_key.get(mention.article_key)
        short = 0 < len(mention.text) <= _MAX_BUTTON_LENGTH and mention.text != mention.url
        if title and title.line_index < line.index and short:
            drawn = mention.button or phrases.BUTTON_VERB.match(phrases.normalize(mention.text))
            mention.kind = "button" if drawn else "more"


def _mark_footer(lines: list[Line]) -> None:
    """What the markup calls a footer is one; so is what is behind the last title, from the first sign on."""
    last = max(
        (line.index for line in lines if any(_is_content_link(each) for each in line.mentions)), default=-1
    )
    begin = last + 1 if last >= 0 else int(len(lines) * _FOOTER_START_FRACTION)
    inside = False
    for line in lines:
        inside = inside or (line.index >= begin and _starts_footer(line))
        for mention in line.mentions:
            if inside or (line.footer and mention.kind != "title"):
                mention.role, mention.kind = mention.role or "service", "footer"
            elif mention.role == "service":
                mention.kind = "footer"


def _is_content_link(mention: Mention) -> bool:
    return mention.is_content and mention.kind in ("title", "more", "button")


def _starts_footer(line: Line) -> bool:
    if line.footer or phrases.FOOTER_TEXT.search(line.text[:_CONTEXT_LENGTH].casefold()):
        return True
    signs = [each for each in line.mentions if each.role in ("service", "chrome") and not each.has_image]
    if any(phrases.SERVICE_TEXT.search(phrases.normalize(each.text[:_CONTEXT_LENGTH])) for each in signs):
        return True
    linked = sum(len(each.text) for each in line.mentions)
    return bool(signs) and len(line.text) - linked <= _MAX_TEXT_BESIDE_LINKS


def _section_by_line(
    lines: list[Line], titles_by_key: dict[str, Title], issue_title_line: int | None
) -> list[str | None]:
    """For each line, the nearest heading above it that is not an article's own, nor the issue's."""
    own = {title.line_index for title in titles_by_key.values()}
    alone = (
        issue_title_line is not None
        and sum(line.level == lines[issue_title_line].level for line in lines) == 1
    )
    above = (
        issue_title_line
        if issue_title_line is not None and (lines[issue_title_line].level == 1 or alone)
        else None
    )
    sections, current = [], None
    for line in lines:
        if line.level and line.index not in own and line.index != above and not line.hidden:
            current = _strip_stray_emphasis(line.text)[:_MAX_TITLE_LENGTH]
        sections.append(current)
    return sections


def _is_article(mentions: list[Mention], title: Title | None) -> bool:
    """Whether something is matter: it has a title, or is mentioned as such and never as anything else."""
    if any(each.role == "service" and each.kind == "footer" and not title for each in mentions):
        return False
    counting = [each for each in mentions if each.is_content]
    if title is not None:
        return bool(counting)
    if len(counting) < len(mentions):
        return False
    return any(each.text for each in counting) or _image_is_content(counting)


def _image_is_content(images: list[Mention]) -> bool:
    """An image alone stands for an article if it says so, and does not lead to a front page."""
    first = images[0]
    return not first.has_image or (len(first.alt_text.split()) > 1 and not url_kinds.is_homepage(first.url))


def _article_title(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    if title is not None:
        return _strip_stray_emphasis(title.text)[:_MAX_TITLE_LENGTH] or None
    texts = [each for each in mentions if each.text and each.kind not in ("more", "button")]
    for mention in texts or [each for each in mentions if each.text]:
        plain = phrases.normalize(mention.text)
        bare = mention.text == mention.url
        if (
            len(plain) > 1
            and not bare
            and not phrases.GENERIC_TEXT.match(plain)
            and not phrases.READ_MORE.match(plain)
        ):
            return mention.text[:_MAX_TITLE_LENGTH]
    alternative = next((each.alt_text for each in mentions if each.alt_text), "")[:_MAX_TITLE_LENGTH]
    return alternative or (_sentence_around(lines, mentions[0]) if mentions[0].is_content else None)


def _sentence_around(lines: list[Line], mention: Mention) -> str | None:
    """The sentence around a link that says nothing itself; without words around it, the URL."""
    line = lines[mention.line_index]
    before = _SENTENCE_END.split(line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start])[-1]
    end = _SENTENCE_END.search(line.text, mention.end, mention.end + _CONTEXT_LENGTH)
    after = line.text[mention.end : end.end() if end else mention.end + _CONTEXT_LENGTH]
    bare = mention.text == mention.url
    if not bare and not _THREE_LETTERS.search(before + after):
        return _text_before(lines, mention)
    sentence = " ".join(f"{before}{'' if bare else line.text[mention.start : mention.end]}{after}".split())
    if _THREE_LETTERS.search(sentence):
        return sentence[:_MAX_TITLE_LENGTH]
    if bare and not sentence and (above := _caption(lines, mention.line_index)):
        return above
    return _URL_PREFIX.sub("", mention.url).rstrip("/")[:_MAX_TITLE_LENGTH]


def _text_before(lines: list[Line], mention: Mention) -> str | None:
    """What a "read more" without a title leads on from: the sentence before it, or the line above."""
    line = lines[mention.line_index]
    said = line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start].strip()
    if mention.line_index and not _THREE_LETTERS.search(said):
        said = lines[mention.line_index - 1].text[:_CONTEXT_LENGTH]
    sentences = [part.strip() for part in _SENTENCE_END.split(said + " ") if _THREE_LETTERS.search(part)]
    return (sentences[-1] if sentences else line.text)[:_MAX_TITLE_LENGTH] or None


def _caption(lines: list[Line], line_index: int) -> str | None:
    """The line above a bare URL that stands alone, as plain-text letters have it."""
    above = lines[line_index - 1] if line_index else None
    fits = above is not None and not above.mentions and 0 < len(above.text) <= _MAX_TITLE_LENGTH
    return above.text if above and fits else None


def _article_summary(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    """The paragraph behind the title; of an article that is only mentioned, the one that mentions it."""
    if title is None:
        first = next((each for each in mentions if each.text), mentions[0])
        return (
            _paragraph_from(lines, first.line_index, 0) if not lines[first.line_index].only_mention else None
        )
    tail = _LEADING_SEPARATOR.sub("", lines[title.line_index].text[title.end :])
    if len(tail) > _MAX_METADATA_LENGTH:
        return _paragraph_from(lines, title.line_index, title.end)
    listed = bool(lines[title.line_index].item_part)
    for line in lines[title.line_index + 1 : title.line_index + 1 + _SUMMARY_SEARCH_LINES]:
        if line.level or any(each.kind == "title" for each in line.mentions):
            return None
        if listed and line.item_part != "rest":
            return None
        prose = (
            not line.hidden
            and len(line.text) > _MAX_METADATA_LENGTH
            and bylines.standalone_byline(line) is None
        )
        if prose and not any(
            each.kind == "footer" or (line.only_mention and each.kind != "text") for each in line.mentions
        ):
            return _paragraph_from(lines, line.index, 0)
    return None


def _paragraph_from(lines: list[Line], line_index: int, start: int) -> str | None:
    """The text from ``start`` of a line to the end of its paragraph, without a "read more" at its end."""
    parts, size = [], 0
    while line_index < len(lines) and size < _MAX_SUMMARY_LENGTH:
        line = lines[line_index]
        parts.append(_without_read_more(line)[start : start + _MAX_SUMMARY_LENGTH])
        size, start, line_index = size + len(parts[-1]), 0, line_index + 1
        if (
            line_index == len(lines)
            or not lines[line_index].continues_paragraph
            or any(each.kind == "title" for each in lines[line_index].mentions)
        ):
            break
    text = _LEADING_SEPARATOR.sub("", _strip_stray_emphasis(" ".join(part.strip() for part in parts)))
    return text[:_MAX_SUMMARY_LENGTH] or None


def _strip_stray_emphasis(text: str) -> str:
    """Text without the emphasis marks that a broken export leaves behind."""
    return " ".join((_STRAY_EMPHASIS.sub("", text) if "**" in text or "__" in text else text).split())


def _without_read_more(line: Line) -> str:
    last = line.mentions[-1] if line.mentions else None
    if (
        last
        and last.kind == "more"
        and not _LETTER.search(line.text[last.end : last.end + _MAX_METADATA_LENGTH])
    ):
        return line.text[: last.start]
    return line.text


def _first_image_source(mentions: list[Mention]) -> str | None:
    """The first picture that links to an article, be it alone in its link or on a whole card."""
    return next((each.image_source for each in mentions if each.image_source), None)


def _placements_by_link(mentions: list[Mention]) -> tuple[Placement, ...]:
    """One placement a link, in document order: of several mentions (image and title of a card), the chief."""
    chief: dict[int, Mention] = {}
    for mention in mentions:
        known = chief.get(mention.link_index)
        if known is None or _KIND_PRIORITY[mention.kind] > _KIND_PRIORITY[known.kind]:
            chief[mention.link_index] = mention
    placed = sorted(chief.items())
    return tuple(
        Placement(link, each.kind, (each.text or each.alt_text)[:_MAX_TITLE_LENGTH]) for link, each in placed
    )
