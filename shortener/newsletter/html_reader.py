"""Reads HTML into an outline: whole issues, and the HTML that stands inside Markdown.

Links are the ``href`` of ``a`` and ``area`` that a reader can follow, and in conditional comments for Outlook
those of ``a`` and of VML shapes. Images, forms, ``link``, ``base``, ``meta`` and ``srcset`` are none.
"""

import re
from bisect import bisect_right
from html import unescape

from msgspec import Struct

from shortener.newsletter import escaping
from shortener.newsletter.builder import Outline
from shortener.newsletter.document import Document
from shortener.newsletter.html_tokenizer import RAW, Attribute, Token, tokens

_HEADINGS = {f"h{level}".encode(): level for level in range(1, 7)}
_BLOCKS = frozenset(
    b"address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    b"figure footer form header html legend li main menu nav ol option p pre section summary table tbody td "
    b"tfoot th thead tr ul".split()
)
_VOID = frozenset(b"area base br col embed hr img input link meta param source track wbr".split())
_PICTURE = frozenset((b"alt", b"src"))
_LOOKS = frozenset((b"style", b"class", b"id", b"role"))
_CONDITION = re.compile(rb"\[if([^\]]*)\]>", re.I)
_CONDITION_END = re.compile(rb"<!\[endif\]\s*\Z", re.I)
_SPACE = " \t\n\f\r"
_URL_GAP = re.compile(r"[\t\n\r]")
_BUTTON = re.compile(r"(?:^|[\s_-])(?i:btn|button|cta)|[a-z](?:Btn|Button)")
_FOOTER = re.compile(r"(?:^|[\s_-])footer|footer(?:$|[\s_-])", re.I)
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden", re.I)
_STRONG = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)|font-size\s*:\s*(?:2\d|[3-9]\d)(?:\.\d+)?px", re.I)
_FILLED = re.compile(r"(?:background(?:-color)?|border)\s*:", re.I)
_PADDED = re.compile(r"(?:padding|border-radius|line-height)[\w-]*\s*:", re.I)


class Fragment(Struct, frozen=True):
    """HTML text and where in the source it stands: ``pieces`` pair an offset in the text with one there.

    A piece at -1 is not in the source as it stands (a parser has taken line prefixes out of it).
    """

    text: bytes
    pieces: tuple[tuple[int, int], ...]

    def part(self, start: int, end: int) -> "Fragment":
        """The text from ``start`` to ``end`` as a fragment of its own."""
        pieces = tuple((at - start, source) for at, source in self.pieces)
        return Fragment(self.text[start:end], pieces)

    def locate(self, start: int, end: int) -> tuple[int, int] | None:
        """The range of the source in which the text from ``start`` to ``end`` stands, if it does."""
        piece = bisect_right(self.pieces, start, key=lambda pair: pair[0]) - 1
        at, source = self.pieces[piece]
        whole = piece + 1 == len(self.pieces) or self.pieces[piece + 1][0] >= end
        return (source + start - at, source + end - at) if whole and source >= 0 else None


class _Frame(Struct, frozen=True):
    """An open element, and what held before it."""

    name: bytes
    state: tuple[int, bool, bool, bool, int]


