"""The report of one short link, and the status of a link."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from msgspec import Struct

from shortener.config import Domain
from shortener.reporting.completeness import add_completeness
from shortener.reporting.counts import (
    Breakdown,
    TimelineHour,
    Totals,
    build_breakdown,
    build_timeline,
    sum_by_verdict,
    to_datetime,
    to_datetime_or_none,
    zone_name,
)
from shortener.reporting.formatting import format_iso
from shortener.reporting.local_time import has_utc_hours
from shortener.reporting.quality import Quality, assess_quality, clicked_hours, is_settling
from shortener.short_urls import build_short_url
from shortener.store import Store, links, listings, reports
from shortener.store.reports import ClickTotals, LinkPlacementRow


class LinkPlacementCount(Struct, frozen=True):
    """Human clicks on one use of a link in an issue."""

    n: int
    """Number of the use in document order."""
    kind: str
    text: str
    issue: str
    """Slug of the issue."""
    article: str | None
    """URL of the article, or None."""
    clicks: int
    visitors: int | None
    """None if unknown."""
    other: int
    """Number of automated requests."""


class LinkEdit(Struct, frozen=True):
    """One change of a field of a link by the editor ``who``, from the value ``old`` to ``new``."""

    at: datetime
    who: str
    field: str
    old: str | None
    new: str | None


class LinkReport(Struct, frozen=True):
    """Report of a short link: its clicks, and its uses in issues."""

    short_url: str
    target: str | None
    as_of: datetime
    totals: Totals
    title: str
    status: str
    issue: str | None
    article: str | None
    position: int | None
    quality: Quality
    placements: tuple[LinkPlacementCount, ...]
    """Uses of the link in issues."""
    unplaced: int
    """Human clicks that belong to no known placement."""
    timeline: tuple[TimelineHour, ...]
    breakdown: Breakdown
    edits: tuple[LinkEdit, ...]
    forward: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    timezone: str
    """Time zone of the hours of ``timeline``."""
    settling: bool = False
    """Whether the report may include clicks of the last 15 minutes, whose verdicts can still change."""


def build_link_report(
    store: Store,
    domain: str,
    code: str,
    *,
    as_of: int,
    domains: Sequence[Domain] = (),
    zone: tzinfo = UTC,  # time zone of the timeline
) -> LinkReport:
    """Return the report of the link with this domain and code. Raises NotFound.

    ``as_of`` is the present time in seconds of the UTC epoch.
    """
    link = listings.link_details_by_code(store, domain, code)
    sums = reports.link_totals(store, link.id)
    values = reports.link_breakdown(store, link.id)
    clicks = sum_by_verdict(sums)
    rows = reports.link_placements(store, link.id)
    placements = _placement_counts(rows, sums, has_visitors=link.visitors is not None)
    hourly = has_utc_hours(reports.clicked_range(store, link_id=link.id), zone)
    timeline = build_timeline(reports.link_timeline(store, link.id, hourly=hourly), zone=zone)
    return LinkReport(
        short_url=build_short_url(link.domain, link.code, domains=domains),
        target=link.target,
        as_of=to_datetime(as_of),
        totals=Totals(clicks, link.visitors),
        title=link.title,
        status=link_status(link.status, expires_at=link.expires_at, target=link.target, now=as_of),
        issue=link.issue,
        article=link.article,
        position=link.position,
        quality=add_completeness(assess_quality(clicks, values), store, as_of=as_of, hours=clicked_hours(timeline)),
        placements=placements,
        unplaced=clicks.human - sum(placement.clicks for placement in placements),
        timezone=zone_name(zone),
        timeline=timeline,
        breakdown=build_breakdown(values, human=clicks.human),
        edits=list_link_edits(store, link.id),
        forward=link.forward,
        expires_at=to_datetime_or_none(link.expires_at),
        created_at=to_datetime(link.created_at),
        updated_at=to_datetime(link.updated_at),
        settling=is_settling(timeline, as_of=as_of),
    )


def _placement_counts(
    rows: Sequence[LinkPlacementRow], sums: Sequence[ClickTotals], *, has_visitors: bool
) -> tuple[LinkPlacementCount, ...]:
    counts = []
    for row in rows:
        # A link has each placement number only once, even if it is in several issues.
        totals = [total for total in sums if total.n == row.n]
        clicks = sum_by_verdict(totals)
        visitors = sum(total.visitors for total in totals) if has_visitors else None
        counts.append(
            LinkPlacementCount(
                row.n, row.kind, row.text, row.issue, row.article, clicks.human, visitors, clicks.automated
            )
        )
    return tuple(counts)


def list_link_edits(store: Store, link_id: int) -> tuple[LinkEdit, ...]:
    """Return the changes that editors made to a link, the oldest first."""
    return tuple(_link_edit(**row) for row in links.list_edits(store, link_id))


def _link_edit(at: int, who: str, field: str, old: str | None, new: str | None) -> LinkEdit:
    if field == "expires_at":
        old, new = (format_iso(to_datetime(int(text))) if text else None for text in (old, new))
    return LinkEdit(to_datetime(at), who, field, old, new)


def link_status(
    status: str,  # the stored status: active or retired
    *,
    expires_at: int | None,
    target: str | None,
    now: int,
) -> str:
    """Return the status of a link: active, retired, expired or todo (without a target).

    Times are in seconds of the UTC epoch.
    """
    if status == "retired":
        return "retired"
    if expires_at is not None and now >= expires_at:
        return "expired"
    return "active" if target else "todo"
