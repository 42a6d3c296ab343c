"""An issue's document is shown in its sender's design, whatever its markup, and reading it takes bounded work."""

import re
from collections.abc import Callable

import pytest

from shortener.config import Domain
from shortener.web import issue_document
from shortener.web.clickmap import find_badge
from shortener.web.issue_document import Badge, read_document
from tests.growth import SIZE_RATIO, grows_with_length

BADGES = {("go.example", "abc", 1): Badge("50\u00a0%", "1 click", "share", 3, "shortener-abc-1")}


def body(source: str) -> str:
    """Return what is shown of an HTML document, inside the element that stands for its body."""
    find = find_badge(BADGES, domains=(Domain(host="go.example"),))
    page = read_document(source.encode(), format="html").render(find, stylesheet_url="x.css", title="x")
    return page.partition("<shortener-body")[2].partition(">")[2].removesuffix("</shortener-body></body></html>")


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
    "style": ("<style>a{} <b></style>", ""),
    "badge": (
        '<a href="https://go.example/abc/1">x</a>',
        '<shortener-link data-tone="share" data-level="3">x<shortener-badge id="shortener-abc-1" data-place="text" '
        'data-tone="share" data-level="3" title="1 click">50\u00a0%</shortener-badge></shortener-link>',
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
    """Markup that is repeated 20,000 times is shown or dropped in a time that does not grow with the square."""

    def show(flood: str) -> None:
        assert body("<p>first</p>" + flood).startswith("<p>first</p>")

    assert grows_with_length(show, build(20_000), small=build(20_000 // SIZE_RATIO))


def test_rest_of_a_very_long_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue with too many tags is shown up to the limit, and the map says so."""
    monkeypatch.setattr(issue_document, "MAX_TOKENS", 30)
    shown = body("<p>x</p>" * 100)
    assert shown.count("<p>x</p>") == 10
    assert "too long to be shown" in shown
    assert "too long" not in body("<p>x</p>" * 10)


def test_output_is_balanced() -> None:
    """Each element that is written is closed, in the order of nesting."""
    shown = body("<div><p><a href=https://go.example/abc/1><b>x</div><table><td></a></b></p>")
    open_tags: list[str] = []
    for end, name in re.findall(r"<(/?)([\w-]+)", shown):
        if end:
            assert open_tags.pop() == name
        else:
            open_tags.append(name)
    assert not open_tags


DESIGN = {
    "inline style": ('<p style="color:red;position:fixed">x</p>', '<p style="color:red">x</p>'),
    "style of a link": (
        '<a href="https://b.example/" style="color:red" class="b">x</a>',
        '<shortener-link data-tone="none" class="b" style="color:red">x</shortener-link>',
    ),
    "button": (
        '<a href="https://go.example/abc/1" style="padding:9px">x</a>',
        '<shortener-link data-tone="share" data-level="3" style="padding:9px">x<shortener-badge '
        'id="shortener-abc-1" data-place="corner" data-tone="share" data-level="3" title="1 click">50\u00a0%'
        "</shortener-badge></shortener-link>",
    ),
    "image": (
        '<img src=x width=300 height=100 alt="A <whale>" style="display:block;height:auto" onerror=x>',
        '<shortener-image style="width:300px;height:100px;aspect-ratio:300/100;display:block;height:auto" '
        'title="A &lt;whale&gt;"><shortener-alt>A &lt;whale&gt;</shortener-alt></shortener-image>',
    ),
    "wide image": (
        '<img src=x width="100%">',
        '<shortener-image style="width:100%" title=""><shortener-alt></shortener-alt></shortener-image>',
    ),
    "pixel": ('<img src=x width=1 height=1><img src=x height="2px">', ""),
    "linked image": (
        '<a href="https://go.example/abc/1"><img src=x alt=y></a>',
        '<shortener-link data-tone="share" data-level="3"><shortener-image title="y"><shortener-alt>y</shortener-alt>'
        '<shortener-badge id="shortener-abc-1" data-place="image" data-tone="share" data-level="3" '
        'title="1 click">50\u00a0%</shortener-badge></shortener-image></shortener-link>',
    ),
    "style element": ("<style>a.b{color:red}</style>", "<style>shortener-link.b{color:red}\n</style>"),
    "style element for print": ('<style media="print">p{color:red}</style>', ""),
    "id like ours": ('<p id="shortener-abc-1">x</p>', "<p>x</p>"),
    "element like ours": ("<shortener-badge>x</shortener-badge>", "x"),
    "fetching attributes": ('<table background="x" width=9 data-x=y>', '<table width="9">'),
}


@pytest.mark.parametrize(("source", "shown"), DESIGN.values(), ids=DESIGN.keys())
def test_design(source: str, shown: str) -> None:
    """The sender's layout and colors are shown, images are boxes of their size, and badges are at their links."""
    page = body(source)
    assert page.startswith(shown)
    assert re.sub("</(td|table)>", "", page.removeprefix(shown)) == ""


def test_body_and_width() -> None:
    """The body's style is shown, and a design of fixed width is scaled to a narrower frame."""
    find = find_badge({}, domains=())

    def page(source: str) -> str:
        return read_document(source.encode(), format="html").render(find, stylesheet_url="x", title="<T>")

    shown = page('<body bgcolor="#eee" class="b" style="margin:0;background:url(x)" onload=x><table width="640">x')
    assert '<shortener-body class="b" style="background-color:#eee;margin:0">' in shown
    assert "@media(max-width:640px){html{--scale:0.975}}" in shown
    assert "<title>&lt;T&gt;</title>" in shown
    for fluid in ('<table width="100%">', '<div style="max-width:900px">', '<table width="5000">', "<p>x"):
        assert "--scale" not in page(fluid)
