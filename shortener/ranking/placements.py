"""Weights that say how much a link of each kind (title, image, "read more", …) is clicked.

The method is in docs/ranking.md section 5.
"""

from collections.abc import Sequence

import numpy as np

from shortener.ranking.inputs import Appearance
from shortener.ranking.observations import FloatArray

PRIOR_WEIGHTS = {"title": 1.0, "image": 0.6, "more": 0.4, "text": 0.6, "button": 0.6}
"""Prior weight of each placement kind relative to the title (docs/ranking.md section 5)."""
DEFAULT_WEIGHT = 0.5
"""Prior weight of any other placement kind."""
PRIOR_PSEUDO_CLICKS = 20.0
"""How many clicks the prior weights count as, beside the real ones (K in docs/ranking.md section 5)."""
ITERATIONS = 50


def estimate_weights(appearances: Sequence[Appearance]) -> dict[str, float]:
    """Estimate how much a link of each kind (title, image, …) is clicked, relative to a title link."""
    # Luce's choice rule, fitted by a minorize-maximize algorithm (docs/ranking.md section 5)
    kinds = sorted({placement.kind for row in appearances for placement in row.placements} | {"title"})
    prior = np.array([PRIOR_WEIGHTS.get(kind, DEFAULT_WEIGHT) for kind in kinds])
    # In an appearance with two kinds of links or more, the effects of position, issue and article cancel out.
    clicks, links = _clicks_and_links_by_kind(appearances, kinds)
    weights = prior / prior.sum()
    pseudo_clicks = PRIOR_PSEUDO_CLICKS * weights
    # w_k <- (sum y_ck + K s0_k) / (sum Y_c m_ck / sum_j w_j m_cj + K / sum w), where y_ck are the clicks on
    # the m_ck links of kind k in cell c, and Y_c is their sum
    for _ in range(ITERATIONS):
        exposure = (clicks.sum(axis=1) / (links @ weights)) @ links + PRIOR_PSEUDO_CLICKS / weights.sum()
        weights = (clicks.sum(axis=0) + pseudo_clicks) / exposure
    weights = weights / weights[kinds.index("title")]
    return dict(zip(kinds, weights.tolist(), strict=True))


def _clicks_and_links_by_kind(appearances: Sequence[Appearance], kinds: list[str]) -> tuple[FloatArray, FloatArray]:
    # Appearances with only one kind of links are left out.
    rows = [{p.kind: p for p in row.placements} for row in appearances if len(row.placements) > 1]
    clicks = [[float(row[kind].clicks) if kind in row else 0.0 for kind in kinds] for row in rows]
    links = [[float(row[kind].links) if kind in row else 0.0 for kind in kinds] for row in rows]
    shape = (len(rows), len(kinds))
    return np.array(clicks).reshape(shape), np.array(links).reshape(shape)


def sum_weights(appearances: Sequence[Appearance], weights: dict[str, float]) -> FloatArray:
    """Return for each appearance of an article the sum of the weights of its links; 1 if its links are unknown."""
    return np.array([sum(weights[p.kind] * p.links for p in row.placements) or 1.0 for row in appearances])
