"""Six checks of the fitted model, which return warnings for editors (docs/ranking.md section 17)."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from shortener.ranking.design import PLACEMENT_OMEGA, POSITION_ETA, last_positions
from shortener.ranking.listed import ListedPart
from shortener.ranking.model import Fit, fit_model
from shortener.ranking.observations import FloatArray, Observations
from shortener.ranking.pipeline import Analysis, prepare_design
from shortener.ranking.posterior import DRAW_COUNT, RANDOM_SEED
from shortener.ranking.wording import is_position_effect_measured

FITTED_RATIO_RANGE = (0.8, 1.25)
POSITION_GROUPS = {
    "position 1": (1, 1),
    "positions 2-3": (2, 3),
    "positions 4-8": (4, 8),
    "positions 9+": (9, np.inf),
}
MAX_MEAN_RESIDUAL = 0.15
PLAUSIBLE_RANGES = {"eta": (0.2, 1.2), "omega": (0.0, 1.2), "s_q": (0.3, 1.2)}
PARAMETER_TEXTS = {
    "eta": ("what a position is worth", "check that the positions belong to these issues"),
    "omega": ("what further links of an article are worth", "check the placements of the issues"),
    "s_q": ("the difference between articles", "check the clicks for automated requests"),
}
"""Meaning of each parameter for an editor, and what to do if it is implausible."""
COVERAGE_RANGE = (0.80, 0.97)
"""Lowest and highest accepted share of counts inside the 90 % interval that was predicted for them."""
MIN_RERUN_CELLS = 20
"""Smallest number of counts for check 5. With fewer counts, the share inside their intervals is mostly chance."""
MIN_FITTED_CLICKS = 5.0
"""Predicted clicks that check 5 requires; with fewer, a 90 % interval contains clearly more than 90 % of counts."""


def diagnose_fit(
    analysis: Analysis,
    listed: ListedPart,  # the articles that the ranking shows
    *,
    top_articles: Sequence[int],  # indices of the first articles in the ranking
) -> list[str]:
    """Check the fitted model and return warnings for editors. Without a fitted model there are none."""
    if analysis.fit is None:
        return []
    return [
        *check_parameters(analysis, analysis.fit),
        *check_issue_totals(analysis.observations, analysis.fit, listed),
        *check_position_groups(analysis.observations, analysis.fit, listed),
        *check_selection_bias(analysis.observations, top_articles),
        *check_leave_one_out(analysis.observations, analysis.fit),
        *check_permutation(analysis),
    ]


def check_issue_totals(observations: Observations, fit: Fit, listed: ListedPart) -> Iterator[str]:
    """Check 1: warn if an issue's fitted clicks are below 0.8 or above 1.25 times its observed clicks."""
    # Without positions, their effect is part of the noise, and fitted sums are always too small.
    if not observations.has_positions:
        return
    observed = np.bincount(observations.issue_index, observations.clicks, len(observations.issues))
    fitted = np.bincount(observations.issue_index, fit.mu, len(observations.issues))
    low, high = FITTED_RATIO_RANGE
    issues = [
        f"{observations.issues[n].slug} ({fitted[n]:.0f} expected, {observed[n]:.0f} counted)"
        for n in listed.issue_indices
        if not low * observed[n] <= fitted[n] <= high * observed[n]
        # smaller differences may be chance
        and abs(fitted[n] - observed[n]) > 2 * np.sqrt(fitted[n])
    ]
    if issues:
        yield (
            f"the model does not explain the clicks of issue {', '.join(issues)}; check its recipients, its sending "
            "time and its articles' positions"
        )


def check_position_groups(observations: Observations, fit: Fit, listed: ListedPart) -> Iterator[str]:
    """Check 2: warn if clicks at positions 1, 2-3, 4-8 or 9+ differ on average by over 15 % from the fitted clicks."""
    # The average of r = (y - mu)/mu is sum W r / sum W, with the standard deviation 1 / sqrt(sum W).
    residual = (observations.clicks - fit.mu) / fit.mu
    for name, (first, last) in POSITION_GROUPS.items():
        inside = (observations.positions >= first) & (observations.positions <= last)
        if not (inside & listed.cells).any():
            continue
        weight = float(fit.weights[inside].sum())
        mean = float((fit.weights * residual)[inside].sum()) / weight if weight else 0.0
        # Up to two standard deviations may be chance.
        if abs(mean) > max(MAX_MEAN_RESIDUAL, 2 / np.sqrt(weight or 1.0)):
            yield (
                f"{name}: clicks are {abs(mean):.0%} {'above' if mean > 0 else 'below'} what the model expects there; "
                "compare these articles with each other only"
            )


def check_parameters(analysis: Analysis, fit: Fit) -> Iterator[str]:
    """Check 3: warn about each parameter of the model that has an implausible value (docs/ranking.md section 17)."""
    estimates = {"s_q": fit.variances.appeal**0.5}
    if analysis.observations.has_positions:
        estimates["eta"] = analysis.effect_estimate(POSITION_ETA)[0]
        estimates["omega"] = analysis.effect_estimate(PLACEMENT_OMEGA)[0]
    for name, value in estimates.items():
        low, high = PLAUSIBLE_RANGES[name]
        if value < low or value > high:
            meaning, remedy = PARAMETER_TEXTS[name]
            yield (
                f"do not rely on this ranking yet: {meaning} comes out implausibly ({name} is {value:.2f}, expected "
                f"{low:g}-{high:g}); {remedy}"
            )


