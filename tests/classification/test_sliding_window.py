"""Sliding windows, against counting by hand."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortener.classification.sliding_window import background_rate, is_near, max_distinct, required_links

moments = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), min_size=1, max_size=25).map(sorted)


@given(moments, st.integers(0, 20))
def test_the_peak_is_that_of_every_window(clicks: list[tuple[int, int]], span: int) -> None:
    """The peak of a time is the most different items in any window of the span that holds it."""
    times, items = [at for at, _ in clicks], [item for _, item in clicks]
    for time, peak in zip(times, max_distinct(times, items, window_ms=span), strict=True):
        starts = [start for start in times if start <= time <= start + span]
        windows = [{item for at, item in clicks if start <= at <= start + span} for start in starts]
        assert peak == max(map(len, windows))


@given(st.lists(st.integers(0, 50)).map(sorted), st.integers(0, 50), st.integers(0, 10))
def test_near_is_within_the_span(marks: list[int], time: int, span: int) -> None:
    """A mark is near when it lies within the span, before or after, ends included."""
    assert is_near(time, marks, window_ms=span) is any(abs(mark - time) <= span for mark in marks)


PACES = {
    "nobody else": ([100], 0.0),
    "its own burst says nothing": ([99, 100, 101], 0.0),
    "one more second of 58": ([80, 100], 0.0174),
    "half of the seconds": ([*range(70, 99), 100], 0.693),
    "too far away": ([60, 100, 140], 0.0),
    "all seconds": (list(range(60, 141)), float("inf")),
}


@pytest.mark.parametrize("name", PACES)
def test_the_pace_comes_from_the_filled_seconds(name: str) -> None:
    """A network's pace is what independent clicks would need to fill so many of the seconds around."""
    seconds, expected = PACES[name]
    assert background_rate(100, seconds) == pytest.approx(expected, abs=1e-3)


def test_more_is_needed_where_more_happens() -> None:
    """A quiet network needs three links, a busier one more, and never more than the most."""
    needed = [
        required_links(rate, minimum=3, maximum=8) for rate in (0.0, 0.02, 0.05, 0.2, 0.5, 2.0, float("inf"))
    ]
    assert needed[0] == 3
    assert needed[-1] == 8
    assert all(earlier <= later for earlier, later in combinations(needed, 2))
