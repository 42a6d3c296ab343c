"""Extraction of the articles of an issue: titles, authors, summaries, sections, and the links to each article."""

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from shortener.newsletter import (
    bylines,
    footer,
    link_roles,
    mergetags,
    navigation,
    phrases,
    titles,
    tracked_links,
)
from shortener.newsletter.article_roles import Role, decide_role, links_of_list_items
from shortener.newsletter.article_texts import (
    MAX_TITLE_LENGTH,
    article_summary,
    article_title,
    strip_stray_emphasis,
)
from shortener.newsletter.document import Document, find_outlook_twins
from shortener.newsletter.lines import LETTER, PSEUDO_HEADING_LEVEL, Line, Mention, PlacementKind, build_lines
from shortener.newsletter.titles import MAX_BUTTON_LENGTH, Title

_MAX_FIRST_LINE_LENGTH = 120  # characters: a longer first line is prose
_KIND_PRIORITY: dict[PlacementKind, int] = {
    "title": 5,
    "button": 4,
    "more": 3,
    "text": 2,
    "image": 1,
    "footer": 0,
}


class Placement(Struct, frozen=True):
    """One link in an issue: its index among all links, its kind such as title or image, and its text."""

    link_index: int
    kind: PlacementKind
    text: str


class ExtractedArticle(Struct, frozen=True):
    """A target to which an issue links: an article, or something else if ``role`` says so."""

    key: str
    """Canonical URL of the target."""
    position: int | None
    """1 to N over the articles in document order; None if the target is not an article."""
    title: str | None
    author: str | None
    summary: str | None
    section: str | None
    placements: tuple[Placement, ...]
    role: Role = "other"
    image: str | None = None
    """URL of the image that links to the article, absolute or relative to the issue."""


class ExtractedIssue(Struct, frozen=True):
    """The title of an issue and the targets of its links. The targets are in the order of their first links."""

    title: str | None
    articles: tuple[ExtractedArticle, ...]


def extract_articles(
    document: Document,
    article_keys: Sequence[str | None],  # for each link, what identifies its target; None leaves the link out
    *,
    recurring: Collection[str] = (),  # keys of targets that are not articles, because many issues link to them
) -> ExtractedIssue:
    """Return the title of an issue and the targets of its links, such as articles. Raises ValueError."""
    if len(article_keys) != len(document.links):
        raise ValueError(f"{len(article_keys)} article keys for {len(document.links)} links")
    twins = find_outlook_twins(document)
    all_lines = build_lines(document, [None if index in twins else key for index, key in enumerate(article_keys)])
    lines = [line for line in all_lines if not line.plain_part] or all_lines
    issue_title, title_line = _issue_title_and_line_index(document, lines)
    titles_by_key = _mark_links_and_find_titles(lines, title_line)
    authors = {key: title.author or _mark_author_below(lines, title) for key, title in titles_by_key.items()}
    _mark_calls_to_action(lines, titles_by_key)
    footer.mark_footer(lines, last_title_line=_last_title_line(lines, titles_by_key))
    sections = _section_by_line(lines, titles_by_key, title_line)
    title_levels = {title.line_index: lines[title.line_index].level for title in titles_by_key.values()}
    item_links = links_of_list_items(lines, title_levels)
    found: list[ExtractedArticle] = []
    for key, mentions in _mentions_by_key(lines).items():
        title = titles_by_key.get(key)
        role = decide_role(lines, mentions, title, item_links=item_links)
        text = article_title(lines, mentions, title)
        found.append(
            ExtractedArticle(
                key=key,
                position=None,
                title=text,
                author=authors.get(key),
                summary=article_summary(lines, mentions, title),
                section=sections[title.line_index if title else mentions[0].line_index],
                placements=_one_placement_per_link(mentions),
                image=_first_image_source(mentions),
                role="other" if key in recurring else role if text or role != "article" else "inline",
            )
        )
    articles = _number_articles(found)
    if len(lines) < len(all_lines):
        articles = _add_links_of_plain_part(articles, all_lines[len(lines) :])
    return ExtractedIssue(issue_title, tuple(articles))


def _mark_links_and_find_titles(lines: list[Line], title_line: int | None) -> dict[str, Title]:
    link_roles.assign_roles(lines)
    navigation.mark_navigation(lines)
    top_line = title_line if title_line is not None and lines[title_line].level == 1 else None
    titles_by_key = _best_titles(titles.find_titles(lines, issue_title_line=top_line))
    tracked_links.group_by_place(lines, {title.line_index: key for key, title in titles_by_key.items()})
    return titles_by_key


def _last_title_line(lines: list[Line], titles_by_key: dict[str, Title]) -> int:
    # A title reaches down to the first link to its article.
    first_links: dict[str, int] = {}
    for line in lines:
        for mention in line.mentions:
            title = titles_by_key.get(mention.article_key or "")
            if title and line.index >= title.line_index:
                first_links.setdefault(title.article_key, line.index)
    return max((first_links.get(key, title.line_index) for key, title in titles_by_key.items()), default=-1)


