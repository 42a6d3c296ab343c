"""A parsed issue: its source, its links with their byte ranges, and its blocks of text.

Offsets are bytes of the unchanged source, which may begin with a byte order mark.
"""

from typing import Literal

from msgspec import Struct

Format = Literal["markdown", "html"]
"""Markup language of the source."""

UrlSyntax = Literal["destination", "angle", "autolink", "bare", "double", "single", "unquoted"]
"""Syntax in which a URL is written.

In Markdown: the ``destination`` of an inline link or reference definition, one in ``angle`` brackets, an ``autolink``
in angle brackets, or a ``bare`` URL in text. In HTML: an attribute value in ``double``, ``single`` or no quotes.
"""

BlockKind = Literal["heading", "text", "rule"]
"""Kind of a block; a rule is a horizontal line."""

ListItemPart = Literal["", "first", "rest"]
"""Whether a block is the first or a further block of a list item, or '' outside of lists."""


class DocumentLink(Struct, frozen=True):
    """A link whose http(s) URL can be replaced.

    ``start`` and ``end`` are the byte range of the URL without quotes, brackets and title; ``line`` counts from 1.
    In ``url`` entities and backslash escapes are resolved, and percent-encoding is as written.
    A reference definition in Markdown is one link, however often it is used, at the place of its first use.
    """

    index: int
    start: int
    end: int
    line: int
    url: str
    syntax: UrlSyntax


class UntouchedLink(Struct, frozen=True):
    """A link whose URL is never replaced; ``reason`` is a clause such as "it contains a merge tag"."""

    start: int
    end: int
    line: int
    url: str
    reason: str


class Run(Struct, frozen=True):
    """A piece of text in a block, or an image; the alternative text of an image is in ``text``.

    ``link_index`` is the index of the link around it, or None. ``image_source`` is the absolute http(s) URL
    or the relative URL of an image, or '' for any other.
    """

    text: str
    link_index: int | None = None
    is_image: bool = False
    strong: bool = False
    button: bool = False
    image_source: str = ""


class Block(Struct, frozen=True):
    """A heading, a paragraph, a part of a paragraph between line breaks, or a rule.

    ``level`` is 1 to 6 for headings and 0 otherwise. ``continues_paragraph`` marks the second and later parts of a
    paragraph. ``footer`` marks text inside a footer element. ``hidden`` marks text that most readers do not see, such
    as preheaders and parts for Outlook only; links in it are still links.
    """

    kind: BlockKind
    runs: tuple[Run, ...] = ()
    level: int = 0
    continues_paragraph: bool = False
    footer: bool = False
    hidden: bool = False
    item_part: ListItemPart = ""


class Document(Struct, frozen=True):
    """A parsed issue with its links in document order; ``title`` is from front matter or the ``<title>`` element."""

    source: bytes
    format: Format
    links: tuple[DocumentLink, ...]
    untouched: tuple[UntouchedLink, ...]
    blocks: tuple[Block, ...]
    title: str | None = None
