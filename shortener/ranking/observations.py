"""The click history as arrays with one entry for each article in each issue (docs/ranking.md section 3)."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from shortener.durations import HOUR_SECONDS
from shortener.ranking.inputs import Appearance, History, Issue, Placement

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

MIN_AGE_HOURS = 1 / 60  # at age 0 the arrival curve is 0, and its logarithm is not finite


class Observations(Struct, frozen=True, eq=False):
    """Clicks, positions and other data as arrays with one entry for each article in each issue.

    The entries are sorted by article and then by issue.
    """

    issues: tuple[Issue, ...]
    """Sorted by sending time."""
    urls: tuple[str, ...]
    """Sorted alphabetically, so that the order of the input rows has no effect."""
    appearances: tuple[Appearance, ...]
    age_hours: FloatArray
    """One entry per issue."""
    issue_index: IntArray
    article_index: IntArray
    article_starts: IntArray
    """For each article, the index of its first entry in the arrays."""
    clicks: FloatArray
    positions: FloatArray  # nan if unknown
    is_rerun: FloatArray  # 1 if an earlier issue contains the article, otherwise 0

    @property
    def has_positions(self) -> bool:
        """Whether the position of any article is known."""
        return bool(np.isfinite(self.positions).any())

    def sum_by_article(self, values: FloatArray) -> FloatArray:
        """Add up `values` over all issues, separately for each article.

        `values` has an entry or a row for each article in each issue.
        """
        return np.asarray(np.add.reduceat(values, self.article_starts, axis=0), dtype=np.float64)


def age_in_hours(issue: Issue, *, as_of: float) -> float:
    """Return the age of an issue in hours at `as_of` (epoch seconds), at least one minute."""
    return max((as_of - issue.sent_at) / HOUR_SECONDS, MIN_AGE_HOURS)


def build_observations(history: History, *, as_of: float) -> Observations:
    """Return the clicks and other data of a history as arrays.

    `history.issues` must be sorted with the oldest first, without issues sent after `as_of` (epoch seconds).
    """
    index = {issue.slug: n for n, issue in enumerate(history.issues)}
    appearances = merge_appearances(history.appearances)
    appearances.sort(key=lambda appearance: (appearance.url, index[appearance.issue]))
    urls = tuple(dict.fromkeys(appearance.url for appearance in appearances))
    article_numbers = {url: n for n, url in enumerate(urls)}
    article_index = np.array([article_numbers[row.url] for row in appearances], dtype=np.intp)
    article_starts = np.searchsorted(article_index, np.arange(len(urls)))
    is_rerun = np.ones(len(appearances))
    is_rerun[article_starts] = 0.0
    return Observations(
        issues=history.issues,
        urls=urls,
        appearances=tuple(appearances),
        age_hours=np.array([age_in_hours(issue, as_of=as_of) for issue in history.issues], dtype=np.float64),
        issue_index=np.array([index[row.issue] for row in appearances], dtype=np.intp),
        article_index=article_index,
        article_starts=article_starts,
        clicks=np.array([row.clicks for row in appearances], dtype=np.float64),
        positions=np.array([row.position or np.nan for row in appearances], dtype=np.float64),
        is_rerun=is_rerun,
    )


def merge_appearances(appearances: Iterable[Appearance]) -> list[Appearance]:
    """Return one appearance for each article in each issue.

    The clicks of duplicate appearances are added, and the position nearest to the top is kept.
    """
    groups: dict[tuple[str, str], list[Appearance]] = {}
    for appearance in appearances:
        groups.setdefault((appearance.issue, appearance.url), []).append(appearance)
    return [_merge_group(group) for group in groups.values()]


def _merge_group(appearances: list[Appearance]) -> Appearance:
    positions = [row.position for row in appearances if row.position is not None]
    kinds: dict[str, Placement] = {}
    for placement in (placement for row in appearances for placement in row.placements):
        total = kinds.get(placement.kind, Placement(kind=placement.kind, clicks=0, links=0))
        kinds[placement.kind] = Placement(
            kind=placement.kind, clicks=total.clicks + placement.clicks, links=total.links + placement.links
        )
    return Appearance(
        issue=appearances[0].issue,
        url=appearances[0].url,
        clicks=sum(row.clicks for row in appearances),
        position=min(positions, default=None),
        placements=tuple(kinds[kind] for kind in sorted(kinds)),
        all_clicks=sum(row.click_count for row in appearances),
    )
