"""The fit of the negative-binomial model: IRLS with the articles eliminated, variances by Schall."""

import numpy as np
from msgspec import Struct

from shortener.ranking.design import OPEN_SD, UNKNOWN_RECIPIENTS_SD, Design
from shortener.ranking.observations import Cells, Floats

MOST_ROUNDS = 40
TOLERANCE = 1e-6  # largest change of a cell's log mean
LONGEST_STEP = 3.0  # log units; keeps a wild first round from overflowing
APPEAL_SD, APPEAL_DF = 0.7, 15.0  # prior of s_q: spread of log appeal in the Upworthy archive
OPEN_DF = 4.0  # of s_i
PHI_DF = 20.0
PHI_RANGE = (1e-6, 10.0)


class Solution(Struct, frozen=True, eq=False):
    """One weighted least-squares solve: beta, u, ``V = S^-1 = root' root``, D (articles), R = D^-1 H_ub."""

    beta: Floats
    u: Floats
    root: Floats
    d: Floats
    r: Floats

    @property
    def v(self) -> Floats:
        """V, the posterior covariance of beta (P x P)."""
        return np.asarray(self.root.T @ self.root)

    def variance_u(self) -> Floats:
        """``var(u_a) = 1/D_a + R_a V R_a'``, method §5."""
        return np.asarray(1 / self.d + ((self.r @ self.root.T) ** 2).sum(axis=1))

    def variance_fit(self, design: Design, cells: Cells) -> Floats:
        """h: the variance of each cell's fitted log mean, ``1/D_a + (x_c - R_a) V (x_c - R_a)'``."""
        rest = (design.x - self.r[cells.article]) @ self.root.T
        return np.asarray(1 / self.d[cells.article] + (rest**2).sum(axis=1))


class Variances(Struct, frozen=True):
    """The three variances that are learnt: of articles, of issues, of cells."""

    s_q2: float = APPEAL_SD**2
    s_i2: float = OPEN_SD**2
    phi: float = 0.2**2


class Fit(Struct, frozen=True, eq=False):
    """The fitted model; ``lin`` is log mu without the offset, ``h`` its variance, per cell."""

    solution: Solution
    variances: Variances
    lin: Floats
    mu: Floats
    w: Floats
    h: Floats
    rounds: int
    settled: bool


def fit(design: Design, cells: Cells) -> Fit:
    """Fit by at most 40 rounds of IRLS (method §5); raises LinAlgError or FloatingPointError when it cannot.

    Each round: ``W = 1/(1/mu + phi)``, ``z = lin + (y - mu)/mu``, solve for beta and u, update the variances.
    It starts from ``lin = log max(y, 0.5) - offset``.
    """
    with np.errstate(all="ignore"):
        return _rounds(design, cells)


def _rounds(design: Design, cells: Cells) -> Fit:
    y, variances = cells.clicks, Variances(phi=design.phi_prior)
    lin = np.log(np.maximum(y, 0.5)) - design.offset
    change, done = np.inf, 0
    while change > TOLERANCE and done < MOST_ROUNDS:
        mu, w = weigh(design, lin, variances.phi)
        solution = solve(design, cells, w, lin + (y - mu) / mu, variances)
        step = np.clip(
            design.x @ solution.beta + solution.u[cells.article] - lin, -LONGEST_STEP, LONGEST_STEP
        )
        lin, change, done = lin + step, float(np.abs(step).max()), done + 1
        variances = update(design, cells, solution, lin, variances)
        if not np.isfinite([change, variances.s_q2, variances.s_i2, variances.phi]).all():
            raise FloatingPointError("the fit left the numbers")
    mu, w = weigh(design, lin, variances.phi)
    h = solution.variance_fit(design, cells)
    return Fit(solution, variances, lin, mu, w, h, done, change <= 1e-3)


def weigh(design: Design, lin: Floats, phi: float) -> tuple[Floats, Floats]:
    """``mu = exp(offset + lin)`` and ``W = 1/(1/mu + phi)``."""
    mu = np.exp(design.offset + lin)
    return mu, 1 / (1 / mu + phi)


