"""The columns of the model and their priors: what log clicks are made of, effect by effect."""

import numpy as np
from msgspec import Struct

from shortener.ranking.observations import FloatArray, Observations

POSITION_KNOTS = (1, 2, 3, 5, 8, 13, 21, 34)  # places that carry a bump d_k, method §4
PRIOR_PHI = 0.2**2  # variance of a cell's own noise
EXTRA_PHI_WITHOUT_POSITIONS = (
    0.35  # added to it when no place is known: the places' effect is noise then, method §9
)
OPEN_RATE_SD = 0.25  # prior of s_i, spread of the issues' open rates
UNKNOWN_RECIPIENTS_SD = 1.5  # an issue whose size is guessed, method §9
INCOMPLETE_ISSUE_SD = 0.5  # a young issue's F is uncertain by this times the share still to come, on the log
DEFAULT_RECIPIENTS = 1000.0  # stands for the size of every issue when not one is known; the level takes it up


class Effect(Struct, frozen=True):
    """One coefficient of the model and its normal prior."""

    name: str
    mean: float
    sd: float


INTERCEPT = Effect("level", -4.0, 5.0)  # log clicks per recipient at place 1; wide enough to say nothing
POSITION_ETA = Effect("eta", 0.70, 0.25)  # between 0.52 on Hacker News and the 1/rank of search papers
EDITOR_SORTING = Effect("sorting", 0.25, 0.30)  # b: editors put better articles on top
KNOT_EFFECTS = tuple(Effect(f"place {knot}", 0.0, 0.12) for knot in POSITION_KNOTS)  # d_k: fold, header
LAST_TWO_POSITIONS = Effect("end", 0.0, 0.2)  # the last two places
RERUN = Effect("rerun", -0.15, 0.2)  # fatigue
PLACEMENT_OMEGA = Effect("omega", 0.6, 0.25)  # a second link of an article adds less than its own weight
SIGNAL_EFFECTS = tuple(
    Effect(name, 0.0, 0.3) for name in ("views", "read ratio", "fan ratio")
)  # c, learnt blend


class Design(Struct, frozen=True, eq=False):
    """``log mu = offset + x beta + u[article]`` with ``q = t beta + u``, method §4.

    ``x`` is cells x P, ``t`` articles x P (only sorting and signals), ``offset`` is log recipients + log
    F(age). The last columns of ``x``, from ``alphas`` on, are the issues' own effects; ``fresh`` is the
    variance that an unfinished issue adds to its own, and ``sized`` says whose recipients are known.
    """

    effects: tuple[Effect, ...]
    x: FloatArray
    t: FloatArray
    offset: FloatArray
    first_issue_column: int
    incomplete_variance: FloatArray
    recipients_known: FloatArray
    prior_phi: float


def build_design(
    observations: Observations,
    *,
    completed_shares: FloatArray,
    total_weights: FloatArray,
    signal_scores: FloatArray,
) -> Design:
    """Build the design from F(age) per issue, ``sum w`` per cell and the signals' z-scores per article.

    ``log mu_c = log recipients_i + log F(age_i) + level + alpha_i - eta log(pos) + sum_k d_k hat_k(log pos)
    + end [last two places] + omega log(sum w) + rerun [shown before] + q_a`` and
    ``q_a = b (xbar_a - mean xbar) + c' z_a + u_a``. Without any place the place columns and b are dropped.
    """
    effects: list[Effect] = [INTERCEPT, RERUN, PLACEMENT_OMEGA]
    own: list[FloatArray] = [np.ones(len(observations.clicks)), observations.is_rerun, np.log(total_weights)]
    shared: list[FloatArray] = []
    if observations.has_positions:
        log_place = np.log(fill_positions(observations))
        effects += [POSITION_ETA, LAST_TWO_POSITIONS, *KNOT_EFFECTS, EDITOR_SORTING]
        own += [-log_place, in_last_two_positions(observations), *hat_basis(log_place)]
        shared.append(sorting_covariate(observations, log_place))
    effects += SIGNAL_EFFECTS
    shared += list(signal_scores.T)
    recipients, sized = fill_recipients(observations)
    alphas = [Effect(f"issue {issue.slug}", 0.0, OPEN_RATE_SD) for issue in observations.issues]
    articles, rows = len(observations.urls), len(observations.clicks)
    t = np.column_stack([np.zeros((articles, len(own))), *shared, np.zeros((articles, len(alphas)))])
    rest = [*own, np.zeros((rows, len(shared))), np.eye(len(alphas))[observations.issue_index]]
    x = t[observations.article_index] + np.column_stack(rest)
    return Design(
        effects=(*effects, *alphas),
        x=x,
        t=t,
        offset=(np.log(recipients) + np.log(completed_shares))[observations.issue_index],
        first_issue_column=len(effects),
        incomplete_variance=(INCOMPLETE_ISSUE_SD * (1 - completed_shares)) ** 2,
        recipients_known=sized,
        prior_phi=PRIOR_PHI + (0.0 if observations.has_positions else EXTRA_PHI_WITHOUT_POSITIONS),
    )


def fill_positions(observations: Observations) -> FloatArray:
    """Positions with the issue's middle place, ``(1 + last) / 2``, where one is missing (method §9)."""
    middle = (1 + last_positions(observations)) / 2
    return np.where(
        np.isfinite(observations.positions), observations.positions, middle[observations.issue_index]
    )


def last_positions(observations: Observations) -> FloatArray:
    """The last place of each issue: its highest position, or its number of articles if that is more."""
    last = np.bincount(observations.issue_index, minlength=len(observations.issues)).astype(np.float64)
    np.maximum.at(last, observations.issue_index, np.nan_to_num(observations.positions, nan=1.0))
    return np.maximum(last, 1.0)


def in_last_two_positions(observations: Observations) -> FloatArray:
    """1 for the last two places of an issue of three places or more."""
    last = last_positions(observations)[observations.issue_index]
    return ((observations.positions > last - 2) & (last > 2)).astype(np.float64)


def hat_basis(log_position: FloatArray) -> list[FloatArray]:
    """``hat_k``: tents on the log of the knots; they sum to 1 at every place, the last stays 1 below it."""
    knots = np.log(POSITION_KNOTS)
    return [np.interp(log_position, knots, tent) for tent in np.eye(len(POSITION_KNOTS))]


def sorting_covariate(observations: Observations, log_position: FloatArray) -> FloatArray:
    """``xbar_a - mean xbar``, xbar the mean of -log(pos) over an article's showings (Mundlak's device)."""
    xbar = observations.sum_by_article(-log_position) / observations.sum_by_article(
        np.ones_like(log_position)
    )
    return np.asarray(xbar - xbar.mean(), dtype=np.float64)


def fill_recipients(observations: Observations) -> tuple[FloatArray, FloatArray]:
    """Recipients per issue, the median of the others where unknown, and 1 where they are known."""
    known = [issue.recipients for issue in observations.issues if issue.recipients is not None]
    guess = float(np.median(known)) if known else DEFAULT_RECIPIENTS
    recipients = [
        guess if issue.recipients is None else float(issue.recipients) for issue in observations.issues
    ]
    return np.array(recipients), np.array(
        [float(issue.recipients is not None) for issue in observations.issues]
    )
