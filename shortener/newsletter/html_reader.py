"""Reads HTML into an outline: whole issues, and the HTML that stands inside Markdown.

Links are the ``href`` of ``a`` and ``area`` that a reader can follow, and in conditional comments for Outlook
those of ``a`` and of VML shapes. Images, forms, ``link``, ``base``, ``meta`` and ``srcset`` are none.
"""

import re
from bisect import bisect_right
from html import unescape

from msgspec import Struct

from shortener.newsletter import escaping
from shortener.newsletter.builder import DocumentBuilder
from shortener.newsletter.document import Document
from shortener.newsletter.html_tokenizer import RAW_TEXT_ELEMENTS, Attribute, Token, tokenize

_HEADING_LEVELS = {f"h{level}".encode(): level for level in range(1, 7)}
_BLOCK_ELEMENTS = frozenset(
    b"address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    b"figure footer form header html legend li main menu nav ol option p pre section summary table tbody td "
    b"tfoot th thead tr ul".split()
)
_VOID_ELEMENTS = frozenset(b"area base br col embed hr img input link meta param source track wbr".split())
_IMAGE_ATTRIBUTES = frozenset((b"alt", b"src"))
_STYLE_ATTRIBUTES = frozenset((b"style", b"class", b"id", b"role"))
_CONDITIONAL_COMMENT = re.compile(rb"\[if([^\]]*)\]>", re.I)
_CONDITIONAL_COMMENT_END = re.compile(rb"<!\[endif\]\s*\Z", re.I)
_WHITESPACE = " \t\n\f\r"
_URL_LINE_BREAK = re.compile(r"[\t\n\r]")
_BUTTON_CLASS = re.compile(r"(?:^|[\s_-])(?i:btn|button|cta)|[a-z](?:Btn|Button)")
_FOOTER_CLASS = re.compile(r"(?:^|[\s_-])footer|footer(?:$|[\s_-])", re.I)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden", re.I)
_STRONG_STYLE = re.compile(
    r"font-weight\s*:\s*(?:bold|[6-9]00)|font-size\s*:\s*(?:2\d|[3-9]\d)(?:\.\d+)?px", re.I
)
_FILLED_STYLE = re.compile(r"(?:background(?:-color)?|border)\s*:", re.I)
_PADDED_STYLE = re.compile(r"(?:padding|border-radius|line-height)[\w-]*\s*:", re.I)


class HtmlFragment(Struct, frozen=True):
    """HTML text and where in the source it stands: ``pieces`` pair an offset in the text with one there.

    A piece at -1 is not in the source as it stands (a parser has taken line prefixes out of it).
    """

    text: bytes
    offset_map: tuple[tuple[int, int], ...]

    def subfragment(self, start: int, end: int) -> "HtmlFragment":
        """The text from ``start`` to ``end`` as a fragment of its own."""
        pieces = tuple((at - start, source) for at, source in self.offset_map)
        return HtmlFragment(self.text[start:end], pieces)

    def source_range(self, start: int, end: int) -> tuple[int, int] | None:
        """The range of the source in which the text from ``start`` to ``end`` stands, if it does."""
        piece = bisect_right(self.offset_map, start, key=lambda pair: pair[0]) - 1
        at, source = self.offset_map[piece]
        whole = piece + 1 == len(self.offset_map) or self.offset_map[piece + 1][0] >= end
        return (source + start - at, source + end - at) if whole and source >= 0 else None


class _OpenElement(Struct, frozen=True):
    """An open element, and what held before it."""

    name: bytes
    saved_state: tuple[int, bool, bool, bool, int]


