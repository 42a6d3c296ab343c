"""The estimated weights of placement kinds."""

import numpy as np
import pytest

from shortener.ranking import Appearance, Placement
from shortener.ranking.placements import DEFAULT_WEIGHT, PRIOR_WEIGHTS, estimate_weights, sum_weights


def appearance(*placements: Placement) -> Appearance:
    """Return one appearance with these placements."""
    return Appearance("n0", "u", sum(p.clicks for p in placements), 1, placements)


@pytest.mark.parametrize("kind", ["image", "more", "text", "button"])
def test_without_clicks_a_weight_is_its_prior(kind: str) -> None:
    """Without clicks a kind has its prior weight, relative to title = 1."""
    weights = estimate_weights([appearance(Placement("title", 0), Placement(kind, 0))])
    assert (weights["title"], weights[kind]) == pytest.approx((1.0, PRIOR_WEIGHTS[kind]))


def test_an_unknown_kind_has_the_default_prior() -> None:
    """A kind without a prior weight has the default weight as long as it has no clicks."""
    weights = estimate_weights([appearance(Placement("banner", 0), Placement("title", 0))])
    assert weights["banner"] == pytest.approx(DEFAULT_WEIGHT)


def test_many_clicks_give_the_true_weight() -> None:
    """An image with a quarter of the title's clicks has weight 0.25."""
    rows = [appearance(Placement("title", 4000), Placement("image", 1000)) for _ in range(5)]
    assert estimate_weights(rows)["image"] == pytest.approx(0.25, abs=0.005)


def test_two_links_of_a_kind_share_its_clicks() -> None:
    """Two "read more" links with as many clicks as the title have weight 0.5 each."""
    rows = [appearance(Placement("title", 50_000), Placement("more", 50_000, links=2))]
    assert estimate_weights(rows)["more"] == pytest.approx(0.5, abs=0.005)


def test_a_cell_with_one_kind_is_ignored() -> None:
    """A cell with one placement kind does not change the weights, because its clicks depend on position and appeal."""
    rows = [appearance(Placement("title", 10)), appearance(Placement("image", 100_000))]
    assert estimate_weights(rows)["image"] == pytest.approx(PRIOR_WEIGHTS["image"])


def test_the_weights_are_the_fixed_point_of_the_formula() -> None:
    """One more round of the algorithm does not change the weights."""
    rows = [
        appearance(Placement("title", 30), Placement("image", 25), Placement("more", 5)),
        appearance(Placement("title", 12), Placement("more", 9)),
    ]
    kinds = ["image", "more", "title"]
    w = np.array([estimate_weights(rows)[kind] for kind in kinds])
    prior = np.array([PRIOR_WEIGHTS[kind] for kind in kinds])
    exposure = 60 / w.sum() * np.ones(3) + 21 / (w[1] + w[2]) * np.array([0, 1, 1]) + 20 / w.sum()
    next_weights = (np.array([25, 14, 42]) + 20 * prior / prior.sum()) / exposure
    assert next_weights / next_weights[2] == pytest.approx(w, abs=1e-6)


def test_the_total_weight_of_a_cell() -> None:
    """The total weight is the sum over a cell's links, and 1 for unknown placements."""
    rows = [appearance(), appearance(Placement("title", 1), Placement("image", 1, links=2))]
    assert sum_weights(rows, {"title": 1.0, "image": 0.6}) == pytest.approx([1.0, 2.2])
