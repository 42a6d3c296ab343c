"""Days and hours of time zones: their bounds are quarter-hours of UTC, in every zone and over every transition."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.reporting.counts import build_timeline
from shortener.reporting.local_time import day_start, days_between, has_utc_hours, hour_around, local_day
from shortener.store.reports import PeriodClicks

START = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
END = int(datetime(2038, 1, 1, tzinfo=UTC).timestamp())
ZONES = sorted(available_timezones() - {"localtime"})


def quarter_hours(begin: int, end: int) -> range:
    return range(begin - begin % QUARTER_HOUR_SECONDS, end, QUARTER_HOUR_SECONDS)


def transitions(zone: tzinfo) -> list[int]:
    """Return the UTC days since 2000 on which the offset of a zone changes, as their first second.

    No zone changes its offset back within a week, so days are compared where weeks differ.
    """

    def changes(step: int, begin: int, end: int) -> list[int]:
        starts = range(begin, end, step)
        offsets = [datetime.fromtimestamp(start, zone).utcoffset() for start in (*starts, end)]
        return [start for start, (before, after) in zip(starts, pairwise(offsets), strict=True) if before != after]

    weeks = changes(7 * DAY_SECONDS, START, END)
    return [day for week in weeks for day in changes(DAY_SECONDS, week, min(week + 7 * DAY_SECONDS, END))]


def check_days(zone: tzinfo, begin: int, end: int) -> None:
    """Assert that the days of [begin, end) are those on which clocks first show their date, without gaps."""
    days = days_between(begin, end, zone)
    assert days[0][0] <= begin < days[0][1]
    assert days[-1][0] < end <= days[-1][1]
    assert all(before[1] == after[0] for before, after in pairwise(days))
    assert all(bound % QUARTER_HOUR_SECONDS == 0 for day in days for bound in day)
    starts = [day[0] for day in days]
    latest = date.min
    for instant in quarter_hours(begin - DAY_SECONDS, end):
        # A date that clocks show again after they were set back belongs to the day that had begun.
        shown = datetime.fromtimestamp(instant, zone).date()
        if shown > latest and instant > begin:
            assert instant in starts
        latest = max(latest, shown)
        if instant >= begin:
            assert local_day(instant, zone) == latest
            assert day_start(latest, zone) == starts[bisect_right(starts, instant) - 1]


def test_hours_of_utc() -> None:
    """The hours of a zone are those of UTC as long as its offset has no minutes."""
    period = (at("2026-01-01T00:00Z"), at("2026-12-31T00:00Z"))
    assert has_utc_hours(period, ZoneInfo("Europe/Berlin"))
    assert has_utc_hours(None, ZoneInfo("Asia/Kolkata"))
    assert not has_utc_hours(period, ZoneInfo("Asia/Kolkata"))
    assert not has_utc_hours(period, ZoneInfo("Australia/Lord_Howe"))  # half an hour for some months


def check_hours(zone: tzinfo, begin: int, end: int) -> None:
    """Assert that hours follow one another, and that each begins where clocks show a full hour or change minutes."""
    rows = [PeriodClicks(instant, 1, 2) for instant in quarter_hours(begin, end)]
    hours = build_timeline(rows, zone=zone)
    assert sum(hour.human for hour in hours) == len(rows)
    starts = [int(hour.hour.timestamp()) for hour in hours]
    assert starts == sorted(set(starts))
    for start, hour, following in zip(starts[1:], hours[1:], starts[2:], strict=False):
        assert following - start == hour.human * QUARTER_HOUR_SECONDS <= HOUR_SECONDS
        clock, before = (datetime.fromtimestamp(instant, zone) for instant in (start, start - 1))
        assert clock.minute == 0 or (before + timedelta(seconds=1)).minute != clock.minute


def test_days_and_hours_around_every_transition() -> None:
    """In every zone of the database, days and hours are exact around each kind of change of the offset since 2000."""
    checked = set()
    for zone in map(ZoneInfo, ZONES):
        for day in transitions(zone):
            # Most zones share their transitions with others, and most transitions return every year.
            nearby = [datetime.fromtimestamp(day + hours * HOUR_SECONDS, zone).utcoffset() for hours in range(-6, 30)]
            months = {datetime.fromtimestamp(day + days * DAY_SECONDS, zone).month for days in range(-1, 3)}
            key = (*sorted(months), *nearby)
            if key not in checked:
                checked.add(key)
                check_days(zone, day - DAY_SECONDS, day + 2 * DAY_SECONDS)
                check_hours(zone, day - DAY_SECONDS, day + 2 * DAY_SECONDS)
    assert checked


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ZONES), st.integers(START, END), st.integers(1, 6 * DAY_SECONDS))
def test_days_and_hours_of_any_period(name: str, begin: int, length: int) -> None:
    """In any zone, the days of a period follow one another, and its hours add up to it."""
    check_days(ZoneInfo(name), begin, begin + length)
    check_hours(ZoneInfo(name), begin, begin + length)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


DAYS = {
    "UTC": ("UTC", "2026-11-28", "2026-11-28T00:00Z", 24),
    "half an hour": ("Asia/Kolkata", "2026-11-02", "2026-11-01T18:30Z", 24),
    "three quarters": ("Asia/Kathmandu", "2026-11-02", "2026-11-01T18:15Z", 24),
    "spring": ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", 23),
    "autumn": ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", 25),
    "half-hour daylight saving": ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", 24.5),
    "no midnight": ("America/Havana", "2026-03-08", "2026-03-08T05:00Z", 23),
    "set back over midnight": ("America/St_Johns", "2010-11-07", "2010-11-07T02:30Z", 25),
    "skipped day": ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", 0),
}


@pytest.mark.parametrize(("name", "day", "begin", "hours"), DAYS.values(), ids=DAYS)
def test_known_days(name: str, day: str, begin: str, hours: float) -> None:
    """A day begins at its first midnight, and ends at that of the next day."""
    zone, first = ZoneInfo(name), date.fromisoformat(day)
    start = day_start(first, zone)
    assert start == at(begin)
    assert day_start(first + timedelta(days=1), zone) - start == hours * HOUR_SECONDS


def test_hours_of_a_half_hour_zone() -> None:
    """In a zone 5:30 hours before UTC, hours begin at half past the hours of UTC."""
    assert hour_around(at("2026-11-01T18:45Z"), ZoneInfo("Asia/Kolkata")) == (
        at("2026-11-01T18:30Z"),
        at("2026-11-01T19:30Z"),
    )
