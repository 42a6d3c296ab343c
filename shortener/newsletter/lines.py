"""The lines of an issue as a reader sees them. Each line has its text and the links in it, called mentions."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from shortener.newsletter.document import Block, Document, ListItemPart, Run

PlacementKind = Literal["image", "title", "more", "text", "button", "footer"]
"""Kind of a link: image, title, "read more" or button of an article, link in a text, or link in the footer."""

_WHITESPACE = re.compile(r"\s+")
_MAX_STRONG_FRACTION = 0.6  # of the lines of an issue: if more are strong, strong type does not mark headings
_MAX_HEADING_LENGTH = 140  # characters
_MAX_OUTSIDE_LENGTH = 200  # characters on each side of a mention: a longer text changes no decision

MentionRole = Literal[
    "",
    "service",  # a link about the mail itself
    "boilerplate",  # another link that surrounds the content
    "navigation",  # in a bar or column of links with few words
    "sponsor",  # paid for
    "byline",  # the name of an author
]
"""Reason why a mention is no sign of an article, or '' if there is none."""

PSEUDO_HEADING_LEVEL = 7
"""Level of a line that only looks like a heading, such as a short line in strong type."""

LETTER = re.compile(r"[^\W_]")
"""Regular expression of one letter or digit of any language."""


class Mention(Struct):
    """A link, or the part of a link that is in one line: the characters ``start`` to ``end`` of the line's text."""

    link_index: int
    article_key: str | None
    """Canonical URL, by which links to one article are recognized; None if the link gets no short link."""
    url: str
    line_index: int
    start: int
    end: int
    text: str
    alt_text: str
    has_image: bool
    strong: bool
    button: bool
    kind: PlacementKind = "text"
    role: MentionRole = ""
    """Purpose of a link that cannot lead to an article, such as "service"; '' for any other link."""
    image_source: str = ""
    """URL of the first image in the link, or ''."""

    @property
    def is_content(self) -> bool:
        """Whether the link can lead to an article: it gets a short link and has no role such as "navigation"."""
        return self.article_key is not None and not self.role


class Line(Struct):
    """A line of text with the links in it, called mentions."""

    index: int
    text: str
    level: int
    """1 to 6 for a heading, 7 for a line that only looks like a heading, 0 for any other line."""
    mentions: list[Mention]
    is_rule: bool
    continues_paragraph: bool
    footer: bool
    hidden: bool
    strong: bool
    item_part: ListItemPart
    navigation: bool = False
    plain_part: bool = False

    @property
    def only_mention(self) -> Mention | None:
        """The link that contains all letters and digits of the line; None if there is no such link."""
        mention = self.mentions[0] if len(self.mentions) == 1 else None
        return mention if mention and not has_text_outside(self, mention) else None

    @property
    def has_only_images(self) -> bool:
        """Whether the line has linked images and no text."""
        return bool(self.mentions) and not self.text and all(mention.has_image for mention in self.mentions)


def has_text_outside(line: Line, mention: Mention) -> bool:
    """Return whether a line has letters or digits outside of the link ``mention``."""
    before = max(0, mention.start - _MAX_OUTSIDE_LENGTH)
    after = mention.end + _MAX_OUTSIDE_LENGTH
    return bool(LETTER.search(line.text, before, mention.start) or LETTER.search(line.text, mention.end, after))


def _append_collapsed(text: list[str], length: int, piece: str) -> int:
    piece = _WHITESPACE.sub(" ", piece)
    if piece.startswith(" ") and (length == 0 or text[-1].endswith(" ")):
        piece = piece[1:]
    if piece:
        text.append(piece)
    return length + len(piece)


def _start_mention(
    run: Run, *, offset: int, line_index: int, document: Document, canonical_urls: Sequence[str | None]
) -> Mention:
    assert run.link_index is not None  # noqa: S101 - narrows the type
    link = document.links[run.link_index]
    return Mention(
        run.link_index,
        canonical_urls[run.link_index],
        link.url,
        line_index,
        offset,
        offset,
        "",
        "",
        False,
        run.strong,
        run.button,
    )


def _build_line(block: Block, index: int, *, document: Document, canonical_urls: Sequence[str | None]) -> Line:
    text: list[str] = []
    length, mentions, last_link, strong = 0, [], None, True
    for run in block.runs:
        if run.link_index is not None and run.link_index != last_link:
            mentions.append(
                _start_mention(run, offset=length, line_index=index, document=document, canonical_urls=canonical_urls)
            )
        last_link = run.link_index
        if not run.is_image:
            length = _append_collapsed(text, length, run.text)
            strong = strong and (run.strong or not any(map(str.isalnum, run.text)))
        if run.link_index is not None:
            _extend_mention(mentions[-1], run, length)
    line_text = "".join(text).rstrip()
    for mention in mentions:
        mention.text = line_text[mention.start : mention.end].strip()
        mention.end = max(mention.start, min(mention.end, len(line_text)))
    level = block.level if line_text else 0
    flags = (
        block.kind == "rule",
        block.continues_paragraph,
        block.footer,
        block.hidden,
        strong and bool(line_text),
        block.item_part,
        block.navigation,
        block.plain_part,
    )
    return Line(index, line_text, level, mentions, *flags)


def _extend_mention(mention: Mention, run: Run, end: int) -> None:
    mention.end = end
    mention.strong = mention.strong or run.strong
    mention.button = mention.button or run.button
    if run.is_image:
        mention.has_image = True
        mention.alt_text = mention.alt_text or " ".join(run.text.split())
        mention.image_source = mention.image_source or run.image_source


def build_lines(
    document: Document,
    canonical_urls: Sequence[str | None],  # one for each link; None if the link gets no short link
) -> list[Line]:
    """Return the lines of an issue, one for each block of text."""
    lines = [
        _build_line(block, index, document=document, canonical_urls=canonical_urls)
        for index, block in enumerate(document.blocks)
    ]
    plain_lines = [line for line in lines if line.text and not line.level]
    # Short lines in strong type are headings, unless most lines of the issue are strong.
    if sum(line.strong for line in plain_lines) <= _MAX_STRONG_FRACTION * len(plain_lines):
        for line in plain_lines:
            if line.strong and _looks_like_heading(line):
                line.level = PSEUDO_HEADING_LEVEL
    for line in lines:
        for mention in line.mentions:
            if mention.has_image and not any(map(str.isalnum, mention.text)):
                mention.kind = "image"
    return lines


def _looks_like_heading(line: Line) -> bool:
    if len(line.text) > _MAX_HEADING_LENGTH or line.text.endswith((".", "。", ",", "，", ";", "；", "…")):
        return False
    return len(line.mentions) <= 2 and not any(mention.button for mention in line.mentions)
