"""Sliding windows over sorted times, each in linear time however dense the clicks are.

Times are milliseconds in ascending order; windows include both ends; nothing depends on the order of equal
times.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import inf, log1p

FALSE_ALARM_RATE = 0.001
"""How often the readers of a busy network may look like a burst by chance, per click."""
RATE_WINDOW_SECONDS = 30
"""Seconds before and after a click from which the pace of its network is taken."""
EXCLUDED_SECONDS = 1
"""Seconds next to a click that say nothing about the pace: they hold the burst itself."""
RATE_WINDOW_MS = (RATE_WINDOW_SECONDS + 1) * 1000
"""Milliseconds that the pace of a click can depend on, before and after it."""


def max_distinct(times: Sequence[int], items: Sequence[Hashable], *, window_ms: int) -> list[int]:
    """For each time, the most different items in any window of ``span`` milliseconds that holds it."""
    if len(set(items)) == 1:
        return [1] * len(times)
    lefts, counts = _distinct_per_window(times, items, window_ms)
    peaks: list[int] = []
    best: deque[int] = deque()
    right = 0
    for index in range(len(times)):
        while right < len(times) and lefts[right] <= index:
            while best and counts[best[-1]] <= counts[right]:
                best.pop()
            best.append(right)
            right += 1
        while best[0] < index:
            best.popleft()
        peaks.append(counts[best[0]])
    return peaks


def _distinct_per_window(
    times: Sequence[int], items: Sequence[Hashable], window_ms: int
) -> tuple[list[int], list[int]]:
    """For each right end, the first index of its window and how many different items the window has."""
    inside: dict[Hashable, int] = {}
    lefts, counts = [], []
    left = 0
    for time, item in zip(times, items, strict=True):
        inside[item] = inside.get(item, 0) + 1
        while time - times[left] > window_ms:
            gone = items[left]
            left += 1
            if inside[gone] == 1:
                del inside[gone]
            else:
                inside[gone] -= 1
        lefts.append(left)
        counts.append(len(inside))
    return lefts, counts


def is_near(time: int, sorted_times: Sequence[int], *, window_ms: int) -> bool:
    """Whether one of the sorted marks lies within ``span`` milliseconds of ``time``, before or after."""
    return bisect_left(sorted_times, time - window_ms) < bisect_right(sorted_times, time + window_ms)


def background_rate(second: int, seconds: Sequence[int]) -> float:
    """Clicks a second around a second, as independent readers would have to click to fill so many of its
    seconds.

    ``seconds`` are the sorted, different seconds with clicks. A sweep fills few seconds, however many links
    it takes; readers who know nothing of each other fill many. So machines do not excuse each other, and a
    busy network is known. Poisson: a share p of filled seconds means -ln(1 - p) a second; infinite where all
    are filled.
    """
    around = _count_between(seconds, second - RATE_WINDOW_SECONDS, second + RATE_WINDOW_SECONDS)
    own = _count_between(seconds, second - EXCLUDED_SECONDS, second + EXCLUDED_SECONDS)
    filled = (around - own) / (2 * (RATE_WINDOW_SECONDS - EXCLUDED_SECONDS))
    return -log1p(-filled) if filled < 1 else inf


def _count_between(values: Sequence[int], low: int, high: int) -> int:
    return bisect_right(values, high) - bisect_left(values, low)


@lru_cache(maxsize=1024)
def required_links(rate: float, *, minimum: int, maximum: int) -> int:
    """How many different links within a window are beyond chance, where clicks come at ``rate`` a window.

    The smallest k from ``least`` to ``most`` with (2 rate)^(k-1) / (k-1)! <= CHANCE: the leading term of
    Poisson's chance of k - 1 others within a window to either side of a click.
    """
    chance, needed = 1.0, 1
    while needed < minimum or (chance > FALSE_ALARM_RATE and needed < maximum):
        chance *= 2 * rate / needed
        needed += 1
    return needed
