"""Two short lists beside the ranking: hidden gems, and articles loved by few.

Hidden gems have high appeal, but were at positions that few readers see. Articles loved by few have few clicks, but
many of their readers applauded them on another platform. The conditions are in docs/ranking.md section 11.
"""

from collections.abc import Sequence

import numpy as np

from shortener.ranking.observations import FloatArray, IntArray
from shortener.ranking.posterior import Posterior, top_k_probability
from shortener.ranking.signals import SignalColumns

MAX_CLICKS_QUANTILE = 0.75  # a gem has fewer clicks than this quantile of the list
MAX_EXPOSURE_QUANTILE = 0.60  # a gem's expected clicks are at most this quantile of the list
MIN_GEM_PROBABILITY = 0.20
"""Lowest probability of being in the best tenth of all articles with which an article is called a hidden gem.

With this threshold, at least half of the gems are true ones in every simulated scenario (docs/ranking.md section 11).
"""
MIN_READS = 30  # below, the ratio of fans to reads is mostly chance


def top_decile_probability(posterior: Posterior) -> FloatArray:
    """Return for each article the probability (0 to 1) that it is in the best tenth of all articles by appeal."""
    return top_k_probability(posterior.draws, max(1, posterior.draws.shape[1] // 10))


def find_hidden_gems(
    posterior: Posterior,
    *,
    order: Sequence[int],
    top_length: int,
    max_gems: int,
    upper_bounds: FloatArray,
    top_decile_probabilities: FloatArray,
    min_probability: float = MIN_GEM_PROBABILITY,
) -> list[int]:
    """Return the indices of the hidden gems: good articles that few readers saw at their position.

    `order` has the indices of the articles that the ranking shows. The first `top_length` of them cannot be gems.
    `upper_bounds` are the upper ends of the articles' 90 % intervals of appeal. `min_probability` is the lowest
    probability of being in the best tenth of all articles. The other conditions are in docs/ranking.md section 11.
    """
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
    """Return the indices of articles loved by few: they have few clicks, but many of their readers applauded them.

    `order` has the indices of the articles that the ranking shows. The most applauded article is first. The conditions
    are in docs/ranking.md section 11.
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
