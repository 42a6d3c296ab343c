"""Why an article stands where it stands: its cells, what was expected there, what each effect contributed."""

import math
from collections.abc import Mapping
from datetime import UTC, tzinfo

import numpy as np
from msgspec import Struct

from shortener.errors import NotFound
from shortener.ranking.design import (
    EDITOR_SORTING,
    INTERCEPT,
    KNOT_EFFECTS,
    LAST_TWO_POSITIONS,
    PLACEMENT_OMEGA,
    POSITION_ETA,
    RERUN,
    SIGNAL_EFFECTS,
    Effect,
    fill_recipients,
)
from shortener.ranking.inputs import History, check_history
from shortener.ranking.observations import FloatArray
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.rank import WINDOW_MONTHS
from shortener.ranking.selection import ArticleFilter, matching_urls, restrict_to_sent, restrict_to_window
from shortener.ranking.signals import Z90
from shortener.ranking.wording import format_footer

MAX_LISTED_LINKS = 20  # of one kind that an explanation spells out


class Factor(Struct, frozen=True):
    """One effect and the number it multiplies the expected clicks with; 1 is no effect."""

    name: str
    times: float


class ExplainedAppearance(Struct, frozen=True):
    """One showing. ``expected`` is the product of ``factors``: the clicks of an average article there.

    ``fitted`` is ``expected`` times the article's appeal: what the model makes of the ``clicks`` that came.
    """

    issue: str
    position: int | None
    placements: tuple[str, ...]
    clicks: int
    expected: float
    fitted: float
    factors: tuple[Factor, ...]


class Explanation(Struct, frozen=True):
    """One article: ``appeal`` with its interval is the product of ``factors``, ``cells`` its showings."""

    url: str
    title: str
    appeal: float
    low: float
    high: float
    clicks: int
    expected: float
    factors: tuple[Factor, ...]
    cells: tuple[ExplainedAppearance, ...]
    footer: str


APPEARANCE_EFFECTS = {
    "place": (POSITION_ETA,),
    "fold and header": KNOT_EFFECTS,
    "last two places": (LAST_TWO_POSITIONS,),
    "placements": (PLACEMENT_OMEGA,),
    "shown before": (RERUN,),
}
ARTICLE_EFFECTS = {"sorting by the editors": (EDITOR_SORTING,), "signals": SIGNAL_EFFECTS}


def explain(
    history: History,
    url: str,
    *,
    as_of: float,
    month: str | None = None,
    issue: str | None = None,
    window: float | None = WINDOW_MONTHS,
    zone: tzinfo = UTC,
) -> Explanation:
    """Take the figures of one article apart (method §4); arguments and fit are those of ``rank``.

    An article older than the window is explained by a fit around its own last showing. Raises NotFound for a
    URL that the list does not have by ``as_of`` (epoch seconds).
    """
    check_history(history)
    sent = restrict_to_sent(history, as_of)
    urls = matching_urls(sent, ArticleFilter(month=month, issue=issue, zone=zone))
    if url not in urls:
        raise NotFound(f"{url!r} is not on that list; give the article's target URL as the list shows it")
    near = restrict_to_window(sent, urls, months=window)
    if url not in {showing.url for showing in near.appearances}:
        near = restrict_to_window(sent, {url}, months=window)
    return _explain_article(analyse(near, as_of=as_of), url, history.titles.get(url) or url)


def _explain_article(analysis: Analysis, url: str, title: str) -> Explanation:
    a, posterior = analysis.cells.urls.index(url), analysis.posterior
    score, reach = posterior.score[a], Z90 * posterior.sd[a]
    return Explanation(
        url=url,
        title=title,
        appeal=float(np.exp(score)),
        low=float(np.exp(score - reach)),
        high=float(np.exp(score + reach)),
        clicks=int(posterior.clicks[a]),
        expected=float(posterior.expected[a]),
        factors=_article_factors(analysis, a),
        cells=tuple(
            _explain_appearance(analysis, int(c)) for c in np.flatnonzero(analysis.cells.article_index == a)
        ),
        footer=format_footer(analysis, None),
    )


def _explain_appearance(analysis: Analysis, index: int) -> ExplainedAppearance:
    showing, factors = analysis.cells.appearances[index], _appearance_factors(analysis, index)
    expected = math.prod(factor.times for factor in factors)
    return ExplainedAppearance(
        issue=showing.issue,
        position=showing.position,
        placements=tuple(p.kind for p in showing.placements for _ in range(min(p.links, MAX_LISTED_LINKS))),
        clicks=showing.clicks,
        expected=expected,
        fitted=expected * math.exp(analysis.posterior.score[analysis.cells.article_index[index]]),
        factors=factors,
    )


def _appearance_factors(analysis: Analysis, index: int) -> tuple[Factor, ...]:
    i = int(analysis.cells.issue_index[index])
    factors = [
        Factor("recipients", float(fill_recipients(analysis.cells)[0][i])),
        Factor("clicks arrived so far", 1 - analysis.remaining_shares[i]),
    ]
    if analysis.fit is None:
        shares = analysis.posterior.expected.sum() / np.exp(analysis.design.offset).sum()
        return (*factors, Factor("clicks per recipient", float(shares)))
    beta, row = analysis.fit.solution.beta, analysis.design.x[index]
    q = analysis.design.t @ beta + analysis.fit.solution.u
    level = beta[analysis.design.effects.index(INTERCEPT)] + q.mean()
    return (
        *factors,
        Factor("clicks per recipient", math.exp(level)),
        Factor("issue", math.exp(beta[analysis.design.first_issue_column + i])),
        *_effect_factors(analysis.design.effects, row * beta, APPEARANCE_EFFECTS),
    )


def _article_factors(analysis: Analysis, article: int) -> tuple[Factor, ...]:
    """Appeal as a product: what the editors' sorting and the signals foretold, and what the clicks added."""
    if analysis.fit is None:
        return (Factor("clicks against expected, shrunken", math.exp(analysis.posterior.score[article])),)
    beta, u, t = analysis.fit.solution.beta, analysis.fit.solution.u, analysis.design.t
    foretold = _effect_factors(analysis.design.effects, (t[article] - t.mean(axis=0)) * beta, ARTICLE_EFFECTS)
    return (*foretold, Factor("its own clicks", math.exp(u[article] - u.mean())))


def _effect_factors(
    effects: tuple[Effect, ...],
    contributions: FloatArray,
    effects_by_factor: Mapping[str, tuple[Effect, ...]],
) -> tuple[Factor, ...]:
    """The parts that the design has, each the exponential of the sum of its effects' ``logs``."""
    return tuple(
        Factor(name, math.exp(math.fsum(contributions[effects.index(e)] for e in members)))
        for name, members in effects_by_factor.items()
        if all(e in effects for e in members)
    )
