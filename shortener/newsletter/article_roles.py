"""The role of each link target of an issue: an article, a link inside a text, or another link such as in the footer."""

from collections.abc import Sequence
from typing import Literal

from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.lines import LETTER, Line, Mention
from shortener.newsletter.titles import Title

Role = Literal["article", "inline", "other"]
"""Role of a target: an item of its own, a link inside running text, or a link around the content."""

_MAX_LABEL_LENGTH = 160  # characters of the text before a bare URL: a longer one is prose
_MIN_ITEMS = 5  # paragraphs that begin with a link: fewer do not show that each paragraph is an item
_MIN_ITEM_SHARE = 0.6  # of all paragraphs


def decide_role(
    lines: list[Line],
    mentions: Sequence[Mention],  # all links to the target
    title: Title | None,
    *,
    item_links: set[int],  # from ``links_of_list_items``
) -> Role:
    """Return the role of a link target: "article", "inline" (linked inside running text), or "other"."""
    content = [mention for mention in mentions if mention.is_content]
    if not content:
        return "other"
    if title is not None:
        return "article"
    if len(content) < len(mentions):
        return "other"
    if not any(mention.text for mention in content):
        if not content[0].has_image:
            return "inline"
        return "article" if _images_present_article(content) else "other"
    return "article" if any(_is_outside_running_text(lines, mention, item_links) for mention in content) else "inline"


def _images_present_article(images: list[Mention]) -> bool:
    first = images[0]
    return len(first.alt_text.split()) > 1 and not url_kinds.is_homepage(first.url)


def _is_outside_running_text(lines: list[Line], mention: Mention, item_links: set[int]) -> bool:
    line = lines[mention.line_index]
    if mention.has_image or mention.kind in ("more", "button") or mention.link_index in item_links:
        return True
    if mention.text == mention.url:
        return _is_labelled_url(lines, line, mention)
    return line.only_mention is mention and not line.hidden and not phrases.is_generic(mention.text)


def _is_labelled_url(lines: list[Line], line: Line, bare_url: Mention) -> bool:
    """Return whether a bare URL fills its line or follows a short label."""
    if LETTER.search(line.text, bare_url.end) or len(line.mentions) > 1:
        return False
    before = line.text[: bare_url.start].strip()
    if before:
        return len(before) <= _MAX_LABEL_LENGTH and not before.endswith((".", "。", ","))
    # Below a line with a link, in one paragraph, a URL without a label does not count.
    return not (line.continues_paragraph and line.index and lines[line.index - 1].mentions)


def links_of_list_items(
    lines: list[Line],
    title_lines: dict[int, int],  # heading level by the index of a line with the title of an article
) -> set[int]:
    """Return the index of each list item's first link that can lead to an article.

    Items in or below article titles are left out.
    """
    # If most paragraphs begin with a link, they count as list items.
    paragraph_items = _paragraphs_that_are_items(lines)
    found: set[int] = set()
    in_article, needs_link = False, False
    for line in lines:
        level = title_lines.get(line.index)
        if line.level:
            # A list below the heading of an article comments on that article.
            in_article = level is not None
        if line.item_part == "first" or line.index in paragraph_items:
            needs_link = not in_article
        elif not line.item_part:
            needs_link = False
        if level is not None:
            needs_link = False
        if line.hidden or not needs_link:
            continue
        link = next((m for m in line.mentions if m.is_content and m.kind != "title"), None)
        if link is not None:
            found.add(link.link_index)
            needs_link = False
    return found


def _paragraphs_that_are_items(lines: list[Line]) -> set[int]:
    paragraphs = [
        line
        for line in lines
        if line.text and not (line.level or line.item_part or line.continues_paragraph or line.hidden)
    ]
    items = {line.index for line in paragraphs if _begins_with_link(line)}
    return items if len(items) >= max(_MIN_ITEMS, _MIN_ITEM_SHARE * len(paragraphs)) else set()


def _begins_with_link(line: Line) -> bool:
    first = line.mentions[0] if line.mentions else None
    return bool(
        first and first.is_content and not LETTER.search(line.text, 0, first.start) and LETTER.search(first.text)
    )
