"""The whole computation from a click history to the estimates of its articles.

If the model cannot be fitted, simpler estimates are returned.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from shortener.ranking.arrival_curve import ArrivalCurve, estimate_curve
from shortener.ranking.background import BackgroundGroup, build_background
from shortener.ranking.design import (
    POSITION_ETA,
    SORTING_EFFECTS,
    SORTING_SHAPES,
    Design,
    Effect,
    SortingShape,
    build_design,
)
from shortener.ranking.evidence import evidence_weights, log_evidence
from shortener.ranking.inputs import Counted, History, common_unit
from shortener.ranking.model import Fit, fit_model, require_finite
from shortener.ranking.observations import FloatArray, Observations, build_observations
from shortener.ranking.placements import estimate_weights, sum_weights
from shortener.ranking.posterior import Posterior, compute_posterior, fallback_posterior, mix_posteriors
from shortener.ranking.selection import ArticleFilter, restrict_to_window, select_articles
from shortener.ranking.signals import SignalColumns, align_signals, z_scores


class Inputs(Struct, frozen=True, eq=False):
    """The data from which the design matrix is built."""

    observations: Observations
    curve: ArrivalCurve
    weights: dict[str, float]
    """How much a link is clicked relative to a link of kind "title", by its kind."""
    signals: SignalColumns
    """Views, reads and fans of the articles on other platforms."""
    background: tuple[BackgroundGroup, ...]
    """Columns of the design matrix for sites, authors and title words."""


class WeightedFit(Struct, frozen=True, eq=False):
    """A fitted model, with its weight (0 to 1) in the average of all fitted models."""

    design: Design
    """Its `shape` is the way in which the model assumes that editors order articles."""
    fit: Fit
    weight: float

    def effect_estimate(self, effect: Effect) -> tuple[float, float]:
        """Return the posterior mean and variance of a coefficient; both are nan if the model does not contain it."""
        if effect not in self.design.effects:
            return math.nan, math.nan
        column = self.design.effects.index(effect)
        variance = (self.fit.solution.covariance_root[:, column] ** 2).sum()
        return float(self.fit.solution.beta[column]), float(variance)


class Analysis(Inputs, frozen=True, eq=False):
    """All estimates from one click history: the fitted models, and the averages of their estimates."""

    design: Design
    """Matrices and priors of the regression in `fit`."""
    fit: Fit | None
    """The fitted model with the largest weight; None if no model could be fitted."""
    posterior: Posterior
    """The estimates of each article, averaged over all fitted models; simple estimates if no model could be fitted."""
    fit_error: str | None
    """Why no model could be fitted, else None."""
    fits: tuple[WeightedFit, ...]
    """The fitted models, one for each assumption about how editors order articles; the largest weight is first.
    Without known positions there is at most one.
    """
    background_scores: FloatArray
    """For each article, what site, author and title words add to its log appeal in `fit`; the mean is 0."""

    @property
    def remaining_shares(self) -> list[float]:
        """For each issue, the estimated share of its clicks (0 to 1) that has not arrived yet."""
        return [1 - float(share) for share in self.curve.shares_at(self.observations.age_hours)]

    @property
    def eta_uncertainty_removed(self) -> float:
        """Percentage by which the data reduced the prior variance of the position effect.

        It is nan without a fitted model or known positions.
        """
        # docs/ranking.md section 15
        return 100 * (1 - self.eta_estimate[1] / POSITION_ETA.sd**2)

    @property
    def eta_estimate(self) -> tuple[float, float]:
        """Posterior mean and variance of the position effect, averaged over all models.

        Both are nan without a fitted model or known positions.
        """
        # The effect is eta in docs/ranking.md section 6.
        if not self.fits:
            return math.nan, math.nan
        estimates = [(fit.weight, *fit.effect_estimate(POSITION_ETA)) for fit in self.fits]
        eta = math.fsum(weight * mean for weight, mean, _ in estimates)
        return eta, math.fsum(weight * (variance + (mean - eta) ** 2) for weight, mean, variance in estimates)

    @property
    def sorting_weights(self) -> dict[SortingShape, float]:
        """The weight (0 to 1) of each model of how editors order articles.

        The dict is empty without a fitted model or known positions.
        """
        if not self.fits or not self.observations.has_positions:
            return {}
        weights = {fit.design.shape: fit.weight for fit in self.fits}
        return {shape: weights.get(shape, 0.0) for shape in SORTING_SHAPES}

    def effect_estimate(self, effect: Effect) -> tuple[float, float]:
        """Return the posterior mean and variance of a coefficient in the model with the largest weight.

        Both are nan if the coefficient is missing.
        """
        return self.fits[0].effect_estimate(effect) if self.fits else (math.nan, math.nan)

    def sorting_estimate(self) -> float:
        """Return how strongly editors put better articles first, as a regression coefficient.

        It is nan without a fitted model or known positions.
        """
        # coefficient b in docs/ranking.md section 6
        return self.effect_estimate(SORTING_EFFECTS[self.design.shape])[0]

    def counted_for(self, urls: Iterable[str]) -> Counted:
        """Return the unit in which articles are counted: "visitors" or "clicks".

        It is "visitors" if every issue with one of these articles counts visitors.
        """
        listed = set(urls)
        slugs = {row.issue for row in self.observations.appearances if row.url in listed}
        return common_unit(issue for issue in self.observations.issues if issue.slug in slugs)


def analyse(
    history: History,  # with at least one article, and no issue sent after `as_of`
    *,
    as_of: float,  # epoch seconds
    background: bool = True,  # whether authors, sites and title words are predictors
) -> Analysis:
    """Fit the model to a click history, and return all estimates.

    The issues of the history must be sorted by time.
    """
    observations = build_observations(history, as_of=as_of)
    urls = observations.urls
    inputs = Inputs(
        observations,
        estimate_curve(observations, history.arrivals),
        estimate_weights(observations.appearances),
        align_signals(history.signals, urls),
        build_background(urls, titles=history.titles, authors=history.authors) if background else (),
    )
    errors: list[str] = []
    fits = list(_fit_each_sorting_shape(inputs, errors))
    known = msgspec.structs.asdict(inputs)
    if not fits:
        design = prepare_design(inputs)
        posterior = fallback_posterior(observations, design)
        no_scores = np.zeros(len(urls))
        return Analysis(
            **known,
            design=design,
            fit=None,
            posterior=posterior,
            fit_error=errors[0],
            fits=(),
            background_scores=no_scores,
        )
    weights = evidence_weights([evidence for _, _, _, evidence in fits])
    weighted = tuple(WeightedFit(design, fit, weight) for (design, fit, *_), weight in zip(fits, weights, strict=True))
    best = max(weighted, key=lambda fit: fit.weight)
    posteriors = [posterior for _, _, posterior, _ in fits]
    return Analysis(
        **known,
        design=best.design,
        fit=best.fit,
        posterior=posteriors[0] if len(fits) == 1 else mix_posteriors(posteriors, weights),
        fit_error=None,
        fits=tuple(sorted(weighted, key=lambda fit: -fit.weight)),
        background_scores=_background_scores(best),
    )


def _background_scores(fit: WeightedFit) -> FloatArray:
    scores = np.zeros(len(fit.design.t))
    for columns, _ in fit.design.background:
        scores += fit.design.t[:, columns] @ fit.fit.solution.beta[columns]
    return np.asarray(scores - scores.mean())


class Arrivals(Struct, frozen=True, eq=False):
    """Estimates of how many clicks of each issue have arrived, and how many arrive later."""

    remaining_shares: dict[str, float]
    """Share of an issue's clicks (0 to 1) that has not arrived yet, by issue slug."""
    curve: ArrivalCurve | None
    """Share of an issue's clicks that has arrived, by hours after sending; None if there are no articles."""

    def arrived_share(self, slug: str) -> float | None:
        """Return the share of an issue's clicks (0 to 1) that has arrived, None if it cannot be estimated."""
        share = self.remaining_shares.get(slug)
        return None if share is None else 1 - share


