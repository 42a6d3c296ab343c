"""How much each article is clicked according to the fitted model, and how uncertain that is.

The method is in docs/ranking.md section 9.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from shortener.ranking.design import Design
from shortener.ranking.model import APPEAL_SD, Fit
from shortener.ranking.observations import FloatArray, Observations

DRAW_COUNT = 400
"""How many times the scores of all articles are simulated together (docs/ranking.md section 9)."""
RANDOM_SEED = 20210407  # fixed, so that equal counts give equal output


class Posterior(Struct, frozen=True, eq=False):
    """Estimates of how much each article is clicked, compared with an average article in its place.

    Most arrays have one entry per article.
    """

    score: FloatArray
    """Log of the appeal; the mean over all articles is 0."""
    sd: FloatArray
    """Standard deviation of the score."""
    clicks: FloatArray
    """Observed clicks in all issues."""
    expected: FloatArray
    """Clicks that an average article would have had at the positions of the article."""
    draws: FloatArray
    """Simulated scores: a matrix with a row per simulation and a column per article."""
    cell_expected: FloatArray
    """One entry for each article in each issue: the clicks that an average article would have had in its place."""


def compute_posterior(fit: Fit, design: Design, observations: Observations) -> Posterior:
    """Return the estimates of all articles from the fitted model (docs/ranking.md section 9)."""
    # With G = t - R, q_a = G_a beta + a constant + noise of variance 1/D_a, so that q_a - mean q has the
    # variance (G_a - mean G) V (G_a - mean G)' + (1 - 2/n)/D_a + sum(1/D)/n^2.
    solution = fit.solution
    q = design.t @ solution.beta + solution.u
    score, noise_variance = q - q.mean(), 1 / solution.article_precision
    g_root = (design.t - solution.elimination) @ solution.covariance_root.T
    g_root -= g_root.mean(axis=0)
    n = len(q)
    sd = np.sqrt((g_root**2).sum(axis=1) + noise_variance * (1 - 2 / n) + noise_variance.sum() / n**2)
    rng = np.random.default_rng(RANDOM_SEED)
    beta_part = rng.standard_normal((DRAW_COUNT, len(solution.beta))) @ g_root.T
    noise = rng.standard_normal((DRAW_COUNT, n)) * np.sqrt(noise_variance)
    cell_expected = fit.mu * np.exp(-score[observations.article_index])
    expected = observations.sum_by_article(cell_expected)
    draws = score + beta_part + noise - noise.mean(axis=1, keepdims=True)
    clicks = observations.sum_by_article(observations.clicks)
    return Posterior(score, sd, clicks, expected, draws, cell_expected)


def mix_posteriors(posteriors: Sequence[Posterior], weights: Sequence[float]) -> Posterior:
    """Return the weighted mixture of the estimates of several models that were fitted to the same data.

    The weights must add up to 1.
    """
    # docs/ranking.md section 9:
    # score = sum w score_m, sd^2 = sum w (sd_m^2 + (score_m - score)^2), expected = sum w expected_m
    w = np.array(weights)[:, None]
    score = (w * [each.score for each in posteriors]).sum(axis=0)
    variance = sum(
        weight * (each.sd**2 + (each.score - score) ** 2) for weight, each in zip(weights, posteriors, strict=True)
    )
    # Each posterior contributes a number of simulated scores that is proportional to its weight.
    ends = np.rint(np.cumsum([0.0, *weights]) * DRAW_COUNT).astype(int)
    draws = [each.draws[first:last] for each, first, last in zip(posteriors, ends, ends[1:], strict=False)]
    return Posterior(
        score,
        np.sqrt(variance),
        posteriors[0].clicks,
        (w * [each.expected for each in posteriors]).sum(axis=0),
        np.concatenate(draws),
        (w * [each.cell_expected for each in posteriors]).sum(axis=0),
    )


def fallback_posterior(observations: Observations, design: Design) -> Posterior:
    """Return simple estimates, which are used if the model could not be fitted (docs/ranking.md section 8)."""
    # appeal = (clicks + 2) / (expected + 2): the 2 is the weight 1/0.7^2 of a Gamma prior.
    # Log appeal has the standard deviation 1 / sqrt(clicks + 2).
    # All clicks are distributed in proportion to recipients and to the share of clicks that has arrived.
    exposure = np.exp(np.clip(design.offset - design.offset.max(), -50, 0))
    cell_expected = exposure * (observations.clicks.sum() / exposure.sum())
    expected = observations.sum_by_article(cell_expected)
    clicks, weight = observations.sum_by_article(observations.clicks), round(1 / APPEAL_SD**2)
    score = np.log((clicks + weight) / (expected + weight))
    score, sd = score - score.mean(), 1 / np.sqrt(clicks + weight)
    draws = score + np.random.default_rng(RANDOM_SEED).standard_normal((DRAW_COUNT, len(score))) * sd
    return Posterior(score, sd, clicks, expected, draws, cell_expected)


def top_k_probability(
    draws: FloatArray,  # simulated scores (simulations x articles)
    k: int,
) -> FloatArray:
    """Return for each article the share of simulations in which its score is among the `k` highest."""
    if k >= draws.shape[1]:
        return np.ones(draws.shape[1])
    top = np.argpartition(-draws, k - 1, axis=1)[:, :k]
    return np.bincount(top.ravel(), minlength=draws.shape[1]) / len(draws)
