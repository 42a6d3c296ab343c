"""Click map: the sanitized document of an issue. A badge at each link shows the link's share of the clicks.

The result has no script, form, frame, image or link: an image becomes a box with its alternative text, and a link
becomes a span. As a second barrier it is shown in a sandboxed frame with its own content security policy.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from html import escape, unescape
from itertools import islice

import pyromark
from msgspec import Struct

from shortener import newsletter
from shortener.config import Domain
from shortener.errors import InputError
from shortener.newsletter import Format
from shortener.newsletter.html_tokenizer import Token, tokenize
from shortener.short_urls import parse_short_url

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
"""Content security policy of the map's document. It allows inline styles, which newsletters need, but no scripts."""
HEAT_LEVELS = 5
MAX_TOKENS = 200_000
"""Number of tags and texts of an issue that are shown. An issue of 5,000 links has about 50,000."""
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
        "strike", "strong", "style", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
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
_FETCHING_CSS = re.compile(r"(?:url|src|image|expression)\s*\(|@import|image-set\s*\(", re.I)
"""CSS functions and rules that could fetch a resource."""


class LinkShare(Struct, frozen=True):
    """Badge of a link or placement: the share of the issue's human clicks as text, its colour level and tooltip."""

    share: str
    heat_level: int
    tooltip: str


LinkShares = Mapping[tuple[str, str, int], LinkShare]
"""Shares by (host, code, placement number). The number 0 means all placements of the link together."""


def heat_level(clicks: int, max_clicks: int) -> int:
    """Return the colour level of a link, from 0 (no clicks) to HEAT_LEVELS (the most clicked)."""
    return 0 if not clicks else max(1, round(HEAT_LEVELS * clicks / max_clicks)) if max_clicks else 0


def render_map(
    source: bytes, *, format: Format, shares: LinkShares, domains: Sequence[Domain], stylesheet_url: str
) -> str:
    """Return the click map as an HTML document. ``source`` is the issue's document with short links, in ``format``."""
    content = _Sanitizer(_to_html(source, format).encode(), shares, domains).sanitize()
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Click map</title>'
        f'<link rel="stylesheet" href="{escape(stylesheet_url)}"></head><body class="{format}" dir="auto">'
        f"{content}</body></html>"
    )


def _to_html(source: bytes, format: Format) -> str:
    """Return an issue as HTML: of a mail its first part that has text, and of MJML the content of its components."""
    if format == "markdown":
        return _markdown_to_html(source)
    text = source
    if format == "eml" or _UTF16_MARK.match(source) or b"charset" in source[:4096].lower():
        try:
            parts = newsletter.parse(source, format=format).parts
        except InputError:
            parts = ()
        shown = next((part for part in parts if part.text.strip()), None)
        if shown and not shown.is_html:
            return _markdown_to_html(shown.text)
        text = shown.text if shown else source
    html = text.decode("utf-8", "replace").removeprefix("\ufeff")
    return _MJML_LINK.sub(r"<\1a", html) if format == "mjml" else html


