"""Forecast of an issue's final count, and the usual range of earlier issues."""

import pytest

from shortener.reporting.forecast import FORECAST_SHARES, MAX_USUAL_ISSUES, Usual, forecast_count, usual_range
from tests.benchmarks.ranking import forecast as calibration
from tests.benchmarks.ranking import simulated


def rounded(usual: Usual | None) -> Usual:
    """Return the range with one decimal."""
    assert usual is not None
    return Usual(median=round(usual.median, 1), low=round(usual.low, 1), high=round(usual.high, 1), issues=usual.issues)


@pytest.mark.parametrize("count", [1, 20, 3000])
def test_the_range_narrows_as_clicks_arrive(count: int) -> None:
    """The forecast is the count by the share that arrived; its range contains it, and shrinks with the rest."""
    widths = []
    for share in (0.1, 0.3, 0.6, 0.9):
        forecast = forecast_count(count, share)
        assert forecast is not None
        assert forecast.expected == pytest.approx(count / share)
        assert count <= forecast.low <= forecast.expected <= forecast.high
        widths.append(forecast.high / forecast.expected)
    assert widths == sorted(widths, reverse=True)


def test_more_clicks_make_the_range_narrower() -> None:
    """Chance weighs less in a large count."""
    few, many = forecast_count(10, 0.5), forecast_count(1000, 0.5)
    assert few is not None
    assert many is not None
    assert many.high / many.expected < few.high / few.expected


@pytest.mark.parametrize(
    ("count", "share"),
    [
        pytest.param(0, 0.5, id="no clicks"),
        pytest.param(50, 0.0, id="just sent"),
        pytest.param(50, FORECAST_SHARES[0] - 0.01, id="too early"),
        pytest.param(50, FORECAST_SHARES[1] + 0.01, id="almost all have arrived"),
        pytest.param(50, 1.0, id="complete"),
    ],
)
def test_no_forecast_without_evidence_or_need(count: int, share: float) -> None:
    """A forecast is given only between the two shares, and only from a count."""
    assert forecast_count(count, share) is None


def test_usual_is_the_median_and_the_middle_four_fifths() -> None:
    """The median and the 10th and 90th percentile; older issues than the last twelve do not count."""
    latest = [float(value) for value in range(1, MAX_USUAL_ISSUES + 1)]
    assert rounded(usual_range([*latest, 1000.0, 2000.0])) == Usual(median=6.5, low=2.1, high=10.9, issues=12)


def test_three_issues_do_not_show_what_is_usual() -> None:
    """Nothing is compared before there are four earlier issues."""
    assert usual_range([1.0, 2.0, 3.0]) is None
    assert rounded(usual_range([1.0, 2.0, 3.0, 4.0])) == Usual(median=2.5, low=1.3, high=3.7, issues=4)


@pytest.mark.skipif(simulated.load() is None, reason="the simulator of newsletters is not here")
def test_ranges_contain_the_final_counts_of_simulated_issues() -> None:
    """In simulated newsletters, most final counts are in the 90 % range at every age; nearly all would be too wide."""
    inside = calibration.coverage("base", range(4))
    assert set(calibration.AGES[:6]) <= set(inside)
    hits = [hit for age in inside.values() for hit in age]
    assert 0.80 <= sum(hits) / len(hits) <= 0.99
