"""Why an article stands where it stands: its cells, what was expected there, what each effect contributed."""

import math
from collections.abc import Mapping
from datetime import UTC, tzinfo

import numpy as np
from msgspec import Struct

from shortener.errors import NotFound
from shortener.ranking.design import BUMPS, END, ETA, LEVEL, OMEGA, RERUN, SIGNALS, SORTING, Effect, sizes
from shortener.ranking.inputs import History, check
from shortener.ranking.observations import Floats
from shortener.ranking.pipeline import Study, study
from shortener.ranking.rank import WINDOW
from shortener.ranking.selection import Listing, listed, sent_by, within
from shortener.ranking.signals import Z90
from shortener.ranking.wording import footer

MOST_LINKS = 20  # of one kind that an explanation spells out


class Factor(Struct, frozen=True):
    """One effect and the number it multiplies the expected clicks with; 1 is no effect."""

    name: str
    times: float


class Cell(Struct, frozen=True):
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
    cells: tuple[Cell, ...]
    footer: str


CELL_PARTS = {
    "place": (ETA,),
    "fold and header": BUMPS,
    "last two places": (END,),
    "placements": (OMEGA,),
    "shown before": (RERUN,),
}
ARTICLE_PARTS = {"sorting by the editors": (SORTING,), "signals": SIGNALS}


def explain(
    history: History,
    url: str,
    *,
    as_of: float,
    month: str | None = None,
    issue: str | None = None,
    window: float | None = WINDOW,
    zone: tzinfo = UTC,
) -> Explanation:
    """Take the figures of one article apart (method §4); arguments and fit are those of ``rank``.

    An article older than the window is explained by a fit around its own last showing. Raises NotFound for a
    URL that the list does not have by ``as_of`` (epoch seconds).
    """
    check(history)
    sent = sent_by(history, as_of)
    urls = listed(sent, Listing(month=month, issue=issue, zone=zone))
    if url not in urls:
        raise NotFound(f"{url!r} is not on that list; give the article's target URL as the list shows it")
    near = within(sent, urls, months=window)
    if url not in {showing.url for showing in near.showings}:
        near = within(sent, {url}, months=window)
    return _explanation(study(near, as_of=as_of), url, history.titles.get(url) or url)


def _explanation(learnt: Study, url: str, title: str) -> Explanation:
    a, posterior = learnt.cells.urls.index(url), learnt.posterior
    score, reach = posterior.score[a], Z90 * posterior.sd[a]
    return Explanation(
        url=url,
        title=title,
        appeal=float(np.exp(score)),
        low=float(np.exp(score - reach)),
        high=float(np.exp(score + reach)),
        clicks=int(posterior.clicks[a]),
        expected=float(posterior.expected[a]),
        factors=_article_factors(learnt, a),
        cells=tuple(_cell(learnt, int(c)) for c in np.flatnonzero(learnt.cells.article == a)),
        footer=footer(learnt, None),
    )


def _cell(learnt: Study, c: int) -> Cell:
    showing, factors = learnt.cells.showings[c], _cell_factors(learnt, c)
    expected = math.prod(factor.times for factor in factors)
    return Cell(
        issue=showing.issue,
        position=showing.position,
        placements=tuple(p.kind for p in showing.placements for _ in range(min(p.links, MOST_LINKS))),
        clicks=showing.clicks,
        expected=expected,
        fitted=expected * math.exp(learnt.posterior.score[learnt.cells.article[c]]),
        factors=factors,
    )


def _cell_factors(learnt: Study, c: int) -> tuple[Factor, ...]:
    i = int(learnt.cells.issue[c])
    factors = [
        Factor("recipients", float(sizes(learnt.cells)[0][i])),
        Factor("clicks arrived so far", 1 - learnt.still_to_come[i]),
    ]
    if learnt.fit is None:
        shares = learnt.posterior.expected.sum() / np.exp(learnt.design.offset).sum()
        return (*factors, Factor("clicks per recipient", float(shares)))
    beta, row = learnt.fit.solution.beta, learnt.design.x[c]
    q = learnt.design.t @ beta + learnt.fit.solution.u
    level = beta[learnt.design.effects.index(LEVEL)] + q.mean()
    return (
        *factors,
        Factor("clicks per recipient", math.exp(level)),
        Factor("issue", math.exp(beta[learnt.design.alphas + i])),
        *_parts(learnt.design.effects, row * beta, CELL_PARTS),
    )


def _article_factors(learnt: Study, a: int) -> tuple[Factor, ...]:
    """Appeal as a product: what the editors' sorting and the signals foretold, and what the clicks added."""
    if learnt.fit is None:
        return (Factor("clicks against expected, shrunken", math.exp(learnt.posterior.score[a])),)
    beta, u, t = learnt.fit.solution.beta, learnt.fit.solution.u, learnt.design.t
    foretold = _parts(learnt.design.effects, (t[a] - t.mean(axis=0)) * beta, ARTICLE_PARTS)
    return (*foretold, Factor("its own clicks", math.exp(u[a] - u.mean())))


def _parts(
    effects: tuple[Effect, ...], logs: Floats, parts: Mapping[str, tuple[Effect, ...]]
) -> tuple[Factor, ...]:
    """The parts that the design has, each the exponential of the sum of its effects' ``logs``."""
    return tuple(
        Factor(name, math.exp(math.fsum(logs[effects.index(e)] for e in members)))
        for name, members in parts.items()
        if all(e in effects for e in members)
    )
