"""Collects what a parser meets, in document order: links with their places, and blocks of text."""

import re
from bisect import bisect_right

from shortener.errors import UnreadableDocument
from shortener.newsletter import mergetags
from shortener.newsletter.document import (
    Block,
    BlockKind,
    Document,
    DocumentLink,
    Format,
    ListItemPart,
    Run,
    UntouchedLink,
    UrlSyntax,
)

MAX_LINKS = 5_000
"""Most links an issue may have."""

MAX_MARKUP_COUNT = 500_000
"""Most pieces of markup an issue may have: 5 MB of prose have 300,000, and hostile nesting ten million."""

_MAX_IMAGE_SOURCE_LENGTH = 2_000  # characters of an image's address
_HTTP_URL = re.compile(r"https?://[^\s/?#]", re.I)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.I)
_NEWLINE = re.compile(rb"\r\n?|\n")
_INVISIBLE_CHARACTERS = re.compile(r"[\u00ad\u034f\u200b-\u200f\u2060\u202a-\u202e\ufeff]")


def _untouched_reason(url: str) -> str | None:
    """Why a URL is not one of ours to replace, or None."""
    if mergetags.contains_merge_tag(url):
        return "it holds a merge tag"
    if _HTTP_URL.match(url):
        return None
    if not url:
        return "it is empty"
    if url.startswith("#"):
        return "it leads to a place in the issue itself"
    scheme = _SCHEME.match(url)
    if scheme is None:
        return "it is relative"
    name = scheme[1].lower()
    return "it is not a whole URL" if name in ("http", "https") else f"it is a {name}: link"


def _portable_image_source(source: str) -> str:
    """A source that can be shown elsewhere too, or '': no merge tag, no attachment, no inlined image."""
    scheme = _SCHEME.match(source)
    foreign = scheme is not None and not _HTTP_URL.match(source)
    return (
        ""
        if foreign or len(source) > _MAX_IMAGE_SOURCE_LENGTH or mergetags.contains_merge_tag(source)
        else source
    )


class DocumentBuilder:
    """What has been found so far, and what holds for the text that comes next.

    The parser sets ``link``, ``strong``, ``button``, ``footer`` and ``hidden`` as it goes, and calls the
    methods in the order of the source. ``name`` takes the title that the document gives itself.
    """

    def __init__(self, source: bytes) -> None:
        self.current_link: int | None = None
        self.strong_depth = 0
        self.in_button = False
        self.in_footer = False
        self.in_hidden = False
        self.title: str | None = None
        self._source = source
        self._merge_tags = mergetags.find_merge_tags(source)
        self._line_starts = [match.end() for match in _NEWLINE.finditer(source)]
        self._links: list[DocumentLink] = []
        self._untouched: list[UntouchedLink] = []
        self._blocks: list[Block] = []
        self._runs: list[Run] = []
        self._heading_level = 0
        self._markup_count = 0
        self._continues_paragraph = False
        self._list_items: list[ListItemPart] = []

    def add_link(
        self, url: str, *, start: int, end: int, syntax: UrlSyntax, merge_tag_reach: int = 0
    ) -> int | None:
        """Take down a link whose URL text stands from ``start`` to ``end``; its index, or None if left alone.

        A merge tag that touches it, or what follows it up to ``reach``, makes it one that is left alone. Raises
        Unreadable at the link that is one too many.
        """
        tagged = mergetags.overlaps_merge_tag(self._merge_tags, start=start, end=max(end, merge_tag_reach))
        reason = "it holds a merge tag" if tagged else _untouched_reason(url)
        if reason:
            self.add_untouched(url, start=start, end=end, reason=reason)
            return None
        if len(self._links) == MAX_LINKS:
            raise UnreadableDocument(f"the issue has more than {MAX_LINKS:,} links: split it")
        index = len(self._links)
        self._links.append(DocumentLink(index, start, end, self.line_number(start), url, syntax))
        return index

    def count_markup(self) -> None:
        """Count a piece of markup. Raises Unreadable at the one that is too many."""
        self._markup_count += 1
        if self._markup_count > MAX_MARKUP_COUNT:
            raise UnreadableDocument(
                f"the issue has more than {MAX_MARKUP_COUNT:,} pieces of markup: is it a newsletter?"
            )

    def add_untouched(self, url: str, *, start: int, end: int, reason: str) -> None:
        """Take down a link that is left as it is."""
        self._untouched.append(UntouchedLink(start, end, self.line_number(start), url, reason))

    def line_number(self, offset: int) -> int:
        """The line, from 1, that holds the byte at ``offset``."""
        return bisect_right(self._line_starts, offset) + 1

    def add_text(self, text: str) -> None:
        """Go on with text, which counts as inside ``link``."""
        if text and (self.current_link is not None or not self.in_hidden):
            text = _INVISIBLE_CHARACTERS.sub("", text) if not text.isascii() else text
            self._runs.append(Run(text, self.current_link, False, self.strong_depth > 0, self.in_button))

    def add_image(self, alt_text: str, *, src: str = "") -> None:
        """Go on with an image that comes from ``source``."""
        where = _portable_image_source(src.strip())
        self._runs.append(
            Run(alt_text, self.current_link, True, self.strong_depth > 0, self.in_button, where)
        )

    def add_anchor(self) -> None:
        """Note that ``link`` is here, though it may have no text at all."""
        if self.current_link is not None:
            self._runs.append(Run("", self.current_link, False, self.strong_depth > 0, self.in_button))

    def add_line_break(self) -> None:
        """End the block and go on with its paragraph in the next; a second break in a row ends that too."""
        self._continues_paragraph = self._flush_block() or not self._continues_paragraph

    def begin_block(self, *, level: int = 0) -> None:
        """Begin a new block: a heading of ``level``, or with 0 any other."""
        self._flush_block()
        self._heading_level, self._continues_paragraph = level, False

    def begin_item(self) -> None:
        """Begin a list item."""
        self.begin_block()
        self._list_items.append("first")

    def end_item(self) -> None:
        """End a list item."""
        self._flush_block()
        if self._list_items:
            self._list_items.pop()

    def add_rule(self) -> None:
        """Note a line drawn across the page."""
        self.begin_block()
        self._blocks.append(Block("rule"))

    def _flush_block(self) -> bool:
        runs, self._runs = tuple(self._runs), []
        if not any(run.is_image or run.link_index is not None or not run.text.isspace() for run in runs):
            return False
        kind: BlockKind = "heading" if self._heading_level else "text"
        item: ListItemPart = self._list_items[-1] if self._list_items else ""
        flags = self._continues_paragraph, self.in_footer, self.in_hidden, item
        self._blocks.append(Block(kind, runs, self._heading_level, *flags))
        if item == "first":
            self._list_items[-1] = "rest"
        return True

    def build(self, *, format: Format) -> Document:
        """Everything that was found."""
        self._flush_block()
        parts = tuple(self._links), tuple(self._untouched), tuple(self._blocks)
        return Document(self._source, format, *parts, self.title)
