"""Reader of Markdown: CommonMark with tables, footnotes, strikethrough, task lists, bare URLs and HTML."""

# The parser pyromark reports the byte range of a whole link. The URL is then searched for inside that range. The link
# stays unchanged unless exactly the URL that pyromark reports is found there.
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyromark
from msgspec import Struct

from shortener.messages import Message
from shortener.newsletter import autolinks, escaping, frontmatter, template_tags
from shortener.newsletter.builder import DocumentBuilder
from shortener.newsletter.document import Document
from shortener.newsletter.html_reader import HtmlFragment, HtmlReader
from shortener.newsletter.markdown_destinations import Destination, find_destination, normalize_label
from shortener.newsletter.markdown_html import join_fragments, source_fragment

PYROMARK_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_GFM
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
)
"""Syntax extensions that pyromark parses."""

_EMPHASIS_KINDS = frozenset(("Emphasis", "Strong", "Strikethrough"))
_REFERENCE_KINDS = frozenset(("Reference", "Collapsed", "Shortcut"))
_URL_LINE = re.compile(rb"<?https?://[^\s<>]+>?[ \t\r]*", re.I)
_URL_IN_TEMPLATE_TAG = re.compile(rb"https?://[^\s'\"<>%}]+", re.I)
_MAX_URL_LINE = 2_000  # bytes
_LABEL_END = re.compile(rb"(?:[^\\\]]|\\.)*\]:", re.S)


class _Definition(Struct):
    """The definition of a reference link with its byte range. ``link_index`` is set when the definition is
    first used.
    """

    destination: str
    start: int
    end: int
    resolved: bool = False
    link_index: int | None = None


def _split_variant(value: Any) -> tuple[str, Any]:
    # The parser pyromark reports a name without data as a text, and a name with data as {name: data}.
    return (value, None) if isinstance(value, str) else next(iter(value.items()))


class _Event(NamedTuple):
    """An event of the parser pyromark, such as the start of a link: its kind, its data and its byte range."""

    kind: str
    value: Any
    start: int
    end: int


class _TextPiece(NamedTuple):
    """A piece of unescaped text with its byte range, and where the innermost emphasis around it ends."""

    text: str
    start: int
    end: int
    emphasis_end: int
    strong_depth: int


class _BareUrl(NamedTuple):
    """A bare URL in the source: its byte range, and the index of its link."""

    start: int
    end: int
    link_index: int


def _link_start(link: _BareUrl) -> int:
    return link.start


