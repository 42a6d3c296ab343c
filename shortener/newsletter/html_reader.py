"""Reader of HTML: whole issues, and HTML inside Markdown."""

import re
from bisect import bisect_right
from html import unescape
from typing import NamedTuple

from msgspec import Struct

from shortener.messages import Message
from shortener.newsletter import autolinks, escaping, mjml, template_tags
from shortener.newsletter.builder import DocumentBuilder
from shortener.newsletter.document import Document, Format
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
# By name, the values with which a sender's own click tracking is switched off for a link.
_OPT_OUT_ATTRIBUTES = {
    b"clicktracking": ("off", "false", "0", "no"),  # SendGrid and others
    b"data-clicktracking": ("off", "false", "0", "no"),
    b"data-msys-clicktrack": ("0",),  # SparkPost
    b"mc:disable-tracking": ("", "true", "1", "mc:disable-tracking"),  # Mandrill
    b"ses:no-track": ("", "true", "1", "ses:no-track"),  # Amazon SES
    b"data-pm-no-track": ("", "true", "1", "data-pm-no-track"),  # Postmark
    b"disable-tracking": ("", "true", "1", "yes"),  # Mailgun
    b"notrack": ("", "true", "1", "notrack"),
    b"data-no-track": ("", "true", "1"),
    b"data-cta-no-track": ("", "true", "1"),
}
_OPT_OUT_FLAGS = frozenset(name for name, values in _OPT_OUT_ATTRIBUTES.items() if "" in values)
_WHITESPACE = " \t\n\f\r"
_URL_LINE_BREAK = re.compile(r"[\t\n\r]")
_BUTTON_CLASS = re.compile(r"(?:^|[\s_-])(?i:btn|button|cta)|[a-z](?:Btn|Button)")
_FOOTER_CLASS = re.compile(r"(?:^|[\s_-])footer|footer(?:$|[\s_-])", re.I)
_NAVIGATION_CLASS = re.compile(
    r"(?:^|[\s_-])(?:nav(?:bar|igation)?|menu|breadcrumbs?|social(?:-?(?:links|icons))?)(?:$|[\s_-])", re.I
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden", re.I)
_STRONG_STYLE = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)|font-size\s*:\s*(?:2\d|[3-9]\d)(?:\.\d+)?px", re.I)
_FILLED_STYLE = re.compile(r"(?:background(?:-color)?|border)\s*:", re.I)
_PADDED_STYLE = re.compile(r"(?:padding|border-radius|line-height)[\w-]*\s*:", re.I)


class HtmlFragment(Struct, frozen=True):
    """A piece of HTML, and a map from its offsets to offsets in the source."""

    text: bytes
    offset_map: tuple[tuple[int, int], ...]
    """Pairs (offset in ``text``, offset in the source), one for each part; -1 for a part that is not in the source."""

    def subfragment(self, start: int, end: int) -> "HtmlFragment":
        """Return the part of this fragment from the offset ``start`` to ``end``."""
        offset_map = tuple((offset - start, source) for offset, source in self.offset_map)
        return HtmlFragment(self.text[start:end], offset_map)

    def source_range(self, start: int, end: int) -> tuple[int, int] | None:
        """Convert a range of this fragment to a byte range of the source.

        Return None if the source does not contain these bytes.
        """
        piece = bisect_right(self.offset_map, start, key=lambda pair: pair[0]) - 1
        offset, source = self.offset_map[piece]
        is_whole = piece + 1 == len(self.offset_map) or self.offset_map[piece + 1][0] >= end
        return (source + start - offset, source + end - offset) if is_whole and source >= 0 else None


class _TextState(NamedTuple):
    """The formatting that text has at one point of the HTML, such as strong or inside a button."""

    strong_depth: int
    in_button: bool
    in_footer: bool
    in_hidden: bool
    in_navigation: bool
    heading_level: int


class _OpenElement(NamedTuple):
    """An open HTML element, with the formatting that applies again after its end tag."""

    name: bytes
    outer_state: _TextState


