"""The order of the list and what stands beside each article: chances, bounds, gems, the loved, the blend."""

import numpy as np
from msgspec import Struct

from shortener.ranking.gems import best_tenth, hidden_gems, loved_by_few
from shortener.ranking.observations import Floats
from shortener.ranking.pipeline import Study
from shortener.ranking.posterior import chance_of_top
from shortener.ranking.signals import Z90, Blend

TIE = 9  # decimals to which two values count as equal, so that rounding in the last bit never decides
FARTHEST = 300.0  # log units that still have an exponential


class Arrangement(Struct, frozen=True, eq=False):
    """``order``, ``gems`` and ``loved`` are indices of articles; the arrays have one entry per article."""

    order: list[int]
    top: int
    appeal: Floats
    low: Floats
    high: Floats
    p_top: Floats
    tenth: Floats
    gems: list[int]
    loved: list[int]
    blend: Floats | None


def published(articles: int, top: int) -> int:
    """k of the published list: ``top``, or ``max(3, articles/5)`` if that is less, method §6."""
    return min(top, max(3, articles // 5), articles)


def arrange(learnt: Study, urls: set[str], *, top: int, gems: int, blend: Blend | None) -> Arrangement:
    """Order the listed ``urls`` by score, P(top k), clicks and URL; a blend takes the score's place."""
    posterior, names = learnt.posterior, learnt.cells.urls
    own = [a for a, url in enumerate(names) if url in urls]
    k = published(len(own), top)
    p_top = np.zeros(len(names))
    p_top[own] = chance_of_top(posterior.draws[:, own], k)
    mixed = None if blend is None else blend.mix(posterior.score, learnt.signals)
    first = np.round(posterior.score if mixed is None else mixed, TIE)
    order = sorted(own, key=lambda a: (-first[a], -p_top[a], -posterior.clicks[a], names[a]))
    high = _multiple(posterior.score + Z90 * posterior.sd)
    return Arrangement(
        order=order,
        top=k,
        appeal=_multiple(posterior.score),
        low=_multiple(posterior.score - Z90 * posterior.sd),
        high=high,
        p_top=p_top,
        tenth=best_tenth(posterior),
        gems=hidden_gems(posterior, order=order, top=k, most=gems, high=high),
        loved=loved_by_few(posterior, learnt.signals, order=order),
        blend=mixed,
    )


def _multiple(logs: Floats) -> Floats:
    return np.exp(np.clip(logs, -FARTHEST, FARTHEST))
