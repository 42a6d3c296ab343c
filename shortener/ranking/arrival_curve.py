"""How much of an issue's clicks has arrived by a given age: the completion curve F."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from shortener.ranking.inputs import Arrival
from shortener.ranking.observations import FloatArray, Observations

BUCKET_EDGES = (0, 1, 2, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720, 1440, 2880, 5760)  # hours, method §1
PRIOR_PSEUDO_CLICKS = 200.0  # K of method §2: the published curve weighs as much as this many clicks
PUBLISHED_SHARES = {1: 0.336, 3: 0.514, 24: 0.81, 48: 0.917, 168: 0.981, 5760: 0.9999}
"""Hours to share of clicks arrived, GetResponse 2019-20 over 10 M sends; the last point closes the curve."""


class ArrivalCurve(Struct, frozen=True, eq=False):
    """F at each of ``EDGES``, from 0 to 1."""

    shares: FloatArray

    def shares_at(self, hours: FloatArray) -> FloatArray:
        """F(age), method §2: linear in log age between the edges; ``F(1 h) t`` below 1 h, 1 past the last."""
        late = np.interp(np.log(np.maximum(hours, 1.0)), np.log(BUCKET_EDGES[1:]), self.shares[1:])
        return np.asarray(
            np.where(hours < 1.0, self.shares[1] * np.maximum(hours, 0.0), late), dtype=np.float64
        )

    def share_at(self, hours: float) -> float:
        """F at one age in hours."""
        return float(self.shares_at(np.array([hours]))[0])


def prior_curve() -> ArrivalCurve:
    """The prior curve of method §2: published shares, joined by lines in probit of F against log age."""
    normal = NormalDist()
    probits = np.array([normal.inv_cdf(share) for share in PUBLISHED_SHARES.values()])
    inner = np.interp(np.log(BUCKET_EDGES[1:-1]), np.log(list(PUBLISHED_SHARES)), probits)
    return ArrivalCurve(shares=np.array([0.0, *(normal.cdf(float(p)) for p in inner), 1.0]))


def estimate_curve(observations: Observations, arrivals: Sequence[Arrival]) -> ArrivalCurve:
    """F learnt from the arrivals by the reverse-time hazard, method §2.

    Over the issues observed through bucket j, with n_j clicks in it and N_j up to its end: ``h_j = (n_j +
    K h0_j) / (N_j + K)``, ``F(end) = 1``, ``F(j-1) = F(j) (1 - h_j)``. A bucket that is still open for an
    issue is left out for that issue, so a young issue teaches its early hours and nothing else.
    """
    prior = prior_curve().shares
    counts = _clicks_by_bucket(observations, arrivals)
    closed = observations.age_hours[:, None] >= np.array(BUCKET_EDGES[1:])
    inside = (counts * closed).sum(axis=0)
    until = (counts.cumsum(axis=1) * closed).sum(axis=0)
    prior_hazard = 1 - prior[:-1] / prior[1:]
    hazard = (inside + PRIOR_PSEUDO_CLICKS * prior_hazard) / (until + PRIOR_PSEUDO_CLICKS)
    surviving = np.cumprod((1 - hazard)[::-1])[::-1]
    return ArrivalCurve(shares=np.array([*surviving, 1.0]))


def _clicks_by_bucket(observations: Observations, arrivals: Sequence[Arrival]) -> FloatArray:
    """Clicks as issues x buckets; an arrival belongs to the bucket that holds its middle."""
    counts = np.zeros((len(observations.issues), len(BUCKET_EDGES) - 1))
    row = {issue.slug: n for n, issue in enumerate(observations.issues)}
    for arrival in arrivals:
        bucket = (
            int(np.searchsorted(BUCKET_EDGES, (arrival.start_hours + arrival.end_hours) / 2, side="right"))
            - 1
        )
        if arrival.issue in row and 0 <= bucket < counts.shape[1]:
            counts[row[arrival.issue], bucket] += arrival.clicks
    return counts


def clicks_within(arrivals: Sequence[Arrival], curve: ArrivalCurve, *, hours: float) -> float:
    """Clicks of one issue in its first ``hours``; the curve splits an arrival that straddles the hour."""
    return math.fsum(_share_within(arrival, curve, hours) * arrival.clicks for arrival in arrivals)


def _share_within(arrival: Arrival, curve: ArrivalCurve, hours: float) -> float:
    if arrival.end_hours <= hours:
        return 1.0
    if arrival.start_hours >= hours:
        return 0.0
    start, here, end = (curve.share_at(t) for t in (arrival.start_hours, hours, arrival.end_hours))
    if end <= start:
        return (hours - arrival.start_hours) / (arrival.end_hours - arrival.start_hours)
    return (here - start) / (end - start)
