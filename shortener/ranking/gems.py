"""Two short lists for the editors' eye: good articles hidden by their place, and articles loved by few."""

from collections.abc import Sequence

import numpy as np

from shortener.ranking.observations import Floats, Ints
from shortener.ranking.posterior import Posterior, chance_of_top
from shortener.ranking.signals import Columns

FEW_CLICKS = 0.75  # quantile: a gem has fewer clicks
LITTLE_SEEN = 0.60  # quantile: a gem had at most this exposure
ENOUGH_READS = 30  # below, a fan ratio says nothing


def best_tenth(posterior: Posterior) -> Floats:
    """Chance of each article to be in the best tenth of all articles, by the joint draws."""
    return chance_of_top(posterior.draws, max(1, posterior.draws.shape[1] // 10))


def hidden_gems(
    posterior: Posterior, *, order: Sequence[int], top: int, most: int, high: Floats
) -> list[int]:
    """Articles (indices) that their place has hidden, method §7, of a list whose first ``top`` are published.

    Candidates: not published, clicks below the 75th percentile of the list, expected clicks at or below
    the 60th, score above 0. Ordered by the chance of the best tenth of all articles, then by the upper
    bound ``high``.
    """
    if not order:
        return []
    places = np.array(order)
    few = np.quantile(posterior.clicks[places], FEW_CLICKS)
    seen = np.quantile(posterior.expected[places], LITTLE_SEEN)
    candidates = [
        a
        for a in order[top:]
        if posterior.clicks[a] < few and posterior.expected[a] <= seen and posterior.score[a] > 0
    ]
    chance = best_tenth(posterior)
    return sorted(candidates, key=lambda a: (-chance[a], -high[a]))[:most]


def loved_by_few(posterior: Posterior, given: Columns, *, order: Sequence[int]) -> list[int]:
    """Articles with few clicks whose readers applauded, method §7, highest lower bound first.

    Clicks below the list's median, 30 reads or more, and the lower 90 % bound of fans per read above the
    overall ratio.
    """
    if not order:
        return []
    low = given.fan_ratio_low()
    places: Ints = np.array(order)
    few = np.median(posterior.clicks[places])
    loved = [
        a
        for a in order
        if posterior.clicks[a] < few and given.reads[a] >= ENOUGH_READS and low[a] > given.overall_fan_ratio
    ]
    return sorted(loved, key=lambda a: -low[a])
