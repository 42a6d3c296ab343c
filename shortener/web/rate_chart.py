"""The chart of the overview page: the click rates of the latest issues as dots, and the usual range as a band."""

import math
import statistics
from collections.abc import Iterator, Sequence

from flask import url_for
from markupsafe import Markup
from msgspec import Struct

from shortener.reporting.forecast import Usual, usual_range
from shortener.reporting.overview import Overview, RecentIssue
from shortener.web.charts import Area, Chart, Dot, Hover, Line, Tick
from shortener.web.filters import format_date, format_day, format_number, format_percent, isolate, join_percent_signs
from shortener.web.issue_chart import format_forecast
from shortener.web.languages import gettext as _

CHART_HEIGHT = 240
MAX_TICKS = 4
"""How many of the dates are also shown on the phone."""
MAX_SHARE_OF_ZERO = 1 / 3
"""Part of the highest value up to which the lowest lets the axis begin at 0."""
LABEL_ROOM = 0.2
"""Part of the width that is left at the right for the label of the usual value."""


def shows_rates(overview: Overview) -> bool:
    """Return whether the chart shows click rates. It does if at least half of the issues have a known rate."""
    with_rate = [issue for issue in overview.issues if issue.rate is not None]
    return 2 * len(with_rate) >= len(overview.issues)


class RateChart(Struct, frozen=True):
    """The chart of the overview page. ``cut_off`` has a sentence for each issue whose value is outside the chart."""

    chart: Chart
    cut_off: tuple[Markup, ...]


def build_rate_chart(overview: Overview) -> RateChart | None:
    """Return the chart of the latest issues' click rates or visitors; None if fewer than two values are known."""
    rates = shows_rates(overview)
    issues = overview.issues[::-1]
    points = [_point(x, issue, rates=rates) for x, issue in enumerate(issues)]
    known = [point.value for point in points if point.value is not None]
    if len(known) < 2:
        return None
    usual = overview.usual_rate if rates else usual_range(known[::-1][1:])
    last = len(points) - 1
    width = max(0.5, LABEL_ROOM * len(points)) if usual else 0.5
    step = math.ceil(len(points) / MAX_TICKS)
    bounds, cut_off = _bounds_and_cut_off(points, usual)
    chart = Chart(
        label=_("The last issues, oldest first. The table below has the figures."),
        x_min=-0.5,
        x_max=last + width,
        lines=[
            *_usual_line(usual, last + width),
            *_forecast_lines(points, rates=rates),
            *_value_label(points[-1], rates=rates),
        ],
        areas=[Area("band", [(x, usual.low, usual.high) for x in (-0.5, last + width)])] if usual else [],
        dots=[*_forecast_dots(points), *_dots(points, rates=rates)],
        ticks=[
            Tick(point.x, format_day(point.issue.sent_at), is_minor=(last - point.x) % step != 0) for point in points
        ],
        names=[_("Click rate") if rates else _("Visitors"), _("Usual in the end"), _("Expected")],
        hover=[_hover(point, usual, rates=rates) for point in points],
        format_y=lambda value: _format(value, rates=rates),
        whole=not rates,
        height=CHART_HEIGHT,
        bounds=bounds,
    )
    return RateChart(chart, tuple(_describe_cut_off(point, bounds, rates=rates) for point in cut_off))


class _Point(Struct, frozen=True):
    """An issue in the chart.

    ``value`` is the click rate or visitors so far, ``forecast`` the expected final value.
    """

    x: int
    issue: RecentIssue
    value: float | None
    forecast: float | None


def _point(x: int, issue: RecentIssue, *, rates: bool) -> _Point:
    return _Point(x, issue, issue.rate if rates else issue.visitors, _forecast(issue, rates=rates))


