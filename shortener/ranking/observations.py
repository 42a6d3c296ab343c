"""The history as arrays: one cell per article and issue, in an order that the input's order cannot change."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from shortener.ranking.inputs import Appearance, History, Issue, Placement

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

SECONDS_PER_HOUR = 3600.0  # seconds
MIN_AGE_HOURS = 1 / 60  # hours; an issue sent this second would have log F = -inf


class Observations(Struct, frozen=True, eq=False):
    """Method §1: a cell is one article in one issue, y the sum over its links, the place its highest.

    ``issues`` are sorted by sending time, ``urls`` by name, cells by article and then issue, so that the
    cells of article a are ``starts[a] : starts[a + 1]``. Arrays have one entry per cell but ``ages``
    (hours, per issue).
    """

    issues: tuple[Issue, ...]
    urls: tuple[str, ...]
    appearances: tuple[Appearance, ...]
    age_hours: FloatArray
    issue_index: IntArray
    article_index: IntArray
    article_starts: IntArray
    clicks: FloatArray
    positions: FloatArray  # nan where unknown
    is_rerun: FloatArray  # 1 where an earlier issue already carried the article

    @property
    def has_positions(self) -> bool:
        """Whether any place at all is known."""
        return bool(np.isfinite(self.positions).any())

    def sum_by_article(self, values: FloatArray) -> FloatArray:
        """Sum ``values`` (cells first) over the cells of each article."""
        return np.asarray(np.add.reduceat(values, self.article_starts, axis=0), dtype=np.float64)


def build_observations(history: History, *, as_of: float) -> Observations:
    """Merge and order the showings of the issues sent by ``as_of`` (epoch seconds), no later ones."""
    issues = tuple(
        sorted((i for i in history.issues if i.sent_at <= as_of), key=lambda i: (i.sent_at, i.slug))
    )
    index = {issue.slug: n for n, issue in enumerate(issues)}
    showings = merge_appearances(s for s in history.appearances if s.issue in index)
    showings.sort(key=lambda s: (s.url, index[s.issue]))
    urls = tuple(dict.fromkeys(s.url for s in showings))
    number = {url: n for n, url in enumerate(urls)}
    article = np.array([number[s.url] for s in showings], dtype=np.intp)
    starts = np.searchsorted(article, np.arange(len(urls)))
    first = np.zeros(len(showings), dtype=bool)
    first[starts] = True
    return Observations(
        issues=issues,
        urls=urls,
        appearances=tuple(showings),
        age_hours=np.array(
            [max((as_of - i.sent_at) / SECONDS_PER_HOUR, MIN_AGE_HOURS) for i in issues], dtype=np.float64
        ),
        issue_index=np.array([index[s.issue] for s in showings], dtype=np.intp),
        article_index=article,
        article_starts=starts,
        clicks=np.array([s.clicks for s in showings], dtype=np.float64),
        positions=np.array([s.position or np.nan for s in showings], dtype=np.float64),
        is_rerun=(~first).astype(np.float64),
    )


def merge_appearances(appearances: Iterable[Appearance]) -> list[Appearance]:
    """One showing per article and issue: clicks added, the higher place kept, placements added by kind."""
    groups: dict[tuple[str, str], list[Appearance]] = {}
    for showing in appearances:
        groups.setdefault((showing.issue, showing.url), []).append(showing)
    return [_merge_group(group) for group in groups.values()]


def _merge_group(appearances: list[Appearance]) -> Appearance:
    places = [s.position for s in appearances if s.position is not None]
    kinds: dict[str, Placement] = {}
    for placement in (p for s in appearances for p in s.placements):
        have = kinds.get(placement.kind, Placement(kind=placement.kind, clicks=0, links=0))
        kinds[placement.kind] = Placement(
            kind=placement.kind, clicks=have.clicks + placement.clicks, links=have.links + placement.links
        )
    return Appearance(
        issue=appearances[0].issue,
        url=appearances[0].url,
        clicks=sum(s.clicks for s in appearances),
        position=min(places, default=None),
        placements=tuple(kinds[kind] for kind in sorted(kinds)),
    )
