"""The report of everything: all issues side by side, the most clicked links, codes that led nowhere."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.config import Domain
from shortener.errors import InputError
from shortener.reporting.counts import Totals, click_rate, sum_by_verdict, to_datetime, to_datetime_or_none
from shortener.reporting.quality import Quality, assess_quality
from shortener.short_urls import build_short_url
from shortener.store import Store, listings
from shortener.store import reports as sql
from shortener.store.clicks import HOUR_SECONDS
from shortener.store.listings import IssueSummary
from shortener.store.reports import ClickTotals, LinkClicks

MAX_TOP_LINKS = 20
MAX_TOP_MISSES = 10


class IssueTotals(Struct, frozen=True):
    """Human clicks and visitors of one issue; ``other`` are the requests of machines."""

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    clicks: int
    visitors: int
    rate: float | None
    other: int


class TopLink(Struct, frozen=True):
    """One of the most clicked links; ``issue`` is a slug."""

    short_url: str
    target: str | None
    title: str
    issue: str | None
    clicks: int
    visitors: int


class TimelineDay(Struct, frozen=True):
    """People's clicks and all others of the UTC day that begins at ``day``."""

    day: datetime
    human: int
    other: int


class Miss(Struct, frozen=True):
    """Requests for a code that led nowhere: 404 unknown, 410 retired or expired; '' is the rest."""

    domain: str
    code: str
    status: int
    requests: int


class Summary(Struct, frozen=True):
    """The totals of the hours that begin in [since, until), None for no bound."""

    as_of: datetime
    totals: Totals
    issues: tuple[IssueTotals, ...]
    links: tuple[TopLink, ...]
    since: datetime | None
    until: datetime | None
    quality: Quality
    timeline: tuple[TimelineDay, ...]
    misses: tuple[Miss, ...]


def build_summary(
    store: Store,
    *,
    since: int | None = None,
    until: int | None = None,
    as_of: int,
    domains: Sequence[Domain] = (),
) -> Summary:
    """The report of everything in [since, until), seconds of UTC epoch, widened to whole hours.

    Raises InputError when ``since`` is not before ``until``.
    """
    since, until = widen_to_hours(since, until)
    sums = sql.site_totals(store, since=since, until=until)
    clicks = sum_by_verdict(sums)
    return Summary(
        as_of=to_datetime(as_of),
        totals=Totals(clicks, sum(row.site_visitors for row in sums)),
        issues=_all_issue_totals(
            listings.list_issues(store), sums, has_bounds=(since, until) != (None, None)
        ),
        links=_top_links(store, sql.top_links(store, since=since, until=until, limit=MAX_TOP_LINKS), domains),
        since=to_datetime_or_none(since),
        until=to_datetime_or_none(until),
        quality=assess_quality(clicks),
        timeline=tuple(
            TimelineDay(to_datetime(row.start), row.human, row.automated)
            for row in sql.site_timeline(store, since=since, until=until)
        ),
        misses=tuple(
            Miss(**row) for row in sql.top_misses(store, since=since, until=until, limit=MAX_TOP_MISSES)
        ),
    )


def widen_to_hours(since: int | None, until: int | None) -> tuple[int | None, int | None]:
    """The bounds at the beginning of an hour: ``since`` rounded down, ``until`` up. Raises InputError."""
    check_time_range(since, until)
    return (
        None if since is None else since - since % HOUR_SECONDS,
        None if until is None else until + -until % HOUR_SECONDS,
    )


def check_time_range(since: int | None, until: int | None) -> None:
    """Raise InputError when nothing can lie between two times."""
    if since is not None and until is not None and since >= until:
        raise InputError(
            f"since {to_datetime(since).isoformat()} is not before until {to_datetime(until).isoformat()}; swap them"
        )


def _all_issue_totals(
    rows: Iterable[IssueSummary], sums: Iterable[ClickTotals], *, has_bounds: bool
) -> tuple[IssueTotals, ...]:
    """All issues, the latest first; between bounds only those that were clicked."""
    found = {each.issue_id: each for each in sums}
    return tuple(_issue_totals(row, found.get(row.id)) for row in rows if row.id in found or not has_bounds)


def _issue_totals(row: IssueSummary, sums: ClickTotals | None) -> IssueTotals:
    clicks = sum_by_verdict([sums] if sums else [])
    visitors = sums.issue_visitors if sums else 0
    return IssueTotals(
        slug=row.slug,
        title=row.title,
        sent_at=to_datetime_or_none(row.sent_at),
        recipients=row.recipients,
        clicks=clicks.human,
        visitors=visitors,
        rate=click_rate(visitors, row.recipients),
        other=clicks.other,
    )


def _top_links(store: Store, top: Sequence[LinkClicks], domains: Sequence[Domain]) -> tuple[TopLink, ...]:
    rows = listings.link_details_by_id(store, {each.link_id for each in top})
    return tuple(
        TopLink(
            short_url=build_short_url(row.domain, row.code, domains=domains),
            target=row.target,
            title=row.title or row.article_title,
            issue=row.issue,
            clicks=each.clicks,
            visitors=each.visitors,
        )
        for each in top
        if (row := rows.get(each.link_id))
    )
