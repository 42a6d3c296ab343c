"""The chart of a link's clicks over time."""

from collections.abc import Sequence

from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.reporting.link_report import LinkReport
from shortener.reporting.local_time import day_start, local_day
from shortener.web.charts import BAR_WIDTH, Chart, Hover, Tick
from shortener.web.context import config
from shortener.web.filters import format_date, format_day, format_hour, format_number, format_plain_datetime
from shortener.web.languages import gettext as _

MAX_HOURLY_SECONDS = 4 * DAY_SECONDS
"""Clicks that span more time than this are shown by day."""
MAX_TICKS = 5


class PeriodCount(Struct, frozen=True):
    """The human clicks in an hour or day that begins at ``start`` (seconds of the UTC epoch)."""

    start: int
    clicks: int


class LinkClicks(Struct, frozen=True):
    """The clicks of a link over time, and their chart. The rows are days if ``is_daily`` is set, else hours."""

    rows: tuple[PeriodCount, ...]
    chart: Chart
    timezone: str
    is_daily: bool


def build_link_clicks(report: LinkReport) -> LinkClicks | None:
    """Return the human clicks of a link over time with their chart; None if there are none."""
    if not report.timeline:
        return None
    zone = config().zone
    first, last = report.timeline[0].hour.timestamp(), report.timeline[-1].hour.timestamp()
    is_daily = last - first > MAX_HOURLY_SECONDS
    sums: dict[int, int] = {}
    for row in report.timeline:
        at = int(row.hour.timestamp())
        start = day_start(local_day(at, zone), zone) if is_daily else at
        sums[start] = sums.get(start, 0) + row.human
    rows = tuple(PeriodCount(start, clicks) for start, clicks in sums.items())
    return LinkClicks(rows, _chart(rows, is_daily=is_daily), report.timezone, is_daily)


def _chart(rows: Sequence[PeriodCount], *, is_daily: bool) -> Chart:
    length = DAY_SECONDS if is_daily else HOUR_SECONDS
    return Chart(
        label=_("Bar chart: clicks over time. The table below has the figures."),
        x_min=rows[0].start,
        x_max=rows[-1].start + length,
        bars=[(row.start, row.start + length, row.clicks) for row in rows],
        ticks=_ticks(rows, is_daily=is_daily, offset=BAR_WIDTH * length / 2),
        names=[_("Clicks")],
        hover=[
            Hover(row.start + length / 2, _format(row.start, is_daily=is_daily), [format_number(row.clicks)])
            for row in rows
        ],
        height=230,
    )


def _ticks(
    rows: Sequence[PeriodCount],
    *,
    is_daily: bool,
    offset: float,  # seconds from the start of a bar to its middle
) -> list[Tick]:
    distance = max(1.0, (rows[-1].start - rows[0].start) / MAX_TICKS)
    ticks: list[Tick] = []
    day = ""
    for row in rows:
        # A label too close to the last one is left out.
        if ticks and row.start + offset - ticks[-1].x < distance:
            continue
        previous, day = day, format_day(row.start)
        # Among hours, the first label of a day is the day.
        ticks.append(Tick(row.start + offset, day if is_daily or day != previous else format_hour(row.start)))
    return ticks


def _format(start: int, *, is_daily: bool) -> str:
    return format_date(start).striptags() if is_daily else format_plain_datetime(start)
