"""The ranking itself: from counts to an ordered, annotated list of articles."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

import numpy as np

from shortener.errors import InputError
from shortener.ranking.caveats import list_caveats
from shortener.ranking.diagnostics import diagnose_fit
from shortener.ranking.inputs import Appearance, History, check_history
from shortener.ranking.ordering import Ordering, order_articles
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.result import IssueProgress, RankedArticle, Ranking
from shortener.ranking.selection import ArticleFilter, matching_urls, restrict_to_sent, restrict_to_window
from shortener.ranking.signals import Blend
from shortener.ranking.wording import format_footer, format_note, pluralize

METHOD = "log-additive negative-binomial model: issue + place + placement + article, with priors"
FALLBACK_METHOD = "shrunken rate: clicks against audience and age (the model could not be fitted)"
WINDOW_MONTHS = 24  # months of issues that the fit uses
RESULT_DIGITS = 6  # decimals of every figure in the result, significant digits of multiples


def rank(
    history: History,
    *,
    as_of: float,
    month: str | None = None,
    issue: str | None = None,
    top: int = 10,
    gems: int = 5,
    window: float | None = WINDOW_MONTHS,
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
    when = _format_time(as_of)
    check_history(history)
    wanted = ArticleFilter(month=month, issue=issue, zone=zone)
    sent = restrict_to_sent(history, as_of)
    urls = matching_urls(sent, wanted)
    if not urls:
        return _empty_ranking(when, wanted)
    near = restrict_to_window(sent, urls, months=window)
    learnt = analyse(near, as_of=as_of)
    chosen = order_articles(learnt, urls, max_articles=top, max_gems=gems, blend=blend)
    named = learnt.cells.urls
    return Ranking(
        as_of=when,
        month=month,
        method=METHOD if learnt.fit is not None else FALLBACK_METHOD,
        articles=_ranked_articles(learnt, chosen, titles=history.titles, issue=issue),
        gems=tuple(named[a] for a in chosen.gems),
        footer=format_footer(learnt, blend),
        warnings=_collect_warnings(learnt, chosen, omitted_count=len(sent.issues) - len(near.issues)),
        loved_by_few=tuple(named[a] for a in chosen.loved_by_few),
        top=chosen.top,
        issue=issue,
        issues=_issue_progress(learnt),
    )


def _format_time(as_of: float) -> str:
    try:
        return datetime.fromtimestamp(as_of, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as fault:
        raise InputError(f"--as-of {as_of} is not a time; give a date such as 2021-04-30") from fault


def _empty_ranking(as_of: str, article_filter: ArticleFilter) -> Ranking:
    where = f"in {article_filter.month}" if article_filter.month else "by then"
    if article_filter.issue:
        where = f"in issue {article_filter.issue}"
    said = f"no article was shown {where}: nothing to rank"
    return Ranking(
        as_of, article_filter.month, METHOD, (), (), said, (said,), (), 0, article_filter.issue, ()
    )


def _collect_warnings(analysis: Analysis, ordering: Ordering, *, omitted_count: int) -> tuple[str, ...]:
    said = [*list_caveats(analysis), *diagnose_fit(analysis, published=ordering.order[: ordering.top])]
    if omitted_count:
        said.append(f"{pluralize(omitted_count, 'issue')} too far away in time, left out of the fit")
    return tuple(said)


def _ranked_articles(
    analysis: Analysis, ordering: Ordering, *, titles: Mapping[str, str], issue: str | None
) -> tuple[RankedArticle, ...]:
    shown: dict[str, list[Appearance]] = {}
    for showing in analysis.cells.appearances:
        shown.setdefault(showing.url, []).append(showing)
    rows = []
    for number, a in enumerate(ordering.order, 1):
        own = shown[analysis.cells.urls[a]]
        last = next((s for s in own if s.issue == issue), own[-1])
        rows.append(
            _ranked_article(analysis, ordering, a, number, last, len(own), titles.get(last.url) or last.url)
        )
    return tuple(rows)


def _ranked_article(
    analysis: Analysis,
    ordering: Ordering,
    article: int,
    article_rank: int,
    appearance: Appearance,
    appearance_count: int,
    title: str,
) -> RankedArticle:
    posterior, given = analysis.posterior, analysis.signals
    gem = ordering.gems.index(article) + 1 if article in ordering.gems else None
    tenth = float(ordering.top_decile_probability[article]) if gem else None
    bounds = float(ordering.low[article]), float(ordering.high[article])
    return RankedArticle(
        rank=article_rank,
        url=appearance.url,
        title=title,
        issue=appearance.issue,
        position=appearance.position,
        clicks=int(posterior.clicks[article]),
        expected=_round_decimals(posterior.expected[article]),
        appeal=_round_significant(ordering.appeal[article]),
        low=_round_significant(bounds[0]),
        high=_round_significant(bounds[1]),
        p_top=_round_decimals(ordering.p_top[article]),
        gem=gem,
        note=format_note(
            analysis,
            article,
            bounds=bounds,
            gem_probability=tenth,
            loved_by_few=article in ordering.loved_by_few,
        ),
        shown=appearance_count,
        score=_round_decimals(posterior.score[article]),
        views=int(given.views[article]) if np.isfinite(given.views[article]) else None,
        read_ratio=_round_or_none(given.read_ratio[article]),
        fan_ratio=_round_or_none(given.fan_ratio[article]),
        blend=None if ordering.blend is None else _round_decimals(ordering.blend[article]),
    )


def _round_decimals(value: float) -> float:
    """Round for print; ``+ 0.0`` turns -0.0 into 0.0."""
    return round(float(value), RESULT_DIGITS) + 0.0


def _round_significant(value: float) -> float:
    """Round to significant digits, so that no multiple, however small, becomes 0."""
    return float(f"{value:.{RESULT_DIGITS}g}")


def _round_or_none(value: float) -> float | None:
    return _round_decimals(value) if np.isfinite(value) else None


def _issue_progress(analysis: Analysis) -> tuple[IssueProgress, ...]:
    clicks = np.bincount(analysis.cells.issue_index, analysis.cells.clicks, len(analysis.cells.issues))
    rows = zip(
        analysis.cells.issues, analysis.cells.age_hours, clicks, analysis.remaining_shares, strict=True
    )
    return tuple(
        IssueProgress(i.slug, i.title, _round_decimals(hours), i.recipients, int(n), _round_decimals(rest))
        for i, hours, n, rest in rows
    )