class _MarkdownReader:
    """Reader that adds the content of Markdown to a document."""

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
            kind, value = _split_variant(event)
            yield _Event(kind, value, span["start"] + self._body_start, span["end"] + self._body_start)

    def _find_definitions(self, body: str) -> dict[str, _Definition]:
        definitions = {}
        for label, definition in pyromark.reference_definitions(body, options=PYROMARK_OPTIONS).items():
            start, end = (definition["span"][side] + self._body_start for side in ("start", "end"))
            definitions[normalize_label(label)] = _Definition(definition["dest"], start, end)
        return definitions

    def read(self) -> None:
        """Read the whole document. Raises UnreadableDocument if it has too many links or marks."""
        for event in self._events:
            self._handle_event(event)
        self._flush_text()
        for unused in (definition for definition in self._definitions.values() if not definition.resolved):
            self._add_untouched(unused.destination, unused.start, unused.end, Message("the definition is not used"))

    def _add_untouched(self, url: str, start: int, end: int, reason: Message) -> int | None:
        self._builder.add_untouched(url, start=start, end=end, reason=reason)
        return None  # such a link has no index

    def _handle_event(self, event: _Event) -> None:
        match event.kind:
            case "Text":
                self._handle_text(event)
            case "Start":
                self._handle_start(event)
            case "End":
                self._handle_end(event)
            case "SoftBreak" if self._is_beside_url_line(event):
                self._flush_text()
                self._builder.add_line_break()
            case "SoftBreak":
                self._add_text_without_links(" ")
            case "HardBreak":
                self._flush_text()
                self._builder.add_line_break()
            case "Code" | "InlineMath" | "DisplayMath":
                self._add_text_without_links(event.value)
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
            self._text_pieces.append(_TextPiece(event.value, event.start, event.end, limit, self._builder.strong_depth))

    def _is_beside_url_line(self, event: _Event) -> bool:
        if self._alt_parts is not None or self._in_link:
            return False
        before = self._source[max(0, event.start - _MAX_URL_LINE) : event.start].rpartition(b"\n")[2]
        after = self._source[event.end : event.end + _MAX_URL_LINE].lstrip(b"> \t").partition(b"\n")[0]
        return bool(_URL_LINE.fullmatch(before.lstrip(b"> \t")) or _URL_LINE.fullmatch(after))

    def _add_text_without_links(self, text: str) -> None:
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
        fragment = source_fragment(event.value, self._source, start=event.start, end=event.end)
        if event.kind == "Html":
            self._html_fragments.append(fragment)
        else:
            self._html_reader.feed(fragment)

    def _handle_start(self, event: _Event) -> None:
        name, data = _split_variant(event.value)
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
        name, _ = _split_variant(event.value)
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
            block, self._html_fragments = join_fragments(self._html_fragments), []
            self._html_reader.feed(block)
        # A browser would read on, but an open script at the end of a block is a mistake, or a word in prose.
        self._html_reader.leave_raw_text()
        self._in_code_block = False
        self._builder.begin_block()

    def _handle_link(self, event: _Event, data: Any) -> None:
        # A link inside an image is read as plain text.
        if self._alt_parts is not None:
            return
        self._flush_text()
        # The URL of an inline link is behind the content, so the content is collected first.
        content = list(self._events_in_link())
        content_end: int = max((child.end for child in content), default=event.start + 1)
        outer_state = self._builder.current_link, self._in_link
        self._builder.current_link, self._in_link = self._add_link(event, data, content_end), True
        self._builder.add_anchor()
        for child in content:
            self._handle_event(child)
        self._flush_text()
        self._builder.current_link, self._in_link = outer_state

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
        kind, url = data["link_type"], data["dest_url"]
        if kind in _REFERENCE_KINDS:
            return self._add_reference_link(event, data)
        if kind == "Email":
            return self._add_untouched(
                "mailto:" + url, event.start, event.end, Message("it is a {name}: link", name="mailto")
            )
        if kind == "Autolink":
            start, end = event.start + 1, event.end - 1
            return self._builder.add_link(escaping.unescape_autolink(url), start=start, end=end, syntax="autolink")
        destination = None
        if (opening := self._source.find(b"](", content_end, event.end)) >= 0:
            destination = find_destination(self._source, url, start=opening + 2, end=event.end - 1)
        return self._add_destination(url, destination, event.start, event.end)

    def _add_destination(self, url: str, destination: Destination | None, start: int, end: int) -> int | None:
        if destination is None:
            return self._add_untouched(url, start, end, Message("its position in the source is ambiguous"))
        return self._builder.add_link(url, start=destination.start, end=destination.end, syntax=destination.syntax)

    def _add_reference_link(self, event: _Event, data: Any) -> int | None:
        definition = self._definitions.get(normalize_label(data["id"]))
        if definition is None or definition.destination != data["dest_url"]:
            return self._add_untouched(data["dest_url"], event.start, event.end, Message("its definition is ambiguous"))
        # All uses of a definition are one link, added to the document at the first use.
        if not definition.resolved:
            start, end = definition.start, definition.end
            label = _LABEL_END.match(self._source, start + 1, end)
            url = definition.destination
            destination = find_destination(self._source, url, start=label.end(), end=end) if label else None
            definition.resolved = True
            definition.link_index = self._add_destination(url, destination, start, end)
        return definition.link_index

    def _flush_text(self) -> None:
        pieces, self._text_pieces = self._text_pieces, []
        strong = self._builder.strong_depth
        links = [] if self._in_link or self._html_reader.in_link_or_raw_text else self._find_bare_urls(pieces)
        if pieces and not self._in_link and not self._html_reader.in_link_or_raw_text:
            self._add_urls_without_scheme(pieces, links)
        upcoming = iter(links)
        link = next(upcoming, None)
        for piece in pieces:
            self._builder.strong_depth = piece.strong_depth
            offset = piece.start
            while link is not None and link.start < piece.end:
                self._add_text_part(piece, offset, max(offset, link.start))
                self._builder.current_link = link.link_index
                self._add_text_part(piece, max(offset, link.start), min(piece.end, link.end))
                self._builder.current_link = None
                offset = min(piece.end, link.end)
                if link.end > piece.end:
                    break
                link = next(upcoming, None)
            self._add_text_part(piece, offset, piece.end)
        self._builder.strong_depth = strong

    def _add_text_part(self, piece: _TextPiece, start: int, end: int) -> None:
        # A piece with an entity or a backslash escape can only be added whole.
        if end - start == piece.end - piece.start:
            self._builder.add_text(piece.text)
        elif end > start:
            self._builder.add_text(self._source[start:end].decode())

    def _add_urls_without_scheme(self, pieces: Sequence[_TextPiece], links: Sequence[_BareUrl]) -> None:
        for url, start, end in autolinks.find_www(self._source, start=pieces[0].start, stop=pieces[-1].end):
            before = bisect_right(links, start, key=_link_start) - 1
            if before < 0 or links[before].end <= start:
                self._add_untouched(
                    url, start, end, Message("it has no https://, so only some programs make it a link")
                )

    def _find_bare_urls(self, pieces: Sequence[_TextPiece]) -> list[_BareUrl]:
        bare_urls: list[_BareUrl] = []
        index, end, stop = 0, pieces[0].start if pieces else 0, pieces[-1].end if pieces else 0
        while span := autolinks.find_bare_url(self._source, start=end, stop=stop):
            start, max_end = span
            while pieces[index].end <= start:
                index += 1
            # A URL ends where the emphasis around it ends: **https://example.org**
            url = autolinks.trim_bare_url(self._source[start : min(max_end, pieces[index].emphasis_end)])
            end = start + max(len(url.encode()), len("https://"))
            if not url:
                continue
            # A merge tag right behind the URL belongs to it, even after punctuation that is trimmed.
            decoded, reach = escaping.unescape_markdown(url), max_end + 1
            link = self._builder.add_link(decoded, start=start, end=end, syntax="bare", merge_tag_reach=reach)
            if link is not None:
                bare_urls.append(_BareUrl(start, end, link))
        return bare_urls


def parse_markdown(
    source: bytes,
    *,
    start: int,
    take_over_tracking: bool = False,  # whether links tracked by the software listmonk can be replaced
) -> Document:
    """Parse Markdown from byte ``start`` of ``source``. Raises UnreadableDocument for too many links or marks."""
    builder = DocumentBuilder(source, take_over_tracking=take_over_tracking)
    body_start, builder.title = frontmatter.skip_front_matter(source, start=start)
    text, template_lines = template_tags.mask_template_lines(template_tags.mask_track_actions(source))
    _MarkdownReader(builder, text, body_start=body_start).read()
    for line_start, line_end in template_lines:
        for match in _URL_IN_TEMPLATE_TAG.finditer(source, line_start, line_end):
            builder.add_untouched(
                match[0].decode(), start=match.start(), end=match.end(), reason=Message("it is inside a template tag")
            )
    return builder.build(format="markdown")
