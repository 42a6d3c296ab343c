"""The two sorting shapes: their covariates, their evidence, and the mixture of both fits."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
import pytest

from shortener.messages import message_text
from shortener.ranking import pipeline, rank
from shortener.ranking.design import POSITION_ETA, SORTING_EFFECTS, normal_scores
from shortener.ranking.evidence import evidence_weights, log_evidence
from shortener.ranking.model import Fit, fit_model, prior_variances
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.posterior import DRAW_COUNT, compute_posterior

World = Any


@pytest.fixture(scope="module")
def analysis(year: World) -> Analysis:
    """The analysis of the default world."""
    return analyse(year.history, as_of=year.as_of)


@pytest.mark.parametrize(
    ("position", "last", "share"),
    [
        pytest.param(1, 10, 9.625 / 10.25, id="first"),
        pytest.param(10, 10, 0.625 / 10.25, id="last"),
        pytest.param(5.5, 10, 0.5, id="middle"),
        pytest.param(1, 1, 0.5, id="only one"),
        pytest.param(1, 10_000, 0.999, id="clipped at the top"),
        pytest.param(10_000, 10_000, 0.001, id="clipped at the bottom"),
    ],
)
def test_normal_scores_follow_their_formula(position: float, last: float, share: float) -> None:
    """The normal score is the quantile of (n - pos + 0.625) / (n + 0.25), clipped to 0.001-0.999."""
    score = normal_scores(np.array([position]), np.array([float(last)]))
    assert score == pytest.approx([NormalDist().inv_cdf(share)], abs=1e-9)


def test_both_fits_succeed_and_their_weights_sum_to_one(analysis: Analysis) -> None:
    """The heavier fit is first, and it is the one that checks and explanations use."""
    first, second = analysis.fits
    assert first.weight >= second.weight
    assert first.weight + second.weight == pytest.approx(1)
    assert (analysis.fit, analysis.design) == (first.fit, first.design)
    assert set(analysis.sorting_weights) == {"log", "normal"}


def make_sorted(world: Callable[..., World], effect: Callable[[float, int], float], seed: int) -> World:
    """Return a world whose appeal follows position by `effect(position, last)`, with some noise."""
    plain = world(seed=seed, articles=24, issues=12, reruns=3, noise=0)
    rng, last = np.random.default_rng(seed), 24
    appeal: dict[str, float] = {}
    rows = []
    for row in plain.history.appearances:
        assert row.position is not None
        appeal.setdefault(row.url, effect(row.position, last) + float(rng.normal(0, 0.25)))
        mean = 600 * row.position**-0.7 * math.exp(appeal[row.url] + float(rng.normal(0, 0.1)))
        rows.append(msgspec.structs.replace(row, clicks=int(rng.poisson(mean)), placements=()))
    history = msgspec.structs.replace(plain.history, appearances=tuple(rows))
    return msgspec.structs.replace(plain, history=history, appeal=appeal)


def whole_list(position: float, last: int) -> float:
    """Log appeal of an editor who sorts the whole issue: the normal score."""
    return 0.8 * NormalDist().inv_cdf((last - position + 0.625) / (last + 0.25))


def leads_first(position: float, last: int) -> float:
    """Log appeal of an editor who picks the leads: steep at the top only."""
    return -0.7 * math.log(position)


@pytest.mark.parametrize(("effect", "shape"), [pytest.param(whole_list, "normal"), pytest.param(leads_first, "log")])
@pytest.mark.parametrize("seed", range(3))
def test_the_evidence_recognizes_the_editor(
    world: Callable[..., World], effect: Callable[[float, int], float], shape: str, seed: int
) -> None:
    """The shape that made the order has more than two thirds of the weight, and the footer names it."""
    simulated = make_sorted(world, effect, seed)
    analysis = analyse(simulated.history, as_of=simulated.as_of)
    assert analysis.design.shape == shape
    assert analysis.fits[0].weight > 2 / 3
    whole = round(100 * analysis.sorting_weights["normal"])
    footer = rank(simulated.history, as_of=simulated.as_of).footer
    assert f"editors' order: {whole}% whole list, {100 - whole}% leads first" in footer


def test_the_evidence_equals_the_dense_formula(analysis: Analysis) -> None:
    """Up to a constant of y, the evidence is the Laplace approximation of the full model, by its full Hessian."""
    values = []
    for fitted in analysis.fits:
        fit, design, observations = fitted.fit, fitted.design, analysis.observations
        y, mu, phi, u = observations.clicks, fit.mu, fit.variances.phi, fit.solution.u
        size = 1 / phi
        likelihood = sum(
            math.lgamma(n + size)
            - math.lgamma(size)
            + size * math.log(size / (size + m))
            + n * math.log(m / (size + m))
            for n, m in zip(y, mu, strict=True)
        )
        prior = np.r_[prior_variances(design, fit.variances), np.full(len(u), fit.variances.appeal)]
        means = np.r_[[effect.mean for effect in design.effects], np.zeros(len(u))]
        deviation = np.r_[fit.solution.beta, u] - means
        rows = np.hstack([design.x, np.eye(len(u))[observations.article_index]])
        hessian = rows.T @ (rows * fit.weights[:, None]) + np.diag(1 / prior)
        centres = [(0.49, 15), (0.0625, 4), (0.04, 20), *((sd**2, 5) for _, sd in design.background)]
        variances = [fit.variances.appeal, fit.variances.open_rate, phi, *fit.variances.background]
        values.append(
            likelihood
            - 0.5 * float((deviation**2 / prior + np.log(prior)).sum())
            - 0.5 * np.linalg.slogdet(hessian)[1]
            + sum(-df / 2 * (math.log(s) + s0 / s) for s, (s0, df) in zip(variances, centres, strict=True))
        )
        assert log_evidence(fit, design, observations) == pytest.approx(values[-1], abs=0.01)
    assert [fit.weight for fit in analysis.fits] == pytest.approx(evidence_weights(values), abs=0.01)


@pytest.mark.parametrize(
    ("evidences", "weights"),
    [
        ([0.0, 0.0], [0.5, 0.5]),
        ([-1e5, -1e5 + math.log(3)], [0.25, 0.75]),
        ([0.0, -1e9], [1.0, 0.0]),
        ([7.0], [1.0]),
    ],
)
def test_weights_are_shares_of_the_evidence(evidences: list[float], weights: list[float]) -> None:
    """Weights are exp(L) / sum exp(L), also where exp(L) overflows or vanishes."""
    assert evidence_weights(evidences) == pytest.approx(weights)


def test_figures_are_those_of_the_mixture(analysis: Analysis) -> None:
    """Score, variance and expected clicks are mixed by weight, and eta is in the footer likewise."""
    w = [fit.weight for fit in analysis.fits]
    parts = [compute_posterior(each.fit, each.design, analysis.observations) for each in analysis.fits]
    score = w[0] * parts[0].score + w[1] * parts[1].score
    variance = sum(weight * (part.sd**2 + (part.score - score) ** 2) for weight, part in zip(w, parts, strict=True))
    assert analysis.posterior.score == pytest.approx(score)
    assert analysis.posterior.sd == pytest.approx(np.sqrt(variance))
    assert analysis.posterior.expected == pytest.approx(w[0] * parts[0].expected + w[1] * parts[1].expected)
    etas = [each.effect_estimate(POSITION_ETA) for each in analysis.fits]
    eta = w[0] * etas[0][0] + w[1] * etas[1][0]
    spread = sum(weight * (var + (mean - eta) ** 2) for weight, (mean, var) in zip(w, etas, strict=True))
    assert analysis.eta_estimate == pytest.approx((eta, spread))


def test_draws_come_from_both_fits_by_weight(analysis: Analysis) -> None:
    """The first 400 w draws are those of the leads-first fit, and the others those of the whole-list fit."""
    by_shape = {each.design.shape: each for each in analysis.fits}
    split = round(DRAW_COUNT * by_shape["log"].weight)
    assert 0 < split < DRAW_COUNT
    draws = {
        shape: compute_posterior(each.fit, each.design, analysis.observations).draws for shape, each in by_shape.items()
    }
    assert (analysis.posterior.draws[:split] == draws["log"][:split]).all()
    assert (analysis.posterior.draws[split:] == draws["normal"][split:]).all()


@pytest.mark.parametrize("broken", ["log", "normal"])
def test_a_fit_that_fails_has_no_weight(year: World, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """If one fit fails, the list is that of the other one, and needs no warning."""

    def refuse(design: Any, observations: Any) -> Fit:
        if SORTING_EFFECTS[broken] in design.effects:  # type: ignore[index]
            raise np.linalg.LinAlgError("refused")
        return fit_model(design, observations)

    monkeypatch.setattr(pipeline, "fit_model", refuse)
    analysis = analyse(year.history, as_of=year.as_of)
    (only,) = analysis.fits
    assert only.weight == 1
    assert analysis.sorting_weights[broken] == 0  # type: ignore[index]
    part = compute_posterior(only.fit, only.design, analysis.observations)
    assert (analysis.posterior.score == part.score).all()
    ranking = rank(year.history, as_of=year.as_of)
    assert ranking.warnings == ()
    whole, leads = (0, 100) if broken == "normal" else (100, 0)
    assert f"editors' order: {whole}% whole list, {leads}% leads first" in ranking.footer


def test_without_positions_there_is_one_fit(world: Callable[..., World]) -> None:
    """Without positions nothing can be said about the editors' order."""
    simulated = world(has_positions=False)
    analysis = analyse(simulated.history, as_of=simulated.as_of)
    assert [fit.weight for fit in analysis.fits] == [1.0]
    assert analysis.sorting_weights == {}
    assert "editors' order" not in rank(simulated.history, as_of=simulated.as_of).footer


def test_two_runs_give_equal_bytes(year: World) -> None:
    """The output is the same from run to run, whatever the order of the rows."""
    history = msgspec.structs.replace(
        year.history,
        issues=year.history.issues[::-1],
        appearances=year.history.appearances[::-1],
        titles=dict(reversed(year.history.titles.items())),
    )
    first, second = (
        msgspec.json.encode(rank(rows, as_of=year.as_of), enc_hook=message_text) for rows in (year.history, history)
    )
    assert first == second


def test_without_reruns_the_position_effect_counts_as_assumed(world: Callable[..., World]) -> None:
    """A shape may pin eta down without any article at two positions: that is an assumption, not a measurement."""
    simulated = world(reruns=0, issues=24, articles=24)
    assert "mostly based on prior assumptions" in rank(simulated.history, as_of=simulated.as_of).footer
