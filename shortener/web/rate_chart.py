"""The chart of the overview: the click rates of the latest issues as dots, before the usual range as a band."""

from msgspec import Struct

from shortener.reporting.forecast import Forecast, usual_range
from shortener.reporting.overview import Overview, RecentIssue
from shortener.web.filters import format_number, format_percent, join_percent_signs

HEADROOM = 1.12
"""Height of the scale, as a multiple of the largest value."""
TOP, BOTTOM, RIGHT = 26, 26, 50
"""Margins in pixels; the usual value is written at the right."""
WIDE, NARROW = (760, 240), (358, 220)
"""Sizes in pixels: for a desktop and for a phone, whose text would be too small if the wide chart were scaled."""
LABELLED_STEPS = {WIDE: 1, NARROW: 4}
"""Every how many dots a date is written."""


class RatePoint(Struct, frozen=True):
    """An issue in the chart; ``left`` and ``x`` are of its column and dot, ``forecast_y`` that of its final value."""

    issue: RecentIssue
    left: float
    x: float
    y: float | None
    value: str
    forecast_y: float | None
    has_date: bool


class RateChart(Struct, frozen=True):
    """A chart with its sizes in pixels; the heights of band and median are None without a usual range."""

    width: int
    height: int
    column: float
    base: int
    points: tuple[RatePoint, ...]
    median: str
    median_y: float | None
    low_y: float | None
    high_y: float | None


def shows_rates(overview: Overview) -> bool:
    """Return whether the chart shows click rates, or the visitors because too few numbers of recipients are known."""
    with_rate = [issue for issue in overview.issues if issue.rate is not None]
    return 2 * len(with_rate) >= len(overview.issues)


def build_rate_chart(overview: Overview, size: tuple[int, int]) -> RateChart | None:
    """Return the chart of the issues, oldest first; None with fewer than two values."""
    rates = shows_rates(overview)
    issues = overview.issues[::-1]
    values = [issue.rate if rates else issue.visitors for issue in issues]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    usual = overview.usual_rate if rates else usual_range(known[::-1][1:])
    forecasts = [_forecast(issue, rates=rates) for issue in issues]
    most = max(*known, *(value for value in forecasts if value is not None), usual.high if usual else 0, 1e-9)
    scale = _Scale(size, most * HEADROOM)
    width, height = size
    column = (width - RIGHT) / len(issues)
    points = tuple(
        RatePoint(
            issue=issue,
            left=round(index * column, 1),
            x=round((index + 0.5) * column, 1),
            y=scale.y(value),
            value="" if value is None else _format(value, rates=rates),
            forecast_y=scale.y(forecast),
            has_date=(len(issues) - 1 - index) % LABELLED_STEPS[size] == 0,
        )
        for index, (issue, value, forecast) in enumerate(zip(issues, values, forecasts, strict=True))
    )
    return RateChart(
        width=width,
        height=height,
        column=round(column, 1),
        base=height - BOTTOM,
        points=points,
        median=_format(usual.median, rates=rates) if usual else "",
        median_y=scale.y(usual.median if usual else None),
        low_y=scale.y(usual.low if usual else None),
        high_y=scale.y(usual.high if usual else None),
    )


class _Scale:
    def __init__(self, size: tuple[int, int], most: float) -> None:
        self._height, self._most = size[1], most

    def y(self, value: float | None) -> float | None:
        if value is None:
            return None
        return round(self._height - BOTTOM - (self._height - TOP - BOTTOM) * value / self._most, 1)


def _forecast(issue: RecentIssue, *, rates: bool) -> float | None:
    outlook = issue.outlook
    forecast: Forecast | None = outlook.forecast if outlook and outlook.counted == "visitors" else None
    if forecast is None or (rates and not issue.recipients):
        return None
    return forecast.expected / issue.recipients if rates and issue.recipients else forecast.expected


def _format(value: float, *, rates: bool) -> str:
    return join_percent_signs(format_percent(value)) if rates else format_number(round(value))
