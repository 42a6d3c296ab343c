"""The completion curve: prior, what is learnt, and ages between the edges."""

from itertools import pairwise

import numpy as np
import pytest

from shortener.ranking import Arrival, History, Issue
from shortener.ranking.arrival_curve import (
    BUCKET_EDGES,
    PRIOR_PSEUDO_CLICKS,
    PUBLISHED_SHARES,
    clicks_within,
    estimate_curve,
    prior_curve,
)
from shortener.ranking.observations import SECONDS_PER_HOUR, Observations, build_observations


def cells(*ages: float) -> Observations:
    """Issues of these ages in hours, n0 the first given."""
    issues = tuple(Issue(f"n{n}", "", -age * SECONDS_PER_HOUR) for n, age in enumerate(ages))
    return build_observations(History(issues), as_of=0.0)


@pytest.mark.parametrize("hours", list(PUBLISHED_SHARES)[:-1])
def test_the_prior_curve_passes_through_the_published_shares(hours: int) -> None:
    """The prior curve passes through every published figure."""
    assert prior_curve().share_at(hours) == pytest.approx(PUBLISHED_SHARES[hours])


@pytest.mark.parametrize(
    ("hours", "share"),
    [
        pytest.param(0.0, 0.0, id="nothing at once"),
        pytest.param(-3.0, 0.0, id="nothing before sending"),
        pytest.param(0.5, 0.168, id="linear below an hour"),
        pytest.param(5760.0, 1.0, id="all at the end"),
        pytest.param(1e6, 1.0, id="all after the end"),
    ],
)
def test_the_ends_of_the_curve(hours: float, share: float) -> None:
    """F is 0 at sending, linear in the first hour and 1 from the last edge on."""
    assert prior_curve().share_at(hours) == pytest.approx(share)


def test_between_edges_the_curve_is_linear_in_log_age() -> None:
    """At the geometric middle of two edges F is the mean of theirs."""
    curve = prior_curve()
    assert curve.share_at(np.sqrt(24 * 48)) == pytest.approx((0.81 + 0.917) / 2)


def test_no_arrivals_leave_the_prior_curve() -> None:
    """Without a click the learnt curve is the published one."""
    learnt = estimate_curve(cells(9000.0), ())
    assert learnt.shares == pytest.approx(prior_curve().shares)


def test_many_arrivals_outweigh_the_prior() -> None:
    """A million clicks, half in the first hour and half in the second day, become the curve."""
    arrivals = (Arrival("n0", 0, 1, 500_000), Arrival("n0", 24, 48, 500_000))
    curve = estimate_curve(cells(9000.0), arrivals)
    assert [curve.share_at(t) for t in (1, 24, 48)] == pytest.approx([0.5, 0.5, 1.0], abs=2e-3)


def test_the_hazard_is_the_formula() -> None:
    """One bucket's hazard is (n + K h0) / (N + K)."""
    prior = prior_curve().shares
    curve = estimate_curve(cells(9000.0), (Arrival("n0", 0, 1, 300), Arrival("n0", 1, 2, 100)))
    hazard = (100 + PRIOR_PSEUDO_CLICKS * (1 - prior[1] / prior[2])) / (400 + PRIOR_PSEUDO_CLICKS)
    assert curve.shares[1] / curve.shares[2] == pytest.approx(1 - hazard)


def test_a_bucket_that_is_still_open_teaches_nothing() -> None:
    """Clicks in a bucket that the issue has not lived through are left out of the curve."""
    done = (Arrival("n0", 0, 1, 50), Arrival("n0", 1, 2, 40))
    part = (*done, Arrival("n0", 2, 2.5, 900))
    assert estimate_curve(cells(2.5), part).shares == pytest.approx(estimate_curve(cells(2.5), done).shares)


def test_hourly_arrivals_fall_into_their_buckets() -> None:
    """Counts by the hour give the same curve as counts by the bucket."""
    hourly = tuple(Arrival("n0", h, h + 1, 10) for h in range(48))
    edges = BUCKET_EDGES[: BUCKET_EDGES.index(48) + 1]
    bucketed = tuple(Arrival("n0", a, b, 10 * (b - a)) for a, b in pairwise(edges))
    assert estimate_curve(cells(60.0), hourly).shares == pytest.approx(
        estimate_curve(cells(60.0), bucketed).shares
    )


@pytest.mark.parametrize(
    "arrival",
    [
        pytest.param(Arrival("n0", -5, -4, 1000), id="before sending"),
        pytest.param(Arrival("n0", 6000, 6001, 1000), id="after the last edge"),
    ],
)
def test_clicks_outside_the_curve_are_left_out(arrival: Arrival) -> None:
    """Clicks before sending and after 240 days do not bend the curve."""
    assert estimate_curve(cells(9000.0), (arrival,)).shares == pytest.approx(prior_curve().shares)


@pytest.mark.parametrize(
    ("hours", "clicks"),
    [
        pytest.param(24.0, 110.0, id="whole arrivals"),
        pytest.param(0.5, 50.0, id="part of an arrival"),
        pytest.param(2.0, 110.0, id="later ones not"),
    ],
)
def test_clicks_by_an_age(hours: float, clicks: float) -> None:
    """Clicks by an age are the arrivals until then, the straddling one split by the curve."""
    arrivals = [Arrival("n0", 0, 1, 100), Arrival("n0", 1, 2, 10), Arrival("n0", 30, 31, 7)]
    assert clicks_within(arrivals, prior_curve(), hours=hours) == pytest.approx(clicks)


def test_an_arrival_past_the_curve_is_split_evenly() -> None:
    """Where the curve is flat an arrival is split by time."""
    assert clicks_within([Arrival("n0", 6000, 6010, 10)], prior_curve(), hours=6005) == pytest.approx(5.0)