def check_selection_bias(
    observations: Observations,
    top_articles: Sequence[int],  # their indices
) -> Iterator[str]:
    """Check 4: warn if all top articles were in the first fifth of their issues, or all in the last half."""
    depth = observations.positions / last_positions(observations)[observations.issue_index]
    cells = [observations.article_index == article for article in top_articles]
    depths = [np.min(depth[inside]) for inside in cells]
    if len(depths) < 3 or not np.isfinite(depths).all():
        return
    median = np.median([np.min(observations.positions[inside]) for inside in cells])
    for biased, part, error in (
        (max(depths) <= 0.2, "first fifth", "little"),
        (min(depths) > 0.5, "last half", "much"),
    ):
        if biased:
            yield (
                f"all {len(depths)} top articles were in the {part} of their issues "
                f"(median position {median:.0f}), so the position may be corrected too {error}; compare with the "
                "articles from elsewhere before you publish"
            )


_INTERVAL_TEXTS = {
    True: "narrow; treat articles whose intervals nearly overlap as equal",
    False: "wide; the order is more certain than they show",
}


def check_leave_one_out(observations: Observations, fit: Fit) -> Iterator[str]:
    """Check 5: warn if the 90 % intervals that the model predicts for click counts are too narrow or too wide."""
    inside = leave_one_out_coverage(observations, fit)
    if len(inside) < MIN_RERUN_CELLS:
        return
    share, (low, high) = float(inside.mean()), COVERAGE_RANGE
    # The upper limit is raised by two binomial standard deviations, because it is often exceeded by chance.
    if not low <= share <= high + 2 * np.sqrt(high * (1 - high) / len(inside)):
        yield (
            f"predicted from their other appearances, {share:.0%} of re-run articles are in their 90% interval, so "
            f"the intervals are too {_INTERVAL_TEXTS[share < low]}"
        )


def leave_one_out_coverage(observations: Observations, fit: Fit) -> FloatArray:
    """Predict each click count of a repeated article from all other counts.

    Return 1 for each count inside its 90 % interval, else 0.
    """
    # No refit is needed: with leverage l = W h, leaving a cell out moves its log mean by -l/(1-l) r and
    # gives it the variance h/(1-l). The count is negative binomial around that mean.
    leverage = np.clip(fit.weights * fit.predictor_variances, 0.0, 0.999)
    residual = (observations.clicks - fit.mu) / fit.mu
    mean = np.log(fit.mu) - leverage / (1 - leverage) * residual
    sd = np.sqrt(fit.predictor_variances / (1 - leverage))
    is_shown_again = np.bincount(observations.article_index)[observations.article_index] > 1
    # Counts with less than 5 predicted clicks are left out, and those with more than e^30. Clipping keeps the
    # exponential finite.
    is_predictable = (np.exp(np.clip(mean, -50, 30)) >= MIN_FITTED_CLICKS) & (mean < 30)
    cells = np.flatnonzero(is_shown_again & is_predictable)
    rng = np.random.default_rng(RANDOM_SEED)
    log_mu = mean[cells] + sd[cells] * rng.standard_normal((DRAW_COUNT, len(cells)))
    noise = rng.gamma(1 / fit.variances.phi, fit.variances.phi, log_mu.shape)
    counts = rng.poisson(np.minimum(np.exp(np.minimum(log_mu, 40)) * noise, 1e15))
    low, high = np.quantile(counts, [0.05, 0.95], axis=0) if len(cells) else (np.zeros(0), np.zeros(0))
    clicks = observations.clicks[cells]
    return np.asarray((clicks >= low) & (clicks <= high), dtype=np.float64)


def check_permutation(analysis: Analysis) -> Iterator[str]:
    """Check 6: warn if the estimated position effect stays about equal when positions are shuffled within each
    issue.
    """
    eta, variance = analysis.effect_estimate(POSITION_ETA)
    # An effect that is mostly based on its prior stays equal in any case.
    if not (is_position_effect_measured(analysis) and eta > PLAUSIBLE_RANGES["eta"][0]):
        return
    permuted = permuted_eta(analysis)
    if permuted > eta - np.sqrt(variance):
        yield (
            f"shuffled positions explain the clicks as well as the given ones (eta {permuted:.2f} and {eta:.2f}); "
            "check that the positions belong to these issues"
        )


def permuted_eta(analysis: Analysis) -> float:
    """Return the position effect that is estimated after positions are shuffled within each issue.

    It is nan if the model cannot be fitted.
    """
    # The effect is eta in docs/ranking.md section 6.
    rng, observations = np.random.default_rng(RANDOM_SEED), analysis.observations
    positions = observations.positions.copy()
    for issue in range(len(observations.issues)):
        cells = np.flatnonzero(observations.issue_index == issue)
        positions[cells] = rng.permutation(positions[cells])
    observations = msgspec.structs.replace(observations, positions=positions)
    # Site, author and title words are left out: they hardly change eta and cost most of the time.
    permuted = msgspec.structs.replace(analysis, observations=observations, background=())
    design = prepare_design(permuted, shape=analysis.design.shape)
    try:
        return float(fit_model(design, observations).solution.beta[design.effects.index(POSITION_ETA)])
    except (np.linalg.LinAlgError, FloatingPointError):
        return float("nan")
