"""The order of the list and what stands beside each article: chances, bounds, gems, the loved, the blend."""

import numpy as np
from msgspec import Struct

from shortener.ranking.gems import find_hidden_gems, find_loved_by_few, top_decile_probability
from shortener.ranking.observations import FloatArray
from shortener.ranking.pipeline import Analysis
from shortener.ranking.posterior import top_k_probability
from shortener.ranking.signals import Z90, Blend

TIE_DECIMALS = (
    9  # decimals to which two values count as equal, so that rounding in the last bit never decides
)
MAX_LOG_APPEAL = 300.0  # log units that still have an exponential


class Ordering(Struct, frozen=True, eq=False):
    """``order``, ``gems`` and ``loved`` are indices of articles; the arrays have one entry per article."""

    order: list[int]
    top: int
    appeal: FloatArray
    low: FloatArray
    high: FloatArray
    p_top: FloatArray
    top_decile_probability: FloatArray
    gems: list[int]
    loved_by_few: list[int]
    blend: FloatArray | None


def published_count(article_count: int, max_articles: int) -> int:
    """k of the published list: ``top``, or ``max(3, articles/5)`` if that is less, method §6."""
    return min(max_articles, max(3, article_count // 5), article_count)


def order_articles(
    analysis: Analysis, urls: set[str], *, max_articles: int, max_gems: int, blend: Blend | None
) -> Ordering:
    """Order the listed ``urls`` by score, P(top k), clicks and URL; a blend takes the score's place."""
    posterior, names = analysis.posterior, analysis.cells.urls
    own = [a for a, url in enumerate(names) if url in urls]
    k = published_count(len(own), max_articles)
    p_top = np.zeros(len(names))
    p_top[own] = top_k_probability(posterior.draws[:, own], k)
    mixed = None if blend is None else blend.combine(posterior.score, analysis.signals)
    first = np.round(posterior.score if mixed is None else mixed, TIE_DECIMALS)
    order = sorted(own, key=lambda a: (-first[a], -p_top[a], -posterior.clicks[a], names[a]))
    high = _exp_clipped(posterior.score + Z90 * posterior.sd)
    return Ordering(
        order=order,
        top=k,
        appeal=_exp_clipped(posterior.score),
        low=_exp_clipped(posterior.score - Z90 * posterior.sd),
        high=high,
        p_top=p_top,
        top_decile_probability=top_decile_probability(posterior),
        gems=find_hidden_gems(
            posterior, order=order, published_count=k, max_gems=max_gems, upper_bounds=high
        ),
        loved_by_few=find_loved_by_few(posterior, analysis.signals, order=order),
        blend=mixed,
    )


def _exp_clipped(log_appeal: FloatArray) -> FloatArray:
    return np.exp(np.clip(log_appeal, -MAX_LOG_APPEAL, MAX_LOG_APPEAL))
