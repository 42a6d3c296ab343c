"""Days and hours of a time zone, as seconds of the UTC epoch. They begin and end at quarter-hours of UTC."""

from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache

from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS

Period = tuple[int, int]
"""(begin, end): seconds of the UTC epoch; the end is not included."""


@lru_cache(maxsize=8192)
def day_start(day: date, zone: tzinfo) -> int:
    """Return when a day begins in ``zone``: at its first midnight, in seconds of the UTC epoch."""
    # Without a midnight, because clocks are set forward, this is the moment when they are set.
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def local_day(seconds: int, zone: tzinfo) -> date:
    """Return the date in ``zone`` at the time ``seconds`` (of the UTC epoch)."""
    day = datetime.fromtimestamp(seconds, zone).date()
    # Where clocks were set back over midnight, they show the day before for a second time.
    following = day + timedelta(days=1)
    return following if day_start(following, zone) <= seconds else day


def days_between(begin: int, end: int, zone: tzinfo) -> list[Period]:
    """Return (begin, end) of each day of ``zone`` that overlaps the period from ``begin`` to ``end``.

    All times are in seconds of the UTC epoch.
    """
    days: list[Period] = []
    day = local_day(begin, zone)
    while day_start(day, zone) < end:
        following = day + timedelta(days=1)
        # A date that the zone skips, by crossing the date line, is left out.
        if day_start(day, zone) < day_start(following, zone):
            days.append((day_start(day, zone), day_start(following, zone)))
        day = following
    return days


def hour_around(quarter_hour: int, zone: tzinfo) -> Period:
    """Return (begin, end) of the hour of ``zone`` that contains the quarter-hour beginning at ``quarter_hour``."""
    shift = _hour_shift(quarter_hour // DAY_SECONDS, zone)
    if shift is not None:
        begin = quarter_hour - (quarter_hour + shift) % HOUR_SECONDS
        return begin, begin + HOUR_SECONDS
    # If clocks are set by a part of an hour, such as 30 minutes, the hour is split when they are set.
    offset = _utc_offset(quarter_hour, zone) % HOUR_SECONDS
    begin = quarter_hour - (quarter_hour + offset) % HOUR_SECONDS
    while _utc_offset(begin, zone) % HOUR_SECONDS != offset:
        begin += QUARTER_HOUR_SECONDS
    return begin, quarter_hour + QUARTER_HOUR_SECONDS


def has_utc_hours(period: Period | None, zone: tzinfo) -> bool:
    """Return whether all hours of ``zone`` in a period begin at a full hour of UTC.

    It is True for the period None, which is empty.
    """
    if period is None:
        return True
    days = range(period[0] // DAY_SECONDS, period[1] // DAY_SECONDS + 1)
    return all(_hour_shift(day, zone) == 0 for day in days)


@lru_cache(maxsize=8192)
def _hour_shift(utc_day: int, zone: tzinfo) -> int | None:
    """Return a zone's UTC offset modulo one hour, or None if it changes."""
    # In seconds: for example 1800 at +05:30, and 0 at +02:00. It can change during the UTC day.
    shifts = {_utc_offset((utc_day + end) * DAY_SECONDS, zone) % HOUR_SECONDS for end in (0, 1)}
    return shifts.pop() if len(shifts) == 1 else None


def _utc_offset(seconds: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
