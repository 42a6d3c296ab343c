"""Small invented newsletters with known appeal of every article."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from msgspec import Struct

from shortener.ranking import Appearance, Arrival, History, Issue, Placement
from shortener.ranking.arrival_curve import BUCKET_EDGES, prior_curve

HOUR = 3600.0
MONTH = 730 * HOUR
START = 1_600_000_000.0


class World(Struct, frozen=True):
    """A simulated history, the time of the ranking, and the true log appeal of each article by URL."""

    history: History
    as_of: float
    appeal: dict[str, float]


def make_world(
    *,
    issues: int = 8,
    articles: int = 16,
    reruns: int = 4,
    recipients: int | None = 20_000,
    age: float = 400.0,
    position_effect: Callable[[int], float] = lambda position: position**-0.7,
    appeal_sd: float = 0.7,
    sorting: float = 0.0,
    noise: float = 0.1,
    has_positions: bool = True,
    seed: int = 1,
) -> World:
    """Simulate monthly issues, of which the newest is `age` hours old, and re-run some articles in the next issue.

    Clicks are Poisson with mean recipients x 3 % x position effect x appeal x noise, where `noise` is the standard
    deviation of its logarithm. Without noise the clicks are the rounded means. `sorting` is the strength with which
    the editors sort by true appeal.
    """
    rng = np.random.default_rng(seed)
    appeal: dict[str, float] = {}
    appearances: list[Appearance] = []
    arrivals: list[Arrival] = []
    sent = [START + n * MONTH for n in range(issues)]
    as_of = sent[-1] + age * HOUR
    previous: list[str] = []
    for n in range(issues):
        rerun = [str(url) for url in rng.permutation(previous)[:reruns]]
        new = [f"https://a.example/{n}-{m}" for m in range(articles - len(rerun))]
        appeal |= {url: float(rng.normal(0, appeal_sd)) for url in new}
        order = sorted([*rerun, *new], key=lambda url: -sorting * appeal[url] + float(rng.normal(0, 0.5)))
        share = prior_curve().share_at((as_of - sent[n]) / HOUR)
        total = 0
        for position, url in enumerate(order, 1):
            mean = (recipients or 5_000) * 0.03 * position_effect(position) * np.exp(appeal[url]) * share
            clicks = int(rng.poisson(mean * np.exp(rng.normal(0, noise)))) if noise else round(mean)
            total += clicks
            image = round(clicks * 0.375)
            kinds = (Placement("title", clicks - image), Placement("image", image))
            appearances.append(Appearance(f"n{n}", url, clicks, position if has_positions else None, kinds))
        arrivals += make_arrivals(f"n{n}", total, (as_of - sent[n]) / HOUR)
        previous = new
    sent_issues = tuple(Issue(f"n{n}", f"Letter {n}", sent[n], recipients) for n in range(issues))
    titles = {url: f"Title of {url[-3:]}" for url in appeal}
    return World(History(sent_issues, tuple(appearances), tuple(arrivals), (), titles), as_of, appeal)


def make_arrivals(slug: str, clicks: int, hours: float) -> list[Arrival]:
    """Distribute an issue's clicks over the age buckets by the published curve."""
    curve, arrivals = prior_curve(), []
    for start, end in pairwise(BUCKET_EDGES):
        share = curve.share_at(min(end, hours)) - curve.share_at(min(start, hours))
        if share > 0:
            count = round(clicks * share / curve.share_at(hours))
            arrivals.append(Arrival(slug, start, min(end, hours), count))
    return arrivals


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    """The function that simulates a world."""
    return make_world


@pytest.fixture(scope="session")
def year() -> World:
    """A world with the default parameters, for tests that do not change it."""
    return make_world()
