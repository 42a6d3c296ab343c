"""A parsed issue: its source, its links with their byte ranges, and its blocks of text."""

# Offsets are in bytes of the unchanged source, which may begin with a byte order mark.
from typing import Literal

from msgspec import Struct

from shortener.messages import Message

Format = Literal["markdown", "html", "mjml", "eml"]
"""Format of the source: a markup language, or a mail with parts."""

UrlSyntax = Literal[
    # In Markdown:
    "destination",  # of an inline link or a reference definition
    "angle",  # a destination in angle brackets
    "autolink",  # in angle brackets, without a link text
    "bare",  # in running text
    # In HTML, by the quotes around the attribute value:
    "double",
    "single",
    "unquoted",
    # In plain text:
    "plain",
]
"""Syntax in which a URL is written."""

BlockKind = Literal["heading", "text", "rule"]
"""Kind of a block; a rule is a horizontal line."""

ListItemPart = Literal["", "first", "rest"]
"""Whether a block is the first or a further block of a list item, or '' outside of lists."""


class DocumentLink(Struct, frozen=True):
    """A link whose http(s) URL can be replaced.

    ``start`` and ``end`` are the byte range of the URL, without quotes or brackets around it.
    """

    index: int
    """Index in document order. All uses of a Markdown reference definition are one link, at the first use."""
    start: int
    end: int
    line: int
    """Number of the line, from 1."""
    url: str
    """URL after entities and backslash escapes were resolved; its percent-encoding is unchanged."""
    syntax: UrlSyntax
    written_longer: bool = False
    """Whether the byte range also contains listmonk's tracking mark, such as ``@TrackLink``."""
    outlook: bool = False
    """Whether only Outlook on Windows shows the link."""
    part: int | None = None
    """Index of the part of a mail that contains the link; None if the source has no encoded parts."""


class UntouchedLink(Struct, frozen=True):
    """A link whose URL is never replaced. ``reason`` completes "because", for example "it contains a merge tag"."""

    start: int
    end: int
    line: int
    url: str
    reason: Message


class Run(Struct, frozen=True):
    """A piece of text in a block, or an image. For an image, ``text`` is its alternative text."""

    text: str
    link_index: int | None = None
    """Index of the link around it, or None."""
    is_image: bool = False
    strong: bool = False
    button: bool = False
    image_source: str = ""
    """URL of the image (http, https or relative), or ''."""


class Block(Struct, frozen=True):
    """A block of text: a heading, a paragraph, a part of a paragraph between line breaks, or a horizontal rule."""

    kind: BlockKind
    runs: tuple[Run, ...] = ()
    level: int = 0
    """1 to 6 for a heading, else 0."""
    continues_paragraph: bool = False
    """Whether it is a part of a paragraph, but not the first part."""
    footer: bool = False
    """Whether it is inside a footer element."""
    hidden: bool = False
    """Whether most readers do not see the block, for example a preheader. Links in it are still links."""
    item_part: ListItemPart = ""
    navigation: bool = False
    """Whether it is inside a navigation element."""
    plain_part: bool = False
    """Whether it is in the plain-text part of a mail that has an HTML part too."""


class Part(Struct, frozen=True):
    """An encoded part of the source, such as base64 in a mail, with its byte range and its decoded text."""

    start: int
    end: int
    transfer_encoding: str
    charset: str
    text: bytes
    """Decoded text in UTF-8; the offsets of links in the part are offsets in this text."""
    is_html: bool = False


class Document(Struct, frozen=True):
    """A parsed issue with its links in document order."""

    source: bytes
    format: Format
    links: tuple[DocumentLink, ...]
    untouched: tuple[UntouchedLink, ...]
    blocks: tuple[Block, ...]
    title: str | None = None
    """From front matter, ``<title>`` or the subject of a mail."""
    parts: tuple[Part, ...] = ()
    """Encoded parts of a mail, or a whole file that is not UTF-8; empty if the source was read as it is."""
    sent_at: int | None = None
    """Time in the header of a mail, in seconds of the UTC epoch."""
    warnings: tuple[str, ...] = ()
    """Sentences for the editor."""


def find_outlook_twins(document: Document) -> dict[int, int]:
    """Map links that only Outlook shows to links with an equal URL for other mail programs, if there are any.

    Links are given by index.
    """
    # A mail often contains each button twice: once for Outlook, and once for other programs.
    shown: dict[tuple[int | None, str], list[int]] = {}
    for link in document.links:
        if not link.outlook:
            shown.setdefault((link.part, link.url), []).append(link.index)
    twins: dict[int, int] = {}
    for link in document.links:
        others = shown.get((link.part, link.url), []) if link.outlook else []
        if others:
            following = [index for index in others if index > link.index]
            twins[link.index] = following[0] if following else others[-1]
    return twins
