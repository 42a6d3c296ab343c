"""The audience of an issue: human clicks by device, mail client, language, referrer and country.

Also the links that the readers with one of these values clicked, such as the links clicked from Norway. All numbers are
sums by one property. Sums by two properties at once, such as phones in Norway, are not stored.
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
    """Human clicks with one value of a property such as country, and their share (0 to 1) of all human clicks.

    ``value`` is '' for the clicks whose value is unknown. Different referrers of one mail client are one part, which
    has the client's name.
    """

    value: str
    clicks: int
    share: float


def build_audience(store: Store, issue_id: int, *, human: int) -> dict[str, tuple[AudiencePart, ...]]:
    """Return the human clicks of an issue by property and value: for each property its parts, the largest first.

    ``human`` is the number of all human clicks of the issue.
    """
    return fold_breakdown(reports.issue_breakdown(store, issue_id), human=human)


def fold_breakdown(rows: Iterable[BreakdownRow], *, human: int) -> dict[str, tuple[AudiencePart, ...]]:
    """Return the human clicks by property and value, from stored sums: for each property its parts, the largest first.

    The clicks of the parts of a property add up to ``human``, the number of all human clicks.
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
    """Return the links of an issue that were clicked with one value of a property, such as the country NO, and how
    often.

    ``dimension`` is the property. ``value`` is the value of an ``AudiencePart``; for referrers it can be the name of a
    mail client.
    """
    clicks: dict[tuple[str, str], int] = {}
    for row in reports.issue_breakdown_by_link(store, issue_id, dimension):
        if fold_value(dimension, row.value) == value:
            clicks[row.domain, row.code] = clicks.get((row.domain, row.code), 0) + row.clicks
    return [LinkClicks(domain, code, count) for (domain, code), count in clicks.items()]


def fold_value(dimension: str, value: str) -> str:
    """Return the name under which a value is counted: for a referrer that belongs to a mail client, the name of the
    client; else the value itself.
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
