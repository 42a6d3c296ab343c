"""Breakdowns: the parts of every dimension add up to the human clicks."""

from hypothesis import given
from hypothesis import strategies as st

from shortener.reporting.counts import DIMENSIONS, MAX_VALUES, BreakdownPart, build_breakdown, click_rate
from shortener.store.reports import BreakdownRow


def test_values_are_sorted_by_clicks_and_unknown_ones_are_counted() -> None:
    """Clicks whose browser is unknown are counted under ''."""
    rows = [
        BreakdownRow("browser", "Firefox", 3),
        BreakdownRow("browser", "Chrome", 5),
        BreakdownRow("reason", "x", 9),
    ]
    parts = build_breakdown(rows, human=10)["browser"]
    assert parts == (
        BreakdownPart("Chrome", 5, 0.5),
        BreakdownPart("Firefox", 3, 0.3),
        BreakdownPart("", 2, 0.2),
    )


def test_a_long_tail_is_summed() -> None:
    """Only the most clicked values are listed; the sum of the others comes last, under None."""
    rows = [BreakdownRow("referrer", f"{name:03}.example", 1 + (name == 7)) for name in range(50)]
    parts = build_breakdown(rows, human=51)["referrer"]
    assert len(parts) == MAX_VALUES + 1
    assert parts[0] == BreakdownPart("007.example", 2, 2 / 51)
    assert parts[-1] == BreakdownPart(None, 51 - 2 - (MAX_VALUES - 1), (50 - MAX_VALUES) / 51)


def test_without_clicks_every_dimension_is_empty() -> None:
    """The breakdown of no clicks has every dimension, each without values."""
    assert build_breakdown([], human=0) == dict.fromkeys(DIMENSIONS, ())


@given(st.dictionaries(st.text(max_size=5), st.integers(1, 1000), max_size=40), st.integers(0, 100))
def test_a_dimension_adds_up(values: dict[str, int], unknown: int) -> None:
    """For any counts, the parts of a dimension add up to the human clicks."""
    human = sum(values.values()) + unknown
    parts = build_breakdown([BreakdownRow("os", value, clicks) for value, clicks in values.items()], human=human)["os"]
    assert sum(part.clicks for part in parts) == human
    assert len({part.value for part in parts}) == len(parts)


def test_a_rate_needs_recipients() -> None:
    """The click rate is visitors per recipient, and None without a number of recipients."""
    assert click_rate(5, None) is None
    assert click_rate(5, 200) == 0.025
