"""The ranking: an ordered list of articles with notes, computed from the counts of past issues."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

import numpy as np

from shortener.errors import InputError
from shortener.ranking.caveats import list_caveats
from shortener.ranking.diagnostics import diagnose_fit
from shortener.ranking.gems import MIN_GEM_PROBABILITY
from shortener.ranking.inputs import Counted, History, common_unit
from shortener.ranking.listed import listed_part
from shortener.ranking.ordering import Ordering, order_articles
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.result import IssueProgress, RankedArticle, Ranking, split_count
from shortener.ranking.selection import ArticleFilter, describe_missing, restrict_to_window, select_articles
from shortener.ranking.signals import Blend
from shortener.ranking.wording import format_footer, format_note

METHOD = "log-additive negative-binomial model: issue + position + placement + article, with priors"
FALLBACK_METHOD = "shrunken rate: clicks by recipients and age (the model could not be fitted)"
WINDOW_MONTHS = 24
"""Default time window: the model is fitted to issues sent at most this many months from the articles of the ranking."""
RESULT_DIGITS = 6
"""Number of decimals of figures in the result; number of significant digits of appeal and its interval."""


def rank(
    history: History,
    *,
    as_of: float,  # epoch seconds; issues sent later are ignored
    # at most one of `month`, `issue` and `since` is given
    month: str | None = None,  # only articles last shown in this month (YYYY-MM in `zone`)
    issue: str | None = None,  # only articles of this issue
    since: float | None = None,  # only articles last shown since this time (epoch seconds)
    top: int = 10,  # largest number of articles in the top list
    gems: int = 5,  # largest number of hidden gems (good articles that few readers saw)
    window: float | None = WINDOW_MONTHS,  # the model is fitted to issues within so many months of these articles
    zone: tzinfo = UTC,
    blend: Blend | None = None,  # an order by appeal, and by reads and applause on other platforms
    background: bool = True,  # whether the model also uses authors, sites and title words
    min_gem_probability: float = MIN_GEM_PROBABILITY,  # lowest probability of being in the best tenth
) -> Ranking:
    """Rank articles by their clicks, compared with those of an average article at their positions.

    Raises InputError, NotFound.
    """
    if top < 1 or gems < 0:
        raise InputError(f"top must be 1 or more and gems 0 or more, not {top} and {gems}")
    as_of_text = _format_time(as_of)
    article_filter = ArticleFilter(month=month, issue=issue, zone=zone, since=since)
    sent, urls = select_articles(history, article_filter, as_of=as_of)
    if not urls:
        message = describe_missing(history, article_filter, as_of=as_of)
        return _empty_ranking(as_of_text, article_filter, common_unit(sent.issues), message)
    fitted = restrict_to_window(sent, urls, months=window)
    analysis = analyse(fitted, as_of=as_of, background=background)
    ordering = order_articles(
        analysis, urls, max_articles=top, max_gems=gems, blend=blend, min_gem_probability=min_gem_probability
    )
    all_urls, counted = analysis.observations.urls, analysis.counted_for(urls)
    return Ranking(
        as_of=as_of_text,
        month=month,
        method=METHOD if analysis.fit is not None else FALLBACK_METHOD,
        counted=counted,
        articles=_ranked_articles(analysis, ordering, counted, titles=history.titles, issue=issue),
        gems=tuple(all_urls[article] for article in ordering.gems),
        footer=format_footer(analysis, blend),
        warnings=_collect_warnings(analysis, ordering, left_out=urls - set(analysis.observations.urls)),
        loved_by_few=tuple(all_urls[article] for article in ordering.loved_by_few),
        top=ordering.top,
        issue=issue,
        issues=_issue_progress(analysis),
    )


def _format_time(as_of: float) -> str:
    try:
        return datetime.fromtimestamp(as_of, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"{as_of} is not a valid time") from error


def _empty_ranking(as_of: str, article_filter: ArticleFilter, counted: Counted, message: str) -> Ranking:
    month, issue = article_filter.month, article_filter.issue
    return Ranking(as_of, month, METHOD, counted, (), (), message, (message,), (), 0, issue, ())


def _collect_warnings(analysis: Analysis, ordering: Ordering, *, left_out: set[str]) -> tuple[str, ...]:
    listed = listed_part(analysis.observations, ordering.order, has_gems=bool(ordering.gems))
    warnings = list_caveats(analysis, listed)
    warnings += diagnose_fit(analysis, listed, top_articles=ordering.order[: ordering.top])
    if left_out:
        articles = "1 article is" if len(left_out) == 1 else f"{len(left_out)} articles are"
        warnings.append(f"{articles} outside the time window; choose a month or an issue to list older articles")
    return tuple(warnings)


def _ranked_articles(
    analysis: Analysis,
    ordering: Ordering,
    counted: Counted,
    *,
    titles: Mapping[str, str],
    issue: str | None,
) -> tuple[RankedArticle, ...]:
    observations = analysis.observations
    rows = []
    for number, article in enumerate(ordering.order, 1):
        cells = np.flatnonzero(observations.article_index == article).tolist()
        listed = [cell for cell in cells if issue in {None, observations.appearances[cell].issue}]
        title = titles.get(observations.urls[article]) or observations.urls[article]
        rows.append(_ranked_article(analysis, ordering, article, counted, number, listed, len(cells), title))
    return tuple(rows)


def _ranked_article(
    analysis: Analysis,
    ordering: Ordering,
    article: int,
    counted: Counted,
    article_rank: int,
    appearance_indices: Sequence[int],
    appearance_count: int,
    title: str,
) -> RankedArticle:
    posterior, signals = analysis.posterior, analysis.signals
    appearances = [analysis.observations.appearances[index] for index in appearance_indices]
    shown, expected = appearances[-1], math.fsum(posterior.cell_expected[appearance_indices])
    count = sum(row.clicks if counted == "visitors" else row.click_count for row in appearances)
    gem = ordering.gems.index(article) + 1 if article in ordering.gems else None
    bounds = float(ordering.low[article]), float(ordering.high[article])
    visitors, clicks = split_count(count, counted)
    return RankedArticle(
        rank=article_rank,
        url=shown.url,
        title=title,
        issue=shown.issue,
        position=shown.position,
        visitors=visitors,
        clicks=clicks,
        expected=_round_decimals(expected),
        appeal=_round_significant(ordering.appeal[article]),
        low=_round_significant(bounds[0]),
        high=_round_significant(bounds[1]),
        p_top=_round_decimals(ordering.p_top[article]),
        gem=gem,
        note=format_note(
            analysis,
            article,
            count=count,
            expected=expected,
            counted=counted,
            bounds=bounds,
            gem_probability=float(ordering.top_decile_probability[article]) if gem else None,
            loved_by_few=article in ordering.loved_by_few,
        ),
        shown=appearance_count,
        score=_round_decimals(posterior.score[article]),
        views=int(signals.views[article]) if np.isfinite(signals.views[article]) else None,
        read_ratio=_round_or_none(signals.read_ratio[article]),
        fan_ratio=_round_or_none(signals.fan_ratio[article]),
        blend=None if ordering.blend is None else _round_decimals(ordering.blend[article]),
    )


def _round_decimals(value: float) -> float:
    return round(float(value), RESULT_DIGITS) + 0.0  # never -0.0


def _round_significant(value: float) -> float:
    return float(f"{value:.{RESULT_DIGITS}g}")  # so that 0.0000123 does not become 0


def _round_or_none(value: float) -> float | None:
    return _round_decimals(value) if np.isfinite(value) else None


def _issue_progress(analysis: Analysis) -> tuple[IssueProgress, ...]:
    observations = analysis.observations
    sums = np.bincount(observations.issue_index, observations.clicks, len(observations.issues))
    pairs = zip(observations.issues, sums, strict=True)
    totals = [int(count) if issue.total is None else issue.total for issue, count in pairs]
    rows = zip(observations.issues, observations.age_hours, totals, analysis.remaining_shares, strict=True)
    return tuple(
        IssueProgress(
            issue.slug,
            issue.title,
            _round_decimals(hours),
            issue.recipients,
            issue.counted,
            *split_count(total, issue.counted),
            _round_decimals(to_come),
        )
        for issue, hours, total, to_come in rows
    )
