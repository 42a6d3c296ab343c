"""Values that all reports use: click rates, and clicks by verdict, by hour, by link, and by properties such as the
browser.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo

from msgspec import Struct

from shortener.reporting.local_time import hour_around
from shortener.store.reports import BreakdownRow, ClickTotals, PeriodClicks
from shortener.store.rollup_tables import MIN_VISITOR_SHARE

DIMENSIONS = ("referrer", "browser", "os", "device", "country", "language")
"""Properties by which a report breaks human clicks down."""
MAX_VALUES = 20
"""Number of values that a breakdown lists for each dimension; the others are summed."""


class ClicksByVerdict(Struct, frozen=True):
    """Number of clicks by verdict. Every recorded request for a short link is a click and has one verdict."""

    human: int = 0
    bot: int = 0
    scanner: int = 0
    preview: int = 0
    prefetch: int = 0

    @property
    def total(self) -> int:
        """Number of all recorded requests."""
        return self.human + self.automated

    @property
    def automated(self) -> int:
        """Number of requests whose verdict is not human."""
        return self.bot + self.scanner + self.preview + self.prefetch


class Totals(Struct, frozen=True):
    """Clicks by verdict, and the number of visitors (people who clicked)."""

    clicks: ClicksByVerdict
    visitors: int | None
    """People who clicked, each counted once a UTC day; None if too few human clicks have a visitor hash."""


class TimelineHour(Struct, frozen=True):
    """Human clicks and automated requests in one hour of the site's time zone."""

    hour: datetime
    """Beginning of the hour, as a time in UTC."""
    human: int
    other: int
    """Number of automated requests."""


class BreakdownPart(Struct, frozen=True):
    """Human clicks with one value of a property such as the browser."""

    value: str | None
    """'' means that the value is unknown. None means the sum of all values that are not listed."""
    clicks: int
    share: float
    """Share (0 to 1) of all human clicks."""


Breakdown = dict[str, tuple[BreakdownPart, ...]]
"""Clicks by property, such as the browser; for each property, the value with the most clicks is first."""


class PlacementCount(Struct, frozen=True):
    """Human clicks and visitors of one placement, which is one use of a link in an issue."""

    n: int
    """Number of the placement in document order."""
    kind: str
    clicks: int
    visitors: int | None
    """None if unknown."""
    short_url: str
    text: str
    other: int
    """Number of automated requests."""


def to_datetime(seconds: int) -> datetime:
    """Return seconds of the UTC epoch as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def to_datetime_or_none(seconds: int | None) -> datetime | None:
    """Return seconds of the UTC epoch as a datetime in UTC; None for None."""
    return None if seconds is None else to_datetime(seconds)


def sum_by_verdict(rows: Iterable[ClickTotals]) -> ClicksByVerdict:
    """Return the number of clicks with each verdict, added up over all rows."""
    human = bot = scanner = preview = prefetch = 0
    for row in rows:
        human += row.human
        bot += row.bot
        scanner += row.scanner
        preview += row.preview
        prefetch += row.prefetch
    return ClicksByVerdict(human, bot, scanner, preview, prefetch)


def build_timeline(
    rows: Iterable[PeriodClicks],  # each is for a quarter-hour or an hour
    *,
    zone: tzinfo,
) -> tuple[TimelineHour, ...]:
    """Return the clicks in each hour of a time zone, without hours that have no clicks.

    ``rows`` must be in order of time.
    """
    hours: list[list[int]] = []
    begin = end = 0
    for row in rows:
        if row.start >= end or not hours:
            previous, (begin, end) = begin, hour_around(row.start, zone)
            if begin != previous or not hours:
                hours.append([begin, 0, 0])
        hours[-1][1] += row.human
        hours[-1][2] += row.automated
    return tuple(TimelineHour(to_datetime(begin), human, other) for begin, human, other in hours)


def zone_name(zone: tzinfo) -> str:
    """Return the IANA name of a time zone."""
    return str(getattr(zone, "key", zone))


def has_visitors(rows: Iterable[ClickTotals]) -> bool:
    """Return whether the number of visitors is known: enough of the human clicks in ``rows`` have a visitor hash."""
    totals = list(rows)
    return are_visitors_known(sum(row.visitor_clicks for row in totals), human=sum(row.human for row in totals))


def are_visitors_known(
    visitor_clicks: int,  # human clicks with a visitor hash
    *,
    human: int,  # all human clicks
) -> bool:
    """Return whether enough human clicks have a visitor hash to know the number of visitors."""
    return visitor_clicks >= MIN_VISITOR_SHARE * human


def click_rate(visitors: int | None, recipients: int | None) -> float | None:
    """Return visitors divided by recipients; None if either number is unknown."""
    return visitors / recipients if recipients and visitors is not None else None


def build_breakdown(
    values: Iterable[BreakdownRow],
    *,
    human: int,  # number of all human clicks
) -> Breakdown:
    """Return the human clicks by country, browser, device and other properties.

    Clicks missing in ``values`` get the value '' (unknown).
    """
    clicks: dict[str, dict[str, int]] = {dimension: {} for dimension in DIMENSIONS}
    for row in values:
        if row.dimension in clicks:
            clicks[row.dimension][row.value] = row.clicks
    return {dimension: _breakdown_parts(clicks[dimension], human=human) for dimension in DIMENSIONS}


def order_values(
    clicks: Mapping[str, int],  # by value of a property, such as the browser
    *,
    human: int,  # number of all human clicks
) -> list[tuple[str, int]]:
    """Return (value, clicks) for each value, the most clicked first.

    Human clicks missing in ``clicks`` get the value '' (unknown).
    """
    unknown = clicks.get("", 0) + human - sum(clicks.values())
    counts = {value: count for value, count in clicks.items() if value} | ({"": unknown} if unknown > 0 else {})
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _breakdown_parts(clicks: Mapping[str, int], *, human: int) -> tuple[BreakdownPart, ...]:
    order = order_values(clicks, human=human)
    parts = [BreakdownPart(value, count, count / human) for value, count in order[:MAX_VALUES] if human]
    rest = sum(count for _, count in order[MAX_VALUES:])
    return (*parts, BreakdownPart(None, rest, rest / human)) if rest and human else tuple(parts)