def _number_articles(found: list[ExtractedArticle]) -> list[ExtractedArticle]:
    # In an issue without articles, the links in running text become the articles.
    article_role: Role = "article" if any(target.role == "article" for target in found) else "inline"
    numbered: list[ExtractedArticle] = []
    position = 0
    for target in found:
        if target.role == article_role and target.title:
            position += 1
            numbered.append(replace(target, position=position, role="article"))
        else:
            numbered.append(replace(target, author=None, summary=None, section=None, image=None))
    return numbered


def _add_links_of_plain_part(articles: list[ExtractedArticle], lines: list[Line]) -> list[ExtractedArticle]:
    by_key = {article.key: article for article in articles}
    link_roles.assign_roles(lines)
    for key, mentions in _mentions_by_key(lines).items():
        placements = _one_placement_per_link(mentions)
        article = by_key.get(key)
        if article is not None:
            by_key[key] = replace(article, placements=article.placements + placements)
            continue
        role: Role = "inline" if all(mention.is_content for mention in mentions) else "other"
        by_key[key] = ExtractedArticle(key, None, None, None, None, None, placements, role=role)
    return list(by_key.values())


def _issue_title_and_line_index(document: Document, lines: list[Line]) -> tuple[str | None, int | None]:
    top_headings = [line for line in lines if line.level == 1 and not line.hidden]
    headings = top_headings or [line for line in lines if 0 < line.level < PSEUDO_HEADING_LEVEL and not line.hidden]
    first = headings[0] if headings else None
    title = document.title if document.title and not mergetags.contains_merge_tag(document.title) else None
    # A single heading of level 1 in HTML or in a mail replaces the title of the document.
    if title and (document.format == "markdown" or len(top_headings) != 1):
        is_repeated = first is not None and first.text.casefold() == title.casefold()
        return title, first.index if first and is_repeated else None
    if first is None:
        return title, None
    # A single lower heading is probably the name of a section.
    if not top_headings and len(headings) == 1 and (first_line := _title_above_heading(lines, first.index)):
        return strip_stray_emphasis(first_line.text)[:MAX_TITLE_LENGTH], first_line.index
    return strip_stray_emphasis(first.text)[:MAX_TITLE_LENGTH], first.index


def _title_above_heading(lines: list[Line], heading_index: int) -> Line | None:
    line = next((line for line in lines[:heading_index] if line.text and not line.hidden), None)
    is_title = line is not None and not line.mentions and len(line.text) <= _MAX_FIRST_LINE_LENGTH
    return line if line and is_title and not line.text.endswith((".", "。", "!", ":", ",")) else None


def _best_titles(candidates: Iterable[Title]) -> dict[str, Title]:
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


def _mark_author_below(lines: list[Line], title: Title) -> str | None:
    for line in lines[title.line_index + 1 : title.line_index + 3]:
        byline = bylines.standalone_byline(line)
        if byline is not None and any(m.article_key == title.article_key for m in byline.mentions):
            return None
        if byline is not None:
            for mention in byline.mentions:
                mention.role = "byline"
            return byline.author
        if line.text and not line.hidden:
            return None
    return None


def _mark_calls_to_action(lines: list[Line], titles_by_key: dict[str, Title]) -> None:
    title_links = {mention.link_index for line in lines for mention in line.mentions if mention.kind == "title"}
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


def _section_by_line(
    lines: list[Line], titles_by_key: dict[str, Title], issue_title_line: int | None
) -> list[str | None]:
    excluded = {title.line_index for title in titles_by_key.values()}
    if issue_title_line is not None:
        level = lines[issue_title_line].level
        if level == 1 or sum(line.level == level for line in lines) == 1:
            excluded.add(issue_title_line)
    sections, current = [], None
    for line in lines:
        if line.level and line.index not in excluded and not line.hidden and LETTER.search(line.text):
            current = strip_stray_emphasis(line.text)[:MAX_TITLE_LENGTH]
        sections.append(current)
    return sections


def _first_image_source(mentions: list[Mention]) -> str | None:
    return next((mention.image_source for mention in mentions if mention.image_source), None)


def _one_placement_per_link(mentions: list[Mention]) -> tuple[Placement, ...]:
    best: dict[int, Mention] = {}
    for mention in mentions:
        other = best.get(mention.link_index)
        # A link around image, title and text has several mentions; the most important one counts.
        if other is None or _KIND_PRIORITY[mention.kind] > _KIND_PRIORITY[other.kind]:
            best[mention.link_index] = mention
    return tuple(
        Placement(link_index, mention.kind, (mention.text or mention.alt_text)[:MAX_TITLE_LENGTH])
        for link_index, mention in sorted(best.items())
    )
