"""The figures of one article in the ranking, as products of factors (docs/ranking.md section 12)."""

import math
from collections.abc import Mapping
from datetime import UTC, tzinfo

import numpy as np
from msgspec import Struct

from shortener.errors import NotFound
from shortener.ranking.design import (
    INTERCEPT,
    KNOT_EFFECTS,
    LAST_TWO_POSITIONS,
    PLACEMENT_OMEGA,
    POSITION_ETA,
    RERUN,
    SIGNAL_EFFECTS,
    SORTING_EFFECTS,
    Effect,
    fill_recipients,
)
from shortener.ranking.inputs import Counted, History
from shortener.ranking.observations import FloatArray
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.rank import WINDOW_MONTHS
from shortener.ranking.result import split_count
from shortener.ranking.selection import ArticleFilter, restrict_to_window, select_articles
from shortener.ranking.signals import Z90
from shortener.ranking.wording import BACKGROUND_LABEL, format_footer

MAX_LISTED_LINKS = 20
"""Maximum number of links of one placement kind that an explanation lists for one article in one issue."""


class Factor(Struct, frozen=True):
    """One influence on an article's appeal, or on the clicks of an average article in its place."""

    name: str
    """Name of the influence, such as "position"."""
    times: float
    """Number by which the appeal or the clicks are multiplied; 1 if the influence has no effect."""


class ExplainedAppearance(Struct, frozen=True):
    """One article in one issue, with its observed count and the count of an average article in its place."""

    issue: str
    position: int | None
    placements: tuple[str, ...]
    visitors: int | None
    """The observed count, if the issue counts visitors, else None."""
    clicks: int | None
    """The observed count, if the issue counts clicks, else None."""
    expected: float
    """Count that an average article would have had at this position of the issue."""
    fitted: float
    """`expected` times the appeal of the article."""
    factors: tuple[Factor, ...]
    """The factors whose product is `expected`."""


class Explanation(Struct, frozen=True):
    """The appeal of one article as a product of `factors`, and its counts in all issues that contain it."""

    url: str
    title: str
    appeal: float
    """How often the article is clicked, as a multiple of an average one; `low` to `high` is the 90 % interval."""
    low: float
    high: float
    counted: Counted
    """Visitors if every issue that contains the article counts visitors, else clicks."""
    visitors: int | None
    """The count, if `counted` is "visitors", else None."""
    clicks: int | None
    """The count, if `counted` is "clicks", else None."""
    expected: float
    """Count that an average article would have had at the positions of the article."""
    factors: tuple[Factor, ...]
    cells: tuple[ExplainedAppearance, ...]
    """The article in each issue that contains it."""
    footer: str


APPEARANCE_EFFECTS = {
    "position": (POSITION_ETA,),
    "position bumps": KNOT_EFFECTS,
    "last two positions": (LAST_TWO_POSITIONS,),
    "placements": (PLACEMENT_OMEGA,),
    "shown before": (RERUN,),
}
OTHER_PICTURE = "other picture of the editors' order"
"""Name of the factor that turns the result of one fitted model into the average of two."""


def explain(
    history: History,
    url: str,  # normalized URL of the article
    *,
    # the arguments of `rank` with the same names
    as_of: float,
    month: str | None = None,
    issue: str | None = None,
    window: float | None = WINDOW_MONTHS,
    zone: tzinfo = UTC,
    background: bool = True,
) -> Explanation:
    """Return an article's figures in the ranking as products of factors. Raises NotFound, InputError."""
    sent, urls = select_articles(history, ArticleFilter(month=month, issue=issue, zone=zone), as_of=as_of)
    if url not in urls:
        raise NotFound(f"no article with the target URL {url!r} is on the list", kind="article_not_ranked")
    fitted = restrict_to_window(sent, urls, months=window)
    # An article last shown before the window is explained by a fit of the issues around that time.
    if url not in {appearance.url for appearance in fitted.appearances}:
        fitted = restrict_to_window(sent, {url}, months=window)
    analysis = analyse(fitted, as_of=as_of, background=background)
    return _explain_article(analysis, url, history.titles.get(url) or url)


