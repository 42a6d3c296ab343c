"""The history as arrays: one cell per article and issue, in an order that the input's order cannot change."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from shortener.ranking.inputs import History, Issue, Placement, Showing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

HOUR = 3600.0  # seconds
YOUNGEST = 1 / 60  # hours; an issue sent this second would have log F = -inf


class Cells(Struct, frozen=True, eq=False):
    """Method §1: a cell is one article in one issue, y the sum over its links, the place its highest.

    ``issues`` are sorted by sending time, ``urls`` by name, cells by article and then issue, so that the
    cells of article a are ``starts[a] : starts[a + 1]``. Arrays have one entry per cell but ``ages``
    (hours, per issue).
    """

    issues: tuple[Issue, ...]
    urls: tuple[str, ...]
    showings: tuple[Showing, ...]
    ages: Floats
    issue: Ints
    article: Ints
    starts: Ints
    clicks: Floats
    positions: Floats  # nan where unknown
    rerun: Floats  # 1 where an earlier issue already carried the article

    @property
    def placed(self) -> bool:
        """Whether any place at all is known."""
        return bool(np.isfinite(self.positions).any())

    def per_article(self, values: Floats) -> Floats:
        """Sum ``values`` (cells first) over the cells of each article."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0), dtype=np.float64)


def tabulate(history: History, *, as_of: float) -> Cells:
    """Merge and order the showings of the issues sent by ``as_of`` (epoch seconds), no later ones."""
    issues = tuple(sorted((i for i in history.issues if i.sent <= as_of), key=lambda i: (i.sent, i.slug)))
    index = {issue.slug: n for n, issue in enumerate(issues)}
    showings = merged(s for s in history.showings if s.issue in index)
    showings.sort(key=lambda s: (s.url, index[s.issue]))
    urls = tuple(dict.fromkeys(s.url for s in showings))
    number = {url: n for n, url in enumerate(urls)}
    article = np.array([number[s.url] for s in showings], dtype=np.intp)
    starts = np.searchsorted(article, np.arange(len(urls)))
    first = np.zeros(len(showings), dtype=bool)
    first[starts] = True
    return Cells(
        issues=issues,
        urls=urls,
        showings=tuple(showings),
        ages=np.array([max((as_of - i.sent) / HOUR, YOUNGEST) for i in issues], dtype=np.float64),
        issue=np.array([index[s.issue] for s in showings], dtype=np.intp),
        article=article,
        starts=starts,
        clicks=np.array([s.clicks for s in showings], dtype=np.float64),
        positions=np.array([s.position or np.nan for s in showings], dtype=np.float64),
        rerun=(~first).astype(np.float64),
    )


def merged(showings: Iterable[Showing]) -> list[Showing]:
    """One showing per article and issue: clicks added, the higher place kept, placements added by kind."""
    groups: dict[tuple[str, str], list[Showing]] = {}
    for showing in showings:
        groups.setdefault((showing.issue, showing.url), []).append(showing)
    return [_merge(group) for group in groups.values()]


def _merge(group: list[Showing]) -> Showing:
    places = [s.position for s in group if s.position is not None]
    kinds: dict[str, Placement] = {}
    for placement in (p for s in group for p in s.placements):
        have = kinds.get(placement.kind, Placement(kind=placement.kind, clicks=0, links=0))
        kinds[placement.kind] = Placement(
            kind=placement.kind, clicks=have.clicks + placement.clicks, links=have.links + placement.links
        )
    return Showing(
        issue=group[0].issue,
        url=group[0].url,
        clicks=sum(s.clicks for s in group),
        position=min(places, default=None),
        placements=tuple(kinds[kind] for kind in sorted(kinds)),
    )
