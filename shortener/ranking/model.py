"""The fit of a negative-binomial regression to the clicks, by iteratively reweighted least squares.

The formulas are in docs/ranking.md section 8.
"""

import numpy as np
from msgspec import Struct

from shortener.ranking.design import OPEN_RATE_SD, UNKNOWN_RECIPIENTS_SD, Design
from shortener.ranking.observations import FloatArray, Observations

MAX_ITERATIONS = 40
TOLERANCE = 1e-6  # largest change of a cell's log mean in the last round
MAX_STEP = 3.0  # log units; keeps the first rounds from overflowing
CONVERGED_STEP = 1e-3  # log units; a larger last step is reported as not converged
APPEAL_SD, APPEAL_DF = 0.7, 15.0  # prior of s_q, from the spread of appeal in the Upworthy archive
OPEN_RATE_DF = 4.0  # degrees of freedom of the prior of s_i
PHI_DF = 20.0  # degrees of freedom of the prior of phi
PHI_RANGE = (1e-6, 10.0)
BACKGROUND_DF = 5.0  # degrees of freedom of the priors of s_h, s_a and s_w
MIN_BACKGROUND_VARIANCE = 1e-5
BLOCK_SIZE = 32  # rows of a triangular matrix from which on it is inverted by halves


class Solution(Struct, frozen=True, eq=False):
    """The coefficients and article effects after one iteration of the fit, with their variances."""

    beta: FloatArray
    """The coefficients, in the order of `Design.effects`."""
    u: FloatArray
    """The article effects: for each article, the part of its log clicks that no coefficient explains."""
    covariance_root: FloatArray
    """A square root of the covariance matrix of `beta`: its transpose times itself is that matrix."""
    article_precision: FloatArray
    """Inverse variance of each article effect if `beta` were known (D in docs/ranking.md section 8)."""
    elimination: FloatArray
    """By how much an article effect falls if a coefficient rises by 1 (articles x coefficients; R in section 8)."""
    article_variances: FloatArray
    """Posterior variances of `u`."""
    predictor_variances: FloatArray
    """Posterior variances of the log of the fitted clicks, for each article in each issue."""


class Variances(Struct, frozen=True):
    """The estimated variances of the model (docs/ranking.md section 6)."""

    appeal: float
    """Variance of the article effects: the part of the log clicks that no coefficient explains (s_q^2)."""
    open_rate: float
    """Variance of the issue effects: how much more or less the readers of an issue click than usual (s_i^2)."""
    phi: float
    """Overdispersion: the relative variance of click counts beyond that of Poisson counts."""
    background: tuple[float, ...]
    """One variance for each group of background effects: sites, authors, title words."""


def prior_of_variances(design: Design) -> Variances:
    """Return the variances with which a fit begins. Each is the centre of its prior."""
    return Variances(
        appeal=APPEAL_SD**2,
        open_rate=OPEN_RATE_SD**2,
        phi=design.prior_phi,
        background=tuple(sd**2 for _, sd in design.background),
    )


class Fit(Struct, frozen=True, eq=False):
    """The fitted model: its coefficients, its variances, and the clicks that it predicts."""

    solution: Solution
    """The coefficients and the article effects."""
    variances: Variances
    mu: FloatArray
    """Fitted clicks of each article in each issue."""
    weights: FloatArray
    """Weight of each entry of `mu` in the least-squares problem (W in docs/ranking.md section 8)."""
    predictor_variances: FloatArray
    """Variance of the log of each entry of `mu` (h in docs/ranking.md section 8)."""
    iterations: int
    converged: bool
    """False if the last iteration still changed the log of the fitted clicks by more than `CONVERGED_STEP`."""


def fit_model(design: Design, observations: Observations) -> Fit:
    """Fit the model by iterated weighted least squares. Raises LinAlgError or FloatingPointError if the fit fails."""
    # docs/ranking.md section 8
    with np.errstate(all="ignore"):
        return _iterate(design, observations)


