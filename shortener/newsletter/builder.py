"""The builder of a parsed issue. A reader of Markdown or HTML adds links and blocks of text to it in document order."""

import re
from bisect import bisect_right

from shortener.errors import UnreadableDocument
from shortener.messages import Message
from shortener.newsletter import mergetags, template_tags
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
"""Maximum number of links in an issue."""

# An issue of 5 MB of prose has 300,000 tags and marks; an issue with hostile nesting has ten million.
MAX_MARKUP_COUNT = 500_000
"""Maximum number of HTML tags and Markdown marks in an issue."""

_MAX_IMAGE_SOURCE_LENGTH = 2_000  # characters
_HTTP_URL = re.compile(r"https?://[^\s/?#]", re.I)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.I)
_NEWLINE = re.compile(rb"\r\n?|\n")
# A zero-width joiner or non-joiner belongs to the text between letters of Persian and Indian languages and in emoji.
_JOINED = r"\u0600-\u08ff\u0900-\u0dff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_INVISIBLE_CHARACTERS = re.compile(
    rf"[\u00ad\u034f\u200b\u200e\u200f\u2060\u202a-\u202e\ufeff]"
    rf"|(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])"
)


def _reason_not_to_replace(url: str) -> Message | None:
    if mergetags.contains_merge_tag(url):
        return Message("it contains a merge tag")
    if _HTTP_URL.match(url):
        return None
    if not url:
        return Message("it is empty")
    if url.startswith("#"):
        return Message("it is an anchor in the issue")
    scheme = _SCHEME.match(url)
    if scheme is None:
        return Message("it is a relative URL")
    name = scheme[1].lower()
    return (
        Message("it is an incomplete URL") if name in ("http", "https") else Message("it is a {name}: link", name=name)
    )


def _portable_image_source(source: str) -> str:
    is_other_scheme = _SCHEME.match(source) is not None and not _HTTP_URL.match(source)
    is_too_long = len(source) > _MAX_IMAGE_SOURCE_LENGTH
    return "" if is_other_scheme or is_too_long or mergetags.contains_merge_tag(source) else source


