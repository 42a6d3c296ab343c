"""Suggestions of articles to show again at another position, so that the position effect can be estimated better.

The method is in docs/ranking.md section 21.
"""

from collections.abc import Iterator
from datetime import UTC

import numpy as np
from msgspec import Struct

from shortener.ranking.design import (
    INTERCEPT,
    KNOT_EFFECTS,
    LAST_TWO_POSITIONS,
    PLACEMENT_OMEGA,
    POSITION_ETA,
    POSITION_KNOTS,
    RERUN,
    SORTING_EFFECTS,
    Effect,
    fill_positions,
    fill_recipients,
    hat_basis,
    last_positions,
    position_scores,
)
from shortener.ranking.inputs import History
from shortener.ranking.model import Fit
from shortener.ranking.observations import FloatArray, IntArray
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.selection import ArticleFilter, restrict_to_window, select_articles

MAX_SUGGESTIONS = 2
MIN_POSITION_RATIO = 2.0
"""Ratio of two positions below which they are too close to measure the position effect."""
MIN_SHARE_REMOVED = 0.01
"""Share by which a suggestion must reduce the variance of the position effect to be worth a place in an issue."""


class Rerun(Struct, frozen=True):
    """An article to show again at `new_position` instead of `position`."""

    url: str
    position: int
    new_position: int
    share_removed: float
    """Share (0 to 1) of the position effect's variance that is removed, if earlier suggestions are followed."""


def suggest_reruns(
    history: History,
    issue: str,
    *,
    as_of: float,  # epoch seconds
    window: float | None,  # months
    background: bool = True,
) -> tuple[Rerun, ...]:
    """Return up to two articles of an issue to repeat at another position, to measure how positions affect clicks.

    Raises InputError, NotFound.
    """
    sent, urls = select_articles(history, ArticleFilter(issue=issue, zone=UTC), as_of=as_of)
    if not urls:
        return ()
    fitted = restrict_to_window(sent, urls, months=window)
    analysis = analyse(fitted, as_of=as_of, background=background)
    if analysis.fit is None or not analysis.observations.has_positions:
        return ()
    slugs = [known.slug for known in analysis.observations.issues]
    return tuple(_choose(analysis, analysis.fit, slugs.index(issue)))


def _choose(analysis: Analysis, fit: Fit, issue: int) -> Iterator[Rerun]:
    root, eta = fit.solution.covariance_root, analysis.design.effects.index(POSITION_ETA)
    covariance = root.T @ root
    candidates = list(_possible_reruns(analysis, issue))
    for _ in range(MAX_SUGGESTIONS):
        options = [
            (_removed_variance(covariance, eta, *change), -article, -new_position, position, change)
            for article, position, new_position in candidates
            for change in [information_change(analysis, fit, issue, article, new_position)]
        ]
        if not options:
            return
        removed, article, new_position, position, change = max(options, key=lambda option: option[:3])
        share = removed / covariance[eta, eta]
        if share < MIN_SHARE_REMOVED:
            return
        yield Rerun(analysis.observations.urls[-article], position, -new_position, float(share))
        covariance = updated_covariance(covariance, *change)
        candidates = [(a, p, new) for a, p, new in candidates if a != -article and new != -new_position]


def _possible_reruns(analysis: Analysis, issue: int) -> Iterator[tuple[int, int, int]]:
    observations = analysis.observations
    last = last_positions(observations)[issue]
    for cell in np.flatnonzero(observations.issue_index == issue):
        article = int(observations.article_index[cell])
        known = set(observations.positions[observations.article_index == article].tolist())
        # An article that was shown at two positions is left out.
        if len(known) > 1 or not np.isfinite(observations.positions[cell]):
            continue
        position = int(observations.positions[cell])
        for knot in POSITION_KNOTS:
            ratio = max(knot, position) / min(knot, position)
            if knot <= last and ratio >= MIN_POSITION_RATIO:
                yield article, position, knot  # article index, old position, new position


def information_change(
    analysis: Analysis, fit: Fit, issue: int, article: int, new_position: int
) -> tuple[FloatArray, FloatArray]:
    """Return how the coefficients' inverse covariance changes if the next issue repeats an article.

    The result (rows, signs) means `rows.T @ diag(signs) @ rows`.
    """
    # The next issue is assumed to be as large as `issue`.
    design = analysis.design
    row_indices = np.flatnonzero(analysis.observations.article_index == article)
    before, weights = design.x[row_indices], fit.weights[row_indices]
    after = _design_rows_with_next_issue(analysis, issue, row_indices, new_position)
    weight = _weight_in_next_issue(analysis, fit, issue, article, after[-1])
    # docs/ranking.md section 21
    changes = [
        (*_article_information(before, weights, fit.variances.appeal), -1.0),
        (*_article_information(after, np.append(weights, weight), fit.variances.appeal), 1.0),
    ]
    rows = np.vstack([rows for rows, _, _ in changes])
    signs = np.concatenate([sign * signs for _, signs, sign in changes])
    return rows, signs


