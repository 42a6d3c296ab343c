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
from shortener.newsletter.builder import Outline
from shortener.newsletter.document import Document, Encoding
from shortener.newsletter.html_reader import Fragment, Reader

OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_GFM
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
)
_MARKS = frozenset(("Emphasis", "Strong", "Strikethrough"))
_REFERENCES = frozenset(("Reference", "Collapsed", "Shortcut"))
_PREFIX = re.compile(rb"[ \t\x0b\x0c]*(?:(?:\r\n?|\n)[ \t>\x0b\x0c]*)?")
_ANGLE = re.compile(rb"<((?:[^<>\\\r\n]|\\.|\\)*)>", re.S)
_PLAIN = re.compile(rb"[^\x00-\x20]+")
_LABEL_END = re.compile(rb"(?:[^\\\]]|\\.)*\]:", re.S)


class _Definition(Struct):
    """A reference definition, and the index of its link once it is used."""

    dest: str
    start: int
    end: int
    placed: bool = False
    link: int | None = None


def _label(text: str) -> str:
    """A reference label as CommonMark compares labels (section 4.7)."""
    return " ".join(text.split()).casefold()


def _fragment(text: str, source: bytes, *, start: int, end: int) -> Fragment:
    """HTML of an event as a fragment: line by line, where pyromark took prefixes (of quotes) out of it."""
    written = text.encode()
    if source[start:end] == written:
        return Fragment(written, ((0, start),))
    pieces, at, cursor = [], 0, start
    for line in written.splitlines(keepends=True):
        found = source.find(line.rstrip(b"\r\n"), cursor, end)
        pieces.append((at, found))
        at, cursor = at + len(line), max(cursor, found)
    return Fragment(written, tuple(pieces) or ((0, -1),))


def _join(fragments: Sequence[Fragment]) -> Fragment:
    pieces, at = [], 0
    for fragment in fragments:
        pieces += [(at + offset, source) for offset, source in fragment.pieces]
        at += len(fragment.text)
    return Fragment(b"".join(fragment.text for fragment in fragments), tuple(pieces))


def _tag(value: Any) -> tuple[str, Any]:
    return (value, None) if isinstance(value, str) else next(iter(value.items()))


class _Event(NamedTuple):
    """An event of pyromark: what it is, what it holds, and its bytes."""

    kind: str
    value: Any
    start: int
    end: int


class _Words(NamedTuple):
    """A stretch of text as it reads, its bytes, and the end of the emphasis that it is in."""

    text: str
    start: int
    end: int
    limit: int
    strong: int


class _Bare(NamedTuple):
    """A bare URL: its bytes, and the index of its link."""

    start: int
    end: int
    link: int


class _Place(NamedTuple):
    """Where a destination stands, and how it is written."""

    start: int
    end: int
    encoding: Encoding


def _destination(source: bytes, dest: str, *, start: int, end: int) -> _Place | None:
    """Find the destination that begins behind white space at ``start``, and hold it against ``dest``."""
    gap = _PREFIX.match(source, start, end)
    start = gap.end() if gap else start
    angle = _ANGLE.match(source, start, end)
    plain = _PLAIN.match(source, start, end)
    match, encoded, group = (angle, "angle", 1) if angle else (plain, "destination", 0)
    if match is None or escaping.from_markdown(match[group].decode()) != dest:
        return None
    return _Place(match.start(group), match.end(group), "angle" if encoded == "angle" else "destination")


