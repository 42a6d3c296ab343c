"""The columns of the model and their priors: what log clicks are made of, effect by effect."""

import numpy as np
from msgspec import Struct

from shortener.ranking.observations import Cells, Floats

KNOTS = (1, 2, 3, 5, 8, 13, 21, 34)  # places that carry a bump d_k, method §4
PHI_PRIOR = 0.2**2  # variance of a cell's own noise
PHI_WITHOUT_PLACES = 0.35  # added to it when no place is known: the places' effect is noise then, method §9
OPEN_SD = 0.25  # prior of s_i, spread of the issues' open rates
UNKNOWN_RECIPIENTS_SD = 1.5  # an issue whose size is guessed, method §9
FRESH_SD = 0.5  # a young issue's F is uncertain by this times the share still to come, on the log
NO_RECIPIENTS = 1000.0  # stands for the size of every issue when not one is known; the level takes it up


class Effect(Struct, frozen=True):
    """One coefficient of the model and its normal prior."""

    name: str
    mean: float
    sd: float


LEVEL = Effect("level", -4.0, 5.0)  # log clicks per recipient at place 1; wide enough to say nothing
ETA = Effect("eta", 0.70, 0.25)  # between 0.52 on Hacker News and the 1/rank of search papers
SORTING = Effect("sorting", 0.25, 0.30)  # b: editors put better articles on top
BUMPS = tuple(Effect(f"place {knot}", 0.0, 0.12) for knot in KNOTS)  # d_k: fold, header
END = Effect("end", 0.0, 0.2)  # the last two places
RERUN = Effect("rerun", -0.15, 0.2)  # fatigue
OMEGA = Effect("omega", 0.6, 0.25)  # a second link of an article adds less than its own weight
SIGNALS = tuple(Effect(name, 0.0, 0.3) for name in ("views", "read ratio", "fan ratio"))  # c, learnt blend


class Design(Struct, frozen=True, eq=False):
    """``log mu = offset + x beta + u[article]`` with ``q = t beta + u``, method §4.

    ``x`` is cells x P, ``t`` articles x P (only sorting and signals), ``offset`` is log recipients + log
    F(age). The last columns of ``x``, from ``alphas`` on, are the issues' own effects; ``fresh`` is the
    variance that an unfinished issue adds to its own, and ``sized`` says whose recipients are known.
    """

    effects: tuple[Effect, ...]
    x: Floats
    t: Floats
    offset: Floats
    alphas: int
    fresh: Floats
    sized: Floats
    phi_prior: float


def lay_out(cells: Cells, *, arrived: Floats, weights: Floats, signals: Floats) -> Design:
    """Build the design from F(age) per issue, ``sum w`` per cell and the signals' z-scores per article.

    ``log mu_c = log recipients_i + log F(age_i) + level + alpha_i - eta log(pos) + sum_k d_k hat_k(log pos)
    + end [last two places] + omega log(sum w) + rerun [shown before] + q_a`` and
    ``q_a = b (xbar_a - mean xbar) + c' z_a + u_a``. Without any place the place columns and b are dropped.
    """
    effects: list[Effect] = [LEVEL, RERUN, OMEGA]
    own: list[Floats] = [np.ones(len(cells.clicks)), cells.rerun, np.log(weights)]
    shared: list[Floats] = []
    if cells.placed:
        log_place = np.log(places(cells))
        effects += [ETA, END, *BUMPS, SORTING]
        own += [-log_place, last_two(cells), *bumps(log_place)]
        shared.append(sorting(cells, log_place))
    effects += SIGNALS
    shared += list(signals.T)
    recipients, sized = sizes(cells)
    alphas = [Effect(f"issue {issue.slug}", 0.0, OPEN_SD) for issue in cells.issues]
    articles, rows = len(cells.urls), len(cells.clicks)
    t = np.column_stack([np.zeros((articles, len(own))), *shared, np.zeros((articles, len(alphas)))])
    rest = [*own, np.zeros((rows, len(shared))), np.eye(len(alphas))[cells.issue]]
    x = t[cells.article] + np.column_stack(rest)
    return Design(
        effects=(*effects, *alphas),
        x=x,
        t=t,
        offset=(np.log(recipients) + np.log(arrived))[cells.issue],
        alphas=len(effects),
        fresh=(FRESH_SD * (1 - arrived)) ** 2,
        sized=sized,
        phi_prior=PHI_PRIOR + (0.0 if cells.placed else PHI_WITHOUT_PLACES),
    )


def places(cells: Cells) -> Floats:
    """Positions with the issue's middle place, ``(1 + last) / 2``, where one is missing (method §9)."""
    middle = (1 + last_places(cells)) / 2
    return np.where(np.isfinite(cells.positions), cells.positions, middle[cells.issue])


def last_places(cells: Cells) -> Floats:
    """The last place of each issue: its highest position, or its number of articles if that is more."""
    last = np.bincount(cells.issue, minlength=len(cells.issues)).astype(np.float64)
    np.maximum.at(last, cells.issue, np.nan_to_num(cells.positions, nan=1.0))
    return np.maximum(last, 1.0)


def last_two(cells: Cells) -> Floats:
    """1 for the last two places of an issue of three places or more."""
    last = last_places(cells)[cells.issue]
    return ((cells.positions > last - 2) & (last > 2)).astype(np.float64)


def bumps(log_place: Floats) -> list[Floats]:
    """``hat_k``: tents on the log of the knots; they sum to 1 at every place, the last stays 1 below it."""
    knots = np.log(KNOTS)
    return [np.interp(log_place, knots, tent) for tent in np.eye(len(KNOTS))]


def sorting(cells: Cells, log_place: Floats) -> Floats:
    """``xbar_a - mean xbar``, xbar the mean of -log(pos) over an article's showings (Mundlak's device)."""
    xbar = cells.per_article(-log_place) / cells.per_article(np.ones_like(log_place))
    return np.asarray(xbar - xbar.mean(), dtype=np.float64)


def sizes(cells: Cells) -> tuple[Floats, Floats]:
    """Recipients per issue, the median of the others where unknown, and 1 where they are known."""
    known = [issue.recipients for issue in cells.issues if issue.recipients is not None]
    guess = float(np.median(known)) if known else NO_RECIPIENTS
    recipients = [guess if issue.recipients is None else float(issue.recipients) for issue in cells.issues]
    return np.array(recipients), np.array([float(issue.recipients is not None) for issue in cells.issues])
