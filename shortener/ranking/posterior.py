"""What the fit says about each article: its score, how sure we are, and joint draws for chances of rank."""

import numpy as np
from msgspec import Struct

from shortener.ranking.design import Design
from shortener.ranking.model import Fit
from shortener.ranking.observations import FloatArray, Observations

DRAW_COUNT = 400  # method §6
RANDOM_SEED = 20210407  # fixed, so that the same counts give the same bytes


class Posterior(Struct, frozen=True, eq=False):
    """Per article: ``score``, its log appeal relative to the average article, with its ``sd``; its clicks.

    ``expected`` is what an average article would have had at the same places; ``draws`` is draws x articles.
    """

    score: FloatArray
    sd: FloatArray
    clicks: FloatArray
    expected: FloatArray
    draws: FloatArray


def compute_posterior(fitted: Fit, design: Design, observations: Observations) -> Posterior:
    """Score, joint standard deviation and draws of ``q_a - mean q``, method §6.

    With u = D^-1(..) - R beta + noise of variance 1/D, q_a = (t_a - R_a) beta + noise, so with G = t - R:
    ``var = (G_a - mean G) V (G_a - mean G)' + (1 - 2/n)/D_a + sum(1/D)/n^2``.
    """
    solution = fitted.solution
    q = design.t @ solution.beta + solution.u
    score, own = q - q.mean(), 1 / solution.article_precision
    lean = (design.t - solution.elimination) @ solution.covariance_root.T
    lean -= lean.mean(axis=0)
    n = len(q)
    sd = np.sqrt((lean**2).sum(axis=1) + own * (1 - 2 / n) + own.sum() / n**2)
    rng = np.random.default_rng(RANDOM_SEED)
    beta_part = rng.standard_normal((DRAW_COUNT, len(solution.beta))) @ lean.T
    noise = rng.standard_normal((DRAW_COUNT, n)) * np.sqrt(own)
    expected = observations.sum_by_article(fitted.mu * np.exp(-score[observations.article_index]))
    draws = score + beta_part + noise - noise.mean(axis=1, keepdims=True)
    return Posterior(score, sd, observations.sum_by_article(observations.clicks), expected, draws)


def fallback_posterior(observations: Observations, design: Design) -> Posterior:
    """The fallback when the model cannot be fitted: ``appeal = (clicks + 2) / (expected + 2)``.

    ``expected`` shares the clicks out by recipients, F(age) and nothing else; 2 = 1/0.7^2 is the prior's
    weight for a spread of 0.7 (Gamma-Poisson), and the log of the appeal has variance about ``1 / (clicks
    + 2)``.
    """
    exposure = np.exp(np.clip(design.offset - design.offset.max(), -50, 0))
    expected = observations.sum_by_article(exposure * (observations.clicks.sum() / exposure.sum()))
    clicks = observations.sum_by_article(observations.clicks)
    score = np.log((clicks + 2) / (expected + 2))
    score, sd = score - score.mean(), 1 / np.sqrt(clicks + 2)
    draws = score + np.random.default_rng(RANDOM_SEED).standard_normal((DRAW_COUNT, len(score))) * sd
    return Posterior(score, sd, clicks, expected, draws)


def top_k_probability(draws: FloatArray, k: int) -> FloatArray:
    """Share of the draws (draws x articles) in which each article is among the k highest."""
    if k >= draws.shape[1]:
        return np.ones(draws.shape[1])
    top = np.argpartition(-draws, k - 1, axis=1)[:, :k]
    return np.bincount(top.ravel(), minlength=draws.shape[1]) / len(draws)
