"""The fit of the negative-binomial model: IRLS with the articles eliminated, variances by Schall."""

import numpy as np
from msgspec import Struct

from shortener.ranking.design import OPEN_RATE_SD, UNKNOWN_RECIPIENTS_SD, Design
from shortener.ranking.observations import FloatArray, Observations

MAX_ITERATIONS = 40
TOLERANCE = 1e-6  # largest change of a cell's log mean
MAX_STEP = 3.0  # log units; keeps a wild first round from overflowing
APPEAL_SD, APPEAL_DF = 0.7, 15.0  # prior of s_q: spread of log appeal in the Upworthy archive
OPEN_RATE_DF = 4.0  # of s_i
PHI_DF = 20.0
PHI_RANGE = (1e-6, 10.0)


class Solution(Struct, frozen=True, eq=False):
    """One weighted least-squares solve: beta, u, ``V = S^-1 = root' root``, D (articles), R = D^-1 H_ub."""

    beta: FloatArray
    u: FloatArray
    covariance_root: FloatArray
    article_precision: FloatArray
    elimination: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """V, the posterior covariance of beta (P x P)."""
        return np.asarray(self.covariance_root.T @ self.covariance_root)

    def article_variances(self) -> FloatArray:
        """``var(u_a) = 1/D_a + R_a V R_a'``, method §5."""
        return np.asarray(
            1 / self.article_precision + ((self.elimination @ self.covariance_root.T) ** 2).sum(axis=1)
        )

    def predictor_variances(self, design: Design, observations: Observations) -> FloatArray:
        """h: the variance of each cell's fitted log mean, ``1/D_a + (x_c - R_a) V (x_c - R_a)'``."""
        rest = (design.x - self.elimination[observations.article_index]) @ self.covariance_root.T
        return np.asarray(1 / self.article_precision[observations.article_index] + (rest**2).sum(axis=1))


class Variances(Struct, frozen=True):
    """The three variances that are learnt: of articles, of issues, of cells."""

    appeal: float = APPEAL_SD**2
    open_rate: float = OPEN_RATE_SD**2
    phi: float = 0.2**2


class Fit(Struct, frozen=True, eq=False):
    """The fitted model; ``lin`` is log mu without the offset, ``h`` its variance, per cell."""

    solution: Solution
    variances: Variances
    linear_predictor: FloatArray
    mu: FloatArray
    weights: FloatArray
    predictor_variances: FloatArray
    iterations: int
    converged: bool


def fit_model(design: Design, observations: Observations) -> Fit:
    """Fit by at most 40 rounds of IRLS (method §5); raises LinAlgError or FloatingPointError when it cannot.

    Each round: ``W = 1/(1/mu + phi)``, ``z = lin + (y - mu)/mu``, solve for beta and u, update the variances.
    It starts from ``lin = log max(y, 0.5) - offset``.
    """
    with np.errstate(all="ignore"):
        return _iterate(design, observations)


def _iterate(design: Design, observations: Observations) -> Fit:
    y, variances = observations.clicks, Variances(phi=design.prior_phi)
    lin = np.log(np.maximum(y, 0.5)) - design.offset
    change, done = np.inf, 0
    while change > TOLERANCE and done < MAX_ITERATIONS:
        mu, w = irls_weights(design, lin, variances.phi)
        solution = solve(design, observations, w, lin + (y - mu) / mu, variances)
        step = np.clip(
            design.x @ solution.beta + solution.u[observations.article_index] - lin, -MAX_STEP, MAX_STEP
        )
        lin, change, done = lin + step, float(np.abs(step).max()), done + 1
        variances = update_variances(design, observations, solution, lin, variances)
        if not np.isfinite([change, variances.appeal, variances.open_rate, variances.phi]).all():
            raise FloatingPointError("the fit left the numbers")
    mu, w = irls_weights(design, lin, variances.phi)
    h = solution.predictor_variances(design, observations)
    return Fit(solution, variances, lin, mu, w, h, done, change <= 1e-3)


def irls_weights(design: Design, linear_predictor: FloatArray, phi: float) -> tuple[FloatArray, FloatArray]:
    """``mu = exp(offset + lin)`` and ``W = 1/(1/mu + phi)``."""
    mu = np.exp(design.offset + linear_predictor)
    return mu, 1 / (1 / mu + phi)


