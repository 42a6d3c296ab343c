"""Reads Markdown into an outline, by the events of pyromark and their byte ranges.

CommonMark with tables, footnotes, strikethrough and task lists; bare URLs as on GitHub; HTML by ``html``.
Where pyromark tells the range of a whole link, the destination inside is found here, and taken only if it
reads exactly as pyromark says it does: a place that is not certain is left alone.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyromark
from msgspec import Struct

from shortener.newsletter import autolinks, escaping, frontmatter
from shortener.newsletter.builder import DocumentBuilder
from shortener.newsletter.document import Document, UrlSyntax
from shortener.newsletter.html_reader import HtmlFragment, HtmlReader

PYROMARK_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_GFM
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
)
_EMPHASIS_KINDS = frozenset(("Emphasis", "Strong", "Strikethrough"))
_REFERENCE_KINDS = frozenset(("Reference", "Collapsed", "Shortcut"))
_LINE_PREFIX = re.compile(rb"[ \t\x0b\x0c]*(?:(?:\r\n?|\n)[ \t>\x0b\x0c]*)?")
_ANGLE_DESTINATION = re.compile(rb"<((?:[^<>\\\r\n]|\\.|\\)*)>", re.S)
_PLAIN_DESTINATION = re.compile(rb"[^\x00-\x20]+")
_LABEL_END = re.compile(rb"(?:[^\\\]]|\\.)*\]:", re.S)


class _Definition(Struct):
    """A reference definition, and the index of its link once it is used."""

    destination: str
    start: int
    end: int
    resolved: bool = False
    link_index: int | None = None


def _normalize_label(text: str) -> str:
    """A reference label as CommonMark compares labels (section 4.7)."""
    return " ".join(text.split()).casefold()


def _source_fragment(text: str, source: bytes, *, start: int, end: int) -> HtmlFragment:
    """HTML of an event as a fragment: line by line, where pyromark took prefixes (of quotes) out of it."""
    written = text.encode()
    if source[start:end] == written:
        return HtmlFragment(written, ((0, start),))
    pieces, at, cursor = [], 0, start
    for line in written.splitlines(keepends=True):
        found = source.find(line.rstrip(b"\r\n"), cursor, end)
        pieces.append((at, found))
        at, cursor = at + len(line), max(cursor, found)
    return HtmlFragment(written, tuple(pieces) or ((0, -1),))


def _join_fragments(fragments: Sequence[HtmlFragment]) -> HtmlFragment:
    pieces, at = [], 0
    for fragment in fragments:
        pieces += [(at + offset, source) for offset, source in fragment.offset_map]
        at += len(fragment.text)
    return HtmlFragment(b"".join(fragment.text for fragment in fragments), tuple(pieces))


def _parse_tag(value: Any) -> tuple[str, Any]:
    return (value, None) if isinstance(value, str) else next(iter(value.items()))


class _Event(NamedTuple):
    """An event of pyromark: what it is, what it holds, and its bytes."""

    kind: str
    value: Any
    start: int
    end: int


class _TextPiece(NamedTuple):
    """A stretch of text as it reads, its bytes, and the end of the emphasis that it is in."""

    text: str
    start: int
    end: int
    emphasis_end: int
    strong_depth: int


class _BareUrl(NamedTuple):
    """A bare URL: its bytes, and the index of its link."""

    start: int
    end: int
    link_index: int


class _Destination(NamedTuple):
    """Where a destination stands, and how it is written."""

    start: int
    end: int
    syntax: UrlSyntax


def _find_destination(source: bytes, expected_url: str, *, start: int, end: int) -> _Destination | None:
    """Find the destination that begins behind white space at ``start``, and hold it against ``dest``."""
    gap = _LINE_PREFIX.match(source, start, end)
    start = gap.end() if gap else start
    angle = _ANGLE_DESTINATION.match(source, start, end)
    plain = _PLAIN_DESTINATION.match(source, start, end)
    match, encoded, group = (angle, "angle", 1) if angle else (plain, "destination", 0)
    if match is None or escaping.unescape_markdown(match[group].decode()) != expected_url:
        return None
    return _Destination(
        match.start(group), match.end(group), "angle" if encoded == "angle" else "destination"
    )


class _MarkdownReader:
    """Walks the events of one body and tells the outline."""

    def __init__(self, builder: DocumentBuilder, source: bytes, *, body_start: int) -> None:
        self._builder = builder
        self._source = source
        self._body_start = body_start
        self._html_reader = HtmlReader(builder)
        self._html_fragments: list[HtmlFragment] = []
        self._text_pieces: list[_TextPiece] = []
        self._emphasis_ends: list[int] = []
        self._alt_parts: list[str] | None = None
        self._image_source = ""
        self._image_depth = 0
        self._in_code_block = False
        self._in_link = False
        body = source[body_start:].decode()
        self._definitions = self._find_definitions(body)
        events = pyromark.events_with_range(body, options=PYROMARK_OPTIONS)
        self._events = iter(self._iter_events(events))

    def _iter_events(self, events: Iterable[tuple[Any, Any]]) -> Iterator[_Event]:
        for event, span in events:
            self._builder.count_markup()
            kind, value = (event, None) if isinstance(event, str) else next(iter(event.items()))
            yield _Event(kind, value, span["start"] + self._body_start, span["end"] + self._body_start)

    def _find_definitions(self, body: str) -> dict[str, _Definition]:
        found = {}
        for label, definition in pyromark.reference_definitions(body, options=PYROMARK_OPTIONS).items():
            start, end = (definition["span"][side] + self._body_start for side in ("start", "end"))
            found[_normalize_label(label)] = _Definition(definition["dest"], start, end)
        return found

    def read(self) -> None:
        """Read everything. Raises Unreadable at one link or mark too many."""
        for event in self._events:
            self._handle_event(event)
        self._flush_text()
        for definition in self._definitions.values():
            if not definition.resolved:
                place = definition.start, definition.end
                self._add_untouched(definition.destination, *place, "nothing refers to this definition")

    def _add_untouched(self, url: str, start: int, end: int, reason: str) -> int | None:
        """Take down a link that is left alone; it has no index."""
        self._builder.add_untouched(url, start=start, end=end, reason=reason)
        return None

    def _handle_event(self, event: _Event) -> None:
        match event.kind:
            case "Text":
                self._handle_text(event)
            case "Start":
                self._handle_start(event)
            case "End":
                self._handle_end(event)
            case "SoftBreak":
                self._add_plain_text(" ")
            case "HardBreak":
                self._flush_text()
                self._builder.add_line_break()
            case "Code" | "InlineMath" | "DisplayMath":
                self._add_plain_text(event.value)
            case "Rule":
                self._flush_text()
                self._builder.add_rule()
                self._builder.begin_block()
            case "Html" | "InlineHtml":
                self._handle_html(event)
            case _:
                self._flush_text()

    def _handle_text(self, event: _Event) -> None:
        if self._alt_parts is not None:
            self._alt_parts.append(event.value)
        elif not self._in_code_block and not self._html_reader.in_raw_text:
            limit = self._emphasis_ends[-1] if self._emphasis_ends else len(self._source)
            self._text_pieces.append(
                _TextPiece(event.value, event.start, event.end, limit, self._builder.strong_depth)
            )

    def _add_plain_text(self, text: str) -> None:
        """Go on with text in which no bare URL can be."""
        if self._alt_parts is not None:
            self._alt_parts.append(text)
            return
        self._flush_text()
        if not self._html_reader.in_raw_text:
            self._builder.add_text(text)

    def _handle_html(self, event: _Event) -> None:
        if self._alt_parts is not None:
            return
        self._flush_text()
        fragment = _source_fragment(event.value, self._source, start=event.start, end=event.end)
        if event.kind == "Html":
            self._html_fragments.append(fragment)
        else:
            self._html_reader.feed(fragment)

    def _handle_start(self, event: _Event) -> None:
        name, data = _parse_tag(event.value)
        if name in _EMPHASIS_KINDS:
            self._emphasis_ends.append(event.end)
            self._builder.strong_depth += name == "Strong"
        elif name == "Image":
            self._flush_text()
            self._image_depth += 1
            if self._image_depth == 1:
                self._alt_parts, self._image_source = [], data["dest_url"]
        elif name == "Link":
            self._handle_link(event, data)
        else:
            self._flush_text()
            self._in_code_block = name == "CodeBlock"
            self._builder.begin_block(level=int(data["level"][1]) if name == "Heading" else 0)
            if name == "Item":
                self._builder.begin_item()

    def _handle_end(self, event: _Event) -> None:
        name, _ = _parse_tag(event.value)
        if name in _EMPHASIS_KINDS:
            self._emphasis_ends.pop()
            self._builder.strong_depth -= name == "Strong"
        elif name == "Image":
            self._image_depth -= 1
            if not self._image_depth:
                self._builder.add_image("".join(self._alt_parts or ()), src=self._image_source)
                self._alt_parts = None
        elif name != "Link":
            self._end_block()
            if name == "Item":
                self._builder.end_item()

    def _end_block(self) -> None:
        self._flush_text()
        if self._html_fragments:
            block, self._html_fragments = _join_fragments(self._html_fragments), []
            self._html_reader.feed(block)
        # Browsers would go on: but a script that is not closed in its block is a slip, or a word.
        self._html_reader.leave_raw_text()
        self._in_code_block = False
        self._builder.begin_block()

    def _handle_link(self, event: _Event, data: Any) -> None:
        """Read a whole link: its destination stands behind its content. In an image it is but words."""
        if self._alt_parts is not None:
            return
        self._flush_text()
        content = list(self._events_in_link())
        content_end: int = max((child.end for child in content), default=event.start + 1)
        around = self._builder.current_link, self._in_link
        self._builder.current_link, self._in_link = self._add_link(event, data, content_end), True
        self._builder.add_anchor()
        for child in content:
            self._handle_event(child)
        self._flush_text()
        self._builder.current_link, self._in_link = around

    def _events_in_link(self) -> Iterator[_Event]:
        depth = 1
        for event in self._events:
            if event.kind == "Start" and isinstance(event.value, dict) and "Link" in event.value:
                depth += 1
            elif event.kind == "End" and event.value == "Link":
                depth -= 1
                if not depth:
                    return
            yield event

    def _add_link(self, event: _Event, data: Any, content_end: int) -> int | None:
        kind, dest = data["link_type"], data["dest_url"]
        if kind in _REFERENCE_KINDS:
            return self._add_reference_link(event, data)
        if kind == "Email":
            return self._add_untouched("mailto:" + dest, event.start, event.end, "it is a mailto: link")
        if kind == "Autolink":
            url, start, end = escaping.unescape_autolink(dest), event.start + 1, event.end - 1
            return self._builder.add_link(url, start=start, end=end, syntax="autolink")
        opening = self._source.find(b"](", content_end, event.end)
        place = (
            _find_destination(self._source, dest, start=opening + 2, end=event.end - 1)
            if opening >= 0
            else None
        )
        return self._add_destination(dest, place, event.start, event.end)

    def _add_destination(
        self, url: str, destination: _Destination | None, start: int, end: int
    ) -> int | None:
        if destination is None:
            return self._add_untouched(url, start, end, "its place in the source is unclear")
        return self._builder.add_link(
            url, start=destination.start, end=destination.end, syntax=destination.syntax
        )

    def _add_reference_link(self, event: _Event, data: Any) -> int | None:
        """The link of a definition: one however often it is referred to."""
        definition = self._definitions.get(_normalize_label(data["id"]))
        if definition is None or definition.destination != data["dest_url"]:
            return self._add_untouched(data["dest_url"], event.start, event.end, "its definition is unclear")
        if not definition.resolved:
            start, end = definition.start, definition.end
            label = _LABEL_END.match(self._source, start + 1, end)
            place = (
                _find_destination(self._source, definition.destination, start=label.end(), end=end)
                if label
                else None
            )
            definition.resolved, definition.link_index = (
                True,
                self._add_destination(definition.destination, place, start, end),
            )
        return definition.link_index

    def _flush_text(self) -> None:
        """Hand on the text since the last other thing, and the bare URLs in it."""
        words, self._text_pieces = self._text_pieces, []
        strong = self._builder.strong_depth
        links = [] if self._in_link or self._html_reader.in_link_or_raw_text else self._find_bare_urls(words)
        upcoming = iter(links)
        link = next(upcoming, None)
        for piece in words:
            self._builder.strong_depth = piece.strong_depth
            at = piece.start
            while link is not None and link.start < piece.end:
                self._add_text_part(piece, at, max(at, link.start))
                self._builder.current_link = link.link_index
                self._add_text_part(piece, max(at, link.start), min(piece.end, link.end))
                self._builder.current_link = None
                at = min(piece.end, link.end)
                if link.end > piece.end:
                    break
                link = next(upcoming, None)
            self._add_text_part(piece, at, piece.end)
        self._builder.strong_depth = strong

    def _add_text_part(self, piece: _TextPiece, start: int, end: int) -> None:
        """Hand on a part of a piece; one that is written otherwise (an entity) is handed on whole."""
        if end - start == piece.end - piece.start:
            self._builder.add_text(piece.text)
        elif end > start:
            self._builder.add_text(self._source[start:end].decode())

    def _find_bare_urls(self, pieces: Sequence[_TextPiece]) -> list[_BareUrl]:
        found: list[_BareUrl] = []
        piece, at, stop = 0, pieces[0].start if pieces else 0, pieces[-1].end if pieces else 0
        while span := autolinks.find_bare_url(self._source, start=at, stop=stop):
            start, longest = span
            while pieces[piece].end <= start:
                piece += 1
            # Emphasis that began before the URL ends it: **https://example.org**
            url = autolinks.trim_bare_url(self._source[start : min(longest, pieces[piece].emphasis_end)])
            at = start + max(len(url.encode()), len("https://"))
            if not url:
                continue
            # A merge tag behind the URL, even glued to punctuation that is cut off, belongs to it.
            decoded, reach = escaping.unescape_markdown(url), longest + 1
            link = self._builder.add_link(decoded, start=start, end=at, syntax="bare", merge_tag_reach=reach)
            if link is not None:
                found.append(_BareUrl(start, at, link))
        return found


def parse_markdown(source: bytes, *, start: int) -> Document:
    """Parse Markdown that begins at byte ``start``. Raises Unreadable at one link or mark too many."""
    outline = DocumentBuilder(source)
    body, outline.title = frontmatter.skip_front_matter(source, start=start)
    _MarkdownReader(outline, source, body_start=body).read()
    return outline.build(format="markdown")