class HtmlReader:
    """Reader that adds the content of HTML fragments to a document. An element may stay open from one fragment to the
    next.
    """

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
        """Whether a link, or an element such as ``script``, is open. A bare URL there is not a link of its own."""
        return bool(self._raw_element or self._link_element)

    @property
    def in_raw_text(self) -> bool:
        """Whether the text that follows is inside an element with raw text, such as ``script`` or ``style``."""
        return bool(self._raw_element)

    def leave_raw_text(self) -> None:
        """Close an element with raw text, such as ``script`` or ``style``, if one is open."""
        self._raw_element = b""

    def feed(self, fragment: HtmlFragment) -> None:
        """Read the next fragment of HTML. Raises UnreadableDocument if the issue has too many links or tags."""
        self._fragment = fragment
        for token in tokenize(fragment.text, raw_element=self._raw_element):
            self._builder.count_markup()
            match token.kind:
                case "text" if self._consume_mjml_metadata(token):
                    pass
                case "text":
                    self._builder.add_text(self._token_text(token))
                    if not self._link_element and not self._in_outlook_comment:
                        self._add_bare_urls(token)
                case "start":
                    self._handle_start_tag(token)
                case "end":
                    self._handle_end_tag(token.name)
                case "comment":
                    self._handle_comment(token)
                case "raw" if token.name == b"title" and not self._open_counts.get(b"svg"):
                    self._builder.title = self._builder.title or " ".join(self._token_text(token).split()) or None

    def _token_text(self, token: Token) -> str:
        return unescape(self._fragment.text[token.start : token.end].decode())

    def _attribute_values(self, token: Token, names: frozenset[bytes]) -> dict[bytes, str]:
        return {
            attribute.name: escaping.unescape_attribute(self._attribute_text(attribute))
            # If a tag has an attribute twice, the first counts.
            for attribute in reversed(token.attributes)
            if attribute.name in names
        }

    def _attribute_text(self, attribute: Attribute) -> str:
        return self._fragment.text[attribute.start : attribute.end].decode()

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
        elif name.startswith(mjml.PREFIX):
            self._open_mjml_component(token)
        elif name not in _VOID_ELEMENTS:
            if name == b"form":
                self._add_form_target(token)
            self._open_element(token)

    def _add_image(self, token: Token) -> None:
        values = self._attribute_values(token, _IMAGE_ATTRIBUTES)
        alt_text = values.get(b"alt", "")
        if token.name == b"img":
            self._builder.add_image(alt_text, src=values.get(b"src", ""))
            return
        outer_link = self._builder.current_link
        self._builder.current_link = self._add_link(token)
        self._builder.add_image(alt_text)
        self._builder.current_link = outer_link

    def _open_element(self, token: Token) -> None:
        builder, name, outer_state = self._builder, token.name, self._text_state()
        if name in _HEADING_LEVELS or name in _BLOCK_ELEMENTS:
            self._heading_level = _HEADING_LEVELS.get(name, self._heading_level)
            builder.begin_block(level=self._heading_level)
        if name == b"li":
            builder.begin_item()
        if token.attributes or name in (b"b", b"strong", b"footer", b"nav", b"td", b"th"):
            self._apply_styles(token)
        self._open_elements.append(_OpenElement(name, outer_state))
        self._open_counts[name] = self._open_counts.get(name, 0) + 1
        if name == b"a" or (self._in_outlook_comment and name.startswith(b"v:")):
            builder.current_link, self._link_element = self._add_link(token), name
            builder.add_anchor()

    def _open_mjml_component(self, token: Token) -> None:
        builder, name, outer_state = self._builder, token.name, self._text_state()
        builder.begin_block()
        self._open_elements.append(_OpenElement(name, outer_state))
        self._open_counts[name] = self._open_counts.get(name, 0) + 1
        builder.in_button = builder.in_button or name == mjml.BUTTON
        builder.in_navigation = builder.in_navigation or name in mjml.NAVIGATION
        builder.in_hidden = builder.in_hidden or name in mjml.HIDDEN
        if any(attribute.name == b"href" for attribute in token.attributes):
            builder.current_link, self._link_element = self._add_link(token), name
            builder.add_anchor()
        if name in mjml.IMAGES:
            values = self._attribute_values(token, _IMAGE_ATTRIBUTES)
            builder.add_image(values.get(b"alt", ""), src=values.get(b"src", ""))
        if self._fragment.text[token.end - 2 : token.end] == b"/>":
            self._handle_end_tag(name)

    def _consume_mjml_metadata(self, token: Token) -> bool:
        # Neither the title nor a style sheet is text that readers see.
        if self._open_counts.get(mjml.TITLE):
            self._builder.title = self._builder.title or " ".join(self._token_text(token).split()) or None
            return True
        return bool(self._open_counts.get(mjml.STYLE))

    def _apply_styles(self, token: Token) -> None:
        values = self._attribute_values(token, _STYLE_ATTRIBUTES)
        style, names = values.get(b"style", ""), f"{values.get(b'class', '')} {values.get(b'id', '')}"
        builder, name = self._builder, token.name
        if name in (b"b", b"strong") or _STRONG_STYLE.search(style):
            builder.strong_depth += 1
        builder.in_footer = builder.in_footer or name == b"footer" or bool(_FOOTER_CLASS.search(names))
        builder.in_hidden = builder.in_hidden or bool(_HIDDEN_STYLE.search(style))
        builder.in_navigation = builder.in_navigation or name == b"nav" or bool(_NAVIGATION_CLASS.search(names))
        is_box = bool(_FILLED_STYLE.search(style) and _PADDED_STYLE.search(style))
        if name in (b"td", b"th"):
            # Any table cell may have a background and padding, but only buttons are rounded.
            builder.in_button = bool(_BUTTON_CLASS.search(names)) or (is_box and "border-radius" in style)
        elif name == b"a":
            is_named = bool(_BUTTON_CLASS.search(names)) or values.get(b"role", "").lower() == "button"
            builder.in_button = builder.in_button or is_box or is_named

    def _handle_end_tag(self, name: bytes) -> None:
        self._raw_element = b"" if name == self._raw_element else self._raw_element
        if not self._open_counts.get(name):
            return
        if name == self._link_element:
            self._builder.current_link, self._link_element = None, b""
        while self._open_elements:
            element = self._open_elements.pop()
            self._open_counts[element.name] -= 1
            if (
                element.name in _HEADING_LEVELS
                or element.name in _BLOCK_ELEMENTS
                or element.name.startswith(mjml.PREFIX)
            ):
                self._builder.begin_block(level=element.outer_state.heading_level)
            self._restore_state(element.outer_state)
            if element.name == b"li":
                self._builder.end_item()
            if element.name == name:
                return

    def _text_state(self) -> _TextState:
        builder = self._builder
        return _TextState(
            builder.strong_depth,
            builder.in_button,
            builder.in_footer,
            builder.in_hidden,
            builder.in_navigation,
            self._heading_level,
        )

    def _restore_state(self, state: _TextState) -> None:
        builder = self._builder
        builder.strong_depth, builder.in_button, builder.in_footer = state[:3]
        builder.in_hidden, builder.in_navigation, self._heading_level = state[3:]

    def _add_link(self, token: Token) -> int | None:
        # A second href in a tag is ignored, as in browsers.
        href = next((attribute for attribute in token.attributes if attribute.name == b"href"), None)
        if href is None:
            return None
        written = self._attribute_text(href)
        start = href.start + len(written) - len(written.lstrip(_WHITESPACE))
        url = _URL_LINE_BREAK.sub("", escaping.unescape_attribute(written)).strip()
        source_range = self._fragment.source_range(start, start + len(written.strip(_WHITESPACE).encode()))
        if source_range is not None and self._opts_out_of_tracking(token):
            self._builder.add_untouched(
                url,
                start=source_range[0],
                end=source_range[1],
                reason=Message("an attribute asks senders not to track it"),
            )
            return None
        if source_range is None:
            offset = max(0, self._fragment.offset_map[0][1])
            reason = Message("its position in the source is ambiguous")
            self._builder.add_untouched(url, start=offset, end=offset, reason=reason)
            return None
        return self._builder.add_link(
            url,
            start=source_range[0],
            end=source_range[1],
            syntax=href.syntax,
            only_outlook=self._in_outlook_comment,
        )

    def _opts_out_of_tracking(self, token: Token) -> bool:
        return any(
            attribute.name in _OPT_OUT_ATTRIBUTES
            and self._attribute_text(attribute).strip().casefold() in _OPT_OUT_ATTRIBUTES[attribute.name]
            for attribute in token.attributes
        ) or any(name in _OPT_OUT_FLAGS for name in token.flags)

    def _add_form_target(self, token: Token) -> None:
        action = next((attribute for attribute in token.attributes if attribute.name == b"action"), None)
        source_range = self._fragment.source_range(action.start, action.end) if action else None
        if action and source_range and self._attribute_text(action).strip():
            url = escaping.unescape_attribute(self._attribute_text(action)).strip()
            start, end = source_range
            self._builder.add_untouched(url, start=start, end=end, reason=Message("it is the target of a form"))

    def _add_bare_urls(self, token: Token) -> None:
        # Mail programs show bare URLs as links.
        text = self._fragment.text
        for url, start, end in autolinks.find_clickable_text(text, start=token.start, stop=token.end):
            source_range = self._fragment.source_range(start, end)
            if source_range is not None:
                self._builder.add_untouched(
                    url,
                    start=source_range[0],
                    end=source_range[1],
                    reason=Message("it is text, not a link in the HTML"),
                )

    def _handle_comment(self, token: Token) -> None:
        # A mail often contains each button twice: in such a comment for Outlook, and as <a> for other programs.
        inner = self._fragment.subfragment(token.start, token.end)
        condition = _CONDITIONAL_COMMENT.match(inner.text)
        if self._in_outlook_comment or condition is None or b"href" not in inner.text.lower():
            return
        expression = condition[1].lower().replace(b" ", b"")
        if b"mso" not in expression or b"!mso" in expression:
            return
        end = _CONDITIONAL_COMMENT_END.search(inner.text)
        self._read_outlook_comment(inner.subfragment(condition.end(), end.start() if end else len(inner.text)))

    def _read_outlook_comment(self, fragment: HtmlFragment) -> None:
        builder, outer_link, outer_state = self._builder, self._builder.current_link, self._text_state()
        builder.begin_block()
        builder.current_link, builder.in_hidden = None, True
        HtmlReader(builder, in_outlook_comment=True).feed(fragment)
        builder.begin_block(level=self._heading_level)
        self._restore_state(outer_state)
        builder.current_link = outer_link


def parse_html(
    source: bytes,
    *,
    start: int,
    format: Format = "html",
    take_over_tracking: bool = False,  # whether links tracked by the software listmonk can be replaced
) -> Document:
    """Parse HTML or MJML from byte ``start`` of ``source``. Raises UnreadableDocument for too many links or tags."""
    builder = DocumentBuilder(source, take_over_tracking=take_over_tracking)
    text = template_tags.mask_track_actions(source)
    HtmlReader(builder).feed(HtmlFragment(text[start:], ((0, start),)))
    return builder.build(format=format)
