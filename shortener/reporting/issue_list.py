"""Issues side by side: a line each for the list, and their courses since sending on one axis."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.reporting.counts import click_rate, to_datetime, to_datetime_or_none
from shortener.store import Store, listings
from shortener.store.clicks import HOUR_SECONDS
from shortener.store.listings import IssueSummary

SPARKLINE_HOURS = 72
"""Hours since sending that a line of the list draws."""
SPARKLINE_STEP_HOURS = 3
COMPARISON_HOURS = 14 * 24
"""Hours since sending that courses are compared over."""
MAX_COMPARED_ISSUES = 8
"""Other issues that a course is drawn with, the nearest before it."""


class IssueListItem(Struct, frozen=True):
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


class CumulativePoint(Struct, frozen=True):
    """People's clicks from the sending until the end of so many hours after it."""

    hours: int
    clicks: int


class CumulativeClicks(Struct, frozen=True):
    """How an issue's clicks came in; ``own`` is the issue that was asked for, the others are to compare."""

    slug: str
    title: str
    own: bool
    recipients: int | None
    points: tuple[CumulativePoint, ...]


def build_issue_list(
    store: Store, *, remaining_shares: Mapping[str, float], now: int
) -> tuple[IssueListItem, ...]:
    """All issues, the latest first; ``to_come`` by slug is what the ranking knows at ``now`` (seconds of UTC epoch)."""
    lines = listings.list_issues(store)
    hours = _hourly_clicks_by_issue(store, [line.id for line in lines])
    return tuple(
        _issue_list_item(line, hours.get(line.id, {}), remaining_shares.get(line.slug), now=now)
        for line in lines
    )


def _issue_list_item(
    issue: IssueSummary, hours: Mapping[int, int], remaining_share: float | None, *, now: int
) -> IssueListItem:
    return IssueListItem(
        slug=issue.slug,
        title=issue.title,
        sent_at=to_datetime_or_none(issue.sent_at),
        created_at=to_datetime(issue.created_at),
        recipients=issue.recipients,
        articles=issue.articles,
        links=issue.links,
        todo=issue.links_without_target,
        clicks=issue.clicks,
        visitors=issue.visitors,
        other=issue.automated,
        rate=click_rate(issue.visitors, issue.recipients),
        to_come=remaining_share if issue.clicks else None,
        course=_sparkline(_start_time(issue, hours), hours, now=now),
    )


def compare_cumulative_clicks(store: Store, slug: str, *, now: int) -> tuple[CumulativeClicks, ...]:
    """The course of an issue and of those sent before it, each until now; the asked one first."""
    lines = listings.list_issues(store)
    index = next((index for index, line in enumerate(lines) if line.slug == slug), None)
    if index is None:
        return ()
    others = [line for line in lines[index + 1 :] + lines[:index] if line.clicks][:MAX_COMPARED_ISSUES]
    chosen = [lines[index], *others]
    hours = _hourly_clicks_by_issue(store, [line.id for line in chosen])
    return tuple(
        CumulativeClicks(
            slug=line.slug,
            title=line.title,
            own=line.slug == slug,
            recipients=line.recipients,
            points=_cumulative_points(
                _start_time(line, hours.get(line.id, {})), hours.get(line.id, {}), now=now
            ),
        )
        for line in chosen
    )


def _hourly_clicks_by_issue(store: Store, ids: Sequence[int]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    for row in listings.hourly_clicks(store, ids):
        found.setdefault(row.issue_id, {})[row.hour] = row.human
    return found


def _start_time(issue: IssueSummary, hours: Mapping[int, int]) -> int:
    """When an issue was sent or, as long as nobody wrote it down, the first hour in which a person clicked."""
    return issue.sent_at if issue.sent_at is not None else min(hours, default=issue.created_at)


def _sparkline(start: int, hours: Mapping[int, int], *, now: int) -> tuple[int, ...]:
    reached = max(0, (now - start) // (SPARKLINE_STEP_HOURS * HOUR_SECONDS) + 1)
    steps = [0] * min(SPARKLINE_HOURS // SPARKLINE_STEP_HOURS, reached)
    for hour, clicks in hours.items():
        step = (hour - start + HOUR_SECONDS - 1) // (SPARKLINE_STEP_HOURS * HOUR_SECONDS)
        if 0 <= step < len(steps):
            steps[step] += clicks
    return tuple(steps)


def _cumulative_points(start: int, hours: Mapping[int, int], *, now: int) -> tuple[CumulativePoint, ...]:
    """The sum of the clicks at the end of each hour in which there were any, from the sending on."""
    points, total, last = [CumulativePoint(0, 0)], 0, COMPARISON_HOURS
    for hour, clicks in hours.items():
        age = (hour - start) // HOUR_SECONDS + 1
        if age > last:
            break
        total += clicks
        if age > points[-1].hours:
            points.append(CumulativePoint(age, total))
        else:
            points[-1] = CumulativePoint(points[-1].hours, total)
    reached = min(last, max(0, (now - start) // HOUR_SECONDS))
    return (*points, CumulativePoint(reached, total)) if reached > points[-1].hours else tuple(points)
