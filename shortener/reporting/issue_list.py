"""List of issues with their counts, and cumulative clicks of several issues by age."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.durations import HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.reporting.counts import click_rate, to_datetime, to_datetime_or_none
from shortener.store import Store, issue_clicks, listings
from shortener.store.issue_clicks import QuarterHourClicks
from shortener.store.listings import IssueSummary

SPARKLINE_HOURS = 72
"""Hours since sending that the sparkline of an issue covers."""
SPARKLINE_STEP_HOURS = 3
"""Hours that one point of a sparkline covers."""
COMPARISON_HOURS = 14 * 24
"""Hours since sending over which issues are compared."""
CURVE_AGES = (
    *(quarter / 4 for quarter in range(24 * 4)),
    *range(24, 72),
    *range(72, COMPARISON_HOURS + 1, 3),
)
"""Ages in hours at which curves of cumulative clicks have a point: by quarter-hour on the first day, then rarer."""
MAX_COMPARED_ISSUES = 8
"""Maximum number of other issues that an issue is compared with. The latest ones sent before it are preferred."""


class IssueListItem(Struct, frozen=True):
    """An issue in the list, with its human clicks; ``other`` is the number of automated requests.

    ``todo`` is the number of links without a target. ``course`` has the human clicks in each step of
    ``SPARKLINE_STEP_HOURS`` since sending. ``to_come`` is the share (0 to 1) of all clicks that is still expected, None
    if it cannot be estimated. ``status`` is draft, scheduled, sent, archived or removed.
    """

    slug: str
    title: str
    sent_at: datetime | None
    created_at: datetime
    recipients: int | None
    articles: int
    links: int
    todo: int
    clicks: int
    visitors: int | None
    other: int
    rate: float | None
    to_come: float | None
    course: tuple[int, ...]
    status: str = "draft"


class IssueRow(Struct, frozen=True):
    """An issue with its numbers of articles and links, human clicks and visitors, for commands and the API.

    ``visitors`` is None where too few clicks carry a visitor.
    """

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    articles: int
    links: int
    clicks: int
    visitors: int | None
    status: str


def list_issue_rows(store: Store, *, now: int, with_hidden: bool) -> list[IssueRow]:
    """Return the issues, the latest first; archived and removed ones only with ``with_hidden``."""
    return [
        IssueRow(
            slug=row.slug,
            title=row.title,
            sent_at=to_datetime_or_none(row.sent_at),
            recipients=row.recipients,
            articles=row.articles,
            links=row.links,
            clicks=row.clicks,
            visitors=row.visitors,
            status=row.status(now=now),
        )
        for row in listings.list_issues(store, with_hidden=with_hidden)
    ]


class CumulativePoint(Struct, frozen=True):
    """Human clicks until ``hours`` hours after sending; those from before the sending are in the point at 0 hours."""

    hours: float
    clicks: int


class CumulativeClicks(Struct, frozen=True):
    """Cumulative clicks of an issue; ``own`` is True for the requested issue, False for those compared with it."""

    slug: str
    title: str
    own: bool
    recipients: int | None
    points: tuple[CumulativePoint, ...]

    def clicks_at(self, hours: float) -> int | None:
        """Return the clicks until one of the ages of ``CURVE_AGES``; None for an age that the issue has not reached."""
        return next((point.clicks for point in self.points if point.hours >= hours), None)


def build_issue_list(store: Store, *, remaining_shares: Mapping[str, float], now: int) -> tuple[IssueListItem, ...]:
    """Return all issues, the latest first.

    ``remaining_shares`` has by slug the share of clicks that is still expected at ``now`` (seconds of the UTC epoch).
    """
    issues = listings.list_issues(store)
    hours = _hourly_clicks_by_issue(store, [issue.id for issue in issues], hours=SPARKLINE_HOURS + 1)
    return tuple(
        _issue_list_item(issue, hours.get(issue.id, {}), remaining_shares.get(issue.slug), now=now) for issue in issues
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
        status=issue.status(now=now),
    )


def compare_cumulative_clicks(store: Store, slug: str, *, now: int) -> tuple[CumulativeClicks, ...]:
    """Return the cumulative clicks until ``now`` of an issue, then those of up to ``MAX_COMPARED_ISSUES`` others.

    Other issues without a human click are left out. The result is empty for an unknown slug.
    """
    issues = listings.list_issues(store, with_hidden=True)
    index = next((index for index, issue in enumerate(issues) if issue.slug == slug), None)
    if index is None:
        return ()
    others = [issue for issue in issues[index + 1 :] + issues[:index] if issue.clicks and not issue.is_hidden]
    compared = [issues[index], *others[:MAX_COMPARED_ISSUES]]
    starts = {issue.id: _curve_start(store, issue, now=now) for issue in compared}
    ends = {issue_id: min(now, start + COMPARISON_HOURS * HOUR_SECONDS) for issue_id, start in starts.items()}
    quarter_hours: dict[int, list[QuarterHourClicks]] = {issue.id: [] for issue in compared}
    for row in issue_clicks.human_clicks_by_quarter_hour(store, ends):
        quarter_hours[row.issue_id].append(row)
    return tuple(
        CumulativeClicks(
            slug=issue.slug,
            title=issue.title,
            own=issue.slug == slug,
            recipients=issue.recipients,
            points=_cumulative_points(quarter_hours[issue.id], start=starts[issue.id], end=ends[issue.id]),
        )
        for issue in compared
    )


def effective_sent_at(store: Store, issue: IssueSummary, *, as_of: int) -> int | None:
    """Return when an issue was sent, or its first hour with a human click if that is unknown; None for a draft."""
    if issue.sent_at is not None:
        return issue.sent_at
    return issue_clicks.first_clicked_hour(store, issue.id, until=as_of)


def _curve_start(store: Store, issue: IssueSummary, *, now: int) -> int:
    sent_at = effective_sent_at(store, issue, as_of=now)
    return issue.created_at if sent_at is None else sent_at


def _hourly_clicks_by_issue(store: Store, ids: Sequence[int], *, hours: int) -> dict[int, dict[int, int]]:
    clicks: dict[int, dict[int, int]] = {}
    for row in listings.hourly_clicks(store, ids, hours=hours):
        clicks.setdefault(row.issue_id, {})[row.hour] = row.human
    return clicks


def _start_time(issue: IssueSummary, hours: Mapping[int, int]) -> int:
    """Return when an issue was sent; if that is unknown, the first of ``hours`` with a click, else its creation."""
    return issue.sent_at if issue.sent_at is not None else min(hours, default=issue.created_at)


def _sparkline(start: int, hours: Mapping[int, int], *, now: int) -> tuple[int, ...]:
    elapsed = max(0, (now - start) // (SPARKLINE_STEP_HOURS * HOUR_SECONDS) + 1)
    steps = [0] * min(SPARKLINE_HOURS // SPARKLINE_STEP_HOURS, elapsed)
    for hour, clicks in hours.items():
        # A clock hour that begins before a step and ends in it counts for this step.
        step = (hour - start + HOUR_SECONDS - 1) // (SPARKLINE_STEP_HOURS * HOUR_SECONDS)
        if 0 <= step < len(steps):
            steps[step] += clicks
    return tuple(steps)


def _cumulative_points(rows: Iterable[QuarterHourClicks], *, start: int, end: int) -> tuple[CumulativePoint, ...]:
    """Return the clicks at the ages of ``CURVE_AGES`` and at ``end``, for an issue sent at ``start`` (both seconds).

    Within a quarter-hour the clicks are spread evenly; those from before ``start`` count at age 0.
    """
    times, totals = [start], [0]
    for row in rows:
        stop = min(row.start + QUARTER_HOUR_SECONDS, end)
        if stop <= start:
            totals[0] += row.clicks
            continue
        times += [max(start, row.start), stop]
        totals += [totals[-1], totals[-1] + row.clicks]
    elapsed = max(0, end - start) / HOUR_SECONDS
    ages = [*(age for age in CURVE_AGES if age < elapsed), elapsed]
    points = [CumulativePoint(round(age, 4), _interpolate(times, totals, start + age * HOUR_SECONDS)) for age in ages]
    # A point between two others with its clicks adds nothing.
    inner = zip(points, points[1:], points[2:], strict=False)
    kept = [point for before, point, after in inner if not before.clicks == point.clicks == after.clicks]
    return (points[0], *kept, *points[1:][-1:])


def _interpolate(times: Sequence[int], totals: Sequence[int], time: float) -> int:
    """Return the total at ``time``, interpolated linearly and rounded; after the last time it is the last total."""
    index = bisect_right(times, time)
    if index == len(times):
        return totals[-1]
    begin, end = times[index - 1], times[index]
    return round(totals[index - 1] + (totals[index] - totals[index - 1]) * (time - begin) / (end - begin))
