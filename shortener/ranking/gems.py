"""Two short lists for the editors' eye: good articles hidden by their place, and articles loved by few."""

from collections.abc import Sequence

import numpy as np

from shortener.ranking.observations import FloatArray, IntArray
from shortener.ranking.posterior import Posterior, top_k_probability
from shortener.ranking.signals import SignalColumns

MAX_CLICKS_QUANTILE = 0.75  # quantile: a gem has fewer clicks
MAX_EXPOSURE_QUANTILE = 0.60  # quantile: a gem had at most this exposure
MIN_READS = 30  # below, a fan ratio says nothing


def top_decile_probability(posterior: Posterior) -> FloatArray:
    """Chance of each article to be in the best tenth of all articles, by the joint draws."""
    return top_k_probability(posterior.draws, max(1, posterior.draws.shape[1] // 10))


def find_hidden_gems(
    posterior: Posterior,
    *,
    order: Sequence[int],
    published_count: int,
    max_gems: int,
    upper_bounds: FloatArray,
) -> list[int]:
    """Articles (indices) that their place has hidden, method §7, of a list whose first ``top`` are published.

    Candidates: not published, clicks below the 75th percentile of the list, expected clicks at or below
    the 60th, score above 0. Ordered by the chance of the best tenth of all articles, then by the upper
    bound ``high``.
    """
    if not order:
        return []
    places = np.array(order)
    few = np.quantile(posterior.clicks[places], MAX_CLICKS_QUANTILE)
    seen = np.quantile(posterior.expected[places], MAX_EXPOSURE_QUANTILE)
    candidates = [
        a
        for a in order[published_count:]
        if posterior.clicks[a] < few and posterior.expected[a] <= seen and posterior.score[a] > 0
    ]
    chance = top_decile_probability(posterior)
    return sorted(candidates, key=lambda a: (-chance[a], -upper_bounds[a]))[:max_gems]


def find_loved_by_few(posterior: Posterior, signals: SignalColumns, *, order: Sequence[int]) -> list[int]:
    """Articles with few clicks whose readers applauded, method §7, highest lower bound first.

    Clicks below the list's median, 30 reads or more, and the lower 90 % bound of fans per read above the
    overall ratio.
    """
    if not order:
        return []
    low = signals.fan_ratio_lower_bound()
    places: IntArray = np.array(order)
    few = np.median(posterior.clicks[places])
    loved = [
        a
        for a in order
        if posterior.clicks[a] < few and signals.reads[a] >= MIN_READS and low[a] > signals.overall_fan_ratio
    ]
    return sorted(loved, key=lambda a: -low[a])
