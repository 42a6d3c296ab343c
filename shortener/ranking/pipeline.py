"""The steps from a history to the posterior of its articles, including the fallback if the fit fails."""

import math
from collections.abc import Iterable
from functools import partial

import numpy as np
from msgspec import Struct

from shortener.ranking.arrival_curve import ArrivalCurve, estimate_curve
from shortener.ranking.design import POSITION_ETA, Design, Effect, build_design
from shortener.ranking.inputs import Counted, History, common_unit
from shortener.ranking.model import Fit, fit_model, require_finite
from shortener.ranking.observations import Observations, build_observations
from shortener.ranking.placements import estimate_weights, sum_weights
from shortener.ranking.posterior import Posterior, compute_posterior, fallback_posterior
from shortener.ranking.signals import SignalColumns, align_signals, z_scores


class Analysis(Struct, frozen=True, eq=False):
    """All estimates from one history.

    If the model could not be fitted, `fit` is None and `fit_error` is the reason.
    """

    observations: Observations
    curve: ArrivalCurve
    weights: dict[str, float]
    signals: SignalColumns
    design: Design
    fit: Fit | None
    posterior: Posterior
    fit_error: str | None

    @property
    def remaining_shares(self) -> list[float]:
        """The share of clicks (0 to 1) that is still expected for each issue: 1 - F(age)."""
        return [1 - float(share) for share in self.curve.shares_at(self.observations.age_hours)]

    @property
    def eta_uncertainty_removed(self) -> float:
        """The percentage of the prior variance of eta that the data removed (docs/ranking.md section 15)."""
        return 100 * (1 - self.effect_estimate(POSITION_ETA)[1] / POSITION_ETA.sd**2)

    def effect_estimate(self, effect: Effect) -> tuple[float, float]:
        """Return the posterior mean and variance of an effect; both are nan if the model was not fitted or lacks it."""
        if self.fit is None or effect not in self.design.effects:
            return math.nan, math.nan
        column = self.design.effects.index(effect)
        variance = (self.fit.solution.covariance_root[:, column] ** 2).sum()
        return float(self.fit.solution.beta[column]), float(variance)

    def counted_for(self, urls: Iterable[str]) -> Counted:
        """Return "visitors" if every issue that contains one of the articles counts visitors, else "clicks"."""
        listed = set(urls)
        slugs = {row.issue for row in self.observations.appearances if row.url in listed}
        return common_unit(issue for issue in self.observations.issues if issue.slug in slugs)


def analyse(history: History, *, as_of: float) -> Analysis:
    """Return all estimates from a history.

    Its issues must be sent by `as_of` (epoch seconds) and sorted, oldest first; it must have at least one appearance.
    """
    observations = build_observations(history, as_of=as_of)
    curve = estimate_curve(observations, history.arrivals)
    weights = estimate_weights(observations.appearances)
    signals = align_signals(history.signals, observations.urls)
    design = prepare_design(observations, curve=curve, weights=weights, signals=signals)
    analysis = partial(Analysis, observations, curve, weights, signals, design)
    try:
        fit = fit_model(design, observations)
        posterior = compute_posterior(fit, design, observations)
        require_finite(posterior.score, posterior.sd, posterior.expected, posterior.draws)
    except (np.linalg.LinAlgError, FloatingPointError) as error:
        return analysis(None, fallback_posterior(observations, design), str(error))
    return analysis(fit, posterior, None)


def prepare_design(
    observations: Observations, *, curve: ArrivalCurve, weights: dict[str, float], signals: SignalColumns
) -> Design:
    """Return the design matrix of the observations, from the arrival curve, the placement weights and the signals."""
    return build_design(
        observations,
        completed_shares=curve.shares_at(observations.age_hours),
        total_weights=sum_weights(observations.appearances, weights),
        signal_scores=z_scores(signals),
    )
