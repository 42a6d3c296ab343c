"""Sliding windows over click times, and the estimate of a group's background click rate.

Times are milliseconds in ascending order. Windows include both ends. Results do not depend on the order of equal times.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import inf, log1p

from shortener.durations import SECOND_MS

FALSE_ALARM_RATE = 0.001
"""Highest accepted probability that the clicks of independent readers around one click look like a burst by chance."""
RATE_WINDOW_SECONDS = 30
"""Seconds before and after a click from which the background click rate is estimated."""
EXCLUDED_SECONDS = 1
"""Seconds before and after a click that are left out of the estimate, because they contain the burst itself."""
RATE_WINDOW_MS = (RATE_WINDOW_SECONDS + 1) * SECOND_MS
"""Half-width in milliseconds of the window that contains all clicks on which a background click rate depends."""


def max_distinct(times: Sequence[int], items: Sequence[Hashable], *, window_ms: int) -> list[int]:
    """Return for each time the largest number of different items in any window of ``window_ms`` that contains it.

    ``items`` has one entry for each of the ``times``, such as the link that was clicked.
    """
    if len(set(items)) == 1:
        return [1] * len(times)
    lefts, counts = _distinct_per_window(times, items, window_ms)
    peaks: list[int] = []
    # Right ends of the windows that contain the current time, with descending counts: the first has the maximum.
    candidates: deque[int] = deque()
    right = 0
    for index in range(len(times)):
        while right < len(times) and lefts[right] <= index:
            while candidates and counts[candidates[-1]] <= counts[right]:
                candidates.pop()
            candidates.append(right)
            right += 1
        while candidates[0] < index:
            candidates.popleft()
        peaks.append(counts[candidates[0]])
    return peaks


def _distinct_per_window(
    times: Sequence[int], items: Sequence[Hashable], window_ms: int
) -> tuple[list[int], list[int]]:
    """Return two lists for the windows that end at each time: their first index and their number of different items."""
    inside: dict[Hashable, int] = {}
    lefts, counts = [], []
    left = 0
    for time, item in zip(times, items, strict=True):
        inside[item] = inside.get(item, 0) + 1
        while time - times[left] > window_ms:
            removed = items[left]
            left += 1
            if inside[removed] == 1:
                del inside[removed]
            else:
                inside[removed] -= 1
        lefts.append(left)
        counts.append(len(inside))
    return lefts, counts


def is_near(time: int, sorted_times: Sequence[int], *, window_ms: int) -> bool:
    """Return whether any of the sorted times lies within ``window_ms`` before or after ``time``."""
    return bisect_left(sorted_times, time - window_ms) < bisect_right(sorted_times, time + window_ms)


def background_rate(second: int, seconds: Sequence[int]) -> float:
    """Return the estimated click rate of independent readers around ``second``, in clicks a second.

    ``seconds`` are the different seconds in which the group has a click, sorted. If a share p of the seconds around
    ``second`` is among them, the rate is -ln(1 - p), or infinity for p = 1 (docs/classification.md, section 6.1). A
    scanner opens many links in few seconds, so it raises this rate less than it would raise an average.
    """
    around = _count_between(seconds, second - RATE_WINDOW_SECONDS, second + RATE_WINDOW_SECONDS)
    excluded = _count_between(seconds, second - EXCLUDED_SECONDS, second + EXCLUDED_SECONDS)
    share = (around - excluded) / (2 * (RATE_WINDOW_SECONDS - EXCLUDED_SECONDS))
    return -log1p(-share) if share < 1 else inf


def _count_between(values: Sequence[int], low: int, high: int) -> int:
    return bisect_right(values, high) - bisect_left(values, low)


@lru_cache(maxsize=1024)
def required_links(rate: float, *, minimum: int, maximum: int) -> int:
    """Return the number of different links within one second that a burst needs, at ``rate`` clicks a second.

    It is the smallest k from ``minimum`` to ``maximum`` with (2 rate)^(k-1) / (k-1)! <= FALSE_ALARM_RATE. The left side
    is the leading term of the Poisson probability of k - 1 other clicks within a second on either side of a click
    (docs/classification.md, section 6.1).
    """
    probability, required = 1.0, 1
    while required < minimum or (probability > FALSE_ALARM_RATE and required < maximum):
        probability *= 2 * rate / required
        required += 1
    return required
