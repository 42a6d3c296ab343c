"""The audience of an issue: its human clicks by device, mail client, language, referrer and country.

Sums by two properties at once, such as phones in Norway, are not stored.
"""

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files

from msgspec import Struct

from shortener.reporting.counts import DIMENSIONS, order_values
from shortener.store import Store, reports
from shortener.store.reports import BreakdownRow


class AudiencePart(Struct, frozen=True):
    """Human clicks with one value of a property such as country, and their share (0 to 1) of all human clicks."""

    value: str
    """'' means that the value is unknown. A referrer that belongs to a mail client is replaced by the client's name."""
    clicks: int
    share: float


def build_audience(store: Store, issue_id: int, *, human: int) -> dict[str, tuple[AudiencePart, ...]]:
    """Return the human clicks on an issue by property (such as the country) and value (such as "DE").

    For each property, the value with the most clicks is first. ``human`` is the number of all human clicks on the
    issue.
    """
    return fold_breakdown(reports.issue_breakdown(store, issue_id), human=human)


def fold_breakdown(rows: Iterable[BreakdownRow], *, human: int) -> dict[str, tuple[AudiencePart, ...]]:
    """Return the human clicks in ``rows`` by property (such as the country) and value (such as "DE").

    For each property, the value with the most clicks is first. ``human`` is the number of all human clicks. If the
    clicks of a property in ``rows`` are fewer than ``human``, the missing clicks get the value '' (unknown).
    """
    clicks: dict[str, dict[str, int]] = {dimension: {} for dimension in DIMENSIONS}
    for row in rows:
        if row.dimension in clicks:
            value = fold_value(row.dimension, row.value)
            clicks[row.dimension][value] = clicks[row.dimension].get(value, 0) + row.clicks
    return {dimension: _parts(clicks[dimension], human=human) for dimension in DIMENSIONS}


def _parts(clicks: Mapping[str, int], *, human: int) -> tuple[AudiencePart, ...]:
    return tuple(
        AudiencePart(value, count, count / human) for value, count in order_values(clicks, human=human) if human
    )


class LinkClicks(Struct, frozen=True):
    """Human clicks on one link of an issue."""

    domain: str
    code: str
    clicks: int


def clicks_with_value(store: Store, issue_id: int, dimension: str, value: str) -> list[LinkClicks]:
    """Return the human clicks with one value of a property, such as the country NO, for each link of an issue.

    ``dimension`` is the property. ``value`` is a value as in ``AudiencePart``.
    """
    clicks: dict[tuple[str, str], int] = {}
    for row in reports.issue_breakdown_by_link(store, issue_id, dimension):
        if fold_value(dimension, row.value) == value:
            clicks[row.domain, row.code] = clicks.get((row.domain, row.code), 0) + row.clicks
    return [LinkClicks(domain, code, count) for (domain, code), count in clicks.items()]


def fold_value(dimension: str, value: str) -> str:
    """Return the name of the mail client if ``value`` is a referrer that belongs to one, else ``value`` unchanged.

    ``dimension`` is the property, such as ``referrer`` or ``country``.
    """
    if dimension != "referrer" or not value:
        return value
    host = value.removeprefix("android-app://").lower()
    clients = _clients()
    while host:
        if host in clients:
            return clients[host]
        host = host.partition(".")[2]
    return value


@lru_cache(maxsize=1)
def _clients() -> dict[str, str]:
    text = files("shortener.reporting").joinpath("data/referrers.toml").read_text("utf-8")
    return {host: client["name"] for client in tomllib.loads(text)["client"] for host in client["hosts"]}
