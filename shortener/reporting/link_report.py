"""The report of one short link, and what its status is called."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from shortener.config import Domain
from shortener.reporting.counts import (
    Breakdown,
    TimelineHour,
    Totals,
    build_breakdown,
    build_timeline,
    sum_by_verdict,
    to_datetime,
    to_datetime_or_none,
)
from shortener.reporting.quality import Quality, assess_quality, is_settling
from shortener.short_urls import build_short_url
from shortener.store import Store, listings
from shortener.store import links as stored
from shortener.store import reports as sql
from shortener.store.reports import ClickTotals, LinkPlacementRow


class LinkPlacementCount(Struct, frozen=True):
    """Human clicks on one placement of the link; ``issue`` is a slug, ``article`` a canonical URL."""

    n: int
    kind: str
    text: str
    issue: str
    article: str | None
    clicks: int
    visitors: int
    other: int


class LinkEdit(Struct, frozen=True):
    """One change of the link: who changed which field from what to what."""

    at: datetime
    who: str
    field: str
    old: str | None
    new: str | None


class LinkReport(Struct, frozen=True):
    """Everything that was counted of a link; ``unplaced`` are human clicks that came without a placement."""

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
    unplaced: int
    timeline: tuple[TimelineHour, ...]
    breakdown: Breakdown
    edits: tuple[LinkEdit, ...]
    forward: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    settling: bool = False
    """Whether clicks of the last 15 minutes may be among it, whose verdicts what comes next may still turn."""


def build_link_report(
    store: Store, domain: str, code: str, *, as_of: int, domains: Sequence[Domain] = ()
) -> LinkReport:
    """The report of a link from the rollups; ``as_of`` (seconds of UTC epoch) is when it is made.

    ``domains`` say how short URLs begin. Raises NotFound.
    """
    link = listings.link_details_by_code(store, domain, code)
    sums = sql.link_totals(store, link.id)
    values = sql.link_breakdown(store, link.id)
    clicks = sum_by_verdict(sums)
    placements = _placement_counts(sql.link_placements(store, link.id), sums)
    timeline = build_timeline(sql.link_timeline(store, link.id))
    return LinkReport(
        short_url=build_short_url(link.domain, link.code, domains=domains),
        target=link.target,
        as_of=to_datetime(as_of),
        totals=Totals(clicks, sum(row.link_visitors for row in sums)),
        title=link.title,
        status=link_status(link.status, expires_at=link.expires_at, target=link.target, now=as_of),
        issue=link.issue,
        article=link.article,
        position=link.position,
        quality=assess_quality(clicks, values),
        placements=placements,
        unplaced=clicks.human - sum(each.clicks for each in placements),
        timeline=timeline,
        breakdown=build_breakdown(values, human=clicks.human),
        edits=tuple(_to_link_edit(**row) for row in stored.list_edits(store, link.id)),
        forward=link.forward,
        expires_at=to_datetime_or_none(link.expires_at),
        created_at=to_datetime(link.created_at),
        updated_at=to_datetime(link.updated_at),
        settling=is_settling(timeline, as_of=as_of),
    )


def _placement_counts(
    rows: Sequence[LinkPlacementRow], sums: Sequence[ClickTotals]
) -> tuple[LinkPlacementCount, ...]:
    """Each placement with its sums: n tells the placements of one link apart, in whatever issue they are."""
    found = []
    for row in rows:
        own = [each for each in sums if each.n == row.n]
        clicks = sum_by_verdict(own)
        visitors = sum(each.visitors for each in own)
        found.append(
            LinkPlacementCount(
                row.n, row.kind, row.text, row.issue, row.article, clicks.human, visitors, clicks.other
            )
        )
    return tuple(found)


def _to_link_edit(at: int, who: str, field: str, old: str | None, new: str | None) -> LinkEdit:
    if field == "expires_at":
        old, new = (_format_time(text) if text else None for text in (old, new))
    return LinkEdit(to_datetime(at), who, field, old, new)


def _format_time(seconds: str) -> str:
    return to_datetime(int(seconds)).isoformat().replace("+00:00", "Z")


def link_status(status: str, *, expires_at: int | None, target: str | None, now: int) -> str:
    """``active``, ``retired``, ``expired``, or ``todo`` for a code whose target is still to be told."""
    if status == "retired":
        return "retired"
    if expires_at is not None and now >= expires_at:
        return "expired"
    return "active" if target else "todo"
