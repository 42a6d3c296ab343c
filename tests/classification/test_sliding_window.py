"""Sliding windows against brute force, and the background click rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortener.classification.sliding_window import background_rate, is_near, max_distinct, required_links

timed_items = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), min_size=1, max_size=25).map(sorted)


@given(timed_items, st.integers(0, 20))
def test_max_distinct_agrees_with_trying_all_windows(clicks: list[tuple[int, int]], window_ms: int) -> None:
    """The result for a time is the largest number of different items in a window that contains the time."""
    times, items = [time for time, _ in clicks], [item for _, item in clicks]
    for time, peak in zip(times, max_distinct(times, items, window_ms=window_ms), strict=True):
        starts = [start for start in times if start <= time <= start + window_ms]
        windows = [{item for at, item in clicks if start <= at <= start + window_ms} for start in starts]
        assert peak == max(map(len, windows))


@given(st.lists(st.integers(0, 50)).map(sorted), st.integers(0, 50), st.integers(0, 10))
def test_is_near_includes_both_ends(others: list[int], time: int, window_ms: int) -> None:
    """A time is near if it lies at most ``window_ms`` before or after."""
    assert is_near(time, others, window_ms=window_ms) is any(abs(at - time) <= window_ms for at in others)


RATES = {
    "no other click": ([100], 0.0),
    "the seconds next to the click do not count": ([99, 100, 101], 0.0),
    "one more second of 58": ([80, 100], 0.0174),
    "half of the seconds": ([*range(70, 99), 100], 0.693),
    "outside the window": ([60, 100, 140], 0.0),
    "all seconds": (list(range(60, 141)), float("inf")),
}


@pytest.mark.parametrize("name", RATES)
def test_background_rate_follows_the_filled_seconds(name: str) -> None:
    """The background click rate is -ln(1 - p) for a share p of the 58 seconds around that contain clicks."""
    seconds, expected = RATES[name]
    assert background_rate(100, seconds) == pytest.approx(expected, abs=1e-3)


def test_required_links_grow_with_the_rate() -> None:
    """A quiet network requires the minimum of links, a busier one more, and none more than the maximum."""
    required = [required_links(rate, minimum=3, maximum=8) for rate in (0.0, 0.02, 0.05, 0.2, 0.5, 2.0, float("inf"))]
    assert required[0] == 3
    assert required[-1] == 8
    assert required == sorted(required)
