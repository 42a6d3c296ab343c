"""The design matrix of the regression of clicks, and the prior of each of its coefficients.

The model is in docs/ranking.md sections 6 and 7.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np
from msgspec import Struct

from shortener.ranking.background import BackgroundGroup
from shortener.ranking.observations import FloatArray, Observations

SortingShape = Literal["log", "normal"]
"""A model of how editors order the articles of an issue (docs/ranking.md section 7).

"log" assumes that they choose the best articles for the top and do not sort the others. "normal" assumes that they sort
the whole issue, the best article first.
"""
SORTING_SHAPES: tuple[SortingShape, ...] = ("log", "normal")
NORMAL_SCORE_LIMIT = 0.001
"""How close to 0 or 1 a probability may be when its normal quantile is computed.

A closer probability is moved to this distance.
"""

POSITION_KNOTS = (1, 2, 3, 5, 8, 13, 21, 34)
"""Positions at which the effect of position may deviate from a power law."""
PRIOR_PHI = 0.2**2
"""Prior of the variance that clicks have beyond Poisson noise (phi in docs/ranking.md section 6).

It is the variance, on the log scale, of the noise that each article has in each issue.
"""
EXTRA_PHI_WITHOUT_POSITIONS = 0.35
"""Added to `PRIOR_PHI` if no position is known, because the effect of position is then part of the noise."""
OPEN_RATE_SD = 0.25
"""Prior of the standard deviation of the issue effects (s_i in docs/ranking.md section 6).

The effect of an issue is how much more, or less, its readers clicked than usual, on the log scale.
"""
UNKNOWN_RECIPIENTS_SD = 1.5
"""Prior standard deviation of the effect of an issue with unknown recipients, in place of `OPEN_RATE_SD`."""
INCOMPLETE_ISSUE_SD = 0.5
"""Extra prior standard deviation of a recent issue's effect.

It is multiplied by the share of the issue's clicks that has not arrived yet.
"""
DEFAULT_RECIPIENTS = 1000.0
"""Recipients assumed for every issue if none are known; arbitrary, because the intercept absorbs the number."""


class Effect(Struct, frozen=True):
    """A coefficient of the regression with the mean and standard deviation of its normal prior."""

    name: str
    mean: float
    sd: float


# The sources of these priors are in docs/ranking.md section 6.
INTERCEPT = Effect("level", -4.0, 5.0)  # log clicks per recipient at position 1; practically flat
POSITION_ETA = Effect("eta", 0.70, 0.25)  # between 0.52 (Hacker News) and the 1/rank of web search
SORTING_EFFECTS: dict[SortingShape, Effect] = {  # b: editors put better articles first
    "log": Effect("sorting", 0.25, 0.30),
    "normal": Effect("whole-list sorting", 0.25, 0.25),
}
KNOT_EFFECTS = tuple(Effect(f"position {knot}", 0.0, 0.12) for knot in POSITION_KNOTS)  # d_k
LAST_TWO_POSITIONS = Effect("end", 0.0, 0.2)
RERUN = Effect("rerun", -0.15, 0.2)  # readers who clicked an article before rarely click it again
PLACEMENT_OMEGA = Effect("omega", 0.6, 0.25)  # below 1: a further link adds less than its own weight
SIGNAL_EFFECTS = tuple(Effect(name, 0.0, 0.3) for name in ("views", "read ratio", "fan ratio"))  # c


class Design(Struct, frozen=True, eq=False):
    """The regression of clicks: its matrices, and the priors of its coefficients."""

    effects: tuple[Effect, ...]
    x: FloatArray
    """Design matrix, with a row for each article in each issue, and a column for each coefficient."""
    t: FloatArray
    """For each article, the values in those columns of `x` that depend on the article alone; 0 in all other columns."""
    offset: FloatArray
    """For each row of `x`, the log of the issue's recipients plus the log of the arrived share of its clicks."""
    shape: SortingShape
    background: tuple[tuple[slice, float], ...]
    """For each group (sites, authors, title words), its columns of `x`, and the prior standard deviation of its
    coefficients.
    """
    first_issue_column: int
    """First column of `x` that is an issue effect."""
    incomplete_variance: FloatArray
    """For each issue, the variance added to the prior of its effect because some clicks have not arrived yet."""
    recipients_known: FloatArray
    """For each issue, 1 if its recipients are known, else 0."""
    prior_phi: float


