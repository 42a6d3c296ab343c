"""The order of the listed articles, with their intervals and probabilities (docs/ranking.md section 10).

Hidden gems, which are good articles that few readers saw, are chosen here too.
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
    """The ordered list of articles. `order` contains their indices; the first `top` of them are the top list.

    `gems` (good articles that few readers saw) and `loved_by_few` contain indices too. The arrays have one entry per
    article of the analysis, also for articles that are not listed. `appeal` is a multiple of the average article with
    the 90 % interval `low` to `high`; `p_top` is the probability of belonging to the top list. `blend` is the editors'
    weighted sum that replaces appeal in the order, or None.
    """

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


def top_length(article_count: int, max_articles: int) -> int:
    """Return how many articles at the head of the ranking are called the top list.

    It is a fifth of all articles, but at least 3. It never exceeds `max_articles` or `article_count`.
    """
    return min(max_articles, max(MIN_TOP, article_count // TOP_SHARE), article_count)


def order_articles(
    analysis: Analysis,
    urls: set[str],
    *,
    max_articles: int,
    max_gems: int,
    blend: Blend | None,
    min_gem_probability: float = MIN_GEM_PROBABILITY,
) -> Ordering:
    """Sort the articles `urls` by score (log of the appeal), and choose the top list and the hidden gems.

    A `blend` (the editors' weighted sum of appeal and counts from other platforms) replaces the score. Articles with
    equal values are sorted by the probability of belonging to the top list, then by clicks and URL. The top list has at
    most `max_articles` articles. There are at most `max_gems` hidden gems (good articles that few readers saw), each
    with at least `min_gem_probability` of being in the best tenth. See docs/ranking.md section 10.
    """
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