def _article_information(
    design_rows: FloatArray, weights: FloatArray, appeal_variance: float
) -> tuple[FloatArray, FloatArray]:
    # One article's part of the inverse covariance of the coefficients is X' W X - h h' / D, with the rows X of the
    # design matrix, their least-squares weights W, h = X' W and D = sum W + 1/s_q^2 (docs/ranking.md section 21).
    # It is returned as (rows, signs).
    h, d = weights @ design_rows, weights.sum() + 1 / appeal_variance
    rows = np.vstack([np.sqrt(weights)[:, None] * design_rows, h / np.sqrt(d)])
    return rows, np.append(np.ones(len(design_rows)), -1.0)


def _design_rows_with_next_issue(
    analysis: Analysis,
    issue: int,
    row_indices: IntArray,  # of the article's rows so far
    new_position: int,  # in the next issue, whose row is added at the end
) -> FloatArray:
    design, observations = analysis.design, analysis.observations
    last = last_positions(observations)
    position, log_position = np.array([float(new_position)]), np.log([float(new_position)])
    omega = design.effects.index(PLACEMENT_OMEGA)
    values: dict[Effect, float] = {
        INTERCEPT: 1.0,
        RERUN: 1.0,
        PLACEMENT_OMEGA: float(design.x[row_indices, omega].mean()),
        POSITION_ETA: -float(log_position[0]),
        # the next issue is assumed to be as long as `issue`
        LAST_TWO_POSITIONS: float(new_position > last[issue] - 2 and last[issue] > 2),
        **{effect: float(hat[0]) for effect, hat in zip(KNOT_EFFECTS, hat_basis(log_position), strict=True)},
    }
    new = design.t[observations.article_index[row_indices[0]]].copy()
    for effect, value in values.items():
        new[design.effects.index(effect)] = value
    rows = np.vstack([design.x[row_indices], new])
    last_by_row = last[observations.issue_index[row_indices]]
    before = position_scores(fill_positions(observations)[row_indices], last_by_row, design.shape)
    added = position_scores(position, last[[issue]], design.shape)
    # The old rows change too, because they contain how high editors place the article on average.
    rows[:, design.effects.index(SORTING_EFFECTS[design.shape])] += np.append(before, added).mean() - before.mean()
    return rows


def _weight_in_next_issue(
    analysis: Analysis,
    fit: Fit,
    issue: int,
    article: int,
    row: FloatArray,  # row of the design matrix for the article in the next issue
) -> float:
    # The weight W is the inverse variance of a log count:
    # 1/W = 1/mu + phi + (s_q^2 + phi)/n, where mu is the expected final number of clicks. The last term is the
    # uncertainty of the new issue's effect, which its n articles determine.
    # The next issue is assumed to have as many recipients and articles as `issue`.
    recipients = float(fill_recipients(analysis.observations)[0][issue])
    count = int((analysis.observations.issue_index == issue).sum())
    mu = recipients * float(np.exp(row @ fit.solution.beta + fit.solution.u[article]))
    phi = fit.variances.phi
    return 1 / (1 / mu + phi + (fit.variances.appeal + phi) / count)


def _removed_variance(covariance: FloatArray, column: int, rows: FloatArray, signs: FloatArray) -> float:
    # By how much the variance of coefficient `column` falls if B' diag(s) B is added to the inverse of `covariance`,
    # with rows B and signs s.
    g = rows @ covariance[:, column]
    return float(g @ np.linalg.solve(np.diag(signs) + rows @ covariance @ rows.T, g))


def updated_covariance(covariance: FloatArray, rows: FloatArray, signs: FloatArray) -> FloatArray:
    """Return the covariance matrix after `rows.T @ diag(signs) @ rows` is added to its inverse."""
    # (V^-1 + B' diag(s) B)^-1 = V - V B' (diag(s) + B V B')^-1 B V (Woodbury identity), with rows B and signs s
    projected = rows @ covariance
    return np.asarray(covariance - projected.T @ np.linalg.solve(np.diag(signs) + projected @ rows.T, projected))
