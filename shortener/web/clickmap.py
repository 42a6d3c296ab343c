"""The click map: an issue as its readers saw it, every link with its share, and nothing in it that could run or call.

The document that comes out has no script, form, frame, image or link: images become boxes with their text, links
become spans with a badge. It is shown in a sandbox under a policy of its own all the same.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from html.parser import HTMLParser

import pyromark
from msgspec import Struct

from shortener import newsletter
from shortener.config import Domain
from shortener.newsletter import Format
from shortener.short_urls import parse_short_url

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
"""For the map's document alone: newsletters style every cell inline. Without ``allow-scripts`` nothing can run."""
HEAT_LEVELS = 5

_VOID_ELEMENTS = frozenset({"br", "hr", "col", "wbr"})
_REMOVED_ELEMENTS = frozenset(
    {
        "script",
        "iframe",
        "object",
        "embed",
        "applet",
        "form",
        "template",
        "noscript",
        "svg",
        "math",
        "video",
        "audio",
        "canvas",
        "select",
        "textarea",
        "button",
        "title",
        "frameset",
        "portal",
    }
)
"""Left out with all that is in them (forms: see ``_UNWRAPPED``)."""
_UNWRAPPED_ELEMENTS = frozenset({"form", "html", "head", "body", "a", "button", "noscript"})
"""Only the tag is left out; what is in it is shown."""
_ALLOWED_ELEMENTS = frozenset(
    {
        "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center",
        "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption",
        "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "ins", "kbd", "li",
        "main", "mark", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span",
        "strike", "strong", "style", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
        "tr", "tt", "u", "ul", "var", "wbr",
    }
)  # fmt: skip
_ALLOWED_ATTRIBUTES = frozenset(
    {
        "align", "bgcolor", "border", "cellpadding", "cellspacing", "class", "color", "cols", "colspan", "dir",
        "face", "height", "id", "lang", "nowrap", "rowspan", "size", "span", "start", "style", "type", "valign",
        "width",
    }
)  # fmt: skip
_FETCHING_CSS = re.compile(r"(?:url|src|image|expression)\s*\(|@import|image-set\s*\(", re.I)
"""What in a style sheet could fetch something."""


class LinkShare(Struct, frozen=True):
    """What a link got: ``share`` of all people's clicks of the issue, from 0 to 1, and the words for it."""

    clicks: int
    share: float
    heat_level: int
    tooltip: str


LinkShares = Mapping[tuple[str, str, int], LinkShare]
"""By host, code and placement; placement 0 stands for all of a link."""


def heat_level(clicks: int, max_clicks: int) -> int:
    """How hot a link is drawn, from 0 (nobody) to 5 (the most clicked)."""
    return 0 if not clicks else max(1, round(HEAT_LEVELS * clicks / max_clicks)) if max_clicks else 0


def render_map(
    source: bytes, *, format: Format, shares: LinkShares, domains: Sequence[Domain], stylesheet_url: str
) -> str:
    """The map of an issue (with its short links in it) as a whole HTML document; ``style`` is a style sheet's URL."""
    text = source.decode("utf-8", "replace").removeprefix("\ufeff")
    body = text if format == "html" else _markdown_to_html(source)
    painter = _Sanitizer(shares, domains)
    painter.feed(body)
    painter.close()
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Click map</title>'
        f'<link rel="stylesheet" href="{escape(stylesheet_url)}"></head><body class="{format}" dir="auto">'
        f"{painter.document()}</body></html>"
    )


def _markdown_to_html(source: bytes) -> str:
    """Markdown as HTML; bare URLs that were found to be links become ones. Front matter is left out."""
    document = newsletter.parse(source, format="markdown")
    parts, at = [], 0
    for link in document.links:
        if link.syntax == "bare" and link.start >= at:
            parts += [source[at : link.start], b"<", source[link.start : link.end], b">"]
            at = link.end
    text = b"".join((*parts, source[at:])).decode("utf-8", "replace").removeprefix("\ufeff")
    front = re.match(r"---\r?\n.*?\r?\n(?:---|\.\.\.)\r?\n", text, re.S)
    return pyromark.html(text[front.end() :] if front else text, options=_MARKDOWN_OPTIONS)


