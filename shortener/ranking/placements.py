"""How much each kind of placement (title, image, read more) draws, learnt in the cells that have several."""

from collections.abc import Sequence

import numpy as np

from shortener.ranking.inputs import Appearance
from shortener.ranking.observations import FloatArray

PRIOR_WEIGHTS = {
    "title": 1.0,
    "image": 0.6,
    "more": 0.4,
    "text": 0.6,
    "button": 0.6,
}  # first three: method §3
DEFAULT_WEIGHT = 0.5  # a kind that nobody has told us about
PRIOR_PSEUDO_CLICKS = 20.0  # K of method §3
ITERATIONS = 50


def estimate_weights(appearances: Sequence[Appearance]) -> dict[str, float]:
    """Weight of each kind of placement, title = 1: method §3, Luce's choice rule by the MM algorithm.

    Over the cells with two kinds or more, with y_ck clicks on the m_ck links of kind k and Y_c in all:
    ``w_k <- (sum y_ck + K s0_k) / (sum Y_c m_ck / sum_j w_j m_cj + K / sum w)``. It needs no place, issue
    or appeal.
    """
    kinds = sorted({p.kind for s in appearances for p in s.placements} | {"title"})
    prior = np.array([PRIOR_WEIGHTS.get(kind, DEFAULT_WEIGHT) for kind in kinds])
    clicks, links = _tabulate_by_kind(appearances, kinds)
    weights = prior / prior.sum()
    pseudo = PRIOR_PSEUDO_CLICKS * weights
    for _ in range(ITERATIONS):
        chances = (clicks.sum(axis=1) / (links @ weights)) @ links + PRIOR_PSEUDO_CLICKS / weights.sum()
        weights = (clicks.sum(axis=0) + pseudo) / chances
    weights = weights / weights[kinds.index("title")]
    return dict(zip(kinds, weights.tolist(), strict=True))


def _tabulate_by_kind(appearances: Sequence[Appearance], kinds: list[str]) -> tuple[FloatArray, FloatArray]:
    """Clicks and links as cells x kinds, of the cells that have at least two kinds."""
    rows = [{p.kind: p for p in s.placements} for s in appearances if len(s.placements) > 1]
    clicks = [[float(row[kind].clicks) if kind in row else 0.0 for kind in kinds] for row in rows]
    links = [[float(row[kind].links) if kind in row else 0.0 for kind in kinds] for row in rows]
    shape = (len(rows), len(kinds))
    return np.array(clicks).reshape(shape), np.array(links).reshape(shape)


def sum_weights(appearances: Sequence[Appearance], weights: dict[str, float]) -> FloatArray:
    """``sum w`` of each cell over its links; a cell whose placements are unknown counts as one title."""
    return np.array([sum(weights[p.kind] * p.links for p in s.placements) or 1.0 for s in appearances])
