"""An issue in its sender's own design, sanitized, with badges (small labels) at its links."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from itertools import islice
from typing import Literal

import pyromark
from markupsafe import Markup
from msgspec import Struct

from shortener import newsletter
from shortener.errors import InputError
from shortener.newsletter import Format
from shortener.newsletter.html_tokenizer import Token, tokenize
from shortener.web.sender_styles import StyleFilter, layout_width, matches_wide_screen

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
"""Content security policy of the document. It allows inline styles, which newsletters need, but nothing else."""
MAX_TOKENS = 200_000
"""Number of tags and texts of an issue that are shown. An issue of 5,000 links has about 50,000."""
MAX_WIDTH, MIN_SCALED_WIDTH = 1_200, 320
"""Widths in pixels of a design between which it is scaled to fit into a narrow frame."""
MAX_ALT_LENGTH = 200
_SCALE_STEP = 16  # pixels
_UTF16_MARK = re.compile(rb"\xff\xfe|\xfe\xff")
_MJML_LINK = re.compile(r"<(/?)mj-(?:button|navbar-link|social-element|image|carousel-image)(?=[\s/>])", re.I)

_VOID_ELEMENTS = frozenset({"br", "hr", "col", "wbr"})
_REMOVED_ELEMENTS = frozenset(
    {
        "script", "iframe", "object", "embed", "applet", "template", "svg", "math", "video", "audio", "canvas",
        "select", "textarea", "title", "frameset", "portal",
    }
)  # fmt: skip
"""Elements that are removed with their content."""
_SHOWN_RAW_TEXT = frozenset({"xmp", "plaintext"})
"""Elements whose content browsers show as it is written."""
_ALLOWED_ELEMENTS = frozenset(
    {
        "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center",
        "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption",
        "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "ins", "kbd", "li",
        "main", "mark", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span",
        "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
        "tr", "tt", "u", "ul", "var", "wbr",
    }
)  # fmt: skip
"""Elements that are kept. An element in neither set, such as ``form``, loses its tags and keeps its content."""
_ALLOWED_ATTRIBUTES = frozenset(
    {
        "align", "bgcolor", "border", "cellpadding", "cellspacing", "class", "color", "cols", "colspan", "dir",
        "face", "height", "id", "lang", "nowrap", "rowspan", "size", "span", "start", "style", "type", "valign",
        "width",
    }
)  # fmt: skip
_OWN_ELEMENTS = {"a": "shortener-link", "img": "shortener-image", "body": "shortener-body"}
"""Our elements that are shown instead. Style sheets of senders cannot select them by other names."""
_PARAGRAPH = Markup("<p>{}</p>")
_PIXELS = re.compile(r"([0-9]{1,5})(?:\.[0-9]+)?(?:px)?")
_PERCENT = re.compile(r"[0-9]{1,3}%")
_HAS_OWN_BOX = re.compile(r"(?:^|;)(?:padding|background|border|display:(?:inline-)?block)")


class Badge(Struct, frozen=True):
    """A small label (badge) that is shown at a link."""

    text: str
    tooltip: str
    tone: str = "share"
    """Name of the badge's color."""
    level: int = 0
    """Intensity of the color, from 0 to 5."""
    anchor: str = ""
    """HTML id of the badge, or ''."""


FindBadge = Callable[[str], Badge | None]
"""Function from the URL of a link to its badge. It is called for each link in the order of the document."""


class _LinkStart(Struct, frozen=True):
    """The start tag of a link. ``attributes`` is the markup of all attributes except the URL."""

    url: str
    attributes: str


class _BadgeSlot(Struct, frozen=True):
    """The place for a badge in a sanitized document: after the text, at the corner, or on the image of a link."""

    place: Literal["text", "corner", "image"]