def build_design(
    observations: Observations,
    *,
    completed_shares: FloatArray,
    total_weights: FloatArray,
    signal_scores: FloatArray,
    background: Sequence[BackgroundGroup] = (),
    shape: SortingShape = "log",
) -> Design:
    """Build the matrices of the regression and the priors of its coefficients (docs/ranking.md section 6).

    `completed_shares` has for each issue the share (0 to 1) of its clicks that has arrived so far. `total_weights` has
    for each article in each issue the sum of the weights of its links, from `sum_weights`. `signal_scores` (articles x
    3) has the views, read ratio and fan ratio of each article, standardized by `z_scores`. `background` has the columns
    for sites, authors and title words. `shape` is the model of how editors order articles.
    """
    # With cell c of article a in issue i:
    # log mu_c = log recipients_i + log F(age_i) + level + alpha_i - eta log(pos) + sum_k d_k hat_k(log pos)
    #     + end [last two positions] + omega log(sum w) + rerun [shown before] + q_a
    # q_a = b (xbar_a - mean xbar) + c' z_a + site_a + author_a + sum_w d_w (t_aw - mean t_w) + u_a
    effects: list[Effect] = [INTERCEPT, RERUN, PLACEMENT_OMEGA]
    appearance_columns = [np.ones(len(observations.clicks)), observations.is_rerun, np.log(total_weights)]
    article_columns: list[FloatArray] = []
    if observations.has_positions:
        log_position = np.log(fill_positions(observations))
        effects += [POSITION_ETA, LAST_TWO_POSITIONS, *KNOT_EFFECTS, SORTING_EFFECTS[shape]]
        appearance_columns += [-log_position, in_last_two_positions(observations), *hat_basis(log_position)]
        article_columns.append(sorting_covariate(observations, shape))
    effects += SIGNAL_EFFECTS
    article_columns += list(signal_scores.T)
    groups = []
    for group in background:
        groups.append((slice(len(effects), len(effects) + len(group.names)), group.sd))
        effects += [Effect(f"{group.kind} {name}", 0.0, group.sd) for name in group.names]
        article_columns += list(group.columns.T)
    recipients, recipients_known = fill_recipients(observations)
    issue_effects = [Effect(f"issue {issue.slug}", 0.0, OPEN_RATE_SD) for issue in observations.issues]
    t, x = _assemble(observations, appearance_columns, article_columns)
    return Design(
        effects=(*effects, *issue_effects),
        x=x,
        t=t,
        offset=(np.log(recipients) + np.log(completed_shares))[observations.issue_index],
        shape=shape,
        background=tuple(groups),
        first_issue_column=len(effects),
        incomplete_variance=(INCOMPLETE_ISSUE_SD * (1 - completed_shares)) ** 2,
        recipients_known=recipients_known,
        prior_phi=PRIOR_PHI + (0.0 if observations.has_positions else EXTRA_PHI_WITHOUT_POSITIONS),
    )