def solve(design: Design, cells: Cells, w: Floats, z: Floats, variances: Variances) -> Solution:
    """Solve the penalised normal equations with the articles eliminated, method §5.

    ``D_a = sum W + 1/s_q^2`` is diagonal, so u drops out: ``S = X'WX + prior - H' D^-1 H`` is only P x P.
    S beta = r by Cholesky, then ``u = D^-1 (sum W z - H beta)``.
    """
    precision = 1 / prior_variances(design, variances.s_i2)
    means = np.array([effect.mean for effect in design.effects])
    weighted = design.x * w[:, None]
    d = cells.per_article(w) + 1 / variances.s_q2
    h_ub, wz = cells.per_article(weighted), cells.per_article(w * z)
    r = h_ub / d[:, None]
    s = design.x.T @ weighted + np.diag(precision) - h_ub.T @ r
    right = weighted.T @ z + precision * means - r.T @ wz
    root = np.linalg.solve(np.linalg.cholesky((s + s.T) / 2), np.eye(len(s)))
    beta = root.T @ (root @ right)
    return Solution(beta, wz / d - r @ beta, root, d, r)


def prior_variances(design: Design, s_i2: float) -> Floats:
    """Prior variance of each coefficient; of an issue's own ``s_i^2 + (0.5 (1 - F))^2``, method §4."""
    variances = np.array([effect.sd**2 for effect in design.effects])
    variances[design.alphas :] = np.where(design.sized, s_i2, UNKNOWN_RECIPIENTS_SD**2) + design.fresh
    return variances


def update(design: Design, cells: Cells, solution: Solution, lin: Floats, old: Variances) -> Variances:
    """Schall's fixed point with each prior as pseudo-observations, method §5."""
    return Variances(
        s_q2=_spread_of_articles(solution, old.s_q2),
        s_i2=_spread_of_issues(design, solution, old.s_i2),
        phi=_noise(design, cells, solution, lin, old.phi),
    )


def _spread_of_articles(solution: Solution, s_q2: float) -> float:
    """``s_q^2 = (15 * 0.49 + sum u^2) / (15 + sum(1 - var(u)/s_q^2))``."""
    free = 1 - solution.variance_u() / s_q2
    return float((APPEAL_DF * APPEAL_SD**2 + (solution.u**2).sum()) / (APPEAL_DF + free.sum()))


def _spread_of_issues(design: Design, solution: Solution, s_i2: float) -> float:
    """The same for alpha, with 4 df, over the issues whose recipients are known.

    A fresh issue's alpha is open rate plus error of F; only its share ``f = s_i^2 / (s_i^2 + fresh)`` is open
    rate, with variance ``f^2 var(alpha) + s_i^2 (1 - f)``.
    """
    alpha = solution.beta[design.alphas :]
    share = s_i2 / (s_i2 + design.fresh)
    variance = (solution.root[:, design.alphas :] ** 2).sum(axis=0)
    free = 1 - (share**2 * variance + s_i2 * (1 - share)) / s_i2
    squares = float((design.sized * (share * alpha) ** 2).sum())
    return (OPEN_DF * OPEN_SD**2 + squares) / (OPEN_DF + float((design.sized * free).sum()))


def _noise(design: Design, cells: Cells, solution: Solution, lin: Floats, phi: float) -> float:
    """``phi <- phi [sum (W r)^2 + 20 p0/phi^2] / [sum (W - W^2 h) + 20/phi]``, r = (y - mu)/mu, p0 prior."""
    mu, w = weigh(design, lin, phi)
    h = solution.variance_fit(design, cells)
    surprise = float(((w * (cells.clicks - mu) / mu) ** 2).sum()) + PHI_DF * design.phi_prior / phi**2
    expected = float((w - w**2 * h).sum()) + PHI_DF / phi
    return float(np.clip(phi * surprise / expected, *PHI_RANGE)) if expected > 0 else phi