class IssueDocument(Struct, frozen=True):
    """A sanitized issue, into which ``render`` inserts badges (small labels at links)."""

    format: Format
    parts: tuple[str | _LinkStart | _BadgeSlot, ...]
    """Pieces of HTML; between them, an object for each start tag of a link and each place for a badge."""

    def render(self, find_badge: FindBadge, *, stylesheet_url: str, title: str) -> str:
        """Return the document as HTML. ``find_badge`` returns the badge of a URL, or None."""
        output = [
            f'<!doctype html><html lang="en" class="{self.format}"><head><meta charset="utf-8">'
            f'<title>{escape(title)}</title><link rel="stylesheet" href="{escape(stylesheet_url)}"></head>'
            f'<body class="{self.format}" dir="auto">'
        ]
        badge: Badge | None = None
        for part in self.parts:
            if isinstance(part, str):
                output.append(part)
            elif isinstance(part, _LinkStart):
                badge = find_badge(part.url)
                tone = f'data-tone="{badge.tone}" data-level="{badge.level}"' if badge else 'data-tone="none"'
                output.append(f"<shortener-link {tone}{part.attributes}>")
            elif badge:
                output.append(_format_badge(badge, part.place))
        return "".join((*output, "</body></html>"))


def _format_badge(badge: Badge, place: str) -> str:
    anchor = f' id="{escape(badge.anchor)}"' if badge.anchor else ""
    return (
        f'<shortener-badge{anchor} data-place="{place}" data-tone="{badge.tone}" data-level="{badge.level}" '
        f'title="{escape(badge.tooltip)}">{escape(badge.text)}</shortener-badge>'
    )


def read_document(source: bytes, *, format: Format) -> IssueDocument:
    """Return the sanitized document of an issue."""
    # The time is linear in the size of the document.
    return IssueDocument(format, _Sanitizer(_to_html(source, format).encode()).sanitize())


def _to_html(source: bytes, format: Format) -> str:
    if format == "markdown":
        return _markdown_to_html(source)
    text = source
    if format == "eml" or _UTF16_MARK.match(source) or b"charset" in source[:4096].lower():
        try:
            parts = newsletter.parse(source, format=format).parts
        except InputError:
            parts = ()
        # A mail is reduced to its first part that has text.
        shown = next((part for part in parts if part.text.strip()), None)
        if shown and not shown.is_html:
            return _markdown_to_html(shown.text)
        text = shown.text if shown else source
    html = text.decode("utf-8", "replace").removeprefix("\ufeff")
    # Only links and images of MJML become HTML. The sanitizer removes the tags of all other components.
    return _MJML_LINK.sub(r"<\1a", html) if format == "mjml" else html


def _markdown_to_html(source: bytes) -> str:
    document = newsletter.parse(source, format="markdown")
    parts, position = [], 0
    for link in document.links:
        # A bare URL becomes a link if the newsletter parser treats it as one.
        if link.syntax == "bare" and link.start >= position:
            parts += [source[position : link.start], b"<", source[link.start : link.end], b">"]
            position = link.end
    text = b"".join((*parts, source[position:])).decode("utf-8", "replace").removeprefix("\ufeff")
    front_matter = re.match(r"---\r?\n.*?\r?\n(?:---|\.\.\.)\r?\n", text, re.S)
    return pyromark.html(text[front_matter.end() :] if front_matter else text, options=_MARKDOWN_OPTIONS)


_MARKDOWN_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_TASKLISTS
)


