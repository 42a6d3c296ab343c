"""Counts in sliding time windows, and an estimate of the click rate of independent readers.

Times are milliseconds in ascending order. Windows include both ends.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import inf, log1p

from shortener.durations import SECOND_MS

FALSE_ALARM_RATE = 0.001
"""Highest accepted probability that clicks of independent readers look like a burst by chance."""
RATE_WINDOW_SECONDS = 30
"""Number of seconds before and after a click whose clicks give the background click rate, that of readers alone."""
EXCLUDED_SECONDS = 1
"""Number of seconds before and after a click that this rate leaves out, because a burst would be in them."""
RATE_WINDOW_MS = (RATE_WINDOW_SECONDS + 1) * SECOND_MS
"""Longest time in milliseconds between a click and another one that counts for its background click rate."""


def max_distinct(
    times: Sequence[int],
    items: Sequence[Hashable],  # such as the clicked links
    *,
    window_ms: int,
) -> list[int]:
    """Return for each time the largest number of different items in a window that contains this time.

    ``items`` has one entry for each time.
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
    """Return two lists: each window's first index, and its number of different items."""
    # One window ends at each of ``times``.
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
    """Return whether any of ``sorted_times`` is at most ``window_ms`` before or after ``time``."""
    return bisect_left(sorted_times, time - window_ms) < bisect_right(sorted_times, time + window_ms)


def background_rate(
    second: int,
    seconds: Sequence[int],  # all seconds with clicks, in ascending order
) -> float:
    """Estimate how many clicks per second come from independent readers around ``second``.

    The result is infinity if every second nearby has clicks.
    """
    # If a share p of the seconds has a click, the rate is -ln(1 - p): docs/classification.md, section 6.1.
    around = _count_between(seconds, second - RATE_WINDOW_SECONDS, second + RATE_WINDOW_SECONDS)
    excluded = _count_between(seconds, second - EXCLUDED_SECONDS, second + EXCLUDED_SECONDS)
    # A scanner with many clicks in few seconds hardly raises this share.
    share = (around - excluded) / (2 * (RATE_WINDOW_SECONDS - EXCLUDED_SECONDS))
    return -log1p(-share) if share < 1 else inf


def _count_between(values: Sequence[int], low: int, high: int) -> int:
    return bisect_right(values, high) - bisect_left(values, low)


@lru_cache(maxsize=1024)
def required_links(rate: float, *, minimum: int, maximum: int) -> int:
    """Return how many different links within one second are a burst while readers make ``rate`` clicks a second."""
    # docs/classification.md, section 6.1.
    # The probability for k links is (2 rate)^(k-1) / (k-1)!: the leading term of the Poisson probability of k - 1
    # other clicks within a second on either side of a click.
    probability, required = 1.0, 1
    while required < minimum or (probability > FALSE_ALARM_RATE and required < maximum):
        probability *= 2 * rate / required
        required += 1
    return required
