"""Method §10: each check fires on a history made for it, and on no ordinary one."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from shortener.ranking import rank
from shortener.ranking.diagnostics import leave_one_out_coverage
from shortener.ranking.model import prior_variances
from shortener.ranking.pipeline import analyse

World = Any
Make = Callable[..., World]


def warnings(given: World) -> str:
    """All warnings of a world, one a line."""
    return "\n".join(rank(given.history, as_of=given.as_of).warnings)


def misplaced(given: World, seed: int) -> World:
    """The world with positions that are not the issue's own: shuffled after the clicks were made."""
    rng, showings = np.random.default_rng(seed), []
    for issue in given.history.issues:
        own = [s for s in given.history.appearances if s.issue == issue.slug]
        places = rng.permutation([s.position for s in own])
        showings += [msgspec.structs.replace(s, position=int(p)) for s, p in zip(own, places, strict=True)]
    return msgspec.structs.replace(
        given, history=msgspec.structs.replace(given.history, appearances=tuple(showings))
    )


@pytest.mark.parametrize("seed", range(4))
def test_an_ordinary_world_passes_every_check(world: Make, seed: int) -> None:
    """No check fires where the model is true."""
    said = warnings(world(seed=seed, issues=12, noise=0.15))
    assert "check:" not in said
    assert "do not trust" not in said


def test_check_1_sums_per_issue(world: Make) -> None:
    """Clicks that the fit misses by a fifth are told, issue by issue."""
    assert "check: the fit is far from the clicks of issue n0 (" in warnings(
        world(noise=1.2, reruns=8, seed=0)
    )


def test_check_2_residuals_by_place(world: Make) -> None:
    """A first place that hardly anyone sees is more than the bumps can take up."""
    said = warnings(world(reruns=8, place=lambda p: 0.02 if p == 1 else p**-0.7))
    assert "check: place 1: clicks are" in said
    assert "below the model's" in said


def test_check_3_implausible_parameters(world: Make) -> None:
    """Clicks that grow down the page give an eta below 0.2, and a banner."""
    said = warnings(world(reruns=8, place=lambda p: p**0.3))
    assert "do not trust this list yet: eta came out at -" in said


@pytest.mark.parametrize(
    ("sorting", "place", "where"),
    [
        pytest.param(5.0, lambda p: p**-0.3, "first fifth", id="all at the top"),
        pytest.param(-50.0, lambda p: 1.0, "last half", id="all at the bottom"),
    ],
)
def test_check_4_places_of_the_published(
    world: Make, sorting: float, place: Callable[[int], float], where: str
) -> None:
    """A published list from one end of the issues only is told, with its median place."""
    issues = 3 if sorting > 0 else 1
    said = warnings(world(sorting=sorting, spread=1.5, reruns=0, articles=30, issues=issues, place=place))
    assert f"published articles stand in the {where} of their issues (median place " in said


def test_check_5_showings_foreseen_from_the_others(world: Make) -> None:
    """Re-runs that differ wildly from showing to showing are not foreseen, and that is told."""
    said = warnings(world(reruns=12, issues=3, noise=0.8, articles=20, seed=0))
    assert "of re-runs are in their 90% interval; the intervals here are too narrow" in said


def test_check_5_also_tells_of_intervals_that_are_too_wide(world: Make) -> None:
    """Exact counts, always foreseen, are told as too wide once they are many."""
    said = warnings(world(noise=0, reruns=12, issues=24, articles=20))
    assert "the intervals here are too wide" in said


def test_check_5_without_a_refit_equals_refitting(year: World) -> None:
    """The shortcut's log mean of a left-out showing is that of a solve without it."""
    learnt = analyse(year.history, as_of=year.as_of)
    assert learnt.fit is not None
    inside = leave_one_out_coverage(learnt.cells, learnt.fit)
    again = np.bincount(learnt.cells.article_index)[learnt.cells.article_index] > 1
    assert len(inside) == int((again & (learnt.fit.mu >= 5)).sum())
    row = int(np.flatnonzero(again & (learnt.fit.mu >= 5))[0])
    leverage = learnt.fit.weights[row] * learnt.fit.predictor_variances[row]
    residual = (learnt.cells.clicks[row] - learnt.fit.mu[row]) / learnt.fit.mu[row]
    shortcut = learnt.fit.linear_predictor[row] - leverage / (1 - leverage) * residual
    assert without(learnt, row) == pytest.approx(shortcut, abs=1e-6)


def without(learnt: Any, row: int) -> float:
    """The log mean of one cell by a dense weighted solve that has no weight on it."""
    design, cells, fitted = learnt.design, learnt.cells, learnt.fit
    rows = np.hstack([design.x, np.eye(len(cells.urls))[cells.article_index]])
    z = fitted.linear_predictor + (cells.clicks - fitted.mu) / fitted.mu
    # the fit's own prior precision and pull are what is left of its normal equations without the data
    rest = np.linalg.inv(_covariance(learnt, rows)) - rows.T @ (rows * fitted.weights[:, None])
    mean = np.r_[fitted.solution.beta, fitted.solution.u]
    pull = (rest + rows.T @ (rows * fitted.weights[:, None])) @ mean - rows.T @ (fitted.weights * z)
    w = np.where(np.arange(len(z)) == row, 0.0, fitted.weights)
    return float(rows[row] @ np.linalg.solve(rest + rows.T @ (rows * w[:, None]), rows.T @ (w * z) + pull))


def _covariance(learnt: Any, rows: np.ndarray) -> np.ndarray:
    """Joint covariance of (beta, u) with the fitted weights and variances."""
    variances = learnt.fit.variances
    prior = np.r_[
        prior_variances(learnt.design, variances.open_rate), np.full(len(learnt.cells.urls), variances.appeal)
    ]
    return np.linalg.inv(rows.T @ (rows * learnt.fit.weights[:, None]) + np.diag(1 / prior))


def test_check_6_shuffled_places(world: Make) -> None:
    """Positions that are not the issue's own explain no more than shuffled ones, and that is told."""
    said = warnings(misplaced(world(seed=27, reruns=2, issues=12), 27))
    assert "check: with the places shuffled eta is " in said


def test_check_6_is_not_asked_where_eta_is_assumed(world: Make) -> None:
    """With one issue eta is its prior, shuffled or not, so the check is silent."""
    assert "shuffled" not in warnings(misplaced(world(issues=1), 3))
