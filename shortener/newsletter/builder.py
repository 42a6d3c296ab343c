"""Collects what a parser meets, in document order: links with their places, and blocks of text."""

import re
from bisect import bisect_right

from shortener.errors import Unreadable
from shortener.newsletter import mergetags
from shortener.newsletter.document import (
    Block,
    BlockKind,
    Document,
    Encoding,
    Format,
    FoundLink,
    ItemPart,
    Run,
    Untouched,
)

MAX_LINKS = 5_000
"""Most links an issue may have."""

MAX_MARKS = 500_000
"""Most pieces of markup an issue may have: 5 MB of prose have 300,000, and hostile nesting ten million."""

_MAX_SOURCE = 2_000  # characters of an image's address
_HTTP = re.compile(r"https?://[^\s/?#]", re.I)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.I)
_NEWLINE = re.compile(rb"\r\n?|\n")
_GLYPHS = re.compile(r"[\u00ad\u034f\u200b-\u200f\u2060\u202a-\u202e\ufeff]")


def _reason(url: str) -> str | None:
    """Why a URL is not one of ours to replace, or None."""
    if mergetags.holds(url):
        return "it holds a merge tag"
    if _HTTP.match(url):
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


def _picture(source: str) -> str:
    """A source that can be shown elsewhere too, or '': no merge tag, no attachment, no inlined image."""
    scheme = _SCHEME.match(source)
    foreign = scheme is not None and not _HTTP.match(source)
    return "" if foreign or len(source) > _MAX_SOURCE or mergetags.holds(source) else source


class Outline:
    """What has been found so far, and what holds for the text that comes next.

    The parser sets ``link``, ``strong``, ``button``, ``footer`` and ``hidden`` as it goes, and calls the
    methods in the order of the source. ``name`` takes the title that the document gives itself.
    """

    def __init__(self, source: bytes) -> None:
        self.link: int | None = None
        self.strong = 0
        self.button = False
        self.footer = False
        self.hidden = False
        self.name: str | None = None
        self._source = source
        self._tags = mergetags.find(source)
        self._lines = [match.end() for match in _NEWLINE.finditer(source)]
        self._links: list[FoundLink] = []
        self._untouched: list[Untouched] = []
        self._blocks: list[Block] = []
        self._runs: list[Run] = []
        self._level = 0
        self._marks = 0
        self._continued = False
        self._items: list[ItemPart] = []

    def place(self, url: str, *, start: int, end: int, encoding: Encoding, reach: int = 0) -> int | None:
        """Take down a link whose URL text stands from ``start`` to ``end``; its index, or None if left alone.

        A merge tag that touches it, or what follows it up to ``reach``, makes it one that is left alone. Raises
        Unreadable at the link that is one too many.
        """
        tagged = mergetags.touches(self._tags, start=start, end=max(end, reach))
        reason = "it holds a merge tag" if tagged else _reason(url)
        if reason:
            self.leave(url, start=start, end=end, reason=reason)
            return None
        if len(self._links) == MAX_LINKS:
            raise Unreadable(f"the issue has more than {MAX_LINKS:,} links: split it")
        index = len(self._links)
        self._links.append(FoundLink(index, start, end, self.line(start), url, encoding))
        return index

    def count(self) -> None:
        """Count a piece of markup. Raises Unreadable at the one that is too many."""
        self._marks += 1
        if self._marks > MAX_MARKS:
            raise Unreadable(f"the issue has more than {MAX_MARKS:,} pieces of markup: is it a newsletter?")

    def leave(self, url: str, *, start: int, end: int, reason: str) -> None:
        """Take down a link that is left as it is."""
        self._untouched.append(Untouched(start, end, self.line(start), url, reason))

    def line(self, offset: int) -> int:
        """The line, from 1, that holds the byte at ``offset``."""
        return bisect_right(self._lines, offset) + 1

    def text(self, text: str) -> None:
        """Go on with text, which counts as inside ``link``."""
        if text and (self.link is not None or not self.hidden):
            text = _GLYPHS.sub("", text) if not text.isascii() else text
            self._runs.append(Run(text, self.link, False, self.strong > 0, self.button))

    def image(self, alternative: str, *, source: str = "") -> None:
        """Go on with an image that comes from ``source``."""
        where = _picture(source.strip())
        self._runs.append(Run(alternative, self.link, True, self.strong > 0, self.button, where))

    def anchor(self) -> None:
        """Note that ``link`` is here, though it may have no text at all."""
        if self.link is not None:
            self._runs.append(Run("", self.link, False, self.strong > 0, self.button))

    def break_line(self) -> None:
        """End the block and go on with its paragraph in the next; a second break in a row ends that too."""
        self._continued = self._flush() or not self._continued

    def begin(self, *, level: int = 0) -> None:
        """Begin a new block: a heading of ``level``, or with 0 any other."""
        self._flush()
        self._level, self._continued = level, False

    def begin_item(self) -> None:
        """Begin a list item."""
        self.begin()
        self._items.append("first")

    def end_item(self) -> None:
        """End a list item."""
        self._flush()
        if self._items:
            self._items.pop()

    def rule(self) -> None:
        """Note a line drawn across the page."""
        self.begin()
        self._blocks.append(Block("rule"))

    def _flush(self) -> bool:
        runs, self._runs = tuple(self._runs), []
        if not any(run.image or run.link is not None or not run.text.isspace() for run in runs):
            return False
        kind: BlockKind = "heading" if self._level else "text"
        item: ItemPart = self._items[-1] if self._items else ""
        flags = self._continued, self.footer, self.hidden, item
        self._blocks.append(Block(kind, runs, self._level, *flags))
        if item == "first":
            self._items[-1] = "rest"
        return True

    def document(self, *, format: Format) -> Document:
        """Everything that was found."""
        self._flush()
        parts = tuple(self._links), tuple(self._untouched), tuple(self._blocks)
        return Document(self._source, format, *parts, self.name)