def _markdown_to_html(source: bytes) -> str:
    """Return Markdown as HTML, without its front matter. Bare URLs that the newsletter parser found become links."""
    document = newsletter.parse(source, format="markdown")
    parts, position = [], 0
    for link in document.links:
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
    """Sanitizer that writes the allowed part of a document, with a badge at each link."""

    def __init__(self, source: bytes, shares: LinkShares, domains: Sequence[Domain]) -> None:
        self._source = source
        self._shares = shares
        self._domains = domains
        self._output: list[str] = []
        self._open_elements: list[str] = []
        self._open_counts: Counter[str] = Counter()
        self._removed_depth = 0
        self._link_share: LinkShare | None = None
        self._in_link = False
        self._link_depth = 0

    def sanitize(self) -> str:
        """Return the sanitized markup, with all open elements closed."""
        tokens = list(islice(tokenize(self._source), MAX_TOKENS + 1))
        removed = _pair_removed_elements(tokens)
        for number, token in enumerate(tokens[:MAX_TOKENS]):
            if token.name.decode("ascii", "replace") in _REMOVED_ELEMENTS and token.kind != "raw":
                self._removed_depth += removed.get(number, 0)
            elif not self._removed_depth:
                self._write(token)
        self._close_until(0)
        if len(tokens) > MAX_TOKENS:
            self._output.append('<p class="shortener-plain">The rest of this issue is too long to be shown here.</p>')
        return "".join(self._output)

    def _write(self, token: Token) -> None:
        name = token.name.decode("ascii", "replace")
        if token.kind == "text":
            self._output.append(escape(unescape(self._text(token.start, token.end))))
        elif token.kind == "raw" and name == "style":
            self._output.append(_sanitize_css(self._text(token.start, token.end)))
        elif token.kind == "raw" and name in _SHOWN_RAW_TEXT:
            self._output.append(escape(self._text(token.start, token.end)))
        elif token.kind == "start":
            self._start(name, self._attributes(token))
        elif token.kind == "end":
            self._end(name)

    def _text(self, start: int, end: int) -> str:
        return self._source[start:end].decode("utf-8", "replace")

    def _attributes(self, token: Token) -> dict[str, str]:
        """Return the attributes by name; if a name occurs twice, the first value is used, as in browsers."""
        attributes: dict[str, str] = {flag.decode("ascii", "replace"): "" for flag in token.flags}
        for each in reversed(token.attributes):
            attributes[each.name.decode("ascii", "replace")] = unescape(self._text(each.start, each.end))
        return attributes

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Write a start tag if the element is allowed; replace links and images."""
        if tag == "a":
            self._start_link(attributes.get("href", ""))
        elif tag == "img":
            self._write_image_placeholder(attributes)
        elif tag in _ALLOWED_ELEMENTS:
            self._output.append(f"<{tag}{_format_attributes(attributes)}>")
            if tag not in _VOID_ELEMENTS:
                self._open(tag)

    def _end(self, tag: str) -> None:
        """Close an element, and the elements that are still open in it. Ignore an end tag without a start tag."""
        if tag == "a":
            self._end_link()
        elif self._open_counts[tag]:
            while self._close() != tag:
                pass

    def _open(self, tag: str) -> None:
        self._open_elements.append(tag)
        self._open_counts[tag] += 1

    def _close(self) -> str:
        """Close the innermost open element and return its name."""
        tag = self._open_elements.pop()
        self._open_counts[tag] -= 1
        self._output.append(f"</{tag}>")
        return tag

    def _close_until(self, depth: int) -> None:
        self._end_link()
        while len(self._open_elements) > depth:
            self._close()

    def _write_image_placeholder(self, attributes: Mapping[str, str]) -> None:
        text = attributes.get("alt", "").strip() or "image"
        width = attributes.get("width", "")
        # An image of one or two pixels is a tracking pixel or a spacer.
        if not (width.isdigit() and int(width) <= 2):
            self._output.append(f'<span class="shortener-image">{escape(text[:200])}</span>')

    def _start_link(self, href: str) -> None:
        self._end_link()
        self._in_link, self._link_depth = True, len(self._open_elements)
        self._link_share = self._find_share(href)
        if self._link_share:
            self._output.append(f'<span class="shortener-link h{self._link_share.heat_level}">')
        else:
            self._output.append('<span class="shortener-plain">')
        self._open("span")

    def _find_share(self, href: str) -> LinkShare | None:
        key = parse_short_url(href, domains=self._domains) if "://" in href else None
        if key is None:
            return None
        segment = href.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
        n = int(segment) if segment.isascii() and segment.isdigit() and len(segment) <= 5 else 0
        return self._shares.get((*key, n)) or self._shares.get((*key, 0))

    def _end_link(self) -> None:
        if not self._in_link:
            return
        self._in_link = False
        if self._link_share:
            tooltip, share = escape(self._link_share.tooltip), escape(self._link_share.share)
            self._output.append(f'<b class="shortener-share" title="{tooltip}">{share}</b>')
        self._link_share = None
        while len(self._open_elements) > self._link_depth:
            self._close()


def _format_attributes(attributes: Mapping[str, str]) -> str:
    """Return the allowed attributes as markup, each after a space."""
    return "".join(
        f' {name}="{escape(_sanitize_css(value) if name == "style" else value)}"'
        for name, value in attributes.items()
        if name in _ALLOWED_ATTRIBUTES
    )


def _pair_removed_elements(tokens: Sequence[Token]) -> dict[int, int]:
    """Return 1 for each token that starts a removed element and -1 for each that ends one, by token index.

    A start tag without an end tag is not included: it is dropped, and what follows it is shown.
    """
    removed: dict[int, int] = {}
    open_tags: defaultdict[bytes, list[int]] = defaultdict(list)
    for number, token in enumerate(tokens):
        if token.name.decode("ascii", "replace") not in _REMOVED_ELEMENTS:
            continue
        if token.kind == "start":
            open_tags[token.name].append(number)
        elif token.kind == "end" and open_tags[token.name]:
            removed[open_tags[token.name].pop()], removed[number] = 1, -1
    return removed


def _sanitize_css(text: str) -> str:
    """Return CSS that loads nothing: functions that load something become ``none(``, and backslashes are removed."""
    return _FETCHING_CSS.sub("none(", text.replace("\\", "").replace("<", ""))
