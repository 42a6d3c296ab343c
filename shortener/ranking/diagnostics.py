"""Sanity checks of the fit, method §10: each gives the sentence that is shown when it fires, or nothing."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from shortener.ranking.design import PLACEMENT_OMEGA, POSITION_ETA, last_positions
from shortener.ranking.model import Fit, fit_model
from shortener.ranking.observations import FloatArray, Observations
from shortener.ranking.pipeline import Analysis, prepare_design
from shortener.ranking.posterior import DRAW_COUNT, RANDOM_SEED
from shortener.ranking.wording import MIN_UNCERTAINTY_REMOVED

FITTED_RATIO_RANGE = (0.8, 1.25)
POSITION_GROUPS = {"place 1": (1, 1), "places 2-3": (2, 3), "places 4-8": (4, 8), "places 9+": (9, np.inf)}
MAX_MEAN_RESIDUAL = 0.15
PLAUSIBLE_RANGES = {"eta": (0.2, 1.2), "omega": (0.0, 1.2), "s_q": (0.3, 1.2)}
COVERAGE_RANGE = (0.80, 0.97)  # of a 90 % predictive interval
MIN_RERUN_APPEARANCES = 20  # re-run showings below which their coverage is chance
MIN_FITTED_CLICKS = 5.0  # fitted; below, a count's interval covers more than 90 % by its coarseness


def diagnose_fit(analysis: Analysis, *, published: Sequence[int]) -> list[str]:
    """All warnings of the six checks; ``published`` are the articles (indices) of the published top k."""
    if analysis.fit is None:
        return []
    return [
        *check_parameters(analysis, analysis.fit),
        *check_issue_totals(analysis.cells, analysis.fit),
        *check_position_groups(analysis.cells, analysis.fit),
        *check_selection_bias(analysis.cells, published),
        *check_leave_one_out(analysis.cells, analysis.fit),
        *check_permutation(analysis),
    ]


def check_issue_totals(observations: Observations, fitted: Fit) -> Iterator[str]:
    """Check 1: per issue, sum of fitted / observed clicks lies in 0.8-1.25, as far as chance allows.

    Not asked where no place is known: each cell's noise then stands for its place, and the few
    clicks-laden top places leave every sum short by design.
    """
    if not observations.has_positions:
        return
    observed = np.bincount(observations.issue_index, observations.clicks, len(observations.issues))
    expected = np.bincount(observations.issue_index, fitted.mu, len(observations.issues))
    low, high = FITTED_RATIO_RANGE
    off = [
        f"{issue.slug} ({said:.0f} fitted, {seen:.0f} came)"
        for issue, seen, said in zip(observations.issues, observed, expected, strict=True)
        if not low * seen <= said <= high * seen and abs(said - seen) > 2 * np.sqrt(said)
    ]
    if off:
        yield f"check: the fit is far from the clicks of issue {', '.join(off)}"


def check_position_groups(observations: Observations, fitted: Fit) -> Iterator[str]:
    """Check 2: the mean log residual of each group of places is within 0.15 of 0, as far as chance allows.

    The mean is that of the fit, ``sum W r / sum W`` with r = (y - mu)/mu, whose own sd is ``1 / sqrt(sum
    W)``.
    """
    residual = (observations.clicks - fitted.mu) / fitted.mu
    for name, (first, last) in POSITION_GROUPS.items():
        inside = (observations.positions >= first) & (observations.positions <= last)
        weight = float(fitted.weights[inside].sum())
        mean = float((fitted.weights * residual)[inside].sum()) / weight if weight else 0.0
        if abs(mean) > max(MAX_MEAN_RESIDUAL, 2 / np.sqrt(weight or 1.0)):
            yield f"check: {name}: clicks are {abs(mean):.0%} {'above' if mean > 0 else 'below'} the model's"


def check_parameters(analysis: Analysis, fitted: Fit) -> Iterator[str]:
    """Check 3: eta in 0.2-1.2, omega in 0-1.2 and s_q in 0.3-1.2; outside is a banner over the list.

    Without places omega is not held to its range: leads have more links, so it then stands in for the place.
    """
    found = {"s_q": fitted.variances.appeal**0.5}
    if analysis.cells.has_positions:
        found |= {
            "eta": analysis.effect_estimate(POSITION_ETA)[0],
            "omega": analysis.effect_estimate(PLACEMENT_OMEGA)[0],
        }
    for name, value in found.items():
        low, high = PLAUSIBLE_RANGES[name]
        if value < low or value > high:
            yield f"do not trust this list yet: {name} came out at {value:.2f}, outside {low:g}-{high:g}"


def check_selection_bias(observations: Observations, published: Sequence[int]) -> Iterator[str]:
    """Check 4: the published do not all stand in the first fifth, nor all in the last half of an issue."""
    depth = observations.positions / last_positions(observations)[observations.issue_index]
    best = [np.min(depth[observations.article_index == a]) for a in published]
    places = [np.min(observations.positions[observations.article_index == a]) for a in published]
    if len(best) < 3 or not np.isfinite(best).all():
        return
    for fires, where in ((max(best) <= 0.2, "first fifth"), (min(best) > 0.5, "last half")):
        if fires:
            yield (
                f"check: all {len(best)} published articles stand in the {where} of their issues "
                f"(median place {np.median(places):.0f}); the place correction may be off"
            )


def check_leave_one_out(observations: Observations, fitted: Fit) -> Iterator[str]:
    """Check 5: a re-run article's showing, left out, is foreseen by its 90 % interval 80-97 % of the time.

    Intervals too wide are the harmless error and 100 % of a few showings is common, so above 97 % it
    takes two binomial sds more to fire.
    """
    inside = leave_one_out_coverage(observations, fitted)
    if len(inside) < MIN_RERUN_APPEARANCES:
        return
    share, (low, high) = float(inside.mean()), COVERAGE_RANGE
    if not low <= share <= high + 2 * np.sqrt(high * (1 - high) / len(inside)):
        yield (
            f"check: foreseen from their other showings, {share:.0%} of re-runs are in their 90% interval; "
            f"the intervals here are too {'narrow' if share < low else 'wide'}"
        )


def leave_one_out_coverage(observations: Observations, fitted: Fit) -> FloatArray:
    """For each showing of a re-run article with 5 fitted clicks or more: whether its count was foreseen.

    Leaving one cell out of a weighted least-squares fit needs no refit: with leverage ``l = W h`` its log
    mean moves by ``-l/(1-l) r`` and has variance ``h/(1-l)``. The count is then negative binomial around
    that.
    """
    leverage = np.clip(fitted.weights * fitted.predictor_variances, 0.0, 0.999)
    residual = (observations.clicks - fitted.mu) / fitted.mu
    mean = np.log(fitted.mu) - leverage / (1 - leverage) * residual
    spread = np.sqrt(fitted.predictor_variances / (1 - leverage))
    again = np.bincount(observations.article_index)[observations.article_index] > 1
    chosen = np.flatnonzero(again & (np.exp(np.clip(mean, -50, 30)) >= MIN_FITTED_CLICKS) & (mean < 30))
    rng = np.random.default_rng(RANDOM_SEED)
    log_mu = mean[chosen] + spread[chosen] * rng.standard_normal((DRAW_COUNT, len(chosen)))
    noise = rng.gamma(1 / fitted.variances.phi, fitted.variances.phi, log_mu.shape)
    counts = rng.poisson(np.minimum(np.exp(np.minimum(log_mu, 40)) * noise, 1e15))
    low, high = np.quantile(counts, [0.05, 0.95], axis=0) if len(chosen) else (np.zeros(0), np.zeros(0))
    return np.asarray(
        (observations.clicks[chosen] >= low) & (observations.clicks[chosen] <= high), dtype=np.float64
    )


def check_permutation(analysis: Analysis) -> Iterator[str]:
    """Check 6: with the places shuffled within issues, eta falls towards 0.

    Only asked where the counts have taught eta something; where it is assumed, it stays assumed when
    shuffled.
    """
    eta, variance = analysis.effect_estimate(POSITION_ETA)
    if not (analysis.eta_uncertainty_removed >= MIN_UNCERTAINTY_REMOVED and eta > PLAUSIBLE_RANGES["eta"][0]):
        return
    after = permuted_eta(analysis)
    if after > eta - np.sqrt(variance):
        yield (
            f"check: with the places shuffled eta is {after:.2f}, hardly below {eta:.2f}; the positions "
            "given do not explain the clicks, see that they are the issue's own"
        )


def permuted_eta(analysis: Analysis) -> float:
    """Eta refitted after one shuffle of the places within each issue (fixed seed)."""
    rng = np.random.default_rng(RANDOM_SEED)
    positions = analysis.cells.positions.copy()
    for issue in range(len(analysis.cells.issues)):
        own = np.flatnonzero(analysis.cells.issue_index == issue)
        positions[own] = rng.permutation(positions[own])
    cells = msgspec.structs.replace(analysis.cells, positions=positions)
    design = prepare_design(cells, curve=analysis.curve, weights=analysis.weights, signals=analysis.signals)
    try:
        return float(fit_model(design, cells).solution.beta[design.effects.index(POSITION_ETA)])
    except (np.linalg.LinAlgError, FloatingPointError):
        return float("nan")
