"""An issue as its reader sees it: lines of text, and in them every mention of a link."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from shortener.newsletter.document import Block, Document, ItemPart, Run

Kind = Literal["image", "title", "more", "text", "button", "footer"]
"""What a link is in its place."""

_SPACE = re.compile(r"\s+")
_MANY = 0.6  # of the lines of an issue: more strong ones than this, and strong type marks nothing
_LONGEST_HEADING = 140  # characters
Role = Literal["", "service", "chrome", "sponsor", "byline"]
"""Why a mention is no sign of an article, if so."""

PSEUDO_LEVEL = 7
"""Level of a line that is a heading by its looks alone."""


class Mention(Struct):
    """One stretch of a line that a link covers, from ``start`` to ``end`` of the line's text.

    ``image`` says that there is a picture in it, ``source`` where the first one comes from, if that is known.
    ``role`` says why it is no sign of an article, if so: it is part of the machinery of the mail (``service``)
    or of its other surroundings (``chrome``), paid for (``sponsor``) or the name of an author (``byline``).
    """

    link: int
    key: str | None
    url: str
    line: int
    start: int
    end: int
    text: str
    alternative: str
    image: bool
    strong: bool
    button: bool
    kind: Kind = "text"
    role: Role = ""
    source: str = ""

    @property
    def counts(self) -> bool:
        """It is tracked, and nothing speaks against an article behind it."""
        return self.key is not None and not self.role


class Line(Struct):
    """A line of text with its mentions; ``level`` is 1 to 6 for headings, 7 for what looks like one, or 0."""

    index: int
    text: str
    level: int
    mentions: list[Mention]
    rule: bool
    continued: bool
    footer: bool
    hidden: bool
    strong: bool
    item: ItemPart

    @property
    def whole(self) -> Mention | None:
        """The mention that is all there is in the line."""
        mention = self.mentions[0] if len(self.mentions) == 1 else None
        return mention if mention and not rest(self, mention) else None

    @property
    def pictures(self) -> bool:
        """There are linked images in the line, and nothing else."""
        return bool(self.mentions) and not self.text and all(each.image for each in self.mentions)


def rest(line: Line, mention: Mention) -> str:
    """The letters and digits of a line (as far as they matter) that stand outside of a mention."""
    around = (
        line.text[max(0, mention.start - 200) : mention.start] + line.text[mention.end : mention.end + 200]
    )
    return "".join(char for char in around if char.isalnum())


def _append(text: list[str], size: int, piece: str) -> int:
    """Append a piece with its white space folded; the new size of the text."""
    piece = _SPACE.sub(" ", piece)
    if piece.startswith(" ") and (size == 0 or text[-1].endswith(" ")):
        piece = piece[1:]
    if piece:
        text.append(piece)
    return size + len(piece)


def _mention(run: Run, *, at: int, line: int, document: Document, keys: Sequence[str | None]) -> Mention:
    assert run.link is not None  # noqa: S101 - only called so; narrows the type
    link = document.links[run.link]
    return Mention(run.link, keys[run.link], link.url, line, at, at, "", "", False, run.strong, run.button)


def _line(block: Block, index: int, *, document: Document, keys: Sequence[str | None]) -> Line:
    text: list[str] = []
    size, mentions, last, strong = 0, [], None, True
    for run in block.runs:
        if run.link is not None and run.link != last:
            mentions.append(_mention(run, at=size, line=index, document=document, keys=keys))
        last = run.link
        if not run.image:
            size = _append(text, size, run.text)
            strong = strong and (run.strong or not any(map(str.isalnum, run.text)))
        if run.link is not None:
            _extend(mentions[-1], run, size)
    whole = "".join(text).rstrip()
    for mention in mentions:
        mention.text = whole[mention.start : mention.end].strip()
        mention.end = max(mention.start, min(mention.end, len(whole)))
    level = block.level if whole else 0
    flags = (
        block.kind == "rule",
        block.continued,
        block.footer,
        block.hidden,
        strong and bool(whole),
        block.item,
    )
    return Line(index, whole, level, mentions, *flags)


def _extend(mention: Mention, run: Run, end: int) -> None:
    mention.end = end
    mention.strong = mention.strong or run.strong
    mention.button = mention.button or run.button
    if run.image:
        mention.image = True
        mention.alternative = mention.alternative or " ".join(run.text.split())
        mention.source = mention.source or run.source


def split_lines(document: Document, keys: Sequence[str | None]) -> list[Line]:
    """The lines of an issue; ``keys`` say what each link leads to. Short strong lines become headings."""
    found = [_line(block, at, document=document, keys=keys) for at, block in enumerate(document.blocks)]
    texts = [line for line in found if line.text and not line.level]
    if sum(line.strong for line in texts) <= _MANY * len(texts):
        for line in texts:
            if line.strong and _looks_like_heading(line):
                line.level = PSEUDO_LEVEL
    for line in found:
        for mention in line.mentions:
            if mention.image and not any(map(str.isalnum, mention.text)):
                mention.kind = "image"
    return found


def _looks_like_heading(line: Line) -> bool:
    if len(line.text) > _LONGEST_HEADING or line.text.endswith((".", "。", ",", "，", ";", "；", "…")):
        return False
    return len(line.mentions) <= 2 and not any(mention.button for mention in line.mentions)
