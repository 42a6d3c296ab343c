"""Issues side by side: a line each for the list, and their courses since sending on one axis."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.reporting.counts import moment, moment_or_none, rate
from shortener.store import Store, listings
from shortener.store.clicks import HOUR_SECONDS
from shortener.store.listings import IssueLine

SPARK_HOURS = 72
"""Hours since sending that a line of the list draws."""
SPARK_STEP = 3
COURSE_HOURS = 14 * 24
"""Hours since sending that courses are compared over."""
COMPARED = 8
"""Other issues that a course is drawn with, the nearest before it."""


class IssueOverview(Struct, frozen=True):
    """A line of the list of issues. ``course`` are people's clicks in steps of three hours since sending;
    ``to_come`` is the share of the clicks still expected, None where nothing foretells it."""

    slug: str
    title: str
    sent_at: datetime | None
    created_at: datetime
    recipients: int | None
    articles: int
    links: int
    todo: int
    clicks: int
    visitors: int
    other: int
    rate: float | None
    to_come: float | None
    course: tuple[int, ...]


class Point(Struct, frozen=True):
    """People's clicks from the sending until the end of so many hours after it."""

    hours: int
    clicks: int


class Course(Struct, frozen=True):
    """How an issue's clicks came in; ``own`` is the issue that was asked for, the others are to compare."""

    slug: str
    title: str
    own: bool
    recipients: int | None
    points: tuple[Point, ...]


def overview(store: Store, *, to_come: Mapping[str, float], now: int) -> tuple[IssueOverview, ...]:
    """All issues, the latest first; ``to_come`` by slug is what the ranking knows at ``now`` (seconds of UTC epoch)."""
    lines = listings.issues(store)
    hours = _hours(store, [line.id for line in lines])
    return tuple(_line(line, hours.get(line.id, {}), to_come.get(line.slug), now=now) for line in lines)


def _line(line: IssueLine, hours: Mapping[int, int], to_come: float | None, *, now: int) -> IssueOverview:
    return IssueOverview(
        slug=line.slug,
        title=line.title,
        sent_at=moment_or_none(line.sent_at),
        created_at=moment(line.created_at),
        recipients=line.recipients,
        articles=line.articles,
        links=line.links,
        todo=line.todo,
        clicks=line.clicks,
        visitors=line.visitors,
        other=line.other,
        rate=rate(line.visitors, line.recipients),
        to_come=to_come if line.clicks else None,
        course=_spark(_start(line, hours), hours, now=now),
    )


def courses(store: Store, slug: str, *, now: int) -> tuple[Course, ...]:
    """The course of an issue and of those sent before it, each until now; the asked one first."""
    lines = listings.issues(store)
    index = next((index for index, line in enumerate(lines) if line.slug == slug), None)
    if index is None:
        return ()
    others = [line for line in lines[index + 1 :] + lines[:index] if line.clicks][:COMPARED]
    chosen = [lines[index], *others]
    hours = _hours(store, [line.id for line in chosen])
    return tuple(
        Course(
            slug=line.slug,
            title=line.title,
            own=line.slug == slug,
            recipients=line.recipients,
            points=_points(_start(line, hours.get(line.id, {})), hours.get(line.id, {}), now=now),
        )
        for line in chosen
    )


def _hours(store: Store, ids: Sequence[int]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    for row in listings.courses(store, ids):
        found.setdefault(row.issue_id, {})[row.hour] = row.human
    return found


def _start(line: IssueLine, hours: Mapping[int, int]) -> int:
    """When an issue was sent or, as long as nobody wrote it down, the first hour in which a person clicked."""
    return line.sent_at if line.sent_at is not None else min(hours, default=line.created_at)


def _spark(start: int, hours: Mapping[int, int], *, now: int) -> tuple[int, ...]:
    reached = max(0, (now - start) // (SPARK_STEP * HOUR_SECONDS) + 1)
    steps = [0] * min(SPARK_HOURS // SPARK_STEP, reached)
    for hour, clicks in hours.items():
        step = (hour - start + HOUR_SECONDS - 1) // (SPARK_STEP * HOUR_SECONDS)
        if 0 <= step < len(steps):
            steps[step] += clicks
    return tuple(steps)


def _points(start: int, hours: Mapping[int, int], *, now: int) -> tuple[Point, ...]:
    """The sum of the clicks at the end of each hour in which there were any, from the sending on."""
    points, total, last = [Point(0, 0)], 0, COURSE_HOURS
    for hour, clicks in hours.items():
        age = (hour - start) // HOUR_SECONDS + 1
        if age > last:
            break
        total += clicks
        if age > points[-1].hours:
            points.append(Point(age, total))
        else:
            points[-1] = Point(points[-1].hours, total)
    reached = min(last, max(0, (now - start) // HOUR_SECONDS))
    return (*points, Point(reached, total)) if reached > points[-1].hours else tuple(points)
