"""The audience of an issue: its human clicks by device, mail client, language, referrer and country."""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from statistics import NormalDist

from msgspec import Struct

from shortener.ranking.result import MIN_COUNT
from shortener.reporting.counts import DIMENSIONS, order_values
from shortener.reporting.forecast import Usual, usual_range
from shortener.reporting.outlook import Judgement, judge
from shortener.store import Store, reports
from shortener.store.listings import IssueSummary
from shortener.store.reports import BreakdownRow

SIGNIFICANCE = 0.05
"""Probability that a difference between shares is called significant though it is chance."""


class AudiencePart(Struct, frozen=True):
    """Human clicks with one value of a property such as country, and their share (0 to 1) of all human clicks."""

    value: str
    """'' means that the value is unknown. A referrer that belongs to a mail client is replaced by the client's name."""
    clicks: int
    share: float


def build_audience(
    store: Store,
    issue_id: int,
    *,
    human: int,  # number of all human clicks
) -> dict[str, tuple[AudiencePart, ...]]:
    """Return the human clicks on an issue by country, browser, device and other properties.

    In each property, the most clicked value is first.
    """
    # Sums by two properties at once, such as phones in Norway, are not stored.
    return fold_breakdown(reports.issue_breakdown(store, issue_id), human=human)


def fold_breakdown(
    rows: Iterable[BreakdownRow],
    *,
    human: int,  # number of all human clicks; those missing in the rows get the value ''
) -> dict[str, tuple[AudiencePart, ...]]:
    """Return the human clicks in ``rows`` by country, browser, device and other properties.

    In each property, the most clicked value is first.
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


def usual_share(
    store: Store,
    earlier: Sequence[IssueSummary],  # each must have clicks
    dimension: str,  # the property, such as "country"
    value: str,
) -> Usual | None:
    """Return the usual share (0 to 1) of clicks with a value such as the country "NO".

    Returns None for fewer than four issues.
    """
    clicks = reports.clicks_by_issue(store, [issue.id for issue in earlier], dimension, value)
    return usual_range([clicks.get(issue.id, 0) / issue.clicks for issue in earlier])


def judge_share(
    share: float,
    usual: Usual,
    *,
    clicks: int,  # number of clicks in which the share was counted
) -> Judgement:
    """Return whether a share (0 to 1) of clicks is "below", "above" or in the "usual" range.

    Differences that may be chance are "usual".
    """
    error = math.sqrt(usual.median * (1 - usual.median) / max(1, clicks))
    is_chance = abs(share - usual.median) <= NormalDist().inv_cdf(1 - SIGNIFICANCE / 2) * error
    return "usual" if is_chance else judge(share, usual)


def significant_differences(
    clicks: Sequence[tuple[int, int]],  # each group's clicks on each article
    totals: tuple[int, int],  # all clicks of each group
) -> list[float]:
    """Return a z-score for each article: how much two groups of readers differ in clicking it.

    A difference that is not significant gives 0.
    """
    if not clicks or not all(totals):
        return [0.0] * len(clicks)
    # A score is positive if the article got a larger share of the first group's clicks.
    # The Bonferroni correction: docs/ranking.md, section 22.
    limit = NormalDist().inv_cdf(1 - SIGNIFICANCE / (2 * len(clicks)))
    scores = (_two_proportion_z_score(pair, totals) for pair in clicks)
    return [score if abs(score) > limit else 0.0 for score in scores]


def _two_proportion_z_score(clicks: tuple[int, int], totals: tuple[int, int]) -> float:
    share = sum(clicks) / sum(totals)
    if min(share, 1 - share) * min(totals) < MIN_COUNT:
        return 0.0
    error = math.sqrt(share * (1 - share) * (1 / totals[0] + 1 / totals[1]))
    return (clicks[0] / totals[0] - clicks[1] / totals[1]) / error


class LinkClicks(Struct, frozen=True):
    """Human clicks on one link of an issue."""

    domain: str
    code: str
    clicks: int


def clicks_with_value(
    store: Store,
    issue_id: int,
    dimension: str,  # the property, such as "country"
    value: str,  # as in AudiencePart, such as "NO"
) -> list[LinkClicks]:
    """Return the human clicks from one country, one device or the like, for each link of an issue."""
    clicks: dict[tuple[str, str], int] = {}
    for row in reports.issue_breakdown_by_link(store, issue_id, dimension):
        if fold_value(dimension, row.value) == value:
            clicks[row.domain, row.code] = clicks.get((row.domain, row.code), 0) + row.clicks
    return [LinkClicks(domain, code, count) for (domain, code), count in clicks.items()]


def fold_value(
    dimension: str,  # the property of the value, such as "referrer"
    value: str,
) -> str:
    """Return a mail client's name if ``value`` is a referrer of that client, else ``value``."""
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
