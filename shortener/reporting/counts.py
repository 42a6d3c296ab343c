"""What all reports are made of: clicks by verdict, hours, placements, and where people's clicks came from."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from shortener.store.reports import BreakdownRow, ClickTotals, PeriodClicks

DIMENSIONS = ("referrer", "browser", "os", "device", "country", "language")
MAX_VALUES = 20
"""Values that a breakdown names one by one, a dimension; the others are summed up."""


class ClicksByVerdict(Struct, frozen=True):
    """Clicks by verdict; every recorded request for a short link is in one of them."""

    human: int = 0
    bot: int = 0
    scanner: int = 0
    preview: int = 0
    prefetch: int = 0

    @property
    def total(self) -> int:
        """All requests, whoever made them."""
        return self.human + self.other

    @property
    def other(self) -> int:
        """The requests that no person is counted for."""
        return self.bot + self.scanner + self.preview + self.prefetch


class Totals(Struct, frozen=True):
    """Clicks by verdict, and visitors: people, each counted once a day."""

    clicks: ClicksByVerdict
    visitors: int


class TimelineHour(Struct, frozen=True):
    """People's clicks and all others of the UTC hour that begins at ``hour``."""

    hour: datetime
    human: int
    other: int


class BreakdownPart(Struct, frozen=True):
    """One value of a breakdown: '' where it is not known, None for all values that are not named one by one.

    ``share`` is of all human clicks, from 0 to 1.
    """

    value: str | None
    clicks: int
    share: float


Breakdown = dict[str, tuple[BreakdownPart, ...]]
"""Dimension (referrer, browser, os, device, country, language) to its values, the most clicked first."""


class PlacementCount(Struct, frozen=True):
    """Human clicks on one placement, and the visitors who used it first that day."""

    n: int
    kind: str
    clicks: int
    visitors: int
    short_url: str
    text: str
    other: int


def to_datetime(seconds: int) -> datetime:
    """Seconds of UTC epoch as a time that JSON says in ISO 8601, with Z."""
    return datetime.fromtimestamp(seconds, UTC)


def to_datetime_or_none(seconds: int | None) -> datetime | None:
    """The same where there may be no time."""
    return None if seconds is None else to_datetime(seconds)


def sum_by_verdict(rows: Iterable[ClickTotals]) -> ClicksByVerdict:
    """Add sums up by verdict."""
    human = bot = scanner = preview = prefetch = 0
    for row in rows:
        human += row.human
        bot += row.bot
        scanner += row.scanner
        preview += row.preview
        prefetch += row.prefetch
    return ClicksByVerdict(human, bot, scanner, preview, prefetch)


def build_timeline(rows: Iterable[PeriodClicks]) -> tuple[TimelineHour, ...]:
    """A timeline; hours without a click are left out."""
    return tuple(TimelineHour(to_datetime(row.start), row.human, row.automated) for row in rows)


def click_rate(visitors: int, recipients: int | None) -> float | None:
    """Visitors per recipient, None where nobody wrote down how many recipients there were."""
    return visitors / recipients if recipients else None


def build_breakdown(values: Iterable[BreakdownRow], *, human: int) -> Breakdown:
    """Where ``human`` clicks came from and with what; each dimension sums to ``human``."""
    found: dict[str, dict[str, int]] = {dimension: {} for dimension in DIMENSIONS}
    for row in values:
        if row.dimension in found:
            found[row.dimension][row.value] = row.clicks
    return {dimension: _breakdown_parts(clicks, human=human) for dimension, clicks in found.items()}


def _breakdown_parts(clicks: Mapping[str, int], *, human: int) -> tuple[BreakdownPart, ...]:
    unknown = clicks.get("", 0) + human - sum(clicks.values())
    known = {value: count for value, count in clicks.items() if value} | (
        {"": unknown} if unknown > 0 else {}
    )
    order = sorted(known.items(), key=lambda item: (-item[1], item[0]))
    parts = [BreakdownPart(value, count, count / human) for value, count in order[:MAX_VALUES] if human]
    rest = sum(count for _, count in order[MAX_VALUES:])
    return (*parts, BreakdownPart(None, rest, rest / human)) if rest and human else tuple(parts)
