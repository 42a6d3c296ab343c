"""The ranking itself: from counts to an ordered, annotated list of articles."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

import numpy as np

from shortener.errors import InputError
from shortener.ranking.caveats import situations
from shortener.ranking.diagnostics import check_fit
from shortener.ranking.inputs import History, Showing, check
from shortener.ranking.ordering import Arrangement, arrange
from shortener.ranking.pipeline import Study, study
from shortener.ranking.result import Progress, Ranked, Ranking
from shortener.ranking.selection import Listing, listed, sent_by, within
from shortener.ranking.signals import Blend
from shortener.ranking.wording import footer, note, plural

METHOD = "log-additive negative-binomial model: issue + place + placement + article, with priors"
FALLBACK = "shrunken rate: clicks against audience and age (the model could not be fitted)"
WINDOW = 24  # months of issues that the fit uses
DIGITS = 6  # decimals of every figure in the result, significant digits of multiples


def rank(
    history: History,
    *,
    as_of: float,
    month: str | None = None,
    issue: str | None = None,
    top: int = 10,
    gems: int = 5,
    window: float | None = WINDOW,
    zone: tzinfo = UTC,
    blend: Blend | None = None,
) -> Ranking:
    """Rank the articles by what readers wanted: the posterior mean of log appeal, method §6.

    ``as_of`` is epoch seconds; issues sent later are left out. ``month`` (YYYY-MM in ``zone``) lists the
    articles last shown in it, ``issue`` those of one issue, neither lists all; the fit uses every issue
    within ``window`` months of them (None: all there are). ``top`` is the most that the published list can
    hold and ``gems`` the most hidden gems. With a ``blend`` the list follows the editors' weights instead.
    Raises InputError for counts that cannot be and NotFound for an unknown issue; a fit that fails ends in
    a warning and the shrunken rate.
    """
    if top < 1 or gems < 0:
        raise InputError(f"--top {top} --gems {gems}: the list needs 1 article or more, the gems 0 or more")
    when = _moment(as_of)
    check(history)
    wanted = Listing(month=month, issue=issue, zone=zone)
    sent = sent_by(history, as_of)
    urls = listed(sent, wanted)
    if not urls:
        return _nothing(when, wanted)
    near = within(sent, urls, months=window)
    learnt = study(near, as_of=as_of)
    chosen = arrange(learnt, urls, top=top, gems=gems, blend=blend)
    named = learnt.cells.urls
    return Ranking(
        as_of=when,
        month=month,
        method=METHOD if learnt.fit is not None else FALLBACK,
        articles=_articles(learnt, chosen, titles=history.titles, issue=issue),
        gems=tuple(named[a] for a in chosen.gems),
        footer=footer(learnt, blend),
        warnings=_warnings(learnt, chosen, left_out=len(sent.issues) - len(near.issues)),
        loved_by_few=tuple(named[a] for a in chosen.loved),
        top=chosen.top,
        issue=issue,
        issues=_progress(learnt),
    )


def _moment(as_of: float) -> str:
    try:
        return datetime.fromtimestamp(as_of, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as fault:
        raise InputError(f"--as-of {as_of} is not a time; give a date such as 2021-04-30") from fault


def _nothing(when: str, wanted: Listing) -> Ranking:
    where = f"in {wanted.month}" if wanted.month else "by then"
    said = f"no article was shown {f'in issue {wanted.issue}' if wanted.issue else where}: nothing to rank"
    return Ranking(when, wanted.month, METHOD, (), (), said, (said,), (), 0, wanted.issue, ())


def _warnings(learnt: Study, chosen: Arrangement, *, left_out: int) -> tuple[str, ...]:
    said = [*situations(learnt), *check_fit(learnt, published=chosen.order[: chosen.top])]
    if left_out:
        said.append(f"{plural(left_out, 'issue')} too far away in time, left out of the fit")
    return tuple(said)


def _articles(
    learnt: Study, chosen: Arrangement, *, titles: Mapping[str, str], issue: str | None
) -> tuple[Ranked, ...]:
    shown: dict[str, list[Showing]] = {}
    for showing in learnt.cells.showings:
        shown.setdefault(showing.url, []).append(showing)
    rows = []
    for number, a in enumerate(chosen.order, 1):
        own = shown[learnt.cells.urls[a]]
        last = next((s for s in own if s.issue == issue), own[-1])
        rows.append(_ranked(learnt, chosen, a, number, last, len(own), titles.get(last.url) or last.url))
    return tuple(rows)


def _ranked(
    learnt: Study, chosen: Arrangement, a: int, number: int, last: Showing, shown: int, title: str
) -> Ranked:
    posterior, given = learnt.posterior, learnt.signals
    gem = chosen.gems.index(a) + 1 if a in chosen.gems else None
    tenth = float(chosen.tenth[a]) if gem else None
    bounds = float(chosen.low[a]), float(chosen.high[a])
    return Ranked(
        rank=number,
        url=last.url,
        title=title,
        issue=last.issue,
        position=last.position,
        clicks=int(posterior.clicks[a]),
        expected=_figure(posterior.expected[a]),
        appeal=_multiple(chosen.appeal[a]),
        low=_multiple(bounds[0]),
        high=_multiple(bounds[1]),
        p_top=_figure(chosen.p_top[a]),
        gem=gem,
        note=note(learnt, a, bounds=bounds, gem=tenth, loved=a in chosen.loved),
        shown=shown,
        score=_figure(posterior.score[a]),
        views=int(given.views[a]) if np.isfinite(given.views[a]) else None,
        read_ratio=_known(given.read_ratio[a]),
        fan_ratio=_known(given.fan_ratio[a]),
        blend=None if chosen.blend is None else _figure(chosen.blend[a]),
    )


def _figure(value: float) -> float:
    """Round for print; ``+ 0.0`` turns -0.0 into 0.0."""
    return round(float(value), DIGITS) + 0.0


def _multiple(value: float) -> float:
    """Round to significant digits, so that no multiple, however small, becomes 0."""
    return float(f"{value:.{DIGITS}g}")


def _known(value: float) -> float | None:
    return _figure(value) if np.isfinite(value) else None


def _progress(learnt: Study) -> tuple[Progress, ...]:
    clicks = np.bincount(learnt.cells.issue, learnt.cells.clicks, len(learnt.cells.issues))
    rows = zip(learnt.cells.issues, learnt.cells.ages, clicks, learnt.still_to_come, strict=True)
    return tuple(
        Progress(i.slug, i.title, _figure(hours), i.recipients, int(n), _figure(rest))
        for i, hours, n, rest in rows
    )
