"""Find the articles of an issue: title, author, summary and section, and the kind of each of their links."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from shortener.newsletter import bylines, link_roles, mergetags, phrases, titles, url_kinds
from shortener.newsletter.document import Document
from shortener.newsletter.lines import (
    LETTER,
    PSEUDO_HEADING_LEVEL,
    Line,
    Mention,
    PlacementKind,
    build_lines,
)
from shortener.newsletter.titles import MAX_BUTTON_LENGTH, Title

_MAX_SUMMARY_LENGTH = 2_000  # characters; longer summaries are cut
_MAX_TITLE_LENGTH = 300  # characters; longer titles are cut
_MAX_METADATA_LENGTH = 25  # characters: a shorter line after a title is "5 min read" or a date
_SUMMARY_SEARCH_LINES = 8  # lines after a title in which its summary is searched for
_CONTEXT_LENGTH = 300  # characters on either side of a link, and of a line that is searched for footer text
_MAX_TEXT_BESIDE_LINKS = 60  # characters: a line with more text around its links is prose
_FOOTER_START_FRACTION = 0.5  # of the lines: the earliest start of the footer of an issue without titles
_LEADING_SEPARATOR = re.compile(r"^[\s:：–—|·•/,，.)）\]-]+")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]")
_STRAY_EMPHASIS = re.compile(r"\*{2,}|_{4,}")
_URL_PREFIX = re.compile(r"^https?://(?:www\.)?")
_THREE_LETTERS = re.compile(r"(?:[^\W_][\W_]*){3}")  # a text with fewer letters is not a sentence
_KIND_PRIORITY: dict[PlacementKind, int] = {
    "title": 5,
    "button": 4,
    "more": 3,
    "text": 2,
    "image": 1,
    "footer": 0,
}


class Placement(Struct, frozen=True):
    """A link of an article: its index in the document, its kind and its text."""

    link_index: int
    kind: PlacementKind
    text: str


class ExtractedArticle(Struct, frozen=True):
    """One target of the links in an issue: an article, or another target whose links are tracked.

    ``key`` is the article key, which all links to the target share. ``position`` is 1 to N over the articles
    in document order. It is None for other targets: social profiles, subscription links, sponsors and pages
    of authors.
    """

    key: str
    position: int | None
    title: str | None
    author: str | None
    summary: str | None
    section: str | None
    placements: tuple[Placement, ...]
    image: str | None = None
    """URL of the image that links to the article, absolute or relative to the issue."""


class ExtractedIssue(Struct, frozen=True):
    """The title of an issue, and the targets of its links in order of first mention."""

    title: str | None
    articles: tuple[ExtractedArticle, ...]


def extract_articles(document: Document, article_keys: Sequence[str | None]) -> ExtractedIssue:
    """Return the title and the articles of an issue.

    ``article_keys[i]`` identifies the target of link ``i``, or is None for a link that is not tracked. Links with one
    key belong to one article. Raises ValueError unless there is one key for each link.
    """
    if len(article_keys) != len(document.links):
        raise ValueError(f"{len(article_keys)} article keys for {len(document.links)} links")
    lines = build_lines(document, article_keys)
    issue_title, title_line = _issue_title(document, lines)
    link_roles.assign_roles(lines)
    top_line = title_line if title_line is not None and lines[title_line].level == 1 else None
    titles_by_key = _best_titles(titles.find_titles(lines, issue_title_line=top_line))
    authors = {key: title.author or _author_below(lines, title) for key, title in titles_by_key.items()}
    _mark_calls_to_action(lines, titles_by_key)
    _mark_footer(lines)
    sections = _section_by_line(lines, titles_by_key, title_line)
    articles: list[ExtractedArticle] = []
    position = 0
    for key, mentions in _mentions_by_key(lines).items():
        title = titles_by_key.get(key)
        title_text = _article_title(lines, mentions, title)
        placements = _placements_by_link(mentions)
        if title_text is None or not _is_article(mentions, title):
            articles.append(ExtractedArticle(key, None, title_text, None, None, None, placements))
            continue
        position += 1
        summary = _article_summary(lines, mentions, title)
        section = sections[title.line_index if title else mentions[0].line_index]
        image = _first_image_source(mentions)
        articles.append(
            ExtractedArticle(key, position, title_text, authors.get(key), summary, section, placements, image)
        )
    return ExtractedIssue(issue_title, tuple(articles))


def _issue_title(document: Document, lines: list[Line]) -> tuple[str | None, int | None]:
    """Return the title of the issue and the index of the line that contains it, each None if unknown.

    The title in the front matter of Markdown is preferred. Otherwise it is the first heading of level 1, or of any
    level if there is none; the ``<title>`` of HTML is preferred unless there is exactly one heading of level 1.
    """
    top_headings = [line for line in lines if line.level == 1 and not line.hidden]
    headings = top_headings or [
        line for line in lines if 0 < line.level < PSEUDO_HEADING_LEVEL and not line.hidden
    ]
    first = headings[0] if headings else None
    title = document.title if document.title and not mergetags.contains_merge_tag(document.title) else None
    if title and (document.format == "markdown" or len(top_headings) != 1):
        is_repeated = first is not None and first.text.casefold() == title.casefold()
        return title, first.index if first and is_repeated else None
    if first is None:
        return title, None
    return _strip_stray_emphasis(first.text)[:_MAX_TITLE_LENGTH], first.index


def _best_titles(candidates: Iterable[Title]) -> dict[str, Title]:
    """Return the best title for each article key: the first of those with the highest confidence."""
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
    """Return the author named in the two lines after a title, or None.

    Links to the author get the role ``byline``.
    """
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
    """Set the kind ``button`` or ``more`` on a short link that is alone in a line after the title of its article."""
    title_links = {
        mention.link_index for line in lines for mention in line.mentions if mention.kind == "title"
    }
    for line in lines:
        mention = line.only_mention
        if (
            mention is None
            or mention.kind != "text"
            or mention.article_key is None
            or mention.link_index in title_links
        ):
            continue
        title = titles_by_key.get(mention.article_key)
        is_short = 0 < len(mention.text) <= MAX_BUTTON_LENGTH and mention.text != mention.url
        if title and title.line_index < line.index and is_short:
            is_button = mention.button or phrases.BUTTON_VERB.match(phrases.normalize(mention.text))
            mention.kind = "button" if is_button else "more"


def _mark_footer(lines: list[Line]) -> None:
    """Set the kind ``footer`` on the links of the footer.

    The footer is the content of footer elements, and every line from the first sign of a footer on that comes
    after the last link to an article.
    """
    last_content = max(
        (line.index for line in lines if any(map(_is_content_link, line.mentions))), default=-1
    )
    first_line = last_content + 1 if last_content >= 0 else int(len(lines) * _FOOTER_START_FRACTION)
    in_footer = False
    for line in lines:
        in_footer = in_footer or (line.index >= first_line and _starts_footer(line))
        for mention in line.mentions:
            if in_footer or (line.footer and mention.kind != "title"):
                mention.role, mention.kind = mention.role or "service", "footer"
            elif mention.role == "service":
                mention.kind = "footer"


def _is_content_link(mention: Mention) -> bool:
    return mention.is_content and mention.kind in ("title", "more", "button")


def _starts_footer(line: Line) -> bool:
    if line.footer or phrases.FOOTER_TEXT.search(line.text[:_CONTEXT_LENGTH].casefold()):
        return True
    signs = [
        mention
        for mention in line.mentions
        if mention.role in ("service", "boilerplate") and not mention.has_image
    ]
    texts = [phrases.normalize(mention.text[:_CONTEXT_LENGTH]) for mention in signs]
    if any(map(phrases.SERVICE_TEXT.search, texts)):
        return True
    linked_length = sum(len(mention.text) for mention in line.mentions)
    return bool(signs) and len(line.text) - linked_length <= _MAX_TEXT_BESIDE_LINKS


def _section_by_line(
    lines: list[Line], titles_by_key: dict[str, Title], issue_title_line: int | None
) -> list[str | None]:
    """Return for each line its section, which is the text of the last heading up to that line.

    Headings that are the title of an article or of the issue do not count.
    """
    excluded = {title.line_index for title in titles_by_key.values()}
    if issue_title_line is not None:
        level = lines[issue_title_line].level
        if level == 1 or sum(line.level == level for line in lines) == 1:
            excluded.add(issue_title_line)
    sections, current = [], None
    for line in lines:
        if line.level and line.index not in excluded and not line.hidden:
            current = _strip_stray_emphasis(line.text)[:_MAX_TITLE_LENGTH]
        sections.append(current)
    return sections


def _is_article(mentions: list[Mention], title: Title | None) -> bool:
    """Return whether the target of ``mentions``, which are all links with one article key, is an article.

    If a title was found for it, at least one of the links must have no role. Otherwise none of them may have
    one.
    """
    if not title and any(mention.role == "service" and mention.kind == "footer" for mention in mentions):
        return False
    content = [mention for mention in mentions if mention.is_content]
    if title is not None:
        return bool(content)
    if len(content) < len(mentions):
        return False
    return any(mention.text for mention in content) or _image_is_content(content)


def _image_is_content(images: list[Mention]) -> bool:
    """Return whether image links without text lead to an article.

    They do if the first image has an alternative text of two words or more and does not link to the front
    page of a site. A link without an image always does.
    """
    first = images[0]
    return not first.has_image or (len(first.alt_text.split()) > 1 and not url_kinds.is_homepage(first.url))


def _article_title(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    if title is not None:
        return _strip_stray_emphasis(title.text)[:_MAX_TITLE_LENGTH] or None
    with_text = [mention for mention in mentions if mention.text]
    for mention in [m for m in with_text if m.kind not in ("more", "button")] or with_text:
        words = phrases.normalize(mention.text)
        if (
            len(words) > 1
            and mention.text != mention.url
            and not phrases.GENERIC_TEXT.match(words)
            and not phrases.READ_MORE.match(words)
        ):
            return mention.text[:_MAX_TITLE_LENGTH]
    alt_text = next((mention.alt_text for mention in mentions if mention.alt_text), "")[:_MAX_TITLE_LENGTH]
    return alt_text or (_sentence_around(lines, mentions[0]) if mentions[0].is_content else None)


def _sentence_around(lines: list[Line], mention: Mention) -> str | None:
    """Return a title for a link with a generic text such as "here": the sentence around it.

    If the sentence has no other words, return the text before the link. For a bare URL, return the caption
    above it or the URL itself.
    """
    line = lines[mention.line_index]
    before = _SENTENCE_END.split(line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start])[-1]
    end = _SENTENCE_END.search(line.text, mention.end, mention.end + _CONTEXT_LENGTH)
    after = line.text[mention.end : end.end() if end else mention.end + _CONTEXT_LENGTH]
    is_bare = mention.text == mention.url
    if not is_bare and not _THREE_LETTERS.search(before + after):
        return _text_before(lines, mention)
    sentence = " ".join(f"{before}{'' if is_bare else line.text[mention.start : mention.end]}{after}".split())
    if _THREE_LETTERS.search(sentence):
        return sentence[:_MAX_TITLE_LENGTH]
    if is_bare and not sentence and (caption := _caption(lines, mention.line_index)):
        return caption
    return _URL_PREFIX.sub("", mention.url).rstrip("/")[:_MAX_TITLE_LENGTH]


def _text_before(lines: list[Line], mention: Mention) -> str | None:
    """Return the last sentence before a "read more" link, which serves as the title of its article.

    The sentence is taken from the line of the link, or from the line above if there is no text before the
    link.
    """
    line = lines[mention.line_index]
    text = line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start].strip()
    if mention.line_index and not _THREE_LETTERS.search(text):
        text = lines[mention.line_index - 1].text[:_CONTEXT_LENGTH]
    sentences = [part.strip() for part in _SENTENCE_END.split(text + " ") if _THREE_LETTERS.search(part)]
    return (sentences[-1] if sentences else line.text)[:_MAX_TITLE_LENGTH] or None


def _caption(lines: list[Line], line_index: int) -> str | None:
    """Return the text of the line above a bare URL if it can be its caption, as in plain-text newsletters, or None."""
    above = lines[line_index - 1] if line_index else None
    fits = above is not None and not above.mentions and 0 < len(above.text) <= _MAX_TITLE_LENGTH
    return above.text if above and fits else None


def _article_summary(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    """Return the paragraph after the title of an article; without a title, the first paragraph that links to it."""
    if title is None:
        index = next((mention for mention in mentions if mention.text), mentions[0]).line_index
        return _paragraph_from(lines, index, 0) if not lines[index].only_mention else None
    tail = _LEADING_SEPARATOR.sub("", lines[title.line_index].text[title.end :])
    if len(tail) > _MAX_METADATA_LENGTH:
        return _paragraph_from(lines, title.line_index, title.end)
    in_list = bool(lines[title.line_index].item_part)
    for line in lines[title.line_index + 1 : title.line_index + 1 + _SUMMARY_SEARCH_LINES]:
        if line.level or any(mention.kind == "title" for mention in line.mentions):
            return None
        if in_list and line.item_part != "rest":
            return None
        if _is_prose(line):
            return _paragraph_from(lines, line.index, 0)
    return None


def _is_prose(line: Line) -> bool:
    if line.hidden or len(line.text) <= _MAX_METADATA_LENGTH or bylines.standalone_byline(line):
        return False
    return not any(
        mention.kind == "footer" or (line.only_mention and mention.kind != "text")
        for mention in line.mentions
    )


def _paragraph_from(lines: list[Line], line_index: int, start: int) -> str | None:
    """Return the text from offset ``start`` of a line to the end of its paragraph, without a final "read more" link."""
    parts, length = [], 0
    while line_index < len(lines) and length < _MAX_SUMMARY_LENGTH:
        line = lines[line_index]
        parts.append(_without_read_more(line)[start : start + _MAX_SUMMARY_LENGTH])
        length, start, line_index = length + len(parts[-1]), 0, line_index + 1
        if (
            line_index == len(lines)
            or not lines[line_index].continues_paragraph
            or any(mention.kind == "title" for mention in lines[line_index].mentions)
        ):
            break
    text = _LEADING_SEPARATOR.sub("", _strip_stray_emphasis(" ".join(part.strip() for part in parts)))
    return text[:_MAX_SUMMARY_LENGTH] or None


def _strip_stray_emphasis(text: str) -> str:
    """Return the text without the Markdown emphasis marks that a faulty export left in it."""
    return " ".join((_STRAY_EMPHASIS.sub("", text) if "**" in text or "__" in text else text).split())


def _without_read_more(line: Line) -> str:
    last = line.mentions[-1] if line.mentions else None
    if (
        last
        and last.kind == "more"
        and not LETTER.search(line.text[last.end : last.end + _MAX_METADATA_LENGTH])
    ):
        return line.text[: last.start]
    return line.text


def _first_image_source(mentions: list[Mention]) -> str | None:
    """Return the URL of the first image that links to an article, or None."""
    return next((mention.image_source for mention in mentions if mention.image_source), None)


def _placements_by_link(mentions: list[Mention]) -> tuple[Placement, ...]:
    """Return one placement for each link, in document order.

    A link around image, title and text has several mentions; the kind with the highest priority is used.
    """
    best: dict[int, Mention] = {}
    for mention in mentions:
        other = best.get(mention.link_index)
        if other is None or _KIND_PRIORITY[mention.kind] > _KIND_PRIORITY[other.kind]:
            best[mention.link_index] = mention
    return tuple(
        Placement(link_index, mention.kind, (mention.text or mention.alt_text)[:_MAX_TITLE_LENGTH])
        for link_index, mention in sorted(best.items())
    )
