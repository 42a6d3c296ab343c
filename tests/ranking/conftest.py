"""Small invented newsletters whose truth is known, made without the simulator."""

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
    """A history, the day of ranking, and the truth: log appeal by URL."""

    history: History
    as_of: float
    appeal: dict[str, float]


def make(
    *,
    issues: int = 8,
    articles: int = 16,
    reruns: int = 4,
    recipients: int | None = 20_000,
    age: float = 400.0,
    place: Callable[[int], float] = lambda position: position**-0.7,
    spread: float = 0.7,
    sorting: float = 0.0,
    noise: float = 0.1,
    placed: bool = True,
    seed: int = 1,
) -> World:
    """Issues a month apart, the newest ``age`` hours old; some articles of each issue come again in the next.

    Clicks are Poisson around recipients x 3 % x ``place`` x appeal x cell ``noise`` (sd of the log); 0 noise
    means exact counts. ``sorting`` is how much the editor's order knows of the appeal.
    """
    rng = np.random.default_rng(seed)
    appeal: dict[str, float] = {}
    showings: list[Appearance] = []
    arrivals: list[Arrival] = []
    sent = [START + n * MONTH for n in range(issues)]
    as_of = sent[-1] + age * HOUR
    last: list[str] = []
    for n in range(issues):
        again = [str(url) for url in rng.permutation(last)[:reruns]]
        fresh = [f"https://a.example/{n}-{m}" for m in range(articles - len(again))]
        appeal |= {url: float(rng.normal(0, spread)) for url in fresh}
        order = sorted([*again, *fresh], key=lambda url: -sorting * appeal[url] + float(rng.normal(0, 0.5)))
        share = prior_curve().share_at((as_of - sent[n]) / HOUR)
        total = 0
        for position, url in enumerate(order, 1):
            mean = (recipients or 5_000) * 0.03 * place(position) * np.exp(appeal[url]) * share
            clicks = int(rng.poisson(mean * np.exp(rng.normal(0, noise)))) if noise else round(mean)
            total += clicks
            image = round(clicks * 0.375)
            kinds = (Placement("title", clicks - image), Placement("image", image))
            showings.append(Appearance(f"n{n}", url, clicks, position if placed else None, kinds))
        arrivals += arrive(f"n{n}", total, (as_of - sent[n]) / HOUR)
        last = fresh
    letters = tuple(Issue(f"n{n}", f"Letter {n}", sent[n], recipients) for n in range(issues))
    titles = {url: f"Title of {url[-3:]}" for url in appeal}
    return World(History(letters, tuple(showings), tuple(arrivals), (), titles), as_of, appeal)


def arrive(slug: str, clicks: int, hours: float) -> list[Arrival]:
    """An issue's clicks spread over the buckets as the published curve has them."""
    curve, found = prior_curve(), []
    for start, end in pairwise(BUCKET_EDGES):
        part = curve.share_at(min(end, hours)) - curve.share_at(min(start, hours))
        if part > 0:
            found.append(Arrival(slug, start, min(end, hours), round(clicks * part / curve.share_at(hours))))
    return found


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    """The maker of worlds."""
    return make


@pytest.fixture(scope="session")
def year() -> World:
    """One ordinary world, for tests that only read it."""
    return make()
