"""The checks of docs/ranking.md section 17: each fails on a history made for it, and on no ordinary one."""

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


def warnings(world: World) -> str:
    """Return all warnings about a world, one per line."""
    return "\n".join(rank(world.history, as_of=world.as_of).warnings)


def with_wrong_positions(world: World, seed: int) -> World:
    """Return a world whose positions were permuted within each issue after the clicks were simulated."""
    rng, appearances = np.random.default_rng(seed), []
    for issue in world.history.issues:
        rows = [row for row in world.history.appearances if row.issue == issue.slug]
        positions = rng.permutation([row.position for row in rows])
        appearances += [
            msgspec.structs.replace(row, position=int(position)) for row, position in zip(rows, positions, strict=True)
        ]
    return msgspec.structs.replace(
        world, history=msgspec.structs.replace(world.history, appearances=tuple(appearances))
    )


@pytest.mark.parametrize("seed", range(4))
def test_an_ordinary_world_passes_every_check(world: Make, seed: int) -> None:
    """No check fails if the model is true."""
    text = warnings(world(seed=seed, issues=12, noise=0.15))
    for words in (
        "does not explain",
        "what the model expects",
        "do not rely",
        "interval",
        "shuffled",
        "top articles were",
    ):
        assert words not in text


def test_check_1_sums_per_issue(world: Make) -> None:
    """An issue whose fitted and observed clicks differ too much is named."""
    assert "the model does not explain the clicks of issue n0 (" in warnings(world(noise=1.2, reruns=8, seed=0))


def test_check_2_residuals_by_position(world: Make) -> None:
    """A first position with hardly any clicks is more than the position effect can describe."""
    text = warnings(world(reruns=8, position_effect=lambda p: 0.02 if p == 1 else p**-0.7))
    assert "position 1: clicks are" in text
    assert "below what the model expects there" in text


def test_check_3_implausible_parameters(world: Make) -> None:
    """If clicks increase with the position, eta is below 0.2 and the ranking is not to be relied on."""
    text = warnings(world(reruns=8, position_effect=lambda p: p**0.3))
    assert "do not rely on this ranking yet: what a position is worth comes out implausibly (eta is -" in text


@pytest.mark.parametrize(
    ("sorting", "position_effect", "part"),
    [
        pytest.param(5.0, lambda p: p**-0.3, "first fifth", id="all at the top"),
        pytest.param(-50.0, lambda p: 1.0, "last half", id="all at the bottom"),
    ],
)
def test_check_4_positions_of_published_articles(
    world: Make, sorting: float, position_effect: Callable[[int], float], part: str
) -> None:
    """If all top articles were at one end of their issues, the warning has their median position."""
    issues = 3 if sorting > 0 else 1
    text = warnings(
        world(
            sorting=sorting,
            appeal_sd=1.5,
            reruns=0,
            articles=30,
            issues=issues,
            position_effect=position_effect,
        )
    )
    assert f"top articles were in the {part} of their issues (median position " in text


def test_check_5_intervals_too_narrow(world: Make) -> None:
    """If re-run articles differ strongly between appearances, the intervals are too narrow."""
    text = warnings(world(reruns=12, issues=3, noise=0.8, articles=20, seed=0))
    assert "of re-run articles are in their 90% interval, so the intervals are too narrow" in text


def test_check_5_intervals_too_wide(world: Make) -> None:
    """If all of many counts are predicted, the intervals are too wide."""
    text = warnings(world(noise=0, reruns=12, issues=24, articles=20))
    assert "the intervals are too wide" in text


def test_check_5_without_a_refit_equals_a_refit(year: World) -> None:
    """The predicted log mean of a cell equals that of a solution without the cell."""
    analysis = analyse(year.history, as_of=year.as_of)
    assert analysis.fit is not None
    inside = leave_one_out_coverage(analysis.observations, analysis.fit)
    is_shown_again = np.bincount(analysis.observations.article_index)[analysis.observations.article_index] > 1
    assert len(inside) == int((is_shown_again & (analysis.fit.mu >= 5)).sum())
    cell = int(np.flatnonzero(is_shown_again & (analysis.fit.mu >= 5))[0])
    leverage = analysis.fit.weights[cell] * analysis.fit.predictor_variances[cell]
    residual = (analysis.observations.clicks[cell] - analysis.fit.mu[cell]) / analysis.fit.mu[cell]
    shortcut = np.log(analysis.fit.mu[cell]) - analysis.design.offset[cell] - leverage / (1 - leverage) * residual
    assert refit_without(analysis, cell) == pytest.approx(shortcut, abs=1e-6)


def refit_without(analysis: Any, cell: int) -> float:
    """Return the log mean of one cell from a dense weighted solution in which the cell has weight 0."""
    design, observations, fit = analysis.design, analysis.observations, analysis.fit
    rows = np.hstack([design.x, np.eye(len(observations.urls))[observations.article_index]])
    z = np.log(fit.mu) - design.offset + (observations.clicks - fit.mu) / fit.mu
    # what remains of the fit's normal equations without the data is the prior's precision and mean
    prior_precision = np.linalg.inv(_covariance(analysis, rows)) - rows.T @ (rows * fit.weights[:, None])
    mean = np.r_[fit.solution.beta, fit.solution.u]
    prior_mean = (prior_precision + rows.T @ (rows * fit.weights[:, None])) @ mean - rows.T @ (fit.weights * z)
    w = np.where(np.arange(len(z)) == cell, 0.0, fit.weights)
    return float(
        rows[cell] @ np.linalg.solve(prior_precision + rows.T @ (rows * w[:, None]), rows.T @ (w * z) + prior_mean)
    )


def _covariance(analysis: Any, rows: np.ndarray) -> np.ndarray:
    """Return the joint covariance of (beta, u) under the fitted weights and variances."""
    variances = analysis.fit.variances
    prior = np.r_[
        prior_variances(analysis.design, variances),
        np.full(len(analysis.observations.urls), variances.appeal),
    ]
    return np.linalg.inv(rows.T @ (rows * analysis.fit.weights[:, None]) + np.diag(1 / prior))


def test_check_6_wrong_positions(world: Make) -> None:
    """Wrong positions explain the clicks no better than shuffled ones."""
    text = warnings(with_wrong_positions(world(seed=27, reruns=2, issues=12), 27))
    assert "shuffled positions explain the clicks as well as the given ones" in text


def test_check_6_does_not_apply_if_eta_is_assumed(world: Make) -> None:
    """With one issue eta is its prior with or without shuffling, so the check does not apply."""
    assert "shuffled" not in warnings(with_wrong_positions(world(issues=1), 3))
