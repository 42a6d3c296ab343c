"""Find hidden gems (good articles that few readers saw), and articles with few clicks but much applause.

The conditions are in docs/ranking.md section 11.
"""

from collections.abc import Sequence

import numpy as np

from shortener.ranking.observations import FloatArray, IntArray
from shortener.ranking.posterior import Posterior, top_k_probability
from shortener.ranking.signals import SignalColumns

MAX_CLICKS_QUANTILE = 0.75  # a gem has fewer clicks than this quantile of the list
MAX_EXPOSURE_QUANTILE = 0.60  # a gem's expected clicks are at most this quantile of the list
# At least half of the gems are then true ones in every simulated scenario (docs/ranking.md section 11).
MIN_GEM_PROBABILITY = 0.20
"""Lowest probability of being in the best tenth of all articles with which an article is called a hidden gem."""
MIN_READS = 30  # below, the ratio of fans to reads is mostly chance


def top_decile_probability(posterior: Posterior) -> FloatArray:
    """Return for each article the probability (0 to 1) that it is in the best tenth of all articles by appeal."""
    return top_k_probability(posterior.draws, max(1, posterior.draws.shape[1] // 10))


def find_hidden_gems(
    posterior: Posterior,
    *,
    order: Sequence[int],  # indices of the articles in the ranking, the best first
    top_length: int,  # this many articles at the head of `order` are excluded
    max_gems: int,
    upper_bounds: FloatArray,  # for each article, the upper end of its interval of appeal
    top_decile_probabilities: FloatArray,
    min_probability: float = MIN_GEM_PROBABILITY,
) -> list[int]:
    """Return the indices of hidden gems, which are good articles that few readers saw."""
    # docs/ranking.md section 11
    if not order:
        return []
    listed = np.array(order)
    max_clicks = np.quantile(posterior.clicks[listed], MAX_CLICKS_QUANTILE)
    max_expected = np.quantile(posterior.expected[listed], MAX_EXPOSURE_QUANTILE)
    candidates = [
        article
        for article in order[top_length:]
        if posterior.clicks[article] < max_clicks
        and posterior.expected[article] <= max_expected
        and posterior.score[article] > 0
        and top_decile_probabilities[article] >= min_probability
    ]
    return sorted(candidates, key=lambda a: (-top_decile_probabilities[a], -upper_bounds[a]))[:max_gems]


def find_loved_by_few(posterior: Posterior, signals: SignalColumns, *, order: Sequence[int]) -> list[int]:
    """Return which articles of `order` have few clicks but much applause by their readers, the most applauded first.

    The conditions are in docs/ranking.md section 11.
    """
    if not order:
        return []
    lower_bound = signals.fan_ratio_lower_bound()
    listed: IntArray = np.array(order)
    median = np.median(posterior.clicks[listed])
    loved = [
        article
        for article in order
        if posterior.clicks[article] < median
        and signals.reads[article] >= MIN_READS
        and lower_bound[article] > signals.overall_fan_ratio
    ]
    return sorted(loved, key=lambda article: -lower_bound[article])