def _iterate(design: Design, observations: Observations) -> Fit:
    y, variances = observations.clicks, prior_of_variances(design)
    lin = np.log(np.maximum(y, 0.5)) - design.offset
    change, iterations = np.inf, 0
    while change > TOLERANCE and iterations < MAX_ITERATIONS:
        mu, w = irls_weights(design, lin, variances.phi)
        solution = solve(design, observations, w, lin + (y - mu) / mu, variances)
        fitted = design.x @ solution.beta + solution.u[observations.article_index]
        step = np.clip(fitted - lin, -MAX_STEP, MAX_STEP)
        lin, change, iterations = lin + step, float(np.abs(step).max()), iterations + 1
        variances = update_variances(design, observations, solution, lin, variances)
        require_finite(np.array([change, variances.appeal, variances.open_rate, variances.phi, *variances.background]))
    mu, w = irls_weights(design, lin, variances.phi)
    return Fit(solution, variances, mu, w, solution.predictor_variances, iterations, change <= CONVERGED_STEP)


def require_finite(*arrays: FloatArray) -> None:
    """Raise FloatingPointError if any value is infinite or nan."""
    if not all(np.isfinite(values).all() for values in arrays):
        raise FloatingPointError("the fit diverged (non-finite values)")


def irls_weights(
    design: Design,
    linear_predictor: FloatArray,  # the log of the fitted clicks, without `design.offset`
    phi: float,  # overdispersion of the counts
) -> tuple[FloatArray, FloatArray]:
    """Return the fitted clicks of each article in each issue, and the weights of these counts in the regression."""
    # docs/ranking.md section 8
    mu = np.exp(design.offset + linear_predictor)
    return mu, 1 / (1 / mu + phi)


def solve(
    design: Design,
    observations: Observations,
    weights: FloatArray,
    working_response: FloatArray,
    variances: Variances,
) -> Solution:
    """Solve the weighted least-squares problem of one iteration of the fit. Raises LinAlgError."""
    # docs/ranking.md section 8
    precision = 1 / prior_variances(design, variances)
    means = np.array([effect.mean for effect in design.effects])
    root_weights = np.sqrt(weights)[:, None]
    scaled = design.x * root_weights  # products of a matrix with itself are exactly symmetric, and cost half
    # The article effects are eliminated first, so that the matrix `s` has only one row per coefficient.
    d = observations.sum_by_article(weights) + 1 / variances.appeal
    h = observations.sum_by_article(scaled * root_weights)
    wz = observations.sum_by_article(weights * working_response)
    scaled_h = h / np.sqrt(d)[:, None]
    s = scaled.T @ scaled + np.diag(precision) - scaled_h.T @ scaled_h
    r = h / d[:, None]
    right = scaled.T @ (root_weights[:, 0] * working_response) + precision * means - r.T @ wz
    # Fails if `s` is not positive definite.
    root = invert_lower_triangle(np.asarray(np.linalg.cholesky(s), dtype=np.float64))
    beta = root.T @ (root @ right)
    u_variances, h_variances = _article_and_predictor_variances(design, observations, weights, root, d)
    return Solution(beta, wz / d - r @ beta, root, d, r, u_variances, h_variances)


