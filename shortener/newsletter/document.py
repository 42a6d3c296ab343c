"""What an issue is once it is parsed: its bytes, its links with their places, and its outline.

Offsets are always bytes of the source as it was handed in, byte order mark included.
"""

from typing import Literal

from msgspec import Struct

Format = Literal["markdown", "html"]
"""How the source is written."""

UrlSyntax = Literal["destination", "angle", "autolink", "bare", "double", "single", "unquoted"]
"""How a URL has to be written at a place: a Markdown destination (inline or in a reference definition), one
in ``<…>``, an autolink, a bare URL in text, or an HTML attribute value between these quotes."""

BlockKind = Literal["heading", "text", "rule"]
ListItemPart = Literal["", "first", "rest"]


class DocumentLink(Struct, frozen=True):
    """One place in the source where an http(s) URL stands and may be replaced.

    ``start`` and ``end`` enclose the URL text alone: no quotes, no brackets, no title. ``line`` is from 1.
    ``url`` is decoded: entities and backslash escapes are resolved, percent-encoding is as written.
    A reference definition is one place however often it is used, and stands where it is first used.
    """

    index: int
    start: int
    end: int
    line: int
    url: str
    syntax: UrlSyntax


class UntouchedLink(Struct, frozen=True):
    """A link that is left as it is, and why: ``reason`` completes the sentence "left alone: …"."""

    start: int
    end: int
    line: int
    url: str
    reason: str


class Run(Struct, frozen=True):
    """A stretch of text in a block (the alternative text, for an image), and the link it is in, by index.

    ``source`` is where an image comes from: a whole http(s) URL or a relative one, '' for any other.
    """

    text: str
    link_index: int | None = None
    is_image: bool = False
    strong: bool = False
    button: bool = False
    image_source: str = ""


class Block(Struct, frozen=True):
    """One line of the outline: a heading, a paragraph or a part of one between line breaks, or a rule.

    ``level`` is 1 to 6 for headings and 0 otherwise. ``continued`` says that the block goes on with the
    paragraph of the block before it, ``item`` that it is the first or a further block of a list item.
    ``footer`` is what the markup claims; ``hidden`` text is not shown to most readers (preheaders, parts for
    Outlook alone), though links in it are links.
    """

    kind: BlockKind
    runs: tuple[Run, ...] = ()
    level: int = 0
    continues_paragraph: bool = False
    footer: bool = False
    hidden: bool = False
    item_part: ListItemPart = ""


class Document(Struct, frozen=True):
    """A parsed issue: ``links`` in document order; ``name`` is its title by front matter or ``<title>``."""

    source: bytes
    format: Format
    links: tuple[DocumentLink, ...]
    untouched: tuple[UntouchedLink, ...]
    blocks: tuple[Block, ...]
    title: str | None = None