def estimate_arrivals(
    history: History,
    *,
    as_of: float,  # epoch seconds
    window: float | None,  # so many months of history are used; None: all
) -> Arrivals:
    """Estimate the share of each issue's clicks that has arrived at `as_of`. Raises InputError."""
    sent, urls = select_articles(history, ArticleFilter(), as_of=as_of)
    if not urls:
        return Arrivals({}, None)
    observations = build_observations(restrict_to_window(sent, urls, months=window), as_of=as_of)
    curve = estimate_curve(observations, history.arrivals)
    shares = zip(observations.issues, curve.shares_at(observations.age_hours), strict=True)
    return Arrivals({issue.slug: 1 - float(share) for issue, share in shares}, curve)


def _fit_each_sorting_shape(
    inputs: Inputs,
    errors: list[str],  # the message of each failed fit is appended
) -> Iterator[tuple[Design, Fit, Posterior, float]]:
    shapes: Sequence[SortingShape] = SORTING_SHAPES if inputs.observations.has_positions else ("log",)
    for shape in shapes:
        design = prepare_design(inputs, shape=shape)
        try:
            fit = fit_model(design, inputs.observations)
            posterior = compute_posterior(fit, design, inputs.observations)
            evidence = log_evidence(fit, design, inputs.observations)
            require_finite(posterior.score, posterior.sd, posterior.expected, posterior.draws, np.array(evidence))
        except (np.linalg.LinAlgError, FloatingPointError, ValueError, OverflowError) as error:
            errors.append(str(error))
        else:
            yield design, fit, posterior, evidence


def prepare_design(inputs: Inputs, *, shape: SortingShape = "log") -> Design:
    """Return the design matrix and the priors of the regression. `shape` is the model of how editors order articles."""
    observations = inputs.observations
    return build_design(
        observations,
        arrived_shares=inputs.curve.shares_at(observations.age_hours),
        link_weights=sum_weights(observations.appearances, inputs.weights),
        signal_scores=z_scores(inputs.signals),
        background=inputs.background,
        shape=shape,
    )
