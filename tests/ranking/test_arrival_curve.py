"""The arrival curve: its prior, its estimate from arrivals, and ages between the bucket edges."""

from itertools import pairwise

import numpy as np
import pytest

from shortener.durations import HOUR_SECONDS
from shortener.ranking import Arrival, History, Issue
from shortener.ranking.arrival_curve import (
    BUCKET_EDGES,
    PRIOR_PSEUDO_CLICKS,
    PUBLISHED_SHARES,
    clicks_within,
    estimate_curve,
    prior_curve,
)
from shortener.ranking.observations import Observations, build_observations


def make_observations(*ages: float) -> Observations:
    """Return observations without articles, whose issues n0, n1, … have these ages in hours."""
    issues = tuple(Issue(f"n{n}", "", -age * HOUR_SECONDS) for n, age in enumerate(ages))
    return build_observations(History(issues), as_of=0.0)


@pytest.mark.parametrize("hours", list(PUBLISHED_SHARES)[:-1])
def test_the_prior_curve_passes_through_the_published_shares(hours: int) -> None:
    """The prior curve has every published share at its age."""
    assert prior_curve().share_at(hours) == pytest.approx(PUBLISHED_SHARES[hours])


@pytest.mark.parametrize(
    ("hours", "share"),
    [
        pytest.param(0.0, 0.0, id="at sending"),
        pytest.param(-3.0, 0.0, id="before sending"),
        pytest.param(0.5, 0.168, id="linear below an hour"),
        pytest.param(5760.0, 1.0, id="last edge"),
        pytest.param(1e6, 1.0, id="after the last edge"),
    ],
)
def test_the_ends_of_the_curve(hours: float, share: float) -> None:
    """F is 0 at sending, linear in the first hour, and 1 from the last edge on."""
    assert prior_curve().share_at(hours) == pytest.approx(share)


def test_between_edges_the_curve_is_linear_in_log_age() -> None:
    """At the geometric mean of two edges, F is the mean of its values at the edges."""
    curve = prior_curve()
    assert curve.share_at(np.sqrt(24 * 48)) == pytest.approx((0.81 + 0.917) / 2)


def test_no_arrivals_leave_the_prior_curve() -> None:
    """Without arrivals the estimate is the prior curve."""
    curve = estimate_curve(make_observations(9000.0), ())
    assert curve.shares == pytest.approx(prior_curve().shares)


def test_many_arrivals_outweigh_the_prior() -> None:
    """With a million clicks, half in the first hour and half in the second day, the curve follows the clicks."""
    arrivals = (Arrival("n0", 0, 1, 500_000), Arrival("n0", 24, 48, 500_000))
    curve = estimate_curve(make_observations(9000.0), arrivals)
    assert [curve.share_at(t) for t in (1, 24, 48)] == pytest.approx([0.5, 0.5, 1.0], abs=2e-3)


def test_the_hazard_follows_its_formula() -> None:
    """The hazard of one bucket is (n + K h0) / (N + K)."""
    prior = prior_curve().shares
    curve = estimate_curve(make_observations(9000.0), (Arrival("n0", 0, 1, 300), Arrival("n0", 1, 2, 100)))
    hazard = (100 + PRIOR_PSEUDO_CLICKS * (1 - prior[1] / prior[2])) / (400 + PRIOR_PSEUDO_CLICKS)
    assert curve.shares[1] / curve.shares[2] == pytest.approx(1 - hazard)


def test_an_open_bucket_is_left_out() -> None:
    """Clicks in a bucket that the issue has not completed do not change the curve."""
    completed = (Arrival("n0", 0, 1, 50), Arrival("n0", 1, 2, 40))
    with_open_bucket = (*completed, Arrival("n0", 2, 2.5, 900))
    assert estimate_curve(make_observations(2.5), with_open_bucket).shares == pytest.approx(
        estimate_curve(make_observations(2.5), completed).shares
    )


def test_hourly_arrivals_are_sorted_into_buckets() -> None:
    """Hourly counts give the same curve as counts per bucket."""
    hourly = tuple(Arrival("n0", h, h + 1, 10) for h in range(48))
    edges = BUCKET_EDGES[: BUCKET_EDGES.index(48) + 1]
    bucketed = tuple(Arrival("n0", a, b, 10 * (b - a)) for a, b in pairwise(edges))
    assert estimate_curve(make_observations(60.0), hourly).shares == pytest.approx(
        estimate_curve(make_observations(60.0), bucketed).shares
    )


@pytest.mark.parametrize(
    "arrival",
    [
        pytest.param(Arrival("n0", -5, -4, 1000), id="before sending"),
        pytest.param(Arrival("n0", 6000, 6001, 1000), id="after the last edge"),
    ],
)
def test_clicks_outside_the_curve_are_left_out(arrival: Arrival) -> None:
    """Clicks before sending and after 240 days do not change the curve."""
    assert estimate_curve(make_observations(9000.0), (arrival,)).shares == pytest.approx(prior_curve().shares)


@pytest.mark.parametrize(
    ("hours", "clicks"),
    [
        pytest.param(24.0, 110.0, id="whole arrivals"),
        pytest.param(0.5, 50.0, id="part of an arrival"),
        pytest.param(2.0, 110.0, id="later arrival"),
        pytest.param(30.25, 111.75, id="part of a late arrival"),
    ],
)
def test_clicks_within_an_age(hours: float, clicks: float) -> None:
    """Clicks until an age are the sum of the arrivals until then; an interval that spans it is divided evenly."""
    arrivals = [Arrival("n0", 0, 1, 100), Arrival("n0", 1, 2, 10), Arrival("n0", 30, 31, 7)]
    assert clicks_within(arrivals, hours=hours) == pytest.approx(clicks)
