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
"""How editors order an issue: the best articles on top ("log") or all sorted ("normal"; docs/ranking.md section 7)."""
SORTING_SHAPES: tuple[SortingShape, ...] = ("log", "normal")
NORMAL_SCORE_LIMIT = 0.001
"""Smallest distance of a probability to 0 or 1 for a normal quantile; a closer one is moved to it."""

POSITION_KNOTS = (1, 2, 3, 5, 8, 13, 21, 34)
"""Positions at which the effect of position may deviate from a power law."""
PRIOR_PHI = 0.2**2
"""Prior of the variance of log clicks beyond Poisson noise (phi in docs/ranking.md section 6)."""
EXTRA_PHI_WITHOUT_POSITIONS = 0.35
"""Added to `PRIOR_PHI` if no position is known, because the effect of position is then part of the noise."""
OPEN_RATE_SD = 0.25
"""Prior of the standard deviation of the issue effects, on the log scale (s_i in docs/ranking.md section 6)."""
UNKNOWN_RECIPIENTS_SD = 1.5
"""Prior standard deviation of the effect of an issue with unknown recipients, in place of `OPEN_RATE_SD`."""
INCOMPLETE_ISSUE_SD = 0.5
"""Extra prior standard deviation of a recent issue's effect, to multiply by the share of clicks still to arrive."""
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
    """Columns of `x`, and prior standard deviation, of each group of coefficients: sites, authors, title words."""
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
    arrived_shares: FloatArray,  # for each issue, the share of its clicks (0 to 1) that has arrived
    link_weights: FloatArray,  # for each article in each issue, the total weight of its links
    signal_scores: FloatArray,  # standardized counts from other platforms: a row per article
    background: Sequence[BackgroundGroup] = (),
    shape: SortingShape = "log",
) -> Design:
    """Return the matrices and priors of the regression that predicts clicks (docs/ranking.md section 6)."""
    # With cell c of article a in issue i:
    # log mu_c = log recipients_i + log F(age_i) + level + alpha_i - eta log(pos) + sum_k d_k hat_k(log pos)
    #     + end [last two positions] + omega log(sum w) + rerun [shown before] + q_a
    # q_a = b (xbar_a - mean xbar) + c' z_a + site_a + author_a + sum_w d_w (t_aw - mean t_w) + u_a
    effects: list[Effect] = [INTERCEPT, RERUN, PLACEMENT_OMEGA]
    appearance_columns = [np.ones(len(observations.clicks)), observations.is_rerun, np.log(link_weights)]
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
    t, x = _build_matrices(observations, appearance_columns, article_columns)
    return Design(
        effects=(*effects, *issue_effects),
        x=x,
        t=t,
        offset=(np.log(recipients) + np.log(arrived_shares))[observations.issue_index],
        shape=shape,
        background=tuple(groups),
        first_issue_column=len(effects),
        incomplete_variance=(INCOMPLETE_ISSUE_SD * (1 - arrived_shares)) ** 2,
        recipients_known=recipients_known,
        prior_phi=PRIOR_PHI + (0.0 if observations.has_positions else EXTRA_PHI_WITHOUT_POSITIONS),
    )


def _build_matrices(
    observations: Observations, appearance_columns: Sequence[FloatArray], article_columns: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    articles, cells, issues = len(observations.urls), len(observations.clicks), len(observations.issues)
    t = np.column_stack([np.zeros((articles, len(appearance_columns))), *article_columns, np.zeros((articles, issues))])
    # t and x have the same columns: those of the appearances, of the articles and of the issues.
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
    """Return for each article in each issue 1 if its position is one of the last two, else 0."""
    # An issue with fewer than three positions has only zeros.
    last = last_positions(observations)[observations.issue_index]
    return ((observations.positions > last - 2) & (last > 2)).astype(np.float64)


def hat_basis(log_position: FloatArray) -> list[FloatArray]:
    """Return the values of piecewise linear basis functions at each entry of `log_position`.

    There is one function for each position in `POSITION_KNOTS`.
    """
    # A function is 1 at its knot and falls linearly to 0 at the neighbouring knots; after its knot, the last stays 1.
    knots = np.log(POSITION_KNOTS)
    return [np.interp(log_position, knots, values) for values in np.eye(len(POSITION_KNOTS))]


def sorting_covariate(observations: Observations, shape: SortingShape) -> FloatArray:
    """Return how near to the top of the issues each article usually is, compared with the average article."""
    # Mundlak's device, which allows for editors who put better articles first (docs/ranking.md section 7)
    positions = fill_positions(observations)
    last = last_positions(observations)[observations.issue_index]
    x = position_scores(positions, last, shape)
    xbar = observations.sum_by_article(x) / observations.sum_by_article(np.ones_like(x))
    return np.asarray(xbar - xbar.mean(), dtype=np.float64)


def position_scores(
    positions: FloatArray,
    last: FloatArray,  # for each position, the last position of its issue
    shape: SortingShape,
) -> FloatArray:
    """Convert each position to a score that is higher near the top of the issue (docs/ranking.md section 7)."""
    return -np.log(positions) if shape == "log" else normal_scores(positions, last)


def normal_scores(positions: FloatArray, last: FloatArray) -> FloatArray:
    """Convert each position to a normal quantile, which is positive in the upper half of the issue."""
    # Phi^-1((n - position + 0.625) / (n + 0.25)), with n = `last` (docs/ranking.md section 7)
    shares = np.clip((last - positions + 0.625) / (last + 0.25), NORMAL_SCORE_LIMIT, 1 - NORMAL_SCORE_LIMIT)
    distinct, index = np.unique(shares, return_inverse=True)
    inverse = NormalDist().inv_cdf
    return np.array([inverse(float(share)) for share in distinct])[index.reshape(-1)]


def fill_recipients(observations: Observations) -> tuple[FloatArray, FloatArray]:
    """Return (recipients, known) of all issues: `known` is 1 if the number is known, else 0.

    An unknown number becomes the median.
    """
    recipients = np.array([np.nan if issue.recipients is None else issue.recipients for issue in observations.issues])
    known = np.isfinite(recipients)
    median = float(np.median(recipients[known])) if known.any() else DEFAULT_RECIPIENTS
    return np.where(known, recipients, median), known.astype(np.float64)
