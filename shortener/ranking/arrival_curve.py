"""How much of an issue's clicks has arrived by a given age: the completion curve F."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from shortener.ranking.inputs import Arrival
from shortener.ranking.observations import Cells, Floats

EDGES = (0, 1, 2, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720, 1440, 2880, 5760)  # hours, method §1
PRIOR_CLICKS = 200.0  # K of method §2: the published curve weighs as much as this many clicks
PUBLISHED = {1: 0.336, 3: 0.514, 24: 0.81, 48: 0.917, 168: 0.981, 5760: 0.9999}
"""Hours to share of clicks arrived, GetResponse 2019-20 over 10 M sends; the last point closes the curve."""


class Curve(Struct, frozen=True, eq=False):
    """F at each of ``EDGES``, from 0 to 1."""

    shares: Floats

    def share(self, hours: Floats) -> Floats:
        """F(age), method §2: linear in log age between the edges; ``F(1 h) t`` below 1 h, 1 past the last."""
        late = np.interp(np.log(np.maximum(hours, 1.0)), np.log(EDGES[1:]), self.shares[1:])
        return np.asarray(
            np.where(hours < 1.0, self.shares[1] * np.maximum(hours, 0.0), late), dtype=np.float64
        )

    def share_at(self, hours: float) -> float:
        """F at one age in hours."""
        return float(self.share(np.array([hours]))[0])


def published_curve() -> Curve:
    """The prior curve of method §2: published shares, joined by lines in probit of F against log age."""
    normal = NormalDist()
    probits = np.array([normal.inv_cdf(share) for share in PUBLISHED.values()])
    inner = np.interp(np.log(EDGES[1:-1]), np.log(list(PUBLISHED)), probits)
    return Curve(shares=np.array([0.0, *(normal.cdf(float(p)) for p in inner), 1.0]))


def learn_curve(cells: Cells, arrivals: Sequence[Arrival]) -> Curve:
    """F learnt from the arrivals by the reverse-time hazard, method §2.

    Over the issues observed through bucket j, with n_j clicks in it and N_j up to its end: ``h_j = (n_j +
    K h0_j) / (N_j + K)``, ``F(end) = 1``, ``F(j-1) = F(j) (1 - h_j)``. A bucket that is still open for an
    issue is left out for that issue, so a young issue teaches its early hours and nothing else.
    """
    prior = published_curve().shares
    counts = _by_bucket(cells, arrivals)
    closed = cells.ages[:, None] >= np.array(EDGES[1:])
    inside = (counts * closed).sum(axis=0)
    until = (counts.cumsum(axis=1) * closed).sum(axis=0)
    prior_hazard = 1 - prior[:-1] / prior[1:]
    hazard = (inside + PRIOR_CLICKS * prior_hazard) / (until + PRIOR_CLICKS)
    surviving = np.cumprod((1 - hazard)[::-1])[::-1]
    return Curve(shares=np.array([*surviving, 1.0]))


def _by_bucket(cells: Cells, arrivals: Sequence[Arrival]) -> Floats:
    """Clicks as issues x buckets; an arrival belongs to the bucket that holds its middle."""
    counts = np.zeros((len(cells.issues), len(EDGES) - 1))
    row = {issue.slug: n for n, issue in enumerate(cells.issues)}
    for arrival in arrivals:
        bucket = int(np.searchsorted(EDGES, (arrival.start + arrival.end) / 2, side="right")) - 1
        if arrival.issue in row and 0 <= bucket < counts.shape[1]:
            counts[row[arrival.issue], bucket] += arrival.clicks
    return counts


def arrived_by(arrivals: Sequence[Arrival], curve: Curve, *, hours: float) -> float:
    """Clicks of one issue in its first ``hours``; the curve splits an arrival that straddles the hour."""
    return math.fsum(_part(arrival, curve, hours) * arrival.clicks for arrival in arrivals)


def _part(arrival: Arrival, curve: Curve, hours: float) -> float:
    if arrival.end <= hours:
        return 1.0
    if arrival.start >= hours:
        return 0.0
    start, here, end = (curve.share_at(t) for t in (arrival.start, hours, arrival.end))
    if end <= start:
        return (hours - arrival.start) / (arrival.end - arrival.start)
    return (here - start) / (end - start)
