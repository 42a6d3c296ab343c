"""The marginal likelihood of a fitted model, and the weights with which several fitted models are averaged.

The formulas are in docs/ranking.md section 8.1.
"""

import math
from collections.abc import Sequence

import numpy as np

from shortener.ranking.design import OPEN_RATE_SD, Design
from shortener.ranking.model import (
    APPEAL_DF,
    APPEAL_SD,
    BACKGROUND_DF,
    OPEN_RATE_DF,
    PHI_DF,
    Fit,
    prior_variances,
)
from shortener.ranking.observations import FloatArray, Observations


def log_evidence(fit: Fit, design: Design, observations: Observations) -> float:
    """Return a fitted model's log marginal likelihood, without a constant that all models of the same data share."""
    with np.errstate(all="ignore"):
        return _log_evidence(fit, design, observations)


def _log_evidence(fit: Fit, design: Design, observations: Observations) -> float:
    # Laplace's approximation (docs/ranking.md section 8.1):
    # sum log NegBin(y | mu, phi) - 1/2 sum ((beta - mean)^2 / v + log v) - 1/2 sum (u^2 / s_q^2 + log s_q^2)
    # - 1/2 log|S| - 1/2 sum log D + the log prior of each variance. beta has the prior variances v; D is the
    # diagonal of the Hessian for u, and S its Schur complement for beta.
    solution, variances = fit.solution, fit.variances
    v = prior_variances(design, variances)
    means = np.array([effect.mean for effect in design.effects])
    prior = ((solution.beta - means) ** 2 / v + np.log(v)).sum()
    articles = (solution.u**2 / variances.appeal + math.log(variances.appeal)).sum()
    root_diagonal = np.abs(np.diag(solution.covariance_root))  # |S| = 1 / prod(root_diagonal)^2
    value = (
        _negative_binomial_log_likelihood(observations.clicks, fit.mu, variances.phi)
        - (prior + articles) / 2
        + np.log(root_diagonal).sum()
        - np.log(solution.article_precision).sum() / 2
        + _log_prior_of_variances(fit, design)
    )
    return float(value)


def _negative_binomial_log_likelihood(clicks: FloatArray, mu: FloatArray, phi: float) -> float:
    # Each count has the mean mu and the variance mu + phi mu^2. The term that depends on the clicks alone is left out.
    size = 1 / phi
    rising = math.fsum(math.lgamma(y + size) - math.lgamma(size) for y in clicks.tolist())
    return rising + float((clicks * np.log(mu / (mu + size)) - size * np.log1p(mu * phi)).sum())


def _log_prior_of_variances(fit: Fit, design: Design) -> float:
    variances = fit.variances
    terms = [
        (variances.appeal, APPEAL_SD**2, APPEAL_DF),
        (variances.open_rate, OPEN_RATE_SD**2, OPEN_RATE_DF),
        (variances.phi, design.prior_phi, PHI_DF),
    ]
    for (_, sd), variance in zip(design.background, variances.background, strict=True):
        terms.append((variance, sd**2, BACKGROUND_DF))
    # s is a variance, s0 the centre of its prior, and df the degrees of freedom of its prior; constants are left out
    # (docs/ranking.md section 8.1)
    return sum(-df / 2 * (math.log(s) + s0 / s) for s, s0, df in terms)


def evidence_weights(log_evidences: Sequence[float]) -> list[float]:
    """Return weights of fitted models that are proportional to their marginal likelihoods and add up to 1."""
    # `log_evidences` are the results of `log_evidence` (docs/ranking.md section 8.1). Subtracting the highest prevents
    # an overflow.
    highest = max(log_evidences)
    likelihoods = [math.exp(value - highest) for value in log_evidences]
    return [likelihood / math.fsum(likelihoods) for likelihood in likelihoods]
