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

POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
"""For the map's document alone: newsletters style every cell inline. Without ``allow-scripts`` nothing can run."""
HEAT_LEVELS = 5

_VOID = frozenset({"br", "hr", "col", "wbr"})
_DROPPED = frozenset(
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
_UNWRAPPED = frozenset({"form", "html", "head", "body", "a", "button", "noscript"})
"""Only the tag is left out; what is in it is shown."""
_KEPT = frozenset(
    {
        "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center",
        "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption",
        "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "ins", "kbd", "li",
        "main", "mark", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span",
        "strike", "strong", "style", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
        "tr", "tt", "u", "ul", "var", "wbr",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {
        "align", "bgcolor", "border", "cellpadding", "cellspacing", "class", "color", "cols", "colspan", "dir",
        "face", "height", "id", "lang", "nowrap", "rowspan", "size", "span", "start", "style", "type", "valign",
        "width",
    }
)  # fmt: skip
_CALLS = re.compile(r"(?:url|src|image|expression)\s*\(|@import|image-set\s*\(", re.I)
"""What in a style sheet could fetch something."""


class Share(Struct, frozen=True):
    """What a link got: ``share`` of all people's clicks of the issue, from 0 to 1, and the words for it."""

    clicks: int
    share: float
    heat: int
    words: str


Shares = Mapping[tuple[str, str, int], Share]
"""By host, code and placement; placement 0 stands for all of a link."""


def heat(clicks: int, most: int) -> int:
    """How hot a link is drawn, from 0 (nobody) to 5 (the most clicked)."""
    return 0 if not clicks else max(1, round(HEAT_LEVELS * clicks / most)) if most else 0


def render(source: bytes, *, format: Format, shares: Shares, domains: Sequence[Domain], style: str) -> str:
    """The map of an issue (with its short links in it) as a whole HTML document; ``style`` is a style sheet's URL."""
    text = source.decode("utf-8", "replace").removeprefix("\ufeff")
    body = text if format == "html" else _markdown(source)
    painter = _Painter(shares, domains)
    painter.feed(body)
    painter.close()
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Click map</title>'
        f'<link rel="stylesheet" href="{escape(style)}"></head><body class="{format}" dir="auto">'
        f"{painter.document()}</body></html>"
    )


def _markdown(source: bytes) -> str:
    """Markdown as HTML; bare URLs that were found to be links become ones. Front matter is left out."""
    document = newsletter.parse(source, format="markdown")
    parts, at = [], 0
    for link in document.links:
        if link.encoding == "bare" and link.start >= at:
            parts += [source[at : link.start], b"<", source[link.start : link.end], b">"]
            at = link.end
    text = b"".join((*parts, source[at:])).decode("utf-8", "replace").removeprefix("\ufeff")
    front = re.match(r"---\r?\n.*?\r?\n(?:---|\.\.\.)\r?\n", text, re.S)
    return pyromark.html(text[front.end() :] if front else text, options=_OPTIONS)


_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_TASKLISTS
)


class _Painter(HTMLParser):
    """Writes the harmless part of a document again, with a badge at each link."""

    def __init__(self, shares: Shares, domains: Sequence[Domain]) -> None:
        super().__init__(convert_charrefs=True)
        self._shares = shares
        self._domains = domains
        self._out: list[str] = []
        self._open: list[str] = []
        self._dropping = 0
        self._link: Share | None = None
        self._in_link = False
        self._depth = 0
        self._style = False

    def document(self) -> str:
        """What was written, every element closed."""
        self._end_link()
        return "".join(self._out) + "".join(f"</{tag}>" for tag in reversed(self._open))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write a tag if it is harmless."""
        if tag in _DROPPED - _UNWRAPPED:
            self._dropping += 1
        elif self._dropping:
            return
        elif tag == "a":
            self._begin_link(dict(attrs).get("href") or "")
        elif tag == "img":
            self._image(dict(attrs))
        elif tag in _KEPT:
            self._write(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself; in HTML only void ones do."""
        if tag in _VOID or tag == "img" or tag not in _DROPPED:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close what is open; an end without a beginning is passed over."""
        if tag in _DROPPED - _UNWRAPPED:
            self._dropping = max(0, self._dropping - 1)
        elif self._dropping:
            return
        elif tag == "a":
            self._end_link()
        elif tag in self._open:
            while (last := self._open.pop()) != tag:
                self._out.append(f"</{last}>")
            self._out.append(f"</{tag}>")
            self._style = False

    def handle_data(self, data: str) -> None:
        """Text; of a style sheet only what fetches nothing."""
        if self._dropping:
            return
        self._out.append(_harmless_css(data) if self._style else escape(data))

    def _write(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = [
            (name, _harmless_css(value or "") if name == "style" else value or "")
            for name, value in attrs
            if name in _ATTRIBUTES
        ]
        written = "".join(f' {name}="{escape(value)}"' for name, value in kept)
        self._out.append(f"<{tag}{written}>")
        if tag not in _VOID:
            self._open.append(tag)
        self._style = tag == "style"

    def _image(self, attrs: Mapping[str, str | None]) -> None:
        text = (attrs.get("alt") or "").strip() or "image"
        width = attrs.get("width") or ""
        tiny = width.isdigit() and int(width) <= 2
        if not tiny:
            self._out.append(f'<span class="shortener-image">{escape(text[:200])}</span>')

    def _begin_link(self, href: str) -> None:
        self._end_link()
        self._in_link, self._depth = True, len(self._open)
        self._link = self._find(href)
        if self._link:
            self._out.append(f'<span class="shortener-link h{self._link.heat}">')
        else:
            self._out.append('<span class="shortener-plain">')
        self._open.append("span")

    def _find(self, href: str) -> Share | None:
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
        if self._link:
            badge = (
                f'<b class="shortener-share" title="{escape(self._link.words)}">{self._link.share:.1%}</b>'
            )
            self._out.append(badge)
        self._link = None
        while len(self._open) > self._depth:
            self._out.append(f"</{self._open.pop()}>")


def _harmless_css(text: str) -> str:
    """A style that fetches nothing: what would is renamed to what no browser knows, escapes lose their mark."""
    return _CALLS.sub("none(", text.replace("\\", "").replace("<", ""))
