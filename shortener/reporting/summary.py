"""Report of the whole site: all issues, the most clicked links, and misses (requests that were not redirected)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo

from msgspec import Struct

from shortener.config import Domain
from shortener.durations import QUARTER_HOUR_SECONDS
from shortener.errors import InputError
from shortener.reporting.completeness import add_completeness
from shortener.reporting.counts import (
    Totals,
    are_visitors_known,
    click_rate,
    has_visitors,
    sum_by_verdict,
    to_datetime,
    to_datetime_or_none,
    zone_name,
)
from shortener.reporting.formatting import format_iso
from shortener.reporting.local_time import days_between
from shortener.reporting.quality import Quality, assess_quality
from shortener.short_urls import build_short_url
from shortener.store import Store, listings, reports
from shortener.store.listings import IssueSummary
from shortener.store.reports import ClickTotals, LinkClicks

MAX_TOP_LINKS = 20
"""Number of links in the list of the most clicked."""
MAX_TOP_MISSES = 10
"""Number of codes in the list of misses."""


class IssueTotals(Struct, frozen=True):
    """Human clicks and visitors of one issue."""

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    clicks: int
    visitors: int | None
    """None if unknown."""
    rate: float | None
    """Visitors divided by recipients; None if either number is unknown."""
    other: int
    """Number of automated requests."""


class TopLink(Struct, frozen=True):
    """One of the most clicked links, with its human clicks."""

    short_url: str
    target: str | None
    title: str
    issue: str | None
    """Slug of the issue; None if the link belongs to no issue."""
    clicks: int
    visitors: int | None
    """None if unknown."""


class TimelineDay(Struct, frozen=True):
    """Human clicks and automated requests on one day in the site's time zone."""

    day: datetime
    """Midnight in the site's time zone at the beginning of the day, converted to UTC."""
    human: int
    other: int
    """Number of automated requests."""


class Miss(Struct, frozen=True):
    """Number of requests for the code of a short URL that were not redirected."""

    domain: str
    code: str
    """'' for all unknown codes beyond the first 1,000 of a UTC day."""
    status: int
    """404 (code unknown or without a target URL) or 410 (link retired or expired)."""
    requests: int


class Summary(Struct, frozen=True):
    """Report of the site from ``since`` to just before ``until``; None means no limit."""

    as_of: datetime
    totals: Totals
    issues: tuple[IssueTotals, ...]
    links: tuple[TopLink, ...]
    since: datetime | None
    until: datetime | None
    quality: Quality
    timezone: str
    """Time zone of the days in ``timeline``."""
    timeline: tuple[TimelineDay, ...]
    misses: tuple[Miss, ...]


def build_summary(
    store: Store,
    *,
    since: int | None = None,  # None means no limit
    until: int | None = None,  # None means no limit
    as_of: int,  # the present time in seconds of the UTC epoch
    domains: Sequence[Domain] = (),
    zone: tzinfo = UTC,
) -> Summary:
    """Return the report of the site from ``since`` to just before ``until`` (seconds of the UTC epoch).

    Raises InputError.
    """
    since, until = widen_to_quarter_hours(since, until)
    sums = reports.site_totals(store, since=since, until=until)
    clicks = sum_by_verdict(sums)
    timeline = _daily_clicks(store, since, until, zone)
    return Summary(
        as_of=to_datetime(as_of),
        totals=Totals(clicks, sum(row.site_visitors for row in sums) if has_visitors(sums) else None),
        issues=_all_issue_totals(listings.list_issues(store), sums, has_bounds=(since, until) != (None, None)),
        links=_top_links(store, reports.top_links(store, since=since, until=until, limit=MAX_TOP_LINKS), sums, domains),
        since=to_datetime_or_none(since),
        until=to_datetime_or_none(until),
        quality=add_completeness(
            assess_quality(clicks), store, as_of=as_of, hours=(timeline[0].day, timeline[-1].day) if timeline else ()
        ),
        timezone=zone_name(zone),
        timeline=timeline,
        misses=tuple(Miss(**row) for row in reports.top_misses(store, since=since, until=until, limit=MAX_TOP_MISSES)),
    )


def _daily_clicks(store: Store, since: int | None, until: int | None, zone: tzinfo) -> tuple[TimelineDay, ...]:
    clicked = reports.clicked_range(store)
    if clicked is None:
        return ()
    begin = clicked[0] if since is None else max(since, clicked[0])
    end = clicked[1] if until is None else min(until, clicked[1])
    days = {max(start, begin): (start, min(stop, end)) for start, stop in days_between(begin, end, zone)}
    rows = reports.site_timeline(store, [(start, stop) for start, (_, stop) in days.items()])
    return tuple(TimelineDay(to_datetime(days[row.start][0]), row.human, row.automated) for row in rows)


def widen_to_quarter_hours(since: int | None, until: int | None) -> tuple[int | None, int | None]:
    """Return ``since`` rounded down and ``until`` rounded up to a quarter-hour (seconds of the UTC epoch).

    Raises InputError if ``since`` is not before ``until``.
    """
    check_time_range(since, until)
    return (
        None if since is None else since - since % QUARTER_HOUR_SECONDS,
        None if until is None else until + -until % QUARTER_HOUR_SECONDS,
    )


def check_time_range(since: int | None, until: int | None) -> None:
    """Raise InputError if ``since`` is not before ``until``. None means no limit."""
    if since is not None and until is not None and since >= until:
        raise InputError(f"since {format_iso(to_datetime(since))} is not before until {format_iso(to_datetime(until))}")


def _all_issue_totals(
    rows: Iterable[IssueSummary], sums: Iterable[ClickTotals], *, has_bounds: bool
) -> tuple[IssueTotals, ...]:
    by_issue = {row.issue_id: row for row in sums}
    # With bounds, issues without clicks in the time of the report are left out.
    return tuple(_issue_totals(row, by_issue.get(row.id)) for row in rows if row.id in by_issue or not has_bounds)


def _issue_totals(row: IssueSummary, sums: ClickTotals | None) -> IssueTotals:
    totals = [sums] if sums else []
    clicks = sum_by_verdict(totals)
    visitors = sum(total.issue_visitors for total in totals) if has_visitors(totals) else None
    return IssueTotals(
        slug=row.slug,
        title=row.title,
        sent_at=to_datetime_or_none(row.sent_at),
        recipients=row.recipients,
        clicks=clicks.human,
        visitors=visitors,
        rate=click_rate(visitors, row.recipients),
        other=clicks.automated,
    )


def _top_links(
    store: Store, top: Sequence[LinkClicks], sums: Iterable[ClickTotals], domains: Sequence[Domain]
) -> tuple[TopLink, ...]:
    details = listings.link_details_by_id(store, {counts.link_id for counts in top})
    issues_with_visitors = {row.issue_id: has_visitors([row]) for row in sums if row.issue_id}
    return tuple(
        TopLink(
            short_url=build_short_url(link.domain, link.code, domains=domains),
            target=link.target,
            title=link.title or link.article_title,
            issue=link.issue,
            clicks=counts.clicks,
            visitors=counts.visitors
            if issues_with_visitors.get(counts.issue_id, are_visitors_known(counts.visitor_clicks, human=counts.clicks))
            else None,
        )
        for counts in top
        if (link := details.get(counts.link_id))
    )
