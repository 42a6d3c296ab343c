"""The list of issues, with the clicks and visitors of each."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.durations import HOUR_SECONDS
from shortener.reporting.counts import click_rate, to_datetime, to_datetime_or_none
from shortener.store import Store, issue_clicks, listings
from shortener.store.listings import IssueSummary

SPARKLINE_HOURS = 72
"""Hours since sending that the sparkline of an issue covers."""
SPARKLINE_STEP_HOURS = 3
"""Hours that one point of a sparkline covers."""


class IssueListItem(Struct, frozen=True):
    """An issue in the list, with its human clicks."""

    slug: str
    title: str
    sent_at: datetime | None
    created_at: datetime
    recipients: int | None
    articles: int
    links: int
    todo: int
    """Number of links without a target."""
    clicks: int
    visitors: int | None
    other: int
    """Number of automated requests."""
    rate: float | None
    to_come: float | None
    """Share (0 to 1) of the issue's clicks that is still expected; None if it cannot be estimated."""
    course: tuple[int, ...]
    """Human clicks in the first 72 hours after sending: one number for each 3 hours (``SPARKLINE_STEP_HOURS``)."""
    status: str = "draft"
    """draft, scheduled, sent, archived or removed."""


class IssueRow(Struct, frozen=True):
    """An issue with the numbers of its articles, links, human clicks and visitors."""

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    articles: int
    links: int
    clicks: int
    visitors: int | None
    """None if too few of the clicks have a visitor hash."""
    status: str


def list_issue_rows(store: Store, *, now: int, with_hidden: bool) -> list[IssueRow]:
    """Return the issues, the latest first. Archived and removed ones are left out unless ``with_hidden`` is set."""
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


def build_issue_list(
    store: Store,
    *,
    remaining_shares: Mapping[str, float],  # share (0 to 1) of clicks still expected, by slug
    now: int,
    with_course: bool = True,  # whether to add the clicks over time
) -> tuple[IssueListItem, ...]:
    """Return all issues except archived and removed ones, the latest first.

    ``now`` is in seconds of the UTC epoch.
    """
    issues = listings.list_issues(store)
    ids = [issue.id for issue in issues] if with_course else []
    hours = _hourly_clicks_by_issue(store, ids, hours=SPARKLINE_HOURS + 1)
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


def effective_sent_at(store: Store, issue: IssueSummary, *, as_of: int) -> int | None:
    """Return when an issue was sent or, if unknown, first clicked, in seconds of the UTC epoch.

    Return None if neither is known at ``as_of``.
    """
    if issue.sent_at is not None:
        return issue.sent_at
    return issue_clicks.first_clicked_hour(store, issue.id, until=as_of)


def _hourly_clicks_by_issue(store: Store, ids: Sequence[int], *, hours: int) -> dict[int, dict[int, int]]:
    clicks: dict[int, dict[int, int]] = {}
    for row in listings.hourly_clicks(store, ids, hours=hours):
        clicks.setdefault(row.issue_id, {})[row.hour] = row.human
    return clicks


def _start_time(issue: IssueSummary, hours: Mapping[int, int]) -> int:
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
