"""The arrival curve: the share of an issue's clicks that has arrived a given time after sending.

The method is in docs/ranking.md section 4.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from shortener.ranking.inputs import Arrival
from shortener.ranking.observations import FloatArray, Observations

BUCKET_EDGES = (0, 1, 2, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720, 1440, 2880, 5760)
"""Edges of the intervals in which the arrival curve is estimated, in hours after sending."""
PRIOR_PSEUDO_CLICKS = 200.0
"""Weight of the prior curve, as a number of clicks (K in docs/ranking.md section 4)."""
# The last point is not from the source; it closes the curve.
PUBLISHED_SHARES = {1: 0.336, 3: 0.514, 24: 0.81, 48: 0.917, 168: 0.981, 5760: 0.9999}
"""Share of clicks arrived, by hours after sending (GetResponse 2019-20, 10 million sends)."""


class ArrivalCurve(Struct, frozen=True, eq=False):
    """A curve: the share of an issue's clicks that has arrived, by hours after sending."""

    shares: FloatArray
    """Values of the curve (0 to 1) at the hours in `BUCKET_EDGES`."""

    def shares_at(self, hours: FloatArray) -> FloatArray:
        """Return the share of an issue's clicks (0 to 1) that has arrived after each number of `hours`."""
        # The share is linear in the log of the age; in the first hour it grows evenly (docs/ranking.md section 4).
        after_first_hour = np.interp(np.log(np.maximum(hours, 1.0)), np.log(BUCKET_EDGES[1:]), self.shares[1:])
        first_hour = self.shares[1] * np.maximum(hours, 0.0)
        return np.asarray(np.where(hours < 1.0, first_hour, after_first_hour), dtype=np.float64)

    def share_at(self, hours: float) -> float:
        """Return the share of an issue's clicks (0 to 1) that has arrived `hours` after sending."""
        return float(self.shares_at(np.array([hours]))[0])


def prior_curve() -> ArrivalCurve:
    """Return the arrival curve that is assumed before there is data, interpolated from `PUBLISHED_SHARES`."""
    normal = NormalDist()
    # Between two shares, the probit of the share is linear in the log of the age (docs/ranking.md section 4).
    probits = np.array([normal.inv_cdf(share) for share in PUBLISHED_SHARES.values()])
    inner = np.interp(np.log(BUCKET_EDGES[1:-1]), np.log(list(PUBLISHED_SHARES)), probits)
    return ArrivalCurve(shares=np.array([0.0, *(normal.cdf(float(probit)) for probit in inner), 1.0]))


def estimate_curve(observations: Observations, arrivals: Sequence[Arrival]) -> ArrivalCurve:
    """Estimate the share of an issue's clicks that has arrived, by hours after sending (docs/ranking.md section 4)."""
    prior = prior_curve().shares
    counts = _clicks_by_issue_and_interval(observations, arrivals)
    # An issue contributes only the intervals that are over, so a recent issue contributes the early hours.
    completed = observations.age_hours[:, None] >= np.array(BUCKET_EDGES[1:])
    in_bucket = (counts * completed).sum(axis=0)
    up_to_end = (counts.cumsum(axis=1) * completed).sum(axis=0)
    # h_j = (n_j + K h0_j) / (N_j + K), with n_j clicks in bucket j and N_j clicks up to its end;
    # F(end) = 1 and F(j-1) = F(j) (1 - h_j)
    prior_hazard = 1 - prior[:-1] / prior[1:]
    hazard = (in_bucket + PRIOR_PSEUDO_CLICKS * prior_hazard) / (up_to_end + PRIOR_PSEUDO_CLICKS)
    shares = np.cumprod((1 - hazard)[::-1])[::-1]
    return ArrivalCurve(shares=np.array([*shares, 1.0]))


def _clicks_by_issue_and_interval(observations: Observations, arrivals: Sequence[Arrival]) -> FloatArray:
    counts = np.zeros((len(observations.issues), len(BUCKET_EDGES) - 1))
    rows = {issue.slug: n for n, issue in enumerate(observations.issues)}
    for arrival in arrivals:
        # All clicks of an arrival count in the interval that contains the middle of its time.
        midpoint = (arrival.start_hours + arrival.end_hours) / 2
        bucket = bisect_right(BUCKET_EDGES, midpoint) - 1
        if arrival.issue in rows and 0 <= bucket < counts.shape[1]:
            counts[rows[arrival.issue], bucket] += arrival.clicks
    return counts


def clicks_within(arrivals: Sequence[Arrival], *, hours: float) -> float:
    """Return the number of clicks of one issue in the first `hours` after sending."""
    # The clicks of an arrival are assumed to be evenly spread over its time.
    return math.fsum(_share_within(arrival, hours) * arrival.clicks for arrival in arrivals)


def _share_within(arrival: Arrival, hours: float) -> float:
    if arrival.end_hours <= hours:
        return 1.0
    if arrival.start_hours >= hours:
        return 0.0
    return (hours - arrival.start_hours) / (arrival.end_hours - arrival.start_hours)