def _assemble(
    observations: Observations, appearance_columns: Sequence[FloatArray], article_columns: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return (t, x): a matrix with the values that depend on the article alone, and the design matrix.

    Both matrices have a column for each of `appearance_columns`, then for each of `article_columns`, then for each
    issue. The design matrix x has a row for each article in each issue. The matrix t has a row for each article, with
    values in the columns of `article_columns` and 0 in all other columns.
    """
    articles, cells, issues = len(observations.urls), len(observations.clicks), len(observations.issues)
    t = np.column_stack([np.zeros((articles, len(appearance_columns))), *article_columns, np.zeros((articles, issues))])
    # A row of x has the values of its cell, the values of its article, and 1 in the column of its issue.
    issue_columns = np.eye(issues)[observations.issue_index]
    x = t[observations.article_index] + np.column_stack(
        [*appearance_columns, np.zeros((cells, len(article_columns))), issue_columns]
    )
    return t, x


def fill_positions(observations: Observations) -> FloatArray:
    """Return the position of each article in each issue; if it is unknown, the middle position of the issue."""
    middle = (1 + last_positions(observations)) / 2
    known = np.isfinite(observations.positions)
    return np.where(known, observations.positions, middle[observations.issue_index])


def last_positions(observations: Observations) -> FloatArray:
    """Return how many positions each issue has: the largest known position, or the number of articles if larger."""
    last = np.bincount(observations.issue_index, minlength=len(observations.issues)).astype(np.float64)
    np.maximum.at(last, observations.issue_index, np.nan_to_num(observations.positions, nan=1.0))
    return np.maximum(last, 1.0)


def in_last_two_positions(observations: Observations) -> FloatArray:
    """Return for each article in each issue 1 if it is at one of the last two positions of the issue, else 0.

    An issue with fewer than three positions has only zeros.
    """
    last = last_positions(observations)[observations.issue_index]
    return ((observations.positions > last - 2) & (last > 2)).astype(np.float64)


def hat_basis(log_position: FloatArray) -> list[FloatArray]:
    """Return the piecewise linear basis functions of the position effect, one array for each knot in `POSITION_KNOTS`.

    An array has the value of the function at each entry of `log_position`.
    """
    # A function is 1 at its knot and falls linearly to 0 at the neighbouring knots; after the last knot it stays 1.
    knots = np.log(POSITION_KNOTS)
    return [np.interp(log_position, knots, values) for values in np.eye(len(POSITION_KNOTS))]


def sorting_covariate(observations: Observations, shape: SortingShape) -> FloatArray:
    """Return for each article its mean position score over its issues, minus the mean of all articles.

    The score is higher near the top of an issue. As a predictor, it allows for editors who put better articles first
    (Mundlak's device, docs/ranking.md section 7). `shape` is the model of how editors order articles.
    """
    positions = fill_positions(observations)
    last = last_positions(observations)[observations.issue_index]
    x = position_scores(positions, last, shape)
    xbar = observations.sum_by_article(x) / observations.sum_by_article(np.ones_like(x))
    return np.asarray(xbar - xbar.mean(), dtype=np.float64)


def position_scores(positions: FloatArray, last: FloatArray, shape: SortingShape) -> FloatArray:
    """Convert each position to a score that is higher near the top of the issue.

    For the shape "log", the score is the negative log of the position. For "normal", it is a normal quantile: positive
    in the upper half of the issue and negative in the lower half. `last` has the number of positions of the issue for
    each entry of `positions`.
    """
    return -np.log(positions) if shape == "log" else normal_scores(positions, last)


def normal_scores(positions: FloatArray, last: FloatArray) -> FloatArray:
    """Convert each position to a normal quantile: positive in the upper half of the issue, negative in the lower half.

    `last` has the number of positions of the issue for each entry of `positions`. The result is
    `Phi^-1((n - position + 0.625) / (n + 0.25))`. Here n is the number of positions, and Phi^-1 is the normal quantile
    function (docs/ranking.md section 7).
    """
    shares = np.clip((last - positions + 0.625) / (last + 0.25), NORMAL_SCORE_LIMIT, 1 - NORMAL_SCORE_LIMIT)
    distinct, index = np.unique(shares, return_inverse=True)
    inverse = NormalDist().inv_cdf
    return np.array([inverse(float(share)) for share in distinct])[index.reshape(-1)]


def fill_recipients(observations: Observations) -> tuple[FloatArray, FloatArray]:
    """Return the number of recipients of each issue, and an array with 1 where it is known and 0 where not.

    An unknown number is replaced by the median of the other issues.
    """
    recipients = np.array([np.nan if issue.recipients is None else issue.recipients for issue in observations.issues])
    known = np.isfinite(recipients)
    median = float(np.median(recipients[known])) if known.any() else DEFAULT_RECIPIENTS
    return np.where(known, recipients, median), known.astype(np.float64)
