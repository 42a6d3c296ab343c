"""From a history to a posterior: curve, weights, signals, design, fit, and the way out if the fit fails."""

import math
from functools import partial

import numpy as np
from msgspec import Struct

from shortener.ranking.arrival_curve import Curve, learn_curve
from shortener.ranking.design import ETA, Design, Effect, lay_out
from shortener.ranking.inputs import History
from shortener.ranking.model import Fit, fit
from shortener.ranking.observations import Cells, tabulate
from shortener.ranking.placements import learn_weights, total_weights
from shortener.ranking.posterior import Posterior, infer, shrunken_rate
from shortener.ranking.signals import Columns, columns, z_scores


class Study(Struct, frozen=True, eq=False):
    """Everything that was learnt from one history; ``fit`` is None when the model could not be fitted."""

    cells: Cells
    curve: Curve
    weights: dict[str, float]
    signals: Columns
    design: Design
    fit: Fit | None
    posterior: Posterior
    failure: str | None

    @property
    def still_to_come(self) -> list[float]:
        """1 - F(age) of each issue."""
        return [1 - float(share) for share in self.curve.share(self.cells.ages)]

    def estimate(self, effect: Effect) -> tuple[float, float]:
        """Posterior mean and variance of an effect; nan without a fit, or where the design leaves it out."""
        if self.fit is None or effect not in self.design.effects:
            return math.nan, math.nan
        at = self.design.effects.index(effect)
        return float(self.fit.solution.beta[at]), float((self.fit.solution.root[:, at] ** 2).sum())

    @property
    def learnt(self) -> float:
        """``100 (1 - Var_post(eta)/0.25^2)``: percent of eta's prior uncertainty removed, method §8."""
        return 100 * (1 - self.estimate(ETA)[1] / ETA.sd**2)


def study(history: History, *, as_of: float) -> Study:
    """Learn from a history that has at least one showing sent by ``as_of`` (epoch seconds)."""
    cells = tabulate(history, as_of=as_of)
    curve = learn_curve(cells, history.arrivals)
    weights = learn_weights(cells.showings)
    given = columns(history.signals, cells.urls)
    design = design_of(cells, curve=curve, weights=weights, given=given)
    learnt = partial(Study, cells, curve, weights, given, design)
    try:
        fitted = fit(design, cells)
        posterior = _finite(infer(fitted, design, cells))
    except (np.linalg.LinAlgError, FloatingPointError) as failure:
        return learnt(None, shrunken_rate(cells, design), str(failure))
    return learnt(fitted, posterior, None)


def design_of(cells: Cells, *, curve: Curve, weights: dict[str, float], given: Columns) -> Design:
    """The design of these cells, with what was learnt about arrival, placements and signals."""
    return lay_out(
        cells,
        arrived=curve.share(cells.ages),
        weights=total_weights(cells.showings, weights),
        signals=z_scores(given),
    )


def _finite(posterior: Posterior) -> Posterior:
    for values in (posterior.score, posterior.sd, posterior.expected, posterior.draws):
        if not np.isfinite(values).all():
            raise FloatingPointError("the fit left the numbers")
    return posterior
