"""The fit against a dense solve of the same model, and against known truth."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from shortener.ranking import History
from shortener.ranking.design import (
    EXTRA_PHI_WITHOUT_POSITIONS,
    PLACEMENT_OMEGA,
    POSITION_ETA,
    PRIOR_PHI,
    fill_positions,
    hat_basis,
    in_last_two_positions,
)
from shortener.ranking.model import (
    Variances,
    fit_model,
    irls_weights,
    prior_variances,
    solve,
    update_variances,
)
from shortener.ranking.observations import build_observations
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.posterior import compute_posterior, fallback_posterior, top_k_probability

World = Any


@pytest.fixture(scope="module")
def learnt(year: World) -> Analysis:
    """The study of the ordinary world."""
    return analyse(year.history, as_of=year.as_of)


def dense(
    learnt: Analysis, w: np.ndarray, z: np.ndarray, variances: Variances
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (beta, u) by one plain solve with the articles as columns."""
    design, cells = learnt.design, learnt.cells
    rows = np.hstack([design.x, np.eye(len(cells.urls))[cells.article_index]])
    precision = np.r_[
        1 / prior_variances(design, variances.open_rate), np.full(len(cells.urls), 1 / variances.appeal)
    ]
    means = np.r_[[e.mean for e in design.effects], np.zeros(len(cells.urls))]
    covariance = np.linalg.inv(rows.T @ (rows * w[:, None]) + np.diag(precision))
    return covariance @ (rows.T @ (w * z) + precision * means), covariance


def test_eliminating_the_articles_changes_nothing(learnt: Analysis) -> None:
    """Mean, var(u), the cells' variances and the scores' sd equal those of the full system."""
    design, cells, variances = learnt.design, learnt.cells, Variances()
    lin = np.log(np.maximum(cells.clicks, 0.5)) - design.offset
    mu, w = irls_weights(design, lin, variances.phi)
    z = lin + (cells.clicks - mu) / mu
    found, (mean, covariance) = solve(design, cells, w, z, variances), dense(learnt, w, z, variances)
    p = len(found.beta)
    assert np.r_[found.beta, found.u] == pytest.approx(mean, abs=1e-8)
    assert found.article_variances() == pytest.approx(np.diag(covariance)[p:], abs=1e-8)
    rows = np.hstack([design.x, np.eye(len(cells.urls))[cells.article_index]])
    h = np.einsum("ij,jk,ik->i", rows, covariance, rows)
    assert found.predictor_variances(design, cells) == pytest.approx(h, abs=1e-8)


def test_the_sd_of_a_score_is_that_of_the_joint_covariance(learnt: Analysis) -> None:
    """sd of q - mean q from the eliminated system equals the dense one, and so do the draws' spreads."""
    assert learnt.fit is not None
    _, covariance = dense(learnt, learnt.fit.weights, np.zeros(len(learnt.fit.weights)), learnt.fit.variances)
    n = len(learnt.cells.urls)
    to_q = np.hstack([learnt.design.t, np.eye(n)])
    to_score = to_q - to_q.mean(axis=0)
    sd = np.sqrt(np.einsum("ij,jk,ik->i", to_score, covariance, to_score))
    assert learnt.posterior.sd == pytest.approx(sd, rel=0.02)
    assert learnt.posterior.draws.std(axis=0) == pytest.approx(sd, rel=0.2)
    assert learnt.posterior.draws.mean(axis=0) == pytest.approx(learnt.posterior.score, abs=0.15)


def test_the_fit_is_a_fixed_point(learnt: Analysis) -> None:
    """Another round of IRLS and of the variances leaves everything where it is."""
    fitted, design, cells = learnt.fit, learnt.design, learnt.cells
    assert fitted is not None
    z = fitted.linear_predictor + (cells.clicks - fitted.mu) / fitted.mu
    again = solve(design, cells, fitted.weights, z, fitted.variances)
    after = update_variances(design, cells, again, fitted.linear_predictor, fitted.variances)
    assert again.beta == pytest.approx(fitted.solution.beta, abs=1e-4)
    assert msgspec.structs.astuple(after) == pytest.approx(
        msgspec.structs.astuple(fitted.variances), rel=1e-3
    )
    assert fitted.converged
    assert fitted.iterations < 40


def test_the_truth_is_found(year: World, learnt: Analysis) -> None:
    """Scores correlate with the true appeal above 0.97, and eta is within 0.15 of its 0.7."""
    truth = np.array([year.appeal[url] for url in learnt.cells.urls])
    assert np.corrcoef(truth, learnt.posterior.score)[0, 1] > 0.97
    assert learnt.effect_estimate(POSITION_ETA)[0] == pytest.approx(0.7, abs=0.15)


