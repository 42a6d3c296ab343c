"""The click map shows the whole issue, whatever its markup, and its work grows with the size of the document only."""

import re
from collections.abc import Callable

import pytest

from shortener.config import Domain
from shortener.web import clickmap
from shortener.web.clickmap import LinkShare, render_map

SHARES = {("go.example", "abc", 1): LinkShare(share="50\u00a0%", heat_level=3, tooltip="1 click")}


def body(source: str) -> str:
    """Return the body of the click map of an HTML document."""
    page = render_map(
        source.encode(), format="html", shares=SHARES, domains=(Domain(host="go.example"),), stylesheet_url="map.css"
    )
    return page.partition("<body")[2].partition(">")[2].removesuffix("</body></html>")


AFTER = "<p>rest</p>"
MARKUP = {
    "conditional comment": ("<![ if mso]><p>x</p><![endif]>", "<p>x</p>"),
    "unknown declaration": ("<!ELEMENT x><p>x</p>", "<p>x</p>"),
    "unclosed comment bracket": ("<![CDATA[ y <p>x", "x"),
    "unclosed svg": ("<svg><circle>x", "x"),
    "unclosed select": ("<select><option>x", "x"),
    "unclosed math": ("<math><mi>x", "x"),
    "void embed": ("<embed src=x>", ""),
    "unclosed before closed": ("<svg>x<svg>y</svg>", "x"),
    "unclosed in another": ("<svg>x<select>y</svg>", ""),
    "self-closing": ("<svg/>x", "x"),
    "stray end": ("x</svg></select>", "x"),
    "script": ("<script>x</script>", ""),
    "shown as written": ("<xmp><b>x</b></xmp>", "&lt;b&gt;x&lt;/b&gt;"),
    "first of two attributes": ('<p class="a" class="b">x</p>', '<p class="a">x</p>'),
    "references": ("caf&eacute; &lt;b&gt; &amp;lt;", "café &lt;b&gt; &amp;lt;"),
    "style": ("<style>a{} <b></style>", "<style>a{} b></style>"),
    "badge": (
        '<a href="https://go.example/abc/1">x</a>',
        '<span class="shortener-link h3">x<b class="shortener-share" title="1 click">50\u00a0%</b></span>',
    ),
}


@pytest.mark.parametrize(("source", "shown"), MARKUP.values(), ids=MARKUP.keys())
def test_markup(source: str, shown: str) -> None:
    """Broken markup costs only itself: what follows it is shown."""
    assert body(source + AFTER) == shown + AFTER


FLOODS: dict[str, Callable[[int], str]] = {
    "unfinished tags": lambda n: "<a " * n,
    "open elements": lambda n: "<b>" * n,
    "open elements and other ends": lambda n: "<b>" * n + "</i>" * n,
    "removed elements": lambda n: "<svg>" * n + "</math>" * n,
    "links": lambda n: "<a href=https://go.example/abc/1>" * n,
    "attributes": lambda n: "<p " + "a " * n + ">",
    "comments": lambda n: "<!--" * n,
    "references": lambda n: "&#" * n,
    "conditional comments": lambda n: "<![if " * n,
}


@pytest.mark.parametrize("build", FLOODS.values(), ids=FLOODS.keys())
def test_flood(build: Callable[[int], str]) -> None:
    """Markup that is repeated 60,000 times is shown or dropped; with quadratic work this test would take hours."""
    assert body("<p>first</p>" + build(60_000)).startswith("<p>first</p>")


def test_rest_of_a_very_long_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue with too many tags is shown up to the limit, and the map says so."""
    monkeypatch.setattr(clickmap, "MAX_TOKENS", 30)
    shown = body("<p>x</p>" * 100)
    assert shown.count("<p>x</p>") == 10
    assert "too long to be shown" in shown
    assert "too long" not in body("<p>x</p>" * 10)


def test_output_is_balanced() -> None:
    """Each element that is written is closed, in the order of nesting."""
    shown = body("<div><p><a href=https://go.example/abc/1><b>x</div><table><td></a></b></p>")
    open_tags: list[str] = []
    for end, name in re.findall(r"<(/?)(\w+)", shown):
        if end:
            assert open_tags.pop() == name
        else:
            open_tags.append(name)
    assert not open_tags