class DocumentBuilder:
    """Builder of a ``Document`` from links, text and images.

    Its public attributes describe the text that is added next.
    """

    def __init__(self, source: bytes, *, take_over_tracking: bool = False) -> None:
        self.current_link: int | None = None
        self.strong_depth = 0
        self.in_button = False
        self.in_footer = False
        self.in_hidden = False
        self.in_navigation = False
        self.title: str | None = None
        self._source = source
        self._take_over_tracking = take_over_tracking
        self._warnings: list[str] = []
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
        self,
        url: str,
        *,
        start: int,  # byte range of the URL
        end: int,
        syntax: UrlSyntax,
        merge_tag_reach: int = 0,  # a merge tag that begins before this byte counts as part of the URL
        only_outlook: bool = False,  # whether only Outlook shows the link
    ) -> int | None:
        """Add a link; return its index, or None if its URL cannot be replaced. Raises UnreadableDocument."""
        tracked = template_tags.find_tracked_url(url, written=self._source[start:end])
        if tracked is not None:
            return self._add_link_tracked_by_listmonk(
                tracked, start=start, end=end, syntax=syntax, only_outlook=only_outlook
            )
        has_tag = mergetags.overlaps_merge_tag(self._merge_tags, start=start, end=max(end, merge_tag_reach))
        reason = Message("it contains a merge tag") if has_tag else _reason_not_to_replace(url)
        if reason:
            self.add_untouched(url, start=start, end=end, reason=reason)
            return None
        return self._append_link(url, start=start, end=end, syntax=syntax, only_outlook=only_outlook)

    def _add_link_tracked_by_listmonk(
        self, tracked: template_tags.TrackedUrl, *, start: int, end: int, syntax: UrlSyntax, only_outlook: bool
    ) -> int | None:
        reason = _reason_not_to_replace(tracked.url)
        if reason is None and tracked.is_action and not self._take_over_tracking:
            reason = Message("listmonk tracks it, by {{{{ TrackLink }}}}")
        if reason:
            self.add_untouched(tracked.url, start=start, end=end, reason=reason)
            return None
        if tracked.url.endswith("/") and not tracked.is_action:
            self._warnings.append(
                Message(
                    "line {line}: {url}@TrackLink: read as {url} tracked by listmonk",
                    line=self.line_number(start),
                    url=tracked.url,
                )
            )
        return self._append_link(
            tracked.url, start=start, end=end, syntax=syntax, only_outlook=only_outlook, written_longer=True
        )

    def _append_link(
        self,
        url: str,
        *,
        start: int,
        end: int,
        syntax: UrlSyntax,
        only_outlook: bool,
        written_longer: bool = False,
    ) -> int:
        if len(self._links) == MAX_LINKS:
            raise UnreadableDocument(Message("the issue has more than {limit} links; split the issue", limit=MAX_LINKS))
        index = len(self._links)
        line = self.line_number(start)
        self._links.append(DocumentLink(index, start, end, line, url, syntax, written_longer, only_outlook))
        return index

    def count_markup(self) -> None:
        """Count one HTML tag or Markdown mark.

        Raises UnreadableDocument if the issue then has more than MAX_MARKUP_COUNT tags and marks.
        """
        self._markup_count += 1
        if self._markup_count > MAX_MARKUP_COUNT:
            raise UnreadableDocument(
                Message(
                    "the issue has more than {limit} tags and marks of markup; is this a newsletter?",
                    limit=MAX_MARKUP_COUNT,
                )
            )

    def add_untouched(self, url: str, *, start: int, end: int, reason: Message) -> None:
        """Add a link whose URL is never replaced. ``reason`` completes "left unchanged, because", for example "it is
        empty".
        """
        self._untouched.append(UntouchedLink(start, end, self.line_number(start), url, reason))

    def line_number(self, offset: int) -> int:
        """Return the number of the line, from 1, that contains the byte at ``offset``."""
        return bisect_right(self._line_starts, offset) + 1

    def add_text(self, text: str) -> None:
        """Add text, which belongs to the link ``current_link`` if it is set. Hidden text without a link is dropped."""
        if text and (self.current_link is not None or not self.in_hidden):
            text = _INVISIBLE_CHARACTERS.sub("", text) if not text.isascii() else text
            self._runs.append(Run(text, self.current_link, False, self.strong_depth > 0, self.in_button))

    def add_image(self, alt_text: str, *, src: str = "") -> None:
        """Add an image with its alternative text and its URL ``src``."""
        image_source = _portable_image_source(src.strip())
        self._runs.append(Run(alt_text, self.current_link, True, self.strong_depth > 0, self.in_button, image_source))

    def add_anchor(self) -> None:
        """Add the link ``current_link`` to the current block, even if the link has no text.

        Without a current link, nothing is added.
        """
        # Otherwise a link without text would be in no block.
        if self.current_link is not None:
            self._runs.append(Run("", self.current_link, False, self.strong_depth > 0, self.in_button))

    def add_line_break(self) -> None:
        """Add a line break: the text after it is a new block in the same paragraph.

        A second line break in a row ends the paragraph.
        """
        self._continues_paragraph = self._flush_block() or not self._continues_paragraph

    def begin_block(self, *, level: int = 0) -> None:
        """Begin a block of text: a heading if ``level`` is 1 to 6, another block if it is 0."""
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
        """Add a horizontal rule."""
        self.begin_block()
        self._blocks.append(Block("rule"))

    def _flush_block(self) -> bool:
        runs, self._runs = tuple(self._runs), []
        if not any(run.is_image or run.link_index is not None or not run.text.isspace() for run in runs):
            return False
        kind: BlockKind = "heading" if self._heading_level else "text"
        item_part: ListItemPart = self._list_items[-1] if self._list_items else ""
        flags = self._continues_paragraph, self.in_footer, self.in_hidden, item_part, self.in_navigation
        self._blocks.append(Block(kind, runs, self._heading_level, *flags))
        if item_part == "first":
            self._list_items[-1] = "rest"
        return True

    def build(self, *, format: Format) -> Document:
        """Return the parsed issue with everything that was added."""
        self._flush_block()
        parts = tuple(self._links), tuple(self._untouched), tuple(self._blocks)
        return Document(self._source, format, *parts, self.title, warnings=tuple(self._warnings))