def test_the_variances_stay_at_their_priors_without_clicks(year: World) -> None:
    """With no click in a tiny audience the fixed point of s_q, s_i and phi is the prior of each."""
    issues = tuple(msgspec.structs.replace(i, recipients=1) for i in year.history.issues)
    showings = tuple(msgspec.structs.replace(s, clicks=0, placements=()) for s in year.history.appearances)
    found = analyse(History(issues, showings), as_of=year.as_of).fit
    assert found is not None
    assert msgspec.structs.astuple(found.variances) == pytest.approx((0.49, 0.0625, 0.04), rel=0.02)


def test_without_places_the_place_columns_are_dropped(world: Callable[..., World]) -> None:
    """No position known: no eta, no sorting, and phi's prior grows by 0.35."""
    given = world(placed=False)
    learnt = analyse(given.history, as_of=given.as_of)
    assert POSITION_ETA not in learnt.design.effects
    assert PLACEMENT_OMEGA in learnt.design.effects
    assert learnt.design.prior_phi == pytest.approx(PRIOR_PHI + EXTRA_PHI_WITHOUT_POSITIONS)
    assert np.isnan(learnt.effect_estimate(POSITION_ETA)).all()


@pytest.mark.parametrize(
    ("place", "tents"),
    [
        pytest.param(1, [1, 0, 0, 0, 0, 0, 0, 0], id="first"),
        pytest.param(8, [0, 0, 0, 0, 1, 0, 0, 0], id="on a knot"),
        pytest.param(np.sqrt(6), [0, 0.5, 0.5, 0, 0, 0, 0, 0], id="between knots"),
        pytest.param(1500, [0, 0, 0, 0, 0, 0, 0, 1], id="past the last"),
    ],
)
def test_the_bumps_are_tents_on_log_place(place: float, tents: list[float]) -> None:
    """Tents sum to 1, peak at their knot and stay 1 past the last."""
    assert [float(b[0]) for b in hat_basis(np.log([place]))] == pytest.approx(tents)


def test_missing_places_become_the_middle_and_the_last_two_are_known(year: World) -> None:
    """An unplaced showing of a 16-article issue stands at 8.5 and is not at the end."""
    showings = tuple(
        msgspec.structs.replace(s, position=None if s.position == 16 else s.position)
        for s in year.history.appearances
    )
    cells = build_observations(msgspec.structs.replace(year.history, appearances=showings), as_of=year.as_of)
    missing = np.isnan(cells.positions)
    assert missing.sum() == 8
    assert set(fill_positions(cells)[missing]) == {8.5}
    assert set(cells.positions[in_last_two_positions(cells) == 1]) == {15.0}


def test_fresh_and_unsized_issues_have_wider_priors(year: World, learnt: Analysis) -> None:
    """alpha's variance is s_i^2 + (0.5 (1 - F))^2, and 1.5^2 instead of s_i^2 without recipients."""
    issues = (msgspec.structs.replace(year.history.issues[0], recipients=None), *year.history.issues[1:])
    half = analyse(msgspec.structs.replace(year.history, issues=issues), as_of=year.as_of)
    variances = prior_variances(half.design, 0.05)[half.design.first_issue_column :]
    fresh = (0.5 * np.array(learnt.remaining_shares)) ** 2
    assert variances == pytest.approx(np.r_[1.5**2, np.full(7, 0.05)] + fresh, rel=1e-3)


def test_expected_is_the_fit_of_an_average_article(learnt: Analysis) -> None:
    """Expected clicks times appeal are the fitted clicks, article by article."""
    assert learnt.fit is not None
    fitted = learnt.cells.sum_by_article(learnt.fit.mu)
    assert learnt.posterior.expected * np.exp(learnt.posterior.score) == pytest.approx(fitted)


def test_the_shrunken_rate_is_its_formula(learnt: Analysis) -> None:
    """The fallback's appeal is (clicks + 2)/(expected + 2) around its mean, and its clicks add up."""
    found = fallback_posterior(learnt.cells, learnt.design)
    raw = np.log((found.clicks + 2) / (found.expected + 2))
    assert found.score == pytest.approx(raw - raw.mean())
    assert found.expected.sum() == pytest.approx(found.clicks.sum())


@pytest.mark.parametrize(("k", "sum_"), [(1, 1.0), (3, 3.0), (4, 4.0), (9, 4.0)])
def test_chances_of_the_top_k_sum_to_k(k: int, sum_: float) -> None:
    """In every draw exactly k articles are among the k best, or all if there are fewer."""
    draws = np.random.default_rng(0).standard_normal((50, 4))
    assert top_k_probability(draws, k).sum() == pytest.approx(sum_)


def test_the_draws_are_the_same_every_time(learnt: Analysis) -> None:
    """The generator's seed is fixed."""
    assert learnt.fit is not None
    again = compute_posterior(fit_model(learnt.design, learnt.cells), learnt.design, learnt.cells)
    assert (again.draws == learnt.posterior.draws).all()
