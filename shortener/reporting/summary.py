"""The report of everything: all issues side by side, the most clicked links, codes that led nowhere."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.config import Domain
from shortener.errors import InputError
from shortener.reporting.counts import Totals, clicks_of, moment, moment_or_none, rate
from shortener.reporting.quality import Quality, assess
from shortener.short_urls import short_url
from shortener.store import Store
from shortener.store import reports as sql
from shortener.store.clicks import HOUR_SECONDS
from shortener.store.reports import IssueRow, LinkClicks, Sums

TOP_LINKS = 20
TOP_MISSES = 10


class IssueCount(Struct, frozen=True):
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


class Day(Struct, frozen=True):
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
    issues: tuple[IssueCount, ...]
    links: tuple[TopLink, ...]
    since: datetime | None
    until: datetime | None
    quality: Quality
    timeline: tuple[Day, ...]
    misses: tuple[Miss, ...]


def summary(
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
    since, until = whole_hours(since, until)
    sums = sql.sums_of_site(store, since=since, until=until)
    clicks = clicks_of(sums)
    return Summary(
        as_of=moment(as_of),
        totals=Totals(clicks, sum(row.site_visitors for row in sums)),
        issues=_issues(sql.issues(store), sums, bounded=(since, until) != (None, None)),
        links=_links(store, sql.top_links(store, since=since, until=until, most=TOP_LINKS), domains),
        since=moment_or_none(since),
        until=moment_or_none(until),
        quality=assess(clicks),
        timeline=tuple(
            Day(moment(row.start), row.human, row.other)
            for row in sql.days_of_site(store, since=since, until=until)
        ),
        misses=tuple(Miss(**row) for row in sql.misses(store, since=since, until=until, most=TOP_MISSES)),
    )


def whole_hours(since: int | None, until: int | None) -> tuple[int | None, int | None]:
    """The bounds at the beginning of an hour: ``since`` rounded down, ``until`` up. Raises InputError."""
    check_order(since, until)
    return (
        None if since is None else since - since % HOUR_SECONDS,
        None if until is None else until + -until % HOUR_SECONDS,
    )


def check_order(since: int | None, until: int | None) -> None:
    """Raise InputError when nothing can lie between two times."""
    if since is not None and until is not None and since >= until:
        raise InputError(
            f"since {moment(since).isoformat()} is not before until {moment(until).isoformat()}; swap them"
        )


def _issues(rows: Iterable[IssueRow], sums: Iterable[Sums], *, bounded: bool) -> tuple[IssueCount, ...]:
    """All issues, the latest first; between bounds only those that were clicked."""
    found = {each.issue_id: each for each in sums}
    return tuple(_issue(row, found.get(row.id)) for row in rows if row.id in found or not bounded)


def _issue(row: IssueRow, sums: Sums | None) -> IssueCount:
    clicks = clicks_of([sums] if sums else [])
    visitors = sums.issue_visitors if sums else 0
    return IssueCount(
        slug=row.slug,
        title=row.title,
        sent_at=moment_or_none(row.sent_at),
        recipients=row.recipients,
        clicks=clicks.human,
        visitors=visitors,
        rate=rate(visitors, row.recipients),
        other=clicks.other,
    )


def _links(store: Store, top: Sequence[LinkClicks], domains: Sequence[Domain]) -> tuple[TopLink, ...]:
    rows = sql.links_by_id(store, {each.link_id for each in top})
    return tuple(
        TopLink(
            short_url=short_url(row.domain, row.code, domains=domains),
            target=row.target,
            title=row.title or row.article_title,
            issue=row.issue,
            clicks=each.clicks,
            visitors=each.visitors,
        )
        for each in top
        if (row := rows.get(each.link_id))
    )
