"""The order in which the ranking shows articles, with their intervals and probabilities.

The method is in docs/ranking.md section 10.
"""

import numpy as np
from msgspec import Struct

from shortener.ranking.gems import MIN_GEM_PROBABILITY, find_hidden_gems, find_loved_by_few, top_decile_probability
from shortener.ranking.observations import FloatArray
from shortener.ranking.pipeline import Analysis
from shortener.ranking.posterior import top_k_probability
from shortener.ranking.signals import Z90, Blend

TIE_DECIMALS = 9  # scores equal to this many decimals are ties, so that rounding errors do not decide
MIN_TOP = 3  # articles of the top list, if there are as many
TOP_SHARE = 5  # one in so many articles is in the top list
MAX_LOG_APPEAL = 300.0  # log units; the exponential of more could overflow


class Ordering(Struct, frozen=True, eq=False):
    """The order of the articles that the ranking shows, and the figures of all articles.

    Each array has one entry per article.
    """

    order: list[int]
    """Indices of the articles that the ranking shows; the first `top` of them are the top list."""
    top: int
    appeal: FloatArray
    """How often the article is clicked, as a multiple of an average one; `low` to `high` is the 90 % interval."""
    low: FloatArray
    high: FloatArray
    p_top: FloatArray
    """Probability of belonging to the top list; 0 for an article that the ranking does not show."""
    top_decile_probability: FloatArray
    """Probability of being in the best tenth of all articles."""
    gems: list[int]
    """Indices of the hidden gems, which are good articles that few readers saw."""
    loved_by_few: list[int]
    """Indices of articles with few clicks that many of their readers applauded."""
    blend: FloatArray | None
    """The editors' weighted sum that replaces appeal in the order, or None."""


def top_length(article_count: int, max_articles: int) -> int:
    """Return how many articles at the head of the ranking are called the top list."""
    # docs/ranking.md section 10
    return min(max_articles, max(MIN_TOP, article_count // TOP_SHARE), article_count)


def order_articles(
    analysis: Analysis,
    urls: set[str],  # the articles that the ranking shows
    *,
    max_articles: int,  # limit of the top list
    max_gems: int,  # limit of hidden gems (good articles that few readers saw)
    blend: Blend | None,
    min_gem_probability: float = MIN_GEM_PROBABILITY,
) -> Ordering:
    """Sort articles by appeal (relative clicks), or by the editors' weighted sum if `blend` is given."""
    posterior, all_urls = analysis.posterior, analysis.observations.urls
    listed = [article for article, url in enumerate(all_urls) if url in urls]
    k = top_length(len(listed), max_articles)
    p_top = np.zeros(len(all_urls))
    p_top[listed] = top_k_probability(posterior.draws[:, listed], k)
    blended = None if blend is None else blend.combine(posterior.score, analysis.signals)
    key = np.round(posterior.score if blended is None else blended, TIE_DECIMALS)
    order = sorted(listed, key=lambda a: (-key[a], -p_top[a], -posterior.clicks[a], all_urls[a]))
    high = _exp_clipped(posterior.score + Z90 * posterior.sd)
    best_tenth = top_decile_probability(posterior)
    return Ordering(
        order=order,
        top=k,
        appeal=_exp_clipped(posterior.score),
        low=_exp_clipped(posterior.score - Z90 * posterior.sd),
        high=high,
        p_top=p_top,
        top_decile_probability=best_tenth,
        gems=find_hidden_gems(
            posterior,
            order=order,
            top_length=k,
            max_gems=max_gems,
            upper_bounds=high,
            top_decile_probabilities=best_tenth,
            min_probability=min_gem_probability,
        ),
        loved_by_few=find_loved_by_few(posterior, analysis.signals, order=order),
        blend=blended,
    )


def _exp_clipped(log_appeal: FloatArray) -> FloatArray:
    return np.exp(np.clip(log_appeal, -MAX_LOG_APPEAL, MAX_LOG_APPEAL))