class _Reader:
    """Walks the events of one body and tells the outline."""

    def __init__(self, outline: Outline, source: bytes, *, base: int) -> None:
        self._outline = outline
        self._source = source
        self._base = base
        self._html = Reader(outline)
        self._html_block: list[Fragment] = []
        self._words: list[_Words] = []
        self._marks: list[int] = []
        self._alternative: list[str] | None = None
        self._picture = ""
        self._images = 0
        self._code = False
        self._in_link = False
        body = source[base:].decode()
        self._definitions = self._find_definitions(body)
        events = pyromark.events_with_range(body, options=OPTIONS)
        self._events = iter(self._counted(events))

    def _counted(self, events: Iterable[tuple[Any, Any]]) -> Iterator[_Event]:
        for event, span in events:
            self._outline.count()
            kind, value = (event, None) if isinstance(event, str) else next(iter(event.items()))
            yield _Event(kind, value, span["start"] + self._base, span["end"] + self._base)

    def _find_definitions(self, body: str) -> dict[str, _Definition]:
        found = {}
        for label, definition in pyromark.reference_definitions(body, options=OPTIONS).items():
            start, end = (definition["span"][side] + self._base for side in ("start", "end"))
            found[_label(label)] = _Definition(definition["dest"], start, end)
        return found

    def read(self) -> None:
        """Read everything. Raises Unreadable at one link or mark too many."""
        for event in self._events:
            self._take(event)
        self._end_words()
        for definition in self._definitions.values():
            if not definition.placed:
                place = definition.start, definition.end
                self._leave(definition.dest, *place, "nothing refers to this definition")

    def _leave(self, url: str, start: int, end: int, reason: str) -> int | None:
        """Take down a link that is left alone; it has no index."""
        self._outline.leave(url, start=start, end=end, reason=reason)
        return None

    def _take(self, event: _Event) -> None:
        match event.kind:
            case "Text":
                self._text(event)
            case "Start":
                self._start(event)
            case "End":
                self._end(event)
            case "SoftBreak":
                self._plain(" ")
            case "HardBreak":
                self._end_words()
                self._outline.break_line()
            case "Code" | "InlineMath" | "DisplayMath":
                self._plain(event.value)
            case "Rule":
                self._end_words()
                self._outline.rule()
                self._outline.begin()
            case "Html" | "InlineHtml":
                self._tag(event)
            case _:
                self._end_words()

    def _text(self, event: _Event) -> None:
        if self._alternative is not None:
            self._alternative.append(event.value)
        elif not self._code and not self._html.raw:
            limit = self._marks[-1] if self._marks else len(self._source)
            self._words.append(_Words(event.value, event.start, event.end, limit, self._outline.strong))

    def _plain(self, text: str) -> None:
        """Go on with text in which no bare URL can be."""
        if self._alternative is not None:
            self._alternative.append(text)
            return
        self._end_words()
        if not self._html.raw:
            self._outline.text(text)

    def _tag(self, event: _Event) -> None:
        if self._alternative is not None:
            return
        self._end_words()
        fragment = _fragment(event.value, self._source, start=event.start, end=event.end)
        if event.kind == "Html":
            self._html_block.append(fragment)
        else:
            self._html.feed(fragment)

    def _start(self, event: _Event) -> None:
        name, data = _tag(event.value)
        if name in _MARKS:
            self._marks.append(event.end)
            self._outline.strong += name == "Strong"
        elif name == "Image":
            self._end_words()
            self._images += 1
            if self._images == 1:
                self._alternative, self._picture = [], data["dest_url"]
        elif name == "Link":
            self._link(event, data)
        else:
            self._end_words()
            self._code = name == "CodeBlock"
            self._outline.begin(level=int(data["level"][1]) if name == "Heading" else 0)
            if name == "Item":
                self._outline.begin_item()

    def _end(self, event: _Event) -> None:
        name, _ = _tag(event.value)
        if name in _MARKS:
            self._marks.pop()
            self._outline.strong -= name == "Strong"
        elif name == "Image":
            self._images -= 1
            if not self._images:
                self._outline.image("".join(self._alternative or ()), source=self._picture)
                self._alternative = None
        elif name != "Link":
            self._end_block()
            if name == "Item":
                self._outline.end_item()

    def _end_block(self) -> None:
        self._end_words()
        if self._html_block:
            block, self._html_block = _join(self._html_block), []
            self._html.feed(block)
        # Browsers would go on: but a script that is not closed in its block is a slip, or a word.
        self._html.settle()
        self._code = False
        self._outline.begin()

    def _link(self, event: _Event, data: Any) -> None:
        """Read a whole link: its destination stands behind its content. In an image it is but words."""
        if self._alternative is not None:
            return
        self._end_words()
        content = list(self._until_link_ends())
        content_end: int = max((child.end for child in content), default=event.start + 1)
        around = self._outline.link, self._in_link
        self._outline.link, self._in_link = self._place(event, data, content_end), True
        self._outline.anchor()
        for child in content:
            self._take(child)
        self._end_words()
        self._outline.link, self._in_link = around

    def _until_link_ends(self) -> Iterator[_Event]:
        depth = 1
        for event in self._events:
            if event.kind == "Start" and isinstance(event.value, dict) and "Link" in event.value:
                depth += 1
            elif event.kind == "End" and event.value == "Link":
                depth -= 1
                if not depth:
                    return
            yield event

    def _place(self, event: _Event, data: Any, content_end: int) -> int | None:
        kind, dest = data["link_type"], data["dest_url"]
        if kind in _REFERENCES:
            return self._reference(event, data)
        if kind == "Email":
            return self._leave("mailto:" + dest, event.start, event.end, "it is a mailto: link")
        if kind == "Autolink":
            url, start, end = escaping.from_autolink(dest), event.start + 1, event.end - 1
            return self._outline.place(url, start=start, end=end, encoding="autolink")
        opening = self._source.find(b"](", content_end, event.end)
        place = (
            _destination(self._source, dest, start=opening + 2, end=event.end - 1) if opening >= 0 else None
        )
        return self._settle(dest, place, event.start, event.end)

    def _settle(self, dest: str, place: _Place | None, start: int, end: int) -> int | None:
        if place is None:
            return self._leave(dest, start, end, "its place in the source is unclear")
        return self._outline.place(dest, start=place.start, end=place.end, encoding=place.encoding)

    def _reference(self, event: _Event, data: Any) -> int | None:
        """The link of a definition: one however often it is referred to."""
        definition = self._definitions.get(_label(data["id"]))
        if definition is None or definition.dest != data["dest_url"]:
            return self._leave(data["dest_url"], event.start, event.end, "its definition is unclear")
        if not definition.placed:
            start, end = definition.start, definition.end
            label = _LABEL_END.match(self._source, start + 1, end)
            place = _destination(self._source, definition.dest, start=label.end(), end=end) if label else None
            definition.placed, definition.link = True, self._settle(definition.dest, place, start, end)
        return definition.link

    def _end_words(self) -> None:
        """Hand on the text since the last other thing, and the bare URLs in it."""
        words, self._words = self._words, []
        strong = self._outline.strong
        links = [] if self._in_link or self._html.quiet else self._bare_urls(words)
        upcoming = iter(links)
        link = next(upcoming, None)
        for piece in words:
            self._outline.strong = piece.strong
            at = piece.start
            while link is not None and link.start < piece.end:
                self._say(piece, at, max(at, link.start))
                self._outline.link = link.link
                self._say(piece, max(at, link.start), min(piece.end, link.end))
                self._outline.link = None
                at = min(piece.end, link.end)
                if link.end > piece.end:
                    break
                link = next(upcoming, None)
            self._say(piece, at, piece.end)
        self._outline.strong = strong

    def _say(self, piece: _Words, start: int, end: int) -> None:
        """Hand on a part of a piece; one that is written otherwise (an entity) is handed on whole."""
        if end - start == piece.end - piece.start:
            self._outline.text(piece.text)
        elif end > start:
            self._outline.text(self._source[start:end].decode())

    def _bare_urls(self, words: Sequence[_Words]) -> list[_Bare]:
        found: list[_Bare] = []
        piece, at, stop = 0, words[0].start if words else 0, words[-1].end if words else 0
        while span := autolinks.find(self._source, start=at, stop=stop):
            start, longest = span
            while words[piece].end <= start:
                piece += 1
            # Emphasis that began before the URL ends it: **https://example.org**
            url = autolinks.trim(self._source[start : min(longest, words[piece].limit)])
            at = start + max(len(url.encode()), len("https://"))
            if not url:
                continue
            # A merge tag behind the URL, even glued to punctuation that is cut off, belongs to it.
            decoded, reach = escaping.from_markdown(url), longest + 1
            link = self._outline.place(decoded, start=start, end=at, encoding="bare", reach=reach)
            if link is not None:
                found.append(_Bare(start, at, link))
        return found


def parse(source: bytes, *, start: int) -> Document:
    """Parse Markdown that begins at byte ``start``. Raises Unreadable at one link or mark too many."""
    outline = Outline(source)
    body, outline.name = frontmatter.skip(source, start=start)
    _Reader(outline, source, base=body).read()
    return outline.document(format="markdown")
