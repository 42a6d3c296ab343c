"""The Python functions for templates/components.html: sorted tables, URLs with changed parameters, and small charts."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from flask import Flask, g, request
from markupsafe import Markup
from msgspec import Struct
from werkzeug.datastructures import MultiDict

from shortener.reporting.counts import to_datetime_or_none
from shortener.store import issues
from shortener.web.clickmap import placement_kinds
from shortener.web.context import now, store
from shortener.web.forms import read_clamped_integer

Row = TypeVar("Row")

INTERVAL_WIDTH, INTERVAL_HEIGHT = 120, 16
"""Size in pixels of the chart that ``interval_glyph`` returns."""
MAX_DOUBLINGS = 2.0
"""Powers of two on each side of 1 that ``interval_glyph`` shows: from a quarter to four times typical."""


class IssueHeading(Struct, frozen=True):
    """The details in the header of every page about an issue."""

    slug: str
    title: str
    status: str
    sent_at: datetime | None
    recipients: int | None


class TableOrder(Struct, frozen=True):
    """Order of a table: the key of a column, and the direction.

    ``?sort=title`` is ascending, ``?sort=-visitors`` descending.
    """

    key: str
    descending: bool

    def sort(
        self,
        rows: Iterable[Row],
        values: Mapping[str, Callable[[Row], Any]],  # by key of a column: returns the value of a row in this column
    ) -> list[Row]:
        """Return the rows sorted by the column; rows without a value are last."""
        value = values[self.key]
        all_rows = list(rows)
        known = [row for row in all_rows if value(row) is not None]
        unknown = [row for row in all_rows if value(row) is None]
        # Not reverse=True alone: equal rows keep their order in both directions.
        return [*sorted(known, key=value, reverse=self.descending), *unknown]


def init_app(app: Flask) -> None:
    """Register the functions that components.html calls."""
    # Templates import components.html, and an imported template can use only global functions.
    app.jinja_env.globals.update(
        issue_heading=issue_heading,
        unique_id=unique_id,
        url_with=url_with,
        value_bar=value_bar,
        interval_glyph=interval_glyph,
        placement_kinds=placement_kinds,
        stacked_bar=stacked_bar,
    )


def read_order(columns: Sequence[str], *, default: str) -> TableOrder:
    """Return the table order in the query string.

    If the query string names none of ``columns``, return the order ``default``, such as ``-visitors``.
    """
    text = request.args.get("sort", "")
    if text.removeprefix("-") not in columns:
        text = default
    return TableOrder(text.removeprefix("-"), text.startswith("-"))


class TablePage(Struct, frozen=True):
    """One page of a long table."""

    rows: Sequence[Any]
    page: int
    """Number of the page, from 1 to ``pages``."""
    pages: int
    first: int
    """Number of the page's first row in the whole table, counted from 1."""
    last: int
    """Number of the page's last row in the whole table, counted from 1."""
    total: int
    """Number of rows on all pages."""


def read_page(rows: Sequence[Any], *, page_size: int) -> TablePage:
    """Return the requested page of a table; a page number out of range becomes the nearest one."""
    pages = max(1, -(-len(rows) // page_size))
    page = read_clamped_integer(request.values, "page", minimum=1, maximum=pages, default=1)
    start = (page - 1) * page_size
    shown = rows[start : start + page_size]
    return TablePage(shown, page, pages, start + 1, start + len(shown), len(rows))


def url_with(**changes: object) -> str:
    """Return the URL of the current page with changed query parameters. None removes a parameter."""
    values = MultiDict(request.args)
    for name, value in changes.items():
        if value is None:
            values.poplist(name)
        else:
            values[name] = str(value)
    query = urlencode(list(values.items(multi=True)))
    return quote(request.path) + (f"?{query}" if query else "")


def unique_id(name: str) -> str:
    """Return an HTML id that no other element of the page has."""
    g.unique_ids = g.get("unique_ids", 0) + 1
    return f"{name}-{g.unique_ids}"


def issue_heading(slug: str) -> IssueHeading:
    """Return title, status, sending time and recipients of an issue. Raises NotFound."""
    issue = issues.get(store(), slug)
    return IssueHeading(
        slug=issue.slug,
        title=issue.title,
        status=issues.status(issue, now=now()),
        sent_at=to_datetime_or_none(issue.sent_at),
        recipients=issue.recipients,
    )


def value_bar(
    value: float | None,
    typical: float | None,
    most: float,  # value of a bar of full length
    tone: str,  # CSS class of the bar
) -> Markup:
    """Return an SVG bar of the length ``value`` with a mark at ``typical``."""
    width = _percentage(value or 0, most)
    tick = Markup("")
    if typical is not None:
        tick = Markup(
            '<line class="tick" x1="{0}" x2="{0}" y1="0" y2="12" vector-effect="non-scaling-stroke"/>'
        ).format(_percentage(typical, most))
    return Markup(
        '<svg class="bar {}" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" y="2" width="100" height="8"/><rect y="2" width="{}" height="8"/>{}</svg>'
    ).format(tone, width, tick)


def _percentage(value: float, most: float) -> float:
    return round(100 * min(1.0, max(0.0, value / most)), 1) if most > 0 else 0.0


class StackPart(Protocol):
    """A part of a stacked bar."""

    @property
    def verdict(self) -> str:
        """CSS class that colors the part."""

    @property
    def share(self) -> float:
        """Length of the part as a share of the bar, from 0 to 1."""


def stacked_bar(parts: Iterable[StackPart]) -> Markup:
    """Return a bar of several parts side by side, as SVG."""
    rects, left = [], 0.0
    for part in parts:
        rect = Markup('<rect class="{}" x="{}" width="{}" height="12"/>')
        rects.append(rect.format(part.verdict, round(left, 2), round(100 * part.share, 2)))
        left += 100 * part.share
    return Markup(
        '<svg class="stack" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(Markup("").join(rects))


def interval_glyph(
    low: float,
    middle: float,
    high: float,
    tone: str,  # CSS class
) -> Markup:
    """Return a small SVG chart: a dot at ``middle`` on a line from ``low`` to ``high``.

    The three values are ratios such as 1.8.
    """
    ticks = Markup("").join(
        Markup('<line class="tick{}" x1="{x}" x2="{x}" y1="1" y2="15"/>').format(
            " one" if ratio == 1 else "", x=_ratio_to_x(ratio)
        )
        for ratio in (0.5, 1, 2)
    )
    return Markup(
        '<svg class="interval {}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
        '{}<line class="range" x1="{}" x2="{}" y1="8" y2="8"/><circle cx="{}" cy="8" r="4"/></svg>'
    ).format(
        tone,
        ticks,
        _ratio_to_x(low),
        _ratio_to_x(high),
        _ratio_to_x(middle),
        width=INTERVAL_WIDTH,
        height=INTERVAL_HEIGHT,
    )


def _ratio_to_x(ratio: float) -> float:
    # The scale is logarithmic, from 1/4 to 4.
    doublings = math.log2(ratio) if ratio > 0 else -MAX_DOUBLINGS
    half = INTERVAL_WIDTH / 2
    return round(half + (half - 5) * max(-1.0, min(1.0, doublings / MAX_DOUBLINGS)), 1)