_MARKDOWN_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_TASKLISTS
)


class _Sanitizer(HTMLParser):
    """Writes the harmless part of a document again, with a badge at each link."""

    def __init__(self, shares: LinkShares, domains: Sequence[Domain]) -> None:
        super().__init__(convert_charrefs=True)
        self._shares = shares
        self._domains = domains
        self._output: list[str] = []
        self._open_elements: list[str] = []
        self._removed_depth = 0
        self._link_share: LinkShare | None = None
        self._in_link = False
        self._link_depth = 0
        self._in_style = False

    def document(self) -> str:
        """What was written, every element closed."""
        self._end_link()
        return "".join(self._output) + "".join(f"</{tag}>" for tag in reversed(self._open_elements))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write a tag if it is harmless."""
        if tag in _REMOVED_ELEMENTS - _UNWRAPPED_ELEMENTS:
            self._removed_depth += 1
        elif self._removed_depth:
            return
        elif tag == "a":
            self._start_link(dict(attrs).get("href") or "")
        elif tag == "img":
            self._write_image_placeholder(dict(attrs))
        elif tag in _ALLOWED_ELEMENTS:
            self._write_start_tag(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself; in HTML only void ones do."""
        if tag in _VOID_ELEMENTS or tag == "img" or tag not in _REMOVED_ELEMENTS:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close what is open; an end without a beginning is passed over."""
        if tag in _REMOVED_ELEMENTS - _UNWRAPPED_ELEMENTS:
            self._removed_depth = max(0, self._removed_depth - 1)
        elif self._removed_depth:
            return
        elif tag == "a":
            self._end_link()
        elif tag in self._open_elements:
            while (last := self._open_elements.pop()) != tag:
                self._output.append(f"</{last}>")
            self._output.append(f"</{tag}>")
            self._in_style = False

    def handle_data(self, data: str) -> None:
        """Text; of a style sheet only what fetches nothing."""
        if self._removed_depth:
            return
        self._output.append(_sanitize_css(data) if self._in_style else escape(data))

    def _write_start_tag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = [
            (name, _sanitize_css(value or "") if name == "style" else value or "")
            for name, value in attrs
            if name in _ALLOWED_ATTRIBUTES
        ]
        written = "".join(f' {name}="{escape(value)}"' for name, value in kept)
        self._output.append(f"<{tag}{written}>")
        if tag not in _VOID_ELEMENTS:
            self._open_elements.append(tag)
        self._in_style = tag == "style"

    def _write_image_placeholder(self, attrs: Mapping[str, str | None]) -> None:
        text = (attrs.get("alt") or "").strip() or "image"
        width = attrs.get("width") or ""
        tiny = width.isdigit() and int(width) <= 2
        if not tiny:
            self._output.append(f'<span class="shortener-image">{escape(text[:200])}</span>')

    def _start_link(self, href: str) -> None:
        self._end_link()
        self._in_link, self._link_depth = True, len(self._open_elements)
        self._link_share = self._find_share(href)
        if self._link_share:
            self._output.append(f'<span class="shortener-link h{self._link_share.heat_level}">')
        else:
            self._output.append('<span class="shortener-plain">')
        self._open_elements.append("span")

    def _find_share(self, href: str) -> LinkShare | None:
        key = parse_short_url(href, domains=self._domains) if "://" in href else None
        if key is None:
            return None
        tail = href.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
        n = int(tail) if tail.isascii() and tail.isdigit() and len(tail) <= 5 else 0
        return self._shares.get((*key, n)) or self._shares.get((*key, 0))

    def _end_link(self) -> None:
        if not self._in_link:
            return
        self._in_link = False
        if self._link_share:
            tooltip, share = escape(self._link_share.tooltip), self._link_share.share
            badge = f'<b class="shortener-share" title="{tooltip}">{share:.1%}</b>'
            self._output.append(badge)
        self._link_share = None
        while len(self._open_elements) > self._link_depth:
            self._output.append(f"</{self._open_elements.pop()}>")


def _sanitize_css(text: str) -> str:
    """A style that fetches nothing: what would is renamed to what no browser knows, escapes lose their mark."""
    return _FETCHING_CSS.sub("none(", text.replace("\\", "").replace("<", ""))
