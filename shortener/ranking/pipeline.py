"""From a history to a posterior: curve, weights, signals, design, fit, and the way out if the fit fails."""

import math
from functools import partial

import numpy as np
from msgspec import Struct

from shortener.ranking.arrival_curve import ArrivalCurve, estimate_curve
from shortener.ranking.design import POSITION_ETA, Design, Effect, build_design
from shortener.ranking.inputs import History
from shortener.ranking.model import Fit, fit_model
from shortener.ranking.observations import Observations, build_observations
from shortener.ranking.placements import estimate_weights, sum_weights
from shortener.ranking.posterior import Posterior, compute_posterior, fallback_posterior
from shortener.ranking.signals import SignalColumns, align_signals, z_scores


class Analysis(Struct, frozen=True, eq=False):
    """Everything that was learnt from one history; ``fit`` is None when the model could not be fitted."""

    cells: Observations
    curve: ArrivalCurve
    weights: dict[str, float]
    signals: SignalColumns
    design: Design
    fit: Fit | None
    posterior: Posterior
    fit_error: str | None

    @property
    def remaining_shares(self) -> list[float]:
        """1 - F(age) of each issue."""
        return [1 - float(share) for share in self.curve.shares_at(self.cells.age_hours)]

    def effect_estimate(self, effect: Effect) -> tuple[float, float]:
        """Posterior mean and variance of an effect; nan without a fit, or where the design leaves it out."""
        if self.fit is None or effect not in self.design.effects:
            return math.nan, math.nan
        at = self.design.effects.index(effect)
        return float(self.fit.solution.beta[at]), float((self.fit.solution.covariance_root[:, at] ** 2).sum())

    @property
    def eta_uncertainty_removed(self) -> float:
        """``100 (1 - Var_post(eta)/0.25^2)``: percent of eta's prior uncertainty removed, method §8."""
        return 100 * (1 - self.effect_estimate(POSITION_ETA)[1] / POSITION_ETA.sd**2)


def analyse(history: History, *, as_of: float) -> Analysis:
    """Learn from a history that has at least one showing sent by ``as_of`` (epoch seconds)."""
    cells = build_observations(history, as_of=as_of)
    curve = estimate_curve(cells, history.arrivals)
    weights = estimate_weights(cells.appearances)
    given = align_signals(history.signals, cells.urls)
    design = prepare_design(cells, curve=curve, weights=weights, signals=given)
    learnt = partial(Analysis, cells, curve, weights, given, design)
    try:
        fitted = fit_model(design, cells)
        posterior = _require_finite(compute_posterior(fitted, design, cells))
    except (np.linalg.LinAlgError, FloatingPointError) as failure:
        return learnt(None, fallback_posterior(cells, design), str(failure))
    return learnt(fitted, posterior, None)


def prepare_design(
    observations: Observations, *, curve: ArrivalCurve, weights: dict[str, float], signals: SignalColumns
) -> Design:
    """The design of these cells, with what was learnt about arrival, placements and signals."""
    return build_design(
        observations,
        completed_shares=curve.shares_at(observations.age_hours),
        total_weights=sum_weights(observations.appearances, weights),
        signal_scores=z_scores(signals),
    )


def _require_finite(posterior: Posterior) -> Posterior:
    for values in (posterior.score, posterior.sd, posterior.expected, posterior.draws):
        if not np.isfinite(values).all():
            raise FloatingPointError("the fit left the numbers")
    return posterior
