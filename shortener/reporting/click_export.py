"""Export of single clicks, for commands and the API."""

from collections.abc import Generator, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from shortener.config import Domain
from shortener.short_urls import build_short_url
from shortener.store import Store
from shortener.store.reports import ClickRow, export_clicks


class ExportedClick(Struct, frozen=True):
    """One exported click."""

    id: str
    ts: str
    short_url: str
    n: int | None
    """Number of the clicked link in the issue, counted from 1 in document order; None if unknown."""
    verdict: str
    reason: str
    rules: int
    """Version of the rules that gave the verdict."""
    country: str
    browser: str
    os: str
    device: str
    referrer: str


def list_exported_clicks(
    store: Store, *, since: int | None, until: int | None, domains: Sequence[Domain]
) -> Generator[ExportedClick]:
    """Yield the clicks from ``since`` to just before ``until``, the oldest first.

    Times are in seconds of the UTC epoch; None means no limit.
    """
    for row in export_clicks(store, since=since, until=until):
        yield _to_exported_click(row, domains)


def _to_exported_click(row: ClickRow, domains: Sequence[Domain]) -> ExportedClick:
    second = datetime.fromtimestamp(row.ts // 1000, UTC)
    return ExportedClick(
        id=row.id,
        ts=f"{second:%Y-%m-%dT%H:%M:%S}.{row.ts % 1000:03d}Z",
        short_url=build_short_url(row.domain, row.code, domains=domains),
        n=row.n or None,
        verdict=row.verdict,
        reason=row.reason,
        rules=row.rules_version,
        country=row.country,
        browser=row.browser,
        os=row.os,
        device=row.device,
        referrer=row.referrer,
    )