class Reader:
    """Follows HTML fragment by fragment and tells the outline; what is open stays open between fragments."""

    def __init__(self, outline: Outline, *, outlook: bool = False) -> None:
        self._outline = outline
        self._outlook = outlook
        self._frames: list[_Frame] = []
        self._open: dict[bytes, int] = {}
        self._raw = b""
        self._linked_by = b""
        self._level = 0
        self._fragment = Fragment(b"", ())

    @property
    def quiet(self) -> bool:
        """Text that comes now is no prose: it is inside a link or a script."""
        return bool(self._raw or self._linked_by)

    @property
    def raw(self) -> bool:
        """Text that comes now is inside a script, a style or the like."""
        return bool(self._raw)

    def settle(self) -> None:
        """Go on as if no script or the like were open."""
        self._raw = b""

    def feed(self, fragment: Fragment) -> None:
        """Read the next fragment. Raises Unreadable at one link too many."""
        self._fragment = fragment
        for token in tokens(fragment.text, raw=self._raw):
            self._outline.count()
            match token.kind:
                case "text":
                    self._outline.text(self._words(token))
                case "start":
                    self._start(token)
                case "end":
                    self._end(token.name)
                case "comment":
                    self._comment(token)
                case "raw" if token.name == b"title" and not self._open.get(b"svg"):
                    self._outline.name = self._outline.name or " ".join(self._words(token).split()) or None

    def _words(self, token: Token) -> str:
        return unescape(self._fragment.text[token.start : token.end].decode())

    def _value(self, attribute: Attribute) -> str:
        return escaping.from_attribute(self._fragment.text[attribute.start : attribute.end].decode())

    def _start(self, token: Token) -> None:
        name = token.name
        if name in RAW:
            self._raw = name
        elif name == b"br":
            self._outline.break_line()
        elif name == b"hr":
            self._outline.rule()
            self._outline.begin(level=self._level)
        elif name in (b"img", b"area"):
            self._image(token)
        elif name not in _VOID:
            self._element(token)

    def _image(self, token: Token) -> None:
        said = {each.name: self._value(each) for each in reversed(token.attributes) if each.name in _PICTURE}
        alternative = said.get(b"alt", "")
        if token.name == b"img":
            self._outline.image(alternative, source=said.get(b"src", ""))
            return
        around = self._outline.link
        self._outline.link = self._link(token)
        self._outline.image(alternative)
        self._outline.link = around

    def _element(self, token: Token) -> None:
        outline, name = self._outline, token.name
        state = outline.strong, outline.button, outline.footer, outline.hidden, self._level
        if name in _HEADINGS or name in _BLOCKS:
            self._level = _HEADINGS.get(name, self._level)
            outline.begin(level=self._level)
        if name == b"li":
            outline.begin_item()
        if token.attributes or name in (b"b", b"strong", b"footer", b"td", b"th"):
            self._note_looks(token)
        self._frames.append(_Frame(name, state))
        self._open[name] = self._open.get(name, 0) + 1
        if name == b"a" or (self._outlook and name.startswith(b"v:")):
            outline.link, self._linked_by = self._link(token), name
            outline.anchor()

    def _note_looks(self, token: Token) -> None:
        looks = {each.name: self._value(each) for each in reversed(token.attributes) if each.name in _LOOKS}
        style, names = looks.get(b"style", ""), f"{looks.get(b'class', '')} {looks.get(b'id', '')}"
        outline, name = self._outline, token.name
        if name in (b"b", b"strong") or _STRONG.search(style):
            outline.strong += 1
        outline.footer = outline.footer or name == b"footer" or bool(_FOOTER.search(names))
        outline.hidden = outline.hidden or bool(_HIDDEN.search(style))
        drawn = bool(_FILLED.search(style) and _PADDED.search(style))
        if name in (b"td", b"th"):
            outline.button = bool(_BUTTON.search(names)) or (drawn and "border-radius" in style)
        elif name == b"a":
            named = bool(_BUTTON.search(names)) or looks.get(b"role", "").lower() == "button"
            outline.button = outline.button or drawn or named

    def _end(self, name: bytes) -> None:
        self._raw = b"" if name == self._raw else self._raw
        if not self._open.get(name):
            return
        if name == self._linked_by:
            self._outline.link, self._linked_by = None, b""
        while self._frames:
            frame = self._frames.pop()
            self._open[frame.name] -= 1
            if frame.name in _HEADINGS or frame.name in _BLOCKS:
                self._outline.begin(level=frame.state[4])
            self._restore(frame.state)
            if frame.name == b"li":
                self._outline.end_item()
            if frame.name == name:
                return

    def _restore(self, state: tuple[int, bool, bool, bool, int]) -> None:
        outline = self._outline
        outline.strong, outline.button, outline.footer, outline.hidden, self._level = state

    def _link(self, token: Token) -> int | None:
        """Take down the link of a tag by its first ``href``: a browser ignores a second."""
        href = next((each for each in token.attributes if each.name == b"href"), None)
        if href is None:
            return None
        written = self._fragment.text[href.start : href.end].decode()
        start = href.start + len(written) - len(written.lstrip(_SPACE))
        url = _URL_GAP.sub("", escaping.from_attribute(written)).strip()
        place = self._fragment.locate(start, start + len(written.strip(_SPACE).encode()))
        if place is None:
            at = max(0, self._fragment.pieces[0][1])
            self._outline.leave(url, start=at, end=at, reason="its place in the source is unclear")
            return None
        return self._outline.place(url, start=place[0], end=place[1], encoding=href.quote)

    def _comment(self, token: Token) -> None:
        """Follow the links in a conditional comment for Outlook, which shows it to its readers.

        Buttons are drawn twice in HTML mail: as VML for Outlook on Windows, in such a comment, and as ``<a>``
        for all others. Left alone, every click from Outlook would go uncounted, so both are links, each its
        own placement, since other readers see each. A comment for other programs than Outlook is a comment.
        """
        inner = self._fragment.part(token.start, token.end)
        condition = _CONDITION.match(inner.text)
        if self._outlook or condition is None or b"href" not in inner.text.lower():
            return
        expression = condition[1].lower().replace(b" ", b"")
        if b"mso" not in expression or b"!mso" in expression:
            return
        end = _CONDITION_END.search(inner.text)
        self._outlook_only(inner.part(condition.end(), end.start() if end else len(inner.text)))

    def _outlook_only(self, fragment: Fragment) -> None:
        outline, link = self._outline, self._outline.link
        state = outline.strong, outline.button, outline.footer, outline.hidden, self._level
        outline.begin()
        outline.link, outline.hidden = None, True
        Reader(outline, outlook=True).feed(fragment)
        outline.begin(level=self._level)
        self._restore(state)
        outline.link = link


def parse(source: bytes, *, start: int) -> Document:
    """Parse HTML that begins at byte ``start``. Raises Unreadable at one link too many."""
    outline = Outline(source)
    Reader(outline).feed(Fragment(source[start:], ((0, start),)))
    return outline.document(format="html")