def _explain_article(analysis: Analysis, url: str, title: str) -> Explanation:
    article, posterior = analysis.observations.urls.index(url), analysis.posterior
    score, half_width = posterior.score[article], Z90 * posterior.sd[article]
    cells = np.flatnonzero(analysis.observations.article_index == article)
    counted = analysis.counted_for([url])
    rows = [analysis.observations.appearances[cell] for cell in cells]
    count = sum(row.clicks if counted == "visitors" else row.click_count for row in rows)
    visitors, clicks = split_count(count, counted)
    return Explanation(
        url=url,
        title=title,
        appeal=float(np.exp(score)),
        low=float(np.exp(score - half_width)),
        high=float(np.exp(score + half_width)),
        counted=counted,
        visitors=visitors,
        clicks=clicks,
        expected=float(posterior.expected[article]),
        factors=_appeal_factors(analysis, article),
        cells=tuple(_explain_appearance(analysis, int(cell)) for cell in cells),
        footer=format_footer(analysis, None),
    )


def _explain_appearance(analysis: Analysis, cell: int) -> ExplainedAppearance:
    observations, factors = analysis.observations, _appearance_factors(analysis, cell)
    appearance, issue = observations.appearances[cell], observations.issues[observations.issue_index[cell]]
    expected = math.prod(factor.times for factor in factors)
    kinds = (p.kind for p in appearance.placements for _ in range(min(p.links, MAX_LISTED_LINKS)))
    visitors, clicks = split_count(appearance.clicks, issue.counted)
    return ExplainedAppearance(
        issue=appearance.issue,
        position=appearance.position,
        placements=tuple(kinds),
        visitors=visitors,
        clicks=clicks,
        expected=expected,
        fitted=expected * math.exp(analysis.posterior.score[observations.article_index[cell]]),
        factors=factors,
    )


def _appearance_factors(analysis: Analysis, cell: int) -> tuple[Factor, ...]:
    issue = int(analysis.observations.issue_index[cell])
    factors = [
        Factor("recipients", float(fill_recipients(analysis.observations)[0][issue])),
        Factor("share of clicks arrived", 1 - analysis.remaining_shares[issue]),
    ]
    if analysis.fit is None:
        rate = analysis.posterior.expected.sum() / np.exp(analysis.design.offset).sum()
        return (*factors, Factor("clicks per recipient", float(rate)))
    beta, design = analysis.fit.solution.beta, analysis.design
    q = design.t @ beta + analysis.fit.solution.u
    level = beta[design.effects.index(INTERCEPT)] + q.mean()
    factors += [
        Factor("clicks per recipient", math.exp(level)),
        Factor("issue", math.exp(beta[design.first_issue_column + issue])),
        *_factor_by_group(design.effects, design.x[cell] * beta, APPEARANCE_EFFECTS),
    ]
    return _complete_product(analysis, factors, float(analysis.posterior.cell_expected[cell]))


def _appeal_factors(analysis: Analysis, article: int) -> tuple[Factor, ...]:
    appeal = math.exp(analysis.posterior.score[article])
    if analysis.fit is None:
        return (Factor("shrunken rate", appeal),)
    design, beta, u = analysis.design, analysis.fit.solution.beta, analysis.fit.solution.u
    groups = {"sorting by the editors": (SORTING_EFFECTS[design.shape],), "signals": SIGNAL_EFFECTS}
    contributions = (design.t[article] - design.t.mean(axis=0)) * beta
    factors = [*_factor_by_group(design.effects, contributions, groups)]
    if design.background:
        factors.append(Factor(BACKGROUND_LABEL, math.exp(analysis.background_scores[article])))
    factors.append(Factor("its own clicks", math.exp(u[article] - u.mean())))
    return _complete_product(analysis, factors, appeal)


def _complete_product(analysis: Analysis, factors: list[Factor], total: float) -> tuple[Factor, ...]:
    if len(analysis.fits) < 2:
        return tuple(factors)
    # The factors come from the fit with the larger weight, while the total is an average of two fits.
    return (*factors, Factor(OTHER_PICTURE, total / math.prod(factor.times for factor in factors)))


def _factor_by_group(
    effects: tuple[Effect, ...],
    contributions: FloatArray,  # on the log scale, in the order of `effects`
    groups: Mapping[str, tuple[Effect, ...]],
) -> tuple[Factor, ...]:
    # Groups that the model lacks are left out.
    return tuple(
        Factor(name, math.exp(math.fsum(contributions[effects.index(effect)] for effect in members)))
        for name, members in groups.items()
        if all(effect in effects for effect in members)
    )
