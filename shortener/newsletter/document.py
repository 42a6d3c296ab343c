"""A parsed issue: its source, its links with their byte ranges, and its blocks of text.

Offsets are in bytes of the unchanged source, which may begin with a byte order mark.
"""

from typing import Literal

from msgspec import Struct

Format = Literal["markdown", "html", "mjml", "eml"]
"""Format of the source: a markup language, or a mail with parts."""

UrlSyntax = Literal["destination", "angle", "autolink", "bare", "double", "single", "unquoted", "plain"]
"""Syntax in which a URL is written.

In Markdown: the ``destination`` of an inline link or reference definition, one in ``angle`` brackets, an ``autolink``
in angle brackets, or a ``bare`` URL in text. In HTML: an attribute value in ``double``, ``single`` or no quotes. In
plain text: ``plain``.
"""

BlockKind = Literal["heading", "text", "rule"]
"""Kind of a block; a rule is a horizontal line."""

ListItemPart = Literal["", "first", "rest"]
"""Whether a block is the first or a further block of a list item, or '' outside of lists."""


class DocumentLink(Struct, frozen=True):
    """A link whose http(s) URL can be replaced.

    ``start`` and ``end`` are the byte range of the URL without quotes, brackets and title; ``line`` is the number of
    the line, from 1. ``url`` is the URL after entities and backslash escapes were resolved, with its percent-encoding
    unchanged. A reference definition of Markdown (``[label]: URL``) is one link, however often it is used; its place in
    the order of links is that of its first use.

    ``written_longer`` says that the range also contains a tracking mark of the sender, which is replaced too.
    ``outlook`` marks a link that only Outlook on Windows shows. ``part`` is the index of the part of a mail in which
    the link is, or None if the source has no encoded parts.
    """

    index: int
    start: int
    end: int
    line: int
    url: str
    syntax: UrlSyntax
    written_longer: bool = False
    outlook: bool = False
    part: int | None = None


class UntouchedLink(Struct, frozen=True):
    """A link whose URL is never replaced. ``reason`` completes "because", for example "it contains a merge tag"."""

    start: int
    end: int
    line: int
    url: str
    reason: str


class Run(Struct, frozen=True):
    """A piece of text in a block, or an image. For an image, ``text`` is its alternative text.

    ``link_index`` is the index of the link around it, or None. ``image_source`` is the URL of an image (http, https or
    relative), or '' if there is none.
    """

    text: str
    link_index: int | None = None
    is_image: bool = False
    strong: bool = False
    button: bool = False
    image_source: str = ""


class Block(Struct, frozen=True):
    """A block of text: a heading, a paragraph, a part of a paragraph between line breaks, or a horizontal rule.

    ``level`` is 1 to 6 for headings, else 0. ``continues_paragraph`` marks each part of a paragraph after the first.
    ``footer`` and ``navigation`` mark text inside a footer or navigation element. ``hidden`` marks text that most
    readers do not see, such as preheaders and parts for Outlook only; links in it are still links. ``plain_part`` marks
    the plain-text part of a mail that has an HTML part too.
    """

    kind: BlockKind
    runs: tuple[Run, ...] = ()
    level: int = 0
    continues_paragraph: bool = False
    footer: bool = False
    hidden: bool = False
    item_part: ListItemPart = ""
    navigation: bool = False
    plain_part: bool = False


class Part(Struct, frozen=True):
    """A part of the source that is encoded: its byte range, its transfer encoding and character set, and its decoded
    text.

    ``text`` is UTF-8. The offsets of links in the part are offsets in ``text``.
    """

    start: int
    end: int
    transfer_encoding: str
    charset: str
    text: bytes
    is_html: bool = False


class Document(Struct, frozen=True):
    """A parsed issue with its links in document order.

    ``title`` is from front matter, ``<title>`` or the subject of a mail. ``parts`` are the decoded parts of a mail, or
    the text of a file that is not UTF-8. ``sent_at`` is the time in the header of a mail (seconds of the UTC epoch).
    ``warnings`` are sentences for the editor.
    """

    source: bytes
    format: Format
    links: tuple[DocumentLink, ...]
    untouched: tuple[UntouchedLink, ...]
    blocks: tuple[Block, ...]
    title: str | None = None
    parts: tuple[Part, ...] = ()
    sent_at: int | None = None
    warnings: tuple[str, ...] = ()


def find_outlook_twins(document: Document) -> dict[int, int]:
    """Return the twins of links that only Outlook shows: the links with the same URL that other mail programs show.

    Keys are the indices of the Outlook links, and values those of their twins. A mail often contains each button twice,
    as VML in a conditional comment and as ``<a>``; both count as one.
    """
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
