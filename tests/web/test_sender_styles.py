"""A sender's CSS is shown as far as it lays out and colors text; nothing of it fetches, positions or names ours."""

import pytest

from shortener.web import sender_styles
from shortener.web.sender_styles import MAX_ATTRIBUTE_LENGTH, MAX_TOTAL_LENGTH, StyleFilter, matches_wide_screen
from tests.growth import SIZE_RATIO, grows_with_length

ELEMENTS = {"a": "shortener-link", "p": "p", "body": "shortener-body"}

ATTRIBUTES = {
    "color and size": ("COLOR: Red; width:600px !important", "color:Red;width:600px!important"),
    "font": ("font:700 14px/1.5 'Source Sans', Arial", 'font:700 14px/1.5 "Source Sans", Arial'),
    "functions": ("width:calc(100% - 2px);color:rgb(1 2 3 / 50%)", "width:calc(100% - 2px);color:rgb(1 2 3 / 50%)"),
    "gradient": ("background:linear-gradient(red,rgb(0,0,0))", "background:linear-gradient(red,rgb(0,0,0))"),
    "background with image": ("background:#fff url(https://e.example/x.png) no-repeat", "background:#fff  no-repeat"),
    "background, quoted": ('background:url("https://e.example/x.png") #fff', "background:#fff"),
    "image": ("background-image:url(https://e.example/x.png);color:red", "color:red"),
    "escaped url": ("background:u\\72l(https://e.example/x.png)", ""),
    "image set": ("background-image:image-set('https://e.example/x' 1x)", ""),
    "expression": ("width:expression(alert(1))", ""),
    "behavior": ("behavior:url(x.htc);-moz-binding:url(x)", ""),
    "position": ("position:fixed;top:0;left:0;z-index:9;color:red", "color:red"),
    "animation": ("animation:x 1s;transition:all 1s;transform:rotate(9deg)", ""),
    "variable": ("--x:url(y);color:var(--x)", ""),
    "string elsewhere": ("color:'x'", ""),
    "breaking out": ("color:red}</style><script>", ""),
    "quote in a font": ('font-family:"a\\"b</style>"', ""),
    "unclosed": ("color:red;background:rgb(1", "color:red;background:rgb(1)"),
    "broken part": ("color:red;;:;width;margin:0 auto", "color:red;margin:0 auto"),
    "huge number": ("width:" + "9" * 5_000 + "px", ""),
    "hack": ("color:red;*width:1px;_height:2px;mso-hide:all", "color:red"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), ATTRIBUTES.values(), ids=ATTRIBUTES.keys())
def test_attribute(text: str, shown: str) -> None:
    """Of a style attribute the allowed declarations are left."""
    assert StyleFilter(ELEMENTS.get).attribute(text) == shown


SHEETS = {
    "types": ("p, a:link, body > p.x#y + p{color:red}", "p,shortener-link,shortener-body > p.x#y + p{color:red}"),
    "our elements": ("shortener-badge{display:none} p shortener-link{color:red}", ""),
    "attributes": ("p[class^=x]{color:red} u + .body p{color:red}", ""),
    "one of two": ("p::before, .x{color:red}", ".x{color:red}"),
    "other rules": ("@import url(x);@font-face{src:url(x)}@charset 'x';@namespace x;@page{margin:0}", ""),
    "wide screen": ("@media only screen and (min-width:480px){.w{width:50%!important}}", ".w{width:50%!important}"),
    "phone": ("@media (max-width:600px){.w{width:100%}}", ""),
    "dark": ("@media (prefers-color-scheme:dark){p{color:#fff}}", ""),
    "print": ("@media print{p{color:red}}", ""),
    "comments": ("<!-- /* x */ p{color:red} -->", "p{color:red}"),
    "empty rule": ("p{position:fixed}", ""),
    "long selector": ("." + " .".join("x" * 60) + "{color:red}", ""),
    "unclosed": ("p{color:red", "p{color:red}"),
}


@pytest.mark.parametrize(("text", "shown"), SHEETS.values(), ids=SHEETS.keys())
def test_sheet(text: str, shown: str) -> None:
    """Of a style element the rules with simple selectors are left, as they apply on a wide screen."""
    assert StyleFilter(ELEMENTS.get).sheet(text).strip() == shown


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """CSS beyond the limits is left out, and the filter says so; a repeated attribute counts once."""
    monkeypatch.setattr(sender_styles, "MAX_TOTAL_LENGTH", 12_000)
    styles = StyleFilter(ELEMENTS.get)
    for _ in range(12_000):
        assert styles.attribute("color:red") == "color:red"
    assert not styles.is_cut
    assert not styles.attribute("color:red;" * MAX_ATTRIBUTE_LENGTH)
    assert styles.is_cut
    styles = StyleFilter(ELEMENTS.get)
    assert styles.sheet("p{color:red}" * 1_000)
    assert not styles.sheet("p{color:red}" * 20)
    monkeypatch.setattr(sender_styles, "MAX_RULES", 3)
    styles = StyleFilter(ELEMENTS.get)
    assert styles.sheet("p{color:red}" * 9).count("color") == 3
    assert styles.is_cut


FLOODS = ("(", "{", "a{", "/*", "@media(x){", "a{b:c}", "a{color:f(", '"', "!", "url(", "a,", "\\", "@", "a{color:rgb(")


def read_sheet(css: str) -> None:
    """Read a style element with a new filter."""
    StyleFilter(ELEMENTS.get).sheet(css)


def read_attribute(css: str) -> None:
    """Read a style attribute with a new filter."""
    StyleFilter(ELEMENTS.get).attribute(css)


@pytest.mark.parametrize("piece", FLOODS)
def test_flood(piece: str) -> None:
    """CSS that is repeated many times is read in a time that does not grow with the square."""
    sheet, attribute = piece * (MAX_TOTAL_LENGTH // 5 // len(piece)), piece * (MAX_ATTRIBUTE_LENGTH // len(piece))
    for work, css in ((read_sheet, sheet), (read_attribute, attribute)):
        assert grows_with_length(work, css, small=css[: len(css) // SIZE_RATIO])


def test_media_attribute() -> None:
    """The media attribute of a style element is a media query."""
    assert matches_wide_screen("screen")
    assert not matches_wide_screen("print")
    assert not matches_wide_screen("(max-width: 600px)")
    assert not matches_wide_screen("9" * 40)