class _Sanitizer:
    """Filter that keeps the allowed elements of an HTML document, and replaces links and images."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._styles = StyleFilter(_shown_element)
        self._output: list[str | _LinkStart | _BadgeSlot] = []
        self._open_elements: list[str] = []
        self._open_counts: Counter[str] = Counter()
        self._removed_depth = 0
        self._in_link = False
        self._link_depth = 0
        self._badge_place: Literal["text", "corner", "image"] = "text"
        self._is_sheet_shown = True
        self._body_attributes: str | None = None
        self._width = 0

    def sanitize(self) -> tuple[str | _LinkStart | _BadgeSlot, ...]:
        """Return the pieces of the sanitized document."""
        # Imported here, so that the process of a trial parse loads neither translations nor the web framework.
        from shortener.web.languages import gettext as _

        tokens = list(islice(tokenize(self._source), MAX_TOKENS + 1))
        depth_changes = _removed_depth_changes(tokens)
        for number, token in enumerate(tokens[:MAX_TOKENS]):
            if token.name.decode("ascii", "replace") in _REMOVED_ELEMENTS and token.kind != "raw":
                self._removed_depth += depth_changes.get(number, 0)
            elif not self._removed_depth:
                self._write(token)
        self._close_until(0)
        if len(tokens) > MAX_TOKENS:
            self._output.append(_PARAGRAPH.format(_("The rest of this issue is too long to be shown here.")))
        if self._styles.is_cut:
            self._output.append(_PARAGRAPH.format(_("A part of the design is too long to be shown here.")))
        start = f"<shortener-body{self._body_attributes or ''}>"
        return (_scale_to_frame(self._width), start, *self._output, "</shortener-body>")

    def _write(self, token: Token) -> None:
        name = token.name.decode("ascii", "replace")
        if token.kind == "text":
            self._output.append(escape(unescape(self._text(token.start, token.end))))
        elif token.kind == "raw" and name == "style":
            self._write_sheet(self._text(token.start, token.end))
        elif token.kind == "raw" and name in _SHOWN_RAW_TEXT:
            self._output.append(escape(self._text(token.start, token.end)))
        elif token.kind == "start":
            self._start_element(name, self._attributes(token))
        elif token.kind == "end":
            self._end_element(name)

    def _text(self, start: int, end: int) -> str:
        return self._source[start:end].decode("utf-8", "replace")

    def _attributes(self, token: Token) -> dict[str, str]:
        attributes: dict[str, str] = {flag.decode("ascii", "replace"): "" for flag in token.flags}
        # If a name occurs twice, the first value counts, as in browsers.
        for each in reversed(token.attributes):
            attributes[each.name.decode("ascii", "replace")] = unescape(self._text(each.start, each.end))
        return attributes

    def _write_sheet(self, text: str) -> None:
        rules = self._styles.sheet(text) if self._is_sheet_shown else ""
        if rules:
            self._output.append(f"<style>{rules}</style>")

    def _start_element(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "a":
            self._start_link(attributes)
        elif tag == "img":
            self._write_image_box(attributes)
        elif tag == "style":
            self._is_sheet_shown = not attributes.get("media") or matches_wide_screen(attributes["media"])
        elif tag == "body":
            self._keep_body_attributes(attributes)
        elif tag in _ALLOWED_ELEMENTS:
            self._output.append(f"<{tag}{self._format_attributes(attributes)}>")
            if tag not in _VOID_ELEMENTS:
                self._open(tag)

    def _keep_body_attributes(self, attributes: Mapping[str, str]) -> None:
        # Only the first ``body`` element counts. Its attributes go to ``shortener-body``.
        if self._body_attributes is None:
            # These attributes are outdated, and become CSS.
            colors = {"background-color": attributes.get("bgcolor"), "color": attributes.get("text")}
            css = ";".join(f"{name}:{value}" for name, value in colors.items() if value)
            style = f"{css};{attributes.get('style', '')}" if css else attributes.get("style", "")
            kept = {name: attributes[name] for name in ("class", "id", "dir", "lang") if name in attributes}
            self._body_attributes = self._format_attributes(kept | ({"style": style} if style else {}))

    def _format_attributes(self, attributes: Mapping[str, str]) -> str:
        parts = []
        for name, value in attributes.items():
            if name == "style":
                value = self._styles.attribute(value)
                self._note_width(layout_width(value))
            elif name == "width" and (match := _PIXELS.fullmatch(value)):
                self._note_width(int(match[1]))
            elif name == "id" and value.startswith("shortener-"):
                continue
            if name in _ALLOWED_ATTRIBUTES:
                parts.append(f' {name}="{escape(value)}"')
        return "".join(parts)

    def _end_element(self, tag: str) -> None:
        if tag == "a":
            self._end_link()
        elif self._open_counts[tag]:
            # Elements inside it that are still open are closed first.
            while self._close_innermost() != tag:
                pass

    def _open(self, tag: str) -> None:
        self._open_elements.append(tag)
        self._open_counts[tag] += 1

    def _close_innermost(self) -> str:
        tag = self._open_elements.pop()
        self._open_counts[tag] -= 1
        self._output.append(f"</{tag}>")
        return tag

    def _close_until(self, depth: int) -> None:
        self._end_link()
        while len(self._open_elements) > depth:
            self._close_innermost()

    def _note_width(self, pixels: int) -> None:
        # The widest element gives the width of the design.
        if pixels <= MAX_WIDTH:
            self._width = max(self._width, pixels)

    def _write_image_box(self, attributes: Mapping[str, str]) -> None:
        sizes = {name: attributes.get(name, "").strip() for name in ("width", "height")}
        pixels = {name: int(match[1]) for name, size in sizes.items() if (match := _PIXELS.fullmatch(size))}
        # Spacers and tracking pixels are left out.
        if min(pixels.values(), default=MAX_WIDTH) <= 2:
            return
        rules = [f"{name}:{value}px" for name, value in pixels.items()]
        rules += [f"{name}:{size}" for name, size in sizes.items() if _PERCENT.fullmatch(size)]
        if len(pixels) == 2:
            rules.append(f"aspect-ratio:{pixels['width']}/{pixels['height']}")
        self._note_width(pixels.get("width", 0))
        own = self._styles.attribute(attributes.get("style", ""))
        kept = {name: attributes[name] for name in ("align", "class", "id") if name in attributes}
        style = escape(";".join((*rules, own)).strip(";"))
        alt = escape(attributes.get("alt", "").strip()[:MAX_ALT_LENGTH])
        markup = self._format_attributes(kept) + (f' style="{style}"' if style else "")
        self._output.append(f'<shortener-image{markup} title="{alt}"><shortener-alt>{alt}</shortener-alt>')
        if self._in_link and self._badge_place != "image":
            self._badge_place = "image"
            self._output.append(_BadgeSlot("image"))
        self._output.append("</shortener-image>")

    def _start_link(self, attributes: Mapping[str, str]) -> None:
        self._end_link()
        self._in_link, self._link_depth = True, len(self._open_elements)
        kept = {name: attributes[name] for name in ("class", "id", "style", "dir", "lang") if name in attributes}
        markup = self._format_attributes(kept)
        style = self._styles.attribute(attributes.get("style", ""))
        self._badge_place = "corner" if _HAS_OWN_BOX.search(style) else "text"
        self._output.append(_LinkStart(attributes.get("href", ""), markup))
        self._open("shortener-link")

    def _end_link(self) -> None:
        if not self._in_link:
            return
        self._in_link = False
        if self._badge_place != "image":
            self._output.append(_BadgeSlot(self._badge_place))
        while len(self._open_elements) > self._link_depth:
            self._close_innermost()


def _shown_element(name: str) -> str | None:
    return _OWN_ELEMENTS.get(name) or (name if name in _ALLOWED_ELEMENTS else None)


def _scale_to_frame(width: int) -> str:
    """Return a style element that shrinks wide designs to the width of the frame."""
    if width < MIN_SCALED_WIDTH:
        return ""
    steps = (
        f"@media(max-width:{frame}px){{html{{--scale:{max(frame - _SCALE_STEP, 1) / width:.3f}}}}}"
        for frame in range(width, 240, -_SCALE_STEP)
    )
    return f"<style>{''.join(steps)}</style>"


def _removed_depth_changes(tokens: Sequence[Token]) -> dict[int, int]:
    # By index of a token: 1 for the start tag of a removed element, -1 for its end tag.
    changes: dict[int, int] = {}
    open_tags: defaultdict[bytes, list[int]] = defaultdict(list)
    for number, token in enumerate(tokens):
        if token.name.decode("ascii", "replace") not in _REMOVED_ELEMENTS:
            continue
        # A start tag without an end tag is left out, so that the rest of the document is not removed.
        if token.kind == "start":
            open_tags[token.name].append(number)
        elif token.kind == "end" and open_tags[token.name]:
            changes[open_tags[token.name].pop()], changes[number] = 1, -1
    return changes
