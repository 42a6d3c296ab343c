"""Single clicks as exported, and the watermark: the time before which all clicks are stored and have settled."""

import math
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from shortener.classification.classify import SETTLED_AFTER_MS
from shortener.config import Config, Domain
from shortener.reporting.health import measure_backlog
from shortener.short_urls import build_short_url
from shortener.store import Store, clicks
from shortener.store.reports import ClickRow, export_clicks

ARRIVAL_SECONDS = 2
"""Time within which a recorded click is certainly visible in the click log."""


class ExportedClick(Struct, frozen=True):
    """One click. ``n`` is the placement number, or None for a click without one; ``rules`` the version of the rules."""

    id: str
    ts: str
    short_url: str
    n: int | None
    verdict: str
    reason: str
    rules: int
    country: str
    browser: str
    os: str
    device: str
    referrer: str


def list_exported_clicks(
    store: Store, *, since: int | None, until: int | None, domains: Sequence[Domain]
) -> Generator[ExportedClick]:
    """Yield the stored clicks in [since, until) (seconds of UTC epoch), the oldest first."""
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


def find_watermark(store: Store, *, config: Config, now: int) -> int:
    """Return the time (seconds of UTC epoch) before which every click is stored, classified, and has settled.

    A verdict has settled once no later click can be nearby, which is ``SETTLED_AFTER_MS`` after the click.
    """
    # The click log is read before the store: a click that is collected in between is in neither limit.
    backlog = measure_backlog(config.data_directory, clicks.read_positions(store.db), now=now)
    unclassified = clicks.first_unclassified_ms(store)
    seconds = [now - ARRIVAL_SECONDS, math.floor(now - backlog.seconds)]
    seconds += [] if unclassified is None else [unclassified // 1000]
    return min(seconds) - SETTLED_AFTER_MS // 1000 - 1