def _article_and_predictor_variances(
    design: Design,
    observations: Observations,
    weights: FloatArray,
    covariance_root: FloatArray,
    article_precision: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    # Posterior variances of the article effects, and of the log of the fitted clicks:
    # var(u_a) and h_c of docs/ranking.md section 8:
    # 1/D_a + R_a V R_a' and 1/D_a + (x_c - R_a) V (x_c - R_a)', with V = L' L and R_a L' = sum W x L' / D_a,
    # where L is `covariance_root` and D is `article_precision`
    x_root = design.x @ covariance_root.T
    r_root = observations.sum_by_article(weights[:, None] * x_root) / article_precision[:, None]
    article = observations.article_index
    difference = x_root - r_root[article]
    return (
        1 / article_precision + np.einsum("ij,ij->i", r_root, r_root),
        1 / article_precision[article] + np.einsum("ij,ij->i", difference, difference),
    )


def invert_lower_triangle(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a lower triangular matrix."""
    size = len(matrix)
    if size <= BLOCK_SIZE:
        return np.asarray(np.tril(np.linalg.solve(matrix, np.eye(size))), dtype=np.float64)
    # Inversion by halves is faster than a general solver.
    half = size // 2
    inverse = np.zeros_like(matrix)
    first, second = invert_lower_triangle(matrix[:half, :half]), invert_lower_triangle(matrix[half:, half:])
    inverse[:half, :half], inverse[half:, half:] = first, second
    inverse[half:, :half] = -second @ (matrix[half:, :half] @ first)
    return inverse


def prior_variances(design: Design, variances: Variances) -> FloatArray:
    """Return the prior variance of each coefficient, in the order of `design.effects` (docs/ranking.md section 6)."""
    by_coefficient = np.array([effect.sd**2 for effect in design.effects])
    for (columns, _), variance in zip(design.background, variances.background, strict=True):
        by_coefficient[columns] = variance
    # The variance is larger for a recent issue, because the share of its clicks that has arrived is uncertain.
    # s_i^2 + (0.5 (1 - F))^2, where F is the share of the clicks of issue i that has arrived
    by_coefficient[design.first_issue_column :] = (
        np.where(design.recipients_known, variances.open_rate, UNKNOWN_RECIPIENTS_SD**2) + design.incomplete_variance
    )
    return by_coefficient


def update_variances(
    design: Design,
    observations: Observations,
    solution: Solution,
    linear_predictor: FloatArray,  # the log of the fitted clicks, without `design.offset`
    current: Variances,  # those with which `solution` was computed
) -> Variances:
    """Return the variances for the next iteration of the fit."""
    # Schall's fixed point, with the priors as pseudo-observations (docs/ranking.md section 8)
    return Variances(
        appeal=_next_article_variance(solution, current.appeal),
        open_rate=_next_issue_variance(design, solution, current.open_rate),
        phi=_next_phi(design, observations, solution, linear_predictor, current.phi),
        background=_next_background_variances(design, solution, current.background),
    )


def _next_article_variance(solution: Solution, current: float) -> float:
    # s_q^2 = (15 * 0.49 + sum u^2) / (15 + sum(1 - var(u)/s_q^2))
    freedom = 1 - solution.article_variances / current
    return float((APPEAL_DF * APPEAL_SD**2 + (solution.u**2).sum()) / (APPEAL_DF + freedom.sum()))


def _next_issue_variance(design: Design, solution: Solution, current: float) -> float:
    # s_i^2 = (4 * 0.0625 + sum (f alpha)^2) / (4 + sum(1 - v/s_i^2)), f = s_i^2 / (s_i^2 + (0.5 (1 - F))^2),
    # v = f^2 var(alpha) + s_i^2 (1 - f)
    # A recent issue has less weight, because its effect also contains the error in the estimated share F.
    alpha = solution.beta[design.first_issue_column :]
    f = current / (current + design.incomplete_variance)
    alpha_variance = (solution.covariance_root[:, design.first_issue_column :] ** 2).sum(axis=0)
    freedom = 1 - (f**2 * alpha_variance + current * (1 - f)) / current
    known = design.recipients_known
    squares = float((known * (f * alpha) ** 2).sum())
    return (OPEN_RATE_DF * OPEN_RATE_SD**2 + squares) / (OPEN_RATE_DF + float((known * freedom).sum()))


def _next_background_variances(design: Design, solution: Solution, current: tuple[float, ...]) -> tuple[float, ...]:
    # s^2 = (5 s0^2 + sum beta^2) / (5 + sum(1 - var(beta)/s^2)), at least 1e-5; s0 is the prior standard deviation
    updated = []
    for (columns, sd), variance in zip(design.background, current, strict=True):
        freedom = 1 - (solution.covariance_root[:, columns] ** 2).sum(axis=0) / variance
        squares = float((solution.beta[columns] ** 2).sum())
        estimate = (BACKGROUND_DF * sd**2 + squares) / (BACKGROUND_DF + float(freedom.sum()))
        updated.append(max(estimate, MIN_BACKGROUND_VARIANCE))
    return tuple(updated)


def _next_phi(
    design: Design, observations: Observations, solution: Solution, linear_predictor: FloatArray, phi: float
) -> float:
    # phi [sum (W r)^2 + 20 p0/phi^2] / [sum (W - W^2 h) + 20/phi], with r = (y - mu)/mu; p0 is the prior
    mu, w = irls_weights(design, linear_predictor, phi)
    h = solution.predictor_variances
    observed = float(((w * (observations.clicks - mu) / mu) ** 2).sum()) + PHI_DF * design.prior_phi / phi**2
    expected = float((w - w**2 * h).sum()) + PHI_DF / phi
    return float(np.clip(phi * observed / expected, *PHI_RANGE)) if expected > 0 else phi