def solve(
    design: Design,
    observations: Observations,
    weights: FloatArray,
    working_response: FloatArray,
    variances: Variances,
) -> Solution:
    """Solve the penalised normal equations with the articles eliminated, method §5.

    ``D_a = sum W + 1/s_q^2`` is diagonal, so u drops out: ``S = X'WX + prior - H' D^-1 H`` is only P x P.
    S beta = r by Cholesky, then ``u = D^-1 (sum W z - H beta)``.
    """
    precision = 1 / prior_variances(design, variances.open_rate)
    means = np.array([effect.mean for effect in design.effects])
    weighted = design.x * weights[:, None]
    d = observations.sum_by_article(weights) + 1 / variances.appeal
    h_ub, wz = observations.sum_by_article(weighted), observations.sum_by_article(weights * working_response)
    r = h_ub / d[:, None]
    s = design.x.T @ weighted + np.diag(precision) - h_ub.T @ r
    right = weighted.T @ working_response + precision * means - r.T @ wz
    root = np.linalg.solve(np.linalg.cholesky((s + s.T) / 2), np.eye(len(s)))
    beta = root.T @ (root @ right)
    return Solution(beta, wz / d - r @ beta, root, d, r)


def prior_variances(design: Design, open_rate_variance: float) -> FloatArray:
    """Prior variance of each coefficient; of an issue's own ``s_i^2 + (0.5 (1 - F))^2``, method §4."""
    variances = np.array([effect.sd**2 for effect in design.effects])
    variances[design.first_issue_column :] = (
        np.where(design.recipients_known, open_rate_variance, UNKNOWN_RECIPIENTS_SD**2)
        + design.incomplete_variance
    )
    return variances


def update_variances(
    design: Design,
    observations: Observations,
    solution: Solution,
    linear_predictor: FloatArray,
    previous: Variances,
) -> Variances:
    """Schall's fixed point with each prior as pseudo-observations, method §5."""
    return Variances(
        appeal=_update_appeal_variance(solution, previous.appeal),
        open_rate=_update_open_rate_variance(design, solution, previous.open_rate),
        phi=_update_phi(design, observations, solution, linear_predictor, previous.phi),
    )


def _update_appeal_variance(solution: Solution, previous: float) -> float:
    """``s_q^2 = (15 * 0.49 + sum u^2) / (15 + sum(1 - var(u)/s_q^2))``."""
    free = 1 - solution.article_variances() / previous
    return float((APPEAL_DF * APPEAL_SD**2 + (solution.u**2).sum()) / (APPEAL_DF + free.sum()))


def _update_open_rate_variance(design: Design, solution: Solution, previous: float) -> float:
    """The same for alpha, with 4 df, over the issues whose recipients are known.

    A fresh issue's alpha is open rate plus error of F; only its share ``f = s_i^2 / (s_i^2 + fresh)`` is open
    rate, with variance ``f^2 var(alpha) + s_i^2 (1 - f)``.
    """
    alpha = solution.beta[design.first_issue_column :]
    share = previous / (previous + design.incomplete_variance)
    variance = (solution.covariance_root[:, design.first_issue_column :] ** 2).sum(axis=0)
    free = 1 - (share**2 * variance + previous * (1 - share)) / previous
    squares = float((design.recipients_known * (share * alpha) ** 2).sum())
    return (OPEN_RATE_DF * OPEN_RATE_SD**2 + squares) / (
        OPEN_RATE_DF + float((design.recipients_known * free).sum())
    )


def _update_phi(
    design: Design, observations: Observations, solution: Solution, linear_predictor: FloatArray, phi: float
) -> float:
    """``phi <- phi [sum (W r)^2 + 20 p0/phi^2] / [sum (W - W^2 h) + 20/phi]``, r = (y - mu)/mu, p0 prior."""
    mu, w = irls_weights(design, linear_predictor, phi)
    h = solution.predictor_variances(design, observations)
    surprise = float(((w * (observations.clicks - mu) / mu) ** 2).sum()) + PHI_DF * design.prior_phi / phi**2
    expected = float((w - w**2 * h).sum()) + PHI_DF / phi
    return float(np.clip(phi * surprise / expected, *PHI_RANGE)) if expected > 0 else phi
