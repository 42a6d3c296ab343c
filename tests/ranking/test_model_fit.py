"""The fit, compared with a dense solution of the same model and with true appeal."""

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
    irls_weights,
    prior_of_variances,
    prior_variances,
    solve,
    update_variances,
)
from shortener.ranking.observations import build_observations
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.posterior import compute_posterior, fallback_posterior, top_k_probability

World = Any


@pytest.fixture(scope="module")
def analysis(year: World) -> Analysis:
    """The analysis of the default world."""
    return analyse(year.history, as_of=year.as_of)


def solve_dense(
    analysis: Analysis, w: np.ndarray, z: np.ndarray, variances: Variances
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of (beta, u) from one solution that has the articles as columns."""
    design, observations = analysis.design, analysis.observations
    rows = np.hstack([design.x, np.eye(len(observations.urls))[observations.article_index]])
    precision = np.r_[
        1 / prior_variances(design, variances),
        np.full(len(observations.urls), 1 / variances.appeal),
    ]
    means = np.r_[[effect.mean for effect in design.effects], np.zeros(len(observations.urls))]
    covariance = np.linalg.inv(rows.T @ (rows * w[:, None]) + np.diag(precision))
    return covariance @ (rows.T @ (w * z) + precision * means), covariance


def test_elimination_equals_the_dense_solution(analysis: Analysis) -> None:
    """Means, variances of u and variances of the cells equal those of the full system."""
    design, observations = analysis.design, analysis.observations
    variances = prior_of_variances(design)
    lin = np.log(np.maximum(observations.clicks, 0.5)) - design.offset
    mu, w = irls_weights(design, lin, variances.phi)
    z = lin + (observations.clicks - mu) / mu
    solution, (mean, covariance) = (
        solve(design, observations, w, z, variances),
        solve_dense(analysis, w, z, variances),
    )
    p = len(solution.beta)
    assert np.r_[solution.beta, solution.u] == pytest.approx(mean, abs=1e-8)
    assert solution.article_variances == pytest.approx(np.diag(covariance)[p:], abs=1e-8)
    rows = np.hstack([design.x, np.eye(len(observations.urls))[observations.article_index]])
    h = np.einsum("ij,jk,ik->i", rows, covariance, rows)
    assert solution.predictor_variances == pytest.approx(h, abs=1e-8)


def test_the_sd_of_a_score_equals_the_dense_solution(analysis: Analysis) -> None:
    """The standard deviation of q - mean q, and that of the draws, follow from the joint covariance."""
    assert analysis.fit is not None
    _, covariance = solve_dense(
        analysis, analysis.fit.weights, np.zeros(len(analysis.fit.weights)), analysis.fit.variances
    )
    n = len(analysis.observations.urls)
    to_q = np.hstack([analysis.design.t, np.eye(n)])
    to_score = to_q - to_q.mean(axis=0)
    sd = np.sqrt(np.einsum("ij,jk,ik->i", to_score, covariance, to_score))
    posterior = compute_posterior(analysis.fit, analysis.design, analysis.observations)
    assert posterior.sd == pytest.approx(sd, rel=0.02)
    assert posterior.draws.std(axis=0) == pytest.approx(sd, rel=0.2)
    assert posterior.draws.mean(axis=0) == pytest.approx(posterior.score, abs=0.15)


def flat(variances: Variances) -> list[float]:
    """Return all variances in one list."""
    return [variances.appeal, variances.open_rate, variances.phi, *variances.background]


def test_the_fit_is_a_fixed_point(analysis: Analysis) -> None:
    """Another round of the fit leaves coefficients and variances unchanged."""
    fit, design, observations = analysis.fit, analysis.design, analysis.observations
    assert fit is not None
    lin = np.log(fit.mu) - design.offset
    z = lin + (observations.clicks - fit.mu) / fit.mu
    solution = solve(design, observations, fit.weights, z, fit.variances)
    variances = update_variances(design, observations, solution, lin, fit.variances)
    assert solution.beta == pytest.approx(fit.solution.beta, abs=1e-4)
    assert flat(variances) == pytest.approx(flat(fit.variances), rel=1e-3)
    assert fit.converged
    assert fit.iterations < 40


def test_the_fit_recovers_true_appeal(year: World, analysis: Analysis) -> None:
    """Scores correlate with true appeal above 0.97, and eta is within 0.15 of its true value."""
    true_appeal = np.array([year.appeal[url] for url in analysis.observations.urls])
    assert np.corrcoef(true_appeal, analysis.posterior.score)[0, 1] > 0.97
    assert analysis.effect_estimate(POSITION_ETA)[0] == pytest.approx(0.7, abs=0.15)


def test_the_variances_stay_at_their_priors_without_clicks(year: World) -> None:
    """Without clicks in a tiny audience, s_q^2, s_i^2, phi and the variance of sites keep their priors."""
    issues = tuple(msgspec.structs.replace(i, recipients=1) for i in year.history.issues)
    appearances = tuple(msgspec.structs.replace(s, clicks=0, placements=()) for s in year.history.appearances)
    fit = analyse(History(issues, appearances), as_of=year.as_of).fit
    assert fit is not None
    assert flat(fit.variances) == pytest.approx([0.49, 0.0625, 0.04, 0.15**2], rel=0.02)


def test_without_positions_the_position_columns_are_dropped(world: Callable[..., World]) -> None:
    """Without positions there are no eta and no sorting term, and the prior of phi is 0.35 larger."""
    simulated = world(has_positions=False)
    analysis = analyse(simulated.history, as_of=simulated.as_of)
    assert POSITION_ETA not in analysis.design.effects
    assert PLACEMENT_OMEGA in analysis.design.effects
    assert analysis.design.prior_phi == pytest.approx(PRIOR_PHI + EXTRA_PHI_WITHOUT_POSITIONS)
    assert np.isnan(analysis.effect_estimate(POSITION_ETA)).all()


@pytest.mark.parametrize(
    ("position", "values"),
    [
        pytest.param(1, [1, 0, 0, 0, 0, 0, 0, 0], id="first"),
        pytest.param(8, [0, 0, 0, 0, 1, 0, 0, 0], id="on a knot"),
        pytest.param(np.sqrt(6), [0, 0.5, 0.5, 0, 0, 0, 0, 0], id="between knots"),
        pytest.param(1500, [0, 0, 0, 0, 0, 0, 0, 1], id="after the last knot"),
    ],
)
def test_the_hat_functions_are_linear_in_log_position(position: float, values: list[float]) -> None:
    """Hat functions sum to 1, are 1 at their knot, and the last one stays 1 below it."""
    assert [float(hat[0]) for hat in hat_basis(np.log([position]))] == pytest.approx(values)


def test_missing_positions_become_the_middle(year: World) -> None:
    """A missing position in an issue of 16 articles is 8.5, and not one of the last two positions."""
    appearances = tuple(
        msgspec.structs.replace(s, position=None if s.position == 16 else s.position) for s in year.history.appearances
    )
    observations = build_observations(msgspec.structs.replace(year.history, appearances=appearances), as_of=year.as_of)
    missing = np.isnan(observations.positions)
    assert missing.sum() == 8
    assert set(fill_positions(observations)[missing]) == {8.5}
    assert set(observations.positions[in_last_two_positions(observations) == 1]) == {15.0}


def test_incomplete_issues_and_unknown_recipients_widen_priors(year: World, analysis: Analysis) -> None:
    """The prior variance of alpha is s_i^2 + (0.5 (1 - F))^2, with 1.5^2 instead of s_i^2 if recipients are unknown."""
    issues = (msgspec.structs.replace(year.history.issues[0], recipients=None), *year.history.issues[1:])
    partly_unknown = analyse(msgspec.structs.replace(year.history, issues=issues), as_of=year.as_of)
    variances = prior_variances(
        partly_unknown.design,
        msgspec.structs.replace(prior_of_variances(partly_unknown.design), open_rate=0.05),
    )[partly_unknown.design.first_issue_column :]
    incomplete = (0.5 * np.array(analysis.remaining_shares)) ** 2
    assert variances == pytest.approx(np.r_[1.5**2, np.full(7, 0.05)] + incomplete, rel=1e-3)


def test_expected_is_the_fit_of_an_average_article(analysis: Analysis) -> None:
    """Expected clicks multiplied by appeal equal the fitted clicks of each article."""
    assert analysis.fit is not None
    posterior = compute_posterior(analysis.fit, analysis.design, analysis.observations)
    fitted = analysis.observations.sum_by_article(analysis.fit.mu)
    assert posterior.expected * np.exp(posterior.score) == pytest.approx(fitted)
    assert analysis.observations.sum_by_article(posterior.cell_expected) == pytest.approx(posterior.expected)


def test_the_shrunken_rate_follows_its_formula(analysis: Analysis) -> None:
    """The fallback appeal is (clicks + 2) / (expected + 2), shifted to mean 0, and expected clicks sum to clicks."""
    posterior = fallback_posterior(analysis.observations, analysis.design)
    unshifted = np.log((posterior.clicks + 2) / (posterior.expected + 2))
    assert posterior.score == pytest.approx(unshifted - unshifted.mean())
    assert posterior.expected.sum() == pytest.approx(posterior.clicks.sum())


@pytest.mark.parametrize(("k", "total"), [(1, 1.0), (3, 3.0), (4, 4.0), (9, 4.0)])
def test_probabilities_of_the_top_k_sum_to_k(k: int, total: float) -> None:
    """The probabilities of the top k sum to k, or to the number of articles if that is smaller."""
    draws = np.random.default_rng(0).standard_normal((50, 4))
    assert top_k_probability(draws, k).sum() == pytest.approx(total)


def test_the_draws_are_deterministic(year: World, analysis: Analysis) -> None:
    """Repeated fits of the same history give equal draws."""
    repeated = analyse(year.history, as_of=year.as_of)
    assert (repeated.posterior.draws == analysis.posterior.draws).all()
