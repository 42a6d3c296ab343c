"""Filter for the CSS in an issue. It keeps properties for layout and color whose values do not load anything."""

import re
from collections.abc import Callable, Iterable, Sequence

import tinycss2
from tinycss2.ast import Node

WIDE_SCREEN_PIXELS = 1_000
"""Width of the screen for which media queries are evaluated."""
MAX_COLUMN_PIXELS = 700
"""Widest column of a newsletter for which ``max-width`` counts as its width."""
MAX_ATTRIBUTE_LENGTH = 4_000
"""Number of characters of a ``style`` attribute. A longer one is left out."""
MAX_TOTAL_LENGTH = 200_000
"""Number of characters of CSS of one issue that are parsed. Attributes that are repeated count once."""
MAX_RULES = 3_000
MAX_SELECTOR_TOKENS = 40
_MAX_DEPTH = 3
"""Nesting of functions in a value, such as a color in a gradient, and of ``@media`` rules."""

_SIDES = ("", "-top", "-right", "-bottom", "-left")
_BORDERS = tuple(f"border{side}{part}" for side in _SIDES for part in ("", "-color", "-style", "-width"))
_CORNERS = ("", "-top-left", "-top-right", "-bottom-left", "-bottom-right")
_RADII = tuple(f"border{corner}-radius" for corner in _CORNERS)
_FONTS = tuple(f"font{part}" for part in ("", "-family", "-size", "-style", "-variant", "-weight", "-stretch"))
ALLOWED_PROPERTIES = frozenset(
    {
        *_BORDERS, *_RADII, *_FONTS,
        *(f"{name}{side}" for name in ("margin", "padding") for side in _SIDES),
        *(f"{limit}{size}" for limit in ("", "min-", "max-") for size in ("width", "height")),
        "align-items", "aspect-ratio", "background", "background-color", "background-image", "border-collapse",
        "border-spacing", "box-shadow", "box-sizing", "caption-side", "clear", "color", "column-gap", "direction",
        "display", "empty-cells", "flex", "flex-direction", "flex-wrap", "float", "gap", "justify-content",
        "letter-spacing", "line-height", "list-style", "list-style-position", "list-style-type", "opacity",
        "overflow", "overflow-wrap", "overflow-x", "overflow-y", "row-gap", "table-layout", "text-align",
        "text-decoration", "text-decoration-color", "text-decoration-line", "text-decoration-style",
        "text-decoration-thickness", "text-indent", "text-shadow", "text-transform", "text-underline-offset",
        "unicode-bidi", "vertical-align", "visibility", "white-space", "word-break", "word-spacing", "word-wrap",
    }
)  # fmt: skip
"""Properties that are kept. There is none that positions an element outside the flow, animates it or fetches a URL."""
_FONT_PROPERTIES = frozenset({"font", "font-family"})
_ALLOWED_FUNCTIONS = frozenset(
    {"rgb", "rgba", "hsl", "hsla", "calc", "min", "max", "clamp", "linear-gradient", "radial-gradient"}
)
_ALLOWED_PSEUDO_CLASSES = frozenset({"link", "first-child", "last-child"})
_IDENTIFIER = re.compile(r"-?[A-Za-z_][A-Za-z0-9_-]*", re.A)
_COLOR = re.compile(r"[0-9a-fA-F]{3,8}")
_UNIT = re.compile(r"[A-Za-z]{1,5}")
_FONT_NAME = re.compile(r"[\w .,-]{1,100}")
_LONG_NUMBER = re.compile(r"[0-9]{30}")
_WIDTH = re.compile(r"(?:^|;)(min-|max-|)width:([0-9]{1,5})(?:\.[0-9]+)?px")


class StyleFilter:
    """Filter for the CSS in an issue's style attributes and elements."""

    def __init__(
        self,
        element_of: Callable[[str], str | None],  # new name of an element; None drops the selectors with this element
    ) -> None:
        self._element_of = element_of
        self._attributes: dict[str, str] = {}
        self._remaining_length = MAX_TOTAL_LENGTH
        self._remaining_rules = MAX_RULES
        self.is_cut = False
        """Whether CSS was left out because there was too much of it."""

    def attribute(self, text: str) -> str:
        """Return the allowed declarations of a ``style`` attribute."""
        if text not in self._attributes:
            self._attributes[text] = _declarations(text) if self._accept(text, MAX_ATTRIBUTE_LENGTH) else ""
        return self._attributes[text]

    def sheet(self, text: str) -> str:
        """Return the allowed rules of a ``style`` element."""
        if not self._accept(text, MAX_TOTAL_LENGTH):
            return ""
        nodes = tinycss2.parse_stylesheet(_without_backslashes(text), skip_comments=True, skip_whitespace=True)
        return "".join(self._rules(nodes, depth=0))

    def _accept(self, text: str, max_length: int) -> bool:
        if len(text) > min(max_length, self._remaining_length):
            self.is_cut = True
            return False
        self._remaining_length -= len(text)
        return _LONG_NUMBER.search(text) is None

    def _rules(self, nodes: Iterable[Node], *, depth: int) -> Iterable[str]:
        for node in nodes:
            if node.type == "qualified-rule":
                if self._remaining_rules <= 0:
                    self.is_cut = True
                    return
                self._remaining_rules -= 1
                selectors = self._allowed_selectors(node.prelude)
                declarations = _allowed_declarations(node.content) if selectors else ""
                if declarations:
                    yield f"{selectors}{{{declarations}}}\n"
            elif (
                node.type == "at-rule"
                and node.lower_at_keyword == "media"
                and node.content
                and depth < _MAX_DEPTH
                and _matches_wide_screen(node.prelude)
            ):
                inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
                yield from self._rules(inner, depth=depth + 1)

    def _allowed_selectors(self, tokens: Sequence[Node]) -> str:
        selectors = (self._allowed_selector(part) for part in _split_at_commas(tokens))
        return ",".join(selector for selector in selectors if selector)

    def _allowed_selector(self, tokens: Sequence[Node]) -> str:
        if len(tokens) > MAX_SELECTOR_TOKENS:
            return ""
        parts, before = [], ""
        for token in tokens:
            part = self._allowed_selector_part(token, before)
            if part is None:
                return ""
            parts.append(part)
            before = token.value if token.type == "literal" else ""
        return "".join(parts).strip()

    def _allowed_selector_part(self, token: Node, before: str) -> str | None:
        if token.type == "whitespace" and before not in {".", ":"}:
            return " "
        if token.type == "literal" and token.value in {".", ">", "+", "~", "*", ":"}:
            return "" if token.value == ":" else str(token.value)
        if token.type == "hash" and _IDENTIFIER.fullmatch(token.value):
            return f"#{token.value}"
        if token.type != "ident" or not _IDENTIFIER.fullmatch(token.value):
            return None
        if before == ":":
            name = token.lower_value
            return None if name not in _ALLOWED_PSEUDO_CLASSES else "" if name == "link" else f":{name}"
        return str(token.value) if before == "." else self._element_of(token.lower_value)


