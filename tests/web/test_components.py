"""Tests of the components of the pages: orders of tables, addresses, glyphs, and macros that templates call."""

import re
from typing import TYPE_CHECKING

import pytest
from flask import render_template_string

from shortener.web.components import TableOrder, interval_glyph, read_order, unique_id, url_with, value_bar

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

ROWS = (("b", 2), ("a", None), ("c", 7), ("d", 2))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (TableOrder("number", descending=False), "bdca"),
        (TableOrder("number", descending=True), "cbda"),
        (TableOrder("name", descending=True), "dcba"),
    ],
)
def test_order(order: TableOrder, expected: str) -> None:
    """Rows without a value are last in both directions; equal rows keep their order."""
    values = {"name": lambda row: row[0], "number": lambda row: row[1]}
    assert "".join(row[0] for row in order.sort(ROWS, values)) == expected


def test_order_of_an_address(site: "EditorSite") -> None:
    """The order comes from the address; an unknown column gives the default."""
    for query, expected in (("?sort=-title", ("title", True)), ("?sort=x", ("sent", True)), ("", ("sent", True))):
        with site.app.test_request_context(f"/-/issues{query}"):
            order = read_order(("sent", "title"), default="-sent")
            assert (order.key, order.descending) == expected


def test_address_with_changes(site: "EditorSite") -> None:
    """A changed address keeps the other parameters; None removes one; special characters stay what they are."""
    with site.app.test_request_context("/-/links?q=a%26b+%E6%BD%AE&page=3"):
        assert url_with(page=4) == "/-/links?q=a%26b+%E6%BD%AE&page=4"
        assert url_with(page=None, sort="-title") == "/-/links?q=a%26b+%E6%BD%AE&sort=-title"
        assert unique_id("x") != unique_id("x")


def test_bars() -> None:
    """A bar is proportional to its value, stays on its scale, and has a tick only where a typical value is known."""
    assert 'width="50.0"' in value_bar(5, 2, 10, "above")
    assert 'x1="20.0"' in value_bar(5, 2, 10, "above")
    assert "line" not in value_bar(5, None, 10, "usual")
    assert 'width="100.0"' in value_bar(50, 2, 10, "usual")
    assert 'width="0.0"' in value_bar(None, None, 0, "usual")


def test_interval_is_logarithmic() -> None:
    """One is in the middle; a half and 2 are as far from it as each other; values beyond the scale are at its ends."""

    def x(multiple: float) -> float:
        return float(re.search(r'cx="([\d.]+)"', interval_glyph(multiple, multiple, multiple, "usual"))[1])  # type: ignore[index]

    assert x(1) == 60
    assert x(2) - 60 == 60 - x(0.5) > 0
    assert x(0) == x(0.01) < x(0.25) + 0.1
    assert x(9) == x(4)


MACROS = """
{% import "components.html" as c %}
{% call c.confirm("Retire", "/-/x", {"status": "<b>"}) %}gone{% endcall %}
{{ c.term("Rate", "what it is", "/-/help#rate") }}
{{ c.field(form("x"), "title", "Title", "<i>", hint="short", maxlength=5) }}
{{ c.figure("Rate", "3 %", tone="below", comparison="below the usual") }}
<table>{{ c.sort_head("Title", "title", order) }}{{ c.sort_head("Visitors", "visitors", order, numeric=true) }}</table>
{% call c.empty("None yet") %}<p>do this</p>{% endcall %}
{{ c.steps((("Text", "/-/a"), ("Review", ""), ("Ready", "")), 2) }}
{{ c.pager(2, 3, 51, 100, 140) }}
{{ c.copy_button("draft") }}{{ c.bar(1, 2, 3) }}{{ c.interval(0.5, 1, 2) }}
"""


def test_macros(site: "EditorSite") -> None:
    """Each component renders with its parts, and escapes what it is given."""
    with site.app.test_request_context("/-/links?page=2"):
        page = render_template_string(MACROS, order=TableOrder("title", descending=False))
    for part in (
        'name="status" value="&lt;b&gt;"',
        'popovertarget="term-1"',
        'value="&lt;i&gt;" maxlength="5"',
        "▼</span> below the usual",
        'aria-sort="ascending"><a class="sort" href="/-/links?sort=-title">',
        'class="n"><a class="sort" href="/-/links?sort=-visitors">',
        "<h2>None yet</h2><p>do this</p>",
        '<li class="done"><span class="number" aria-hidden="true">✓</span><a href="/-/a">Text</a>',
        'aria-current="step"',
        "51 to 100 of 140",
        'rel="next" href="/-/links?page=3"',
        'data-copy="draft"',
    ):
        assert part in page, part


def test_header_of_an_issue(site: "EditorSite") -> None:
    """Each page of an issue has one header with title, status, sending and tabs, of which the open one is marked."""
    site.add_issue(sent_at=1_790_000_000)
    viewer = site.client("viewer")
    for path, tab in (("", "Results"), ("/map", "Click map"), ("/setup", "Setup")):
        page = viewer.get(f"/-/issues/may{path}").text
        assert page.count("<h1") == 1
        assert f'aria-current="page">{tab}</a>' in page
        assert '<span class="tag good">Sent</span>' in page
        assert page.count('<summary class="button">Export</summary>') == 1
