"""An issue as its reader sees it: lines of text, and in them every mention of a link."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from shortener.newsletter.document import Block, Document, ListItemPart, Run

PlacementKind = Literal["image", "title", "more", "text", "button", "footer"]
"""What a link is in its place."""

_WHITESPACE = re.compile(r"\s+")
_MAX_STRONG_SHARE = 0.6  # of the lines of an issue: more strong ones than this, and strong type marks nothing
_MAX_HEADING_LENGTH = 140  # characters
MentionRole = Literal["", "service", "chrome", "sponsor", "byline"]
"""Why a mention is no sign of an article, if so."""

PSEUDO_HEADING_LEVEL = 7
"""Level of a line that is a heading by its looks alone."""


class Mention(Struct):
    """One stretch of a line that a link covers, from ``start`` to ``end`` of the line's text.

    ``image`` says that there is a picture in it, ``source`` where the first one comes from, if that is known.
    ``role`` says why it is no sign of an article, if so: it is part of the machinery of the mail (``service``)
    or of its other surroundings (``chrome``), paid for (``sponsor``) or the name of an author (``byline``).
    """

    link_index: int
    article_key: str | None
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
    image_source: str = ""

    @property
    def is_content(self) -> bool:
        """It is tracked, and nothing speaks against an article behind it."""
        return self.article_key is not None and not self.role


class Line(Struct):
    """A line of text with its mentions; ``level`` is 1 to 6 for headings, 7 for what looks like one, or 0."""

    index: int
    text: str
    level: int
    mentions: list[Mention]
    is_rule: bool
    continues_paragraph: bool
    footer: bool
    hidden: bool
    strong: bool
    item_part: ListItemPart

    @property
    def only_mention(self) -> Mention | None:
        """The mention that is all there is in the line."""
        mention = self.mentions[0] if len(self.mentions) == 1 else None
        return mention if mention and not text_outside(self, mention) else None

    @property
    def has_only_images(self) -> bool:
        """There are linked images in the line, and nothing else."""
        return bool(self.mentions) and not self.text and all(each.has_image for each in self.mentions)


def text_outside(line: Line, mention: Mention) -> str:
    """The letters and digits of a line (as far as they matter) that stand outside of a mention."""
    around = (
        line.text[max(0, mention.start - 200) : mention.start] + line.text[mention.end : mention.end + 200]
    )
    return "".join(char for char in around if char.isalnum())


def _append_collapsed(text: list[str], length: int, piece: str) -> int:
    """Append a piece with its white space folded; the new size of the text."""
    piece = _WHITESPACE.sub(" ", piece)
    if piece.startswith(" ") and (length == 0 or text[-1].endswith(" ")):
        piece = piece[1:]
    if piece:
        text.append(piece)
    return length + len(piece)


def _start_mention(
    run: Run, *, offset: int, line_index: int, document: Document, article_keys: Sequence[str | None]
) -> Mention:
    assert run.link_index is not None  # noqa: S101 - only called so; narrows the type
    link = document.links[run.link_index]
    return Mention(
        run.link_index,
        article_keys[run.link_index],
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


def _build_line(block: Block, index: int, *, document: Document, article_keys: Sequence[str | None]) -> Line:
    text: list[str] = []
    size, mentions, last, strong = 0, [], None, True
    for run in block.runs:
        if run.link_index is not None and run.link_index != last:
            mentions.append(
                _start_mention(
                    run, offset=size, line_index=index, document=document, article_keys=article_keys
                )
            )
        last = run.link_index
        if not run.is_image:
            size = _append_collapsed(text, size, run.text)
            strong = strong and (run.strong or not any(map(str.isalnum, run.text)))
        if run.link_index is not None:
            _extend_mention(mentions[-1], run, size)
    whole = "".join(text).rstrip()
    for mention in mentions:
        mention.text = whole[mention.start : mention.end].strip()
        mention.end = max(mention.start, min(mention.end, len(whole)))
    level = block.level if whole else 0
    flags = (
        block.kind == "rule",
        block.continues_paragraph,
        block.footer,
        block.hidden,
        strong and bool(whole),
        block.item_part,
    )
    return Line(index, whole, level, mentions, *flags)


def _extend_mention(mention: Mention, run: Run, end: int) -> None:
    mention.end = end
    mention.strong = mention.strong or run.strong
    mention.button = mention.button or run.button
    if run.is_image:
        mention.has_image = True
        mention.alt_text = mention.alt_text or " ".join(run.text.split())
        mention.image_source = mention.image_source or run.image_source


def build_lines(document: Document, article_keys: Sequence[str | None]) -> list[Line]:
    """The lines of an issue; ``keys`` say what each link leads to. Short strong lines become headings."""
    found = [
        _build_line(block, at, document=document, article_keys=article_keys)
        for at, block in enumerate(document.blocks)
    ]
    texts = [line for line in found if line.text and not line.level]
    if sum(line.strong for line in texts) <= _MAX_STRONG_SHARE * len(texts):
        for line in texts:
            if line.strong and _looks_like_heading(line):
                line.level = PSEUDO_HEADING_LEVEL
    for line in found:
        for mention in line.mentions:
            if mention.has_image and not any(map(str.isalnum, mention.text)):
                mention.kind = "image"
    return found


def _looks_like_heading(line: Line) -> bool:
    if len(line.text) > _MAX_HEADING_LENGTH or line.text.endswith((".", "。", ",", "，", ";", "；", "…")):
        return False
    return len(line.mentions) <= 2 and not any(mention.button for mention in line.mentions)