def layout_width(declarations: str) -> int:
    """Return the width of an element in pixels from its allowed CSS declarations; 0 if no width is declared."""
    widths = ((name, int(pixels)) for name, pixels in _WIDTH.findall(declarations))
    # A large ``max-width`` is ignored, because such elements are usually narrower.
    return max((pixels for name, pixels in widths if name != "max-" or pixels <= MAX_COLUMN_PIXELS), default=0)


def matches_wide_screen(media: str) -> bool:
    """Return whether a media query list, such as the ``media`` attribute of a style element, matches a wide screen."""
    if len(media) > MAX_ATTRIBUTE_LENGTH or _LONG_NUMBER.search(media):
        return False
    return _matches_wide_screen(tinycss2.parse_component_value_list(_without_backslashes(media), skip_comments=True))


def _without_backslashes(text: str) -> str:
    # An escape could disguise a name. It is not decoded: ``\75rl`` becomes ``75rl``, not ``url``.
    return text.replace("\\", "")


def _declarations(text: str) -> str:
    return _allowed_declarations(_without_backslashes(text))


def _allowed_declarations(source: str | Sequence[Node]) -> str:
    declarations = []
    for node in tinycss2.parse_blocks_contents(source, skip_comments=True, skip_whitespace=True):
        if node.type != "declaration" or node.lower_name not in ALLOWED_PROPERTIES:
            continue
        # A background without its image still has a color.
        tokens = _without_urls(node.value) if node.lower_name == "background" else node.value
        value = _allowed_value(tokens, has_strings=node.lower_name in _FONT_PROPERTIES)
        if value and value.strip():
            declarations.append(f"{node.lower_name}:{value.strip()}{'!important' if node.important else ''}")
    return ";".join(declarations)


def _without_urls(tokens: Sequence[Node]) -> list[Node]:
    return [
        token
        for token in tokens
        if token.type != "url" and not (token.type == "function" and token.lower_name == "url")
    ]


def _allowed_value(tokens: Iterable[Node], *, has_strings: bool = False, depth: int = 0) -> str | None:
    parts = []
    for token in tokens:
        part = _allowed_value_part(token, has_strings=has_strings, depth=depth)
        if part is None:
            return None
        parts.append(part)
    return "".join(parts)


def _allowed_value_part(token: Node, *, has_strings: bool, depth: int) -> str | None:
    match token.type:
        case "whitespace":
            return " "
        case "ident":
            return str(token.value) if _IDENTIFIER.fullmatch(token.value) else None
        case "number":
            return str(token.representation)
        case "percentage":
            return f"{token.representation}%"
        case "dimension":
            return f"{token.representation}{token.unit}" if _UNIT.fullmatch(token.unit) else None
        case "hash":
            return f"#{token.value}" if _COLOR.fullmatch(token.value) else None
        case "string":
            return f'"{token.value}"' if has_strings and _FONT_NAME.fullmatch(token.value) else None
        case "literal":
            return str(token.value) if token.value in {",", "/"} or (depth and token.value in "+-*") else None
        case "function" if token.lower_name in _ALLOWED_FUNCTIONS and depth < _MAX_DEPTH:
            inner = _allowed_value(token.arguments, depth=depth + 1)
            return None if inner is None else f"{token.lower_name}({inner})"
    return None


def _split_at_commas(tokens: Iterable[Node]) -> list[list[Node]]:
    parts: list[list[Node]] = [[]]
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _matches_wide_screen(prelude: Iterable[Node]) -> bool:
    queries = _split_at_commas(token for token in prelude if token.type not in {"whitespace", "comment"})
    return any(query and all(map(_part_matches_wide_screen, query)) for query in queries)


def _part_matches_wide_screen(token: Node) -> bool:
    if token.type == "ident":
        return token.lower_value in {"only", "all", "screen", "and"}
    if token.type != "() block":
        return False
    match [part for part in token.content if part.type != "whitespace"]:
        case [name, colon, size] if name.type == "ident" and colon == ":" and size.type == "dimension":
            if size.lower_unit != "px":
                return False
            name_text = name.lower_value.replace("device-", "")
            limit = float(size.value)
            if name_text == "min-width":
                return limit <= WIDE_SCREEN_PIXELS
            return name_text == "max-width" and limit >= WIDE_SCREEN_PIXELS
    return False