class HtmlReader:
    """Follows HTML fragment by fragment and tells the outline; what is open stays open between fragments."""

    def __init__(self, builder: DocumentBuilder, *, in_outlook_comment: bool = False) -> None:
        self._builder = builder
        self._in_outlook_comment = in_outlook_comment
        self._open_elements: list[_OpenElement] = []
        self._open_counts: dict[bytes, int] = {}
        self._raw_element = b""
        self._link_element = b""
        self._heading_level = 0
        self._fragment = HtmlFragment(b"", ())

    @property
    def in_link_or_raw_text(self) -> bool:
        """Text that comes now is no prose: it is inside a link or a script."""
        return bool(self._raw_element or self._link_element)

    @property
    def in_raw_text(self) -> bool:
        """Text that comes now is inside a script, a style or the like."""
        return bool(self._raw_element)

    def leave_raw_text(self) -> None:
        """Go on as if no script or the like were open."""
        self._raw_element = b""

    def feed(self, fragment: HtmlFragment) -> None:
        """Read the next fragment. Raises Unreadable at one link too many."""
        self._fragment = fragment
        for token in tokenize(fragment.text, raw_element=self._raw_element):
            self._builder.count_markup()
            match token.kind:
                case "text":
                    self._builder.add_text(self._token_text(token))
                case "start":
                    self._handle_start_tag(token)
                case "end":
                    self._handle_end_tag(token.name)
                case "comment":
                    self._handle_comment(token)
                case "raw" if token.name == b"title" and not self._open_counts.get(b"svg"):
                    self._builder.title = (
                        self._builder.title or " ".join(self._token_text(token).split()) or None
                    )

    def _token_text(self, token: Token) -> str:
        return unescape(self._fragment.text[token.start : token.end].decode())

    def _attribute_value(self, attribute: Attribute) -> str:
        return escaping.unescape_attribute(self._fragment.text[attribute.start : attribute.end].decode())

    def _handle_start_tag(self, token: Token) -> None:
        name = token.name
        if name in RAW_TEXT_ELEMENTS:
            self._raw_element = name
        elif name == b"br":
            self._builder.add_line_break()
        elif name == b"hr":
            self._builder.add_rule()
            self._builder.begin_block(level=self._heading_level)
        elif name in (b"img", b"area"):
            self._add_image(token)
        elif name not in _VOID_ELEMENTS:
            self._open_element(token)

    def _add_image(self, token: Token) -> None:
        said = {
            each.name: self._attribute_value(each)
            for each in reversed(token.attributes)
            if each.name in _IMAGE_ATTRIBUTES
        }
        alternative = said.get(b"alt", "")
        if token.name == b"img":
            self._builder.add_image(alternative, src=said.get(b"src", ""))
            return
        around = self._builder.current_link
        self._builder.current_link = self._add_link(token)
        self._builder.add_image(alternative)
        self._builder.current_link = around

    def _open_element(self, token: Token) -> None:
        outline, name = self._builder, token.name
        state = (
            outline.strong_depth,
            outline.in_button,
            outline.in_footer,
            outline.in_hidden,
            self._heading_level,
        )
        if name in _HEADING_LEVELS or name in _BLOCK_ELEMENTS:
            self._heading_level = _HEADING_LEVELS.get(name, self._heading_level)
            outline.begin_block(level=self._heading_level)
        if name == b"li":
            outline.begin_item()
        if token.attributes or name in (b"b", b"strong", b"footer", b"td", b"th"):
            self._apply_styles(token)
        self._open_elements.append(_OpenElement(name, state))
        self._open_counts[name] = self._open_counts.get(name, 0) + 1
        if name == b"a" or (self._in_outlook_comment and name.startswith(b"v:")):
            outline.current_link, self._link_element = self._add_link(token), name
            outline.add_anchor()

    def _apply_styles(self, token: Token) -> None:
        looks = {
            each.name: self._attribute_value(each)
            for each in reversed(token.attributes)
            if each.name in _STYLE_ATTRIBUTES
        }
        style, names = looks.get(b"style", ""), f"{looks.get(b'class', '')} {looks.get(b'id', '')}"
        outline, name = self._builder, token.name
        if name in (b"b", b"strong") or _STRONG_STYLE.search(style):
            outline.strong_depth += 1
        outline.in_footer = outline.in_footer or name == b"footer" or bool(_FOOTER_CLASS.search(names))
        outline.in_hidden = outline.in_hidden or bool(_HIDDEN_STYLE.search(style))
        drawn = bool(_FILLED_STYLE.search(style) and _PADDED_STYLE.search(style))
        if name in (b"td", b"th"):
            outline.in_button = bool(_BUTTON_CLASS.search(names)) or (drawn and "border-radius" in style)
        elif name == b"a":
            named = bool(_BUTTON_CLASS.search(names)) or looks.get(b"role", "").lower() == "button"
            outline.in_button = outline.in_button or drawn or named

    def _handle_end_tag(self, name: bytes) -> None:
        self._raw_element = b"" if name == self._raw_element else self._raw_element
        if not self._open_counts.get(name):
            return
        if name == self._link_element:
            self._builder.current_link, self._link_element = None, b""
        while self._open_elements:
            frame = self._open_elements.pop()
            self._open_counts[frame.name] -= 1
            if frame.name in _HEADING_LEVELS or frame.name in _BLOCK_ELEMENTS:
                self._builder.begin_block(level=frame.saved_state[4])
            self._restore_state(frame.saved_state)
            if frame.name == b"li":
                self._builder.end_item()
            if frame.name == name:
                return

    def _restore_state(self, state: tuple[int, bool, bool, bool, int]) -> None:
        outline = self._builder
        outline.strong_depth, outline.in_button, outline.in_footer, outline.in_hidden, self._heading_level = (
            state
        )

    def _add_link(self, token: Token) -> int | None:
        """Take down the link of a tag by its first ``href``: a browser ignores a second."""
        href = next((each for each in token.attributes if each.name == b"href"), None)
        if href is None:
            return None
        written = self._fragment.text[href.start : href.end].decode()
        start = href.start + len(written) - len(written.lstrip(_WHITESPACE))
        url = _URL_LINE_BREAK.sub("", escaping.unescape_attribute(written)).strip()
        place = self._fragment.source_range(start, start + len(written.strip(_WHITESPACE).encode()))
        if place is None:
            at = max(0, self._fragment.offset_map[0][1])
            self._builder.add_untouched(url, start=at, end=at, reason="its place in the source is unclear")
            return None
        return self._builder.add_link(url, start=place[0], end=place[1], syntax=href.syntax)

    def _handle_comment(self, token: Token) -> None:
        """Follow the links in a conditional comment for Outlook, which shows it to its readers.

        Buttons are drawn twice in HTML mail: as VML for Outlook on Windows, in such a comment, and as ``<a>``
        for all others. Left alone, every click from Outlook would go uncounted, so both are links, each its
        own placement, since other readers see each. A comment for other programs than Outlook is a comment.
        """
        inner = self._fragment.subfragment(token.start, token.end)
        condition = _CONDITIONAL_COMMENT.match(inner.text)
        if self._in_outlook_comment or condition is None or b"href" not in inner.text.lower():
            return
        expression = condition[1].lower().replace(b" ", b"")
        if b"mso" not in expression or b"!mso" in expression:
            return
        end = _CONDITIONAL_COMMENT_END.search(inner.text)
        self._read_outlook_comment(
            inner.subfragment(condition.end(), end.start() if end else len(inner.text))
        )

    def _read_outlook_comment(self, fragment: HtmlFragment) -> None:
        outline, link = self._builder, self._builder.current_link
        state = (
            outline.strong_depth,
            outline.in_button,
            outline.in_footer,
            outline.in_hidden,
            self._heading_level,
        )
        outline.begin_block()
        outline.current_link, outline.in_hidden = None, True
        HtmlReader(outline, in_outlook_comment=True).feed(fragment)
        outline.begin_block(level=self._heading_level)
        self._restore_state(state)
        outline.current_link = link


def parse_html(source: bytes, *, start: int) -> Document:
    """Parse HTML that begins at byte ``start``. Raises Unreadable at one link too many."""
    outline = DocumentBuilder(source)
    HtmlReader(outline).feed(HtmlFragment(source[start:], ((0, start),)))
    return outline.build(format="html")
