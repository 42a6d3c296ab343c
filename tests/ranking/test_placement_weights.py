"""Weights of image, title and read-more links."""

import numpy as np
import pytest

from shortener.ranking import Appearance, Placement
from shortener.ranking.placements import DEFAULT_WEIGHT, PRIOR_WEIGHTS, estimate_weights, sum_weights


def showing(*placements: Placement) -> Appearance:
    """One showing with these placements."""
    return Appearance("n0", "u", sum(p.clicks for p in placements), 1, placements)


@pytest.mark.parametrize("kind", ["image", "more", "text", "button"])
def test_without_clicks_a_weight_is_its_prior(kind: str) -> None:
    """Nothing clicked leaves the published weight, title = 1."""
    weights = estimate_weights([showing(Placement("title", 0), Placement(kind, 0))])
    assert (weights["title"], weights[kind]) == pytest.approx((1.0, PRIOR_WEIGHTS[kind]))


def test_an_unknown_kind_begins_at_half_a_title() -> None:
    """A kind that nobody has told us about counts as half a title until its clicks say otherwise."""
    weights = estimate_weights([showing(Placement("banner", 0), Placement("title", 0))])
    assert weights["banner"] == pytest.approx(DEFAULT_WEIGHT)


def test_many_clicks_give_the_true_weight() -> None:
    """An image that draws a quarter of the title's clicks gets weight 0.25."""
    rows = [showing(Placement("title", 4000), Placement("image", 1000)) for _ in range(5)]
    assert estimate_weights(rows)["image"] == pytest.approx(0.25, abs=0.005)


def test_two_links_of_a_kind_share_its_clicks() -> None:
    """Two read-more links with as many clicks as the title weigh half a title each."""
    rows = [showing(Placement("title", 50_000), Placement("more", 50_000, links=2))]
    assert estimate_weights(rows)["more"] == pytest.approx(0.5, abs=0.005)


def test_a_cell_with_one_kind_teaches_nothing() -> None:
    """The split between cells is place and appeal, not placement."""
    rows = [showing(Placement("title", 10)), showing(Placement("image", 100_000))]
    assert estimate_weights(rows)["image"] == pytest.approx(PRIOR_WEIGHTS["image"])


def test_the_weights_are_the_fixed_point_of_the_formula() -> None:
    """One more MM round leaves the weights where they are."""
    rows = [
        showing(Placement("title", 30), Placement("image", 25), Placement("more", 5)),
        showing(Placement("title", 12), Placement("more", 9)),
    ]
    kinds = ["image", "more", "title"]
    w = np.array([estimate_weights(rows)[kind] for kind in kinds])
    prior = np.array([PRIOR_WEIGHTS[kind] for kind in kinds])
    chances = 60 / w.sum() * np.ones(3) + 21 / (w[1] + w[2]) * np.array([0, 1, 1]) + 20 / w.sum()
    again = (np.array([25, 14, 42]) + 20 * prior / prior.sum()) / chances
    assert again / again[2] == pytest.approx(w, abs=1e-6)


def test_the_total_weight_of_a_cell() -> None:
    """A cell's total is the sum over its links; unknown placements count as one title."""
    rows = [showing(), showing(Placement("title", 1), Placement("image", 1, links=2))]
    assert sum_weights(rows, {"title": 1.0, "image": 0.6}) == pytest.approx([1.0, 2.2])