def _bounds_and_cut_off(points: Sequence[_Point], usual: Usual | None) -> tuple[tuple[float, float], list[_Point]]:
    values = [point.value for point in points if point.value is not None]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    # A value is outside only if it is an outlier by Tukey's rule (Exploratory Data Analysis, 1977), and also either
    # below half of the median or above twice the median.
    # An outlier inside would flatten the differences between all other issues.
    reach = 1.5 * (upper - lower)
    lowest, highest = min(middle / 2, lower - reach), max(2 * middle, upper + reach)
    shown = [value for value in values if lowest <= value <= highest]
    last = points[-1]
    shown += [final for final in (last.value if last.forecast is None else last.forecast,) if final is not None]
    if usual:
        shown += [min(max(value, lowest), highest) for value in (usual.low, usual.median, usual.high)]
    low, high = min(shown), max(shown)
    cut_off = [point for point in points if point.value is not None and not low <= point.value <= high]
    return (low if low > high * MAX_SHARE_OF_ZERO else 0.0, high), cut_off


def _forecast(issue: RecentIssue, *, rates: bool) -> float | None:
    outlook = issue.outlook
    forecast = outlook.forecast if outlook and outlook.counted == "visitors" else None
    if forecast is None or (rates and not issue.recipients):
        return None
    return forecast.expected / issue.recipients if rates and issue.recipients else forecast.expected


def _usual_line(usual: Usual | None, x_max: float) -> Iterator[Line]:
    if usual is not None:
        yield Line("usual", [(-0.5, usual.median), (x_max, usual.median)], _("usual in the end"))


def _forecast_lines(points: Sequence[_Point], *, rates: bool) -> Iterator[Line]:
    for point in points:
        if point.value is not None and point.forecast is not None:
            label = _("about {count} in the end", count=_format_forecast(point.forecast, rates=rates))
            ends = [(point.x, point.value), (point.x, point.forecast)]
            yield Line("forecast", ends, label if point is points[-1] else "")


def _value_label(point: _Point, *, rates: bool) -> Iterator[Line]:
    if point.value is not None:
        value = _format(point.value, rates=rates)
        label = value if point.forecast is None else _("{value} so far", value=value)
        # A line of length 0 carries the label, because dots have none.
        yield Line("own", [(point.x, point.value)], label)


def _forecast_dots(points: Sequence[_Point]) -> Iterator[Dot]:
    for point in points:
        if point.value is not None and point.forecast is not None:
            yield Dot(point.x, point.forecast, _("expected in the end"), style="ring")


def _dots(points: Sequence[_Point], *, rates: bool) -> Iterator[Dot]:
    for point in points:
        if point.value is None:
            continue
        address = url_for("reports.show_report", slug=point.issue.slug)
        style = "own" if point is points[-1] else "usual"
        yield Dot(point.x, point.value, _dot_title(point, rates=rates), address, style, width=1.0)


def _dot_title(point: _Point, *, rates: bool) -> str:
    return _(
        "{issue}, sent {when}: {value}",
        issue=point.issue.title or point.issue.slug,
        when=format_date(point.issue.sent_at).striptags(),
        value=_("unknown") if point.value is None else _format(point.value, rates=rates),
    )


def _describe_cut_off(point: _Point, bounds: tuple[float, float], *, rates: bool) -> Markup:
    issue = isolate(_dot_title(point, rates=rates))
    if point.value is not None and point.value < bounds[0]:
        return _("Too low for this chart, so drawn at its lower edge: {issue}", issue=issue)
    return _("Too high for this chart, so drawn at its upper edge: {issue}", issue=issue)


def _hover(point: _Point, usual: Usual | None, *, rates: bool) -> Hover:
    issue = point.issue
    return Hover(
        x=point.x,
        title=f"{issue.title or issue.slug} \u00b7 {format_date(issue.sent_at).striptags()}",
        texts=(
            _("unknown") if point.value is None else _format(point.value, rates=rates),
            _format(usual.median, rates=rates) if usual else "",
            "" if point.forecast is None else _format_forecast(point.forecast, rates=rates),
        ),
        values=(point.value,),
    )


def _format(value: float, *, rates: bool) -> str:
    return join_percent_signs(format_percent(value)) if rates else format_number(round(value))


def _format_forecast(value: float, *, rates: bool) -> str:
    return _format(value, rates=True) if rates else format_forecast(value)
