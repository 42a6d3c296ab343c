"""Rankings of stored articles, explanations of single articles, and comparisons of two issues."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shortener.config import Config
from shortener.durations import DAY_SECONDS
from shortener.errors import TargetRefused
from shortener.ranking import (
    Arrivals,
    ArticleFilter,
    Blend,
    Comparison,
    CountedArticle,
    Explanation,
    History,
    Issue,
    Ranking,
    Rerun,
    compare,
    count_articles,
    estimate_arrivals,
    explain,
    rank,
    suggest_reruns,
)
from shortener.reporting.issue_report import IssueReport, RerunSuggestion
from shortener.reporting.outlook import build_outlook
from shortener.reporting.ranking_inputs import load_history, load_issue_arrivals
from shortener.short_urls import parse_short_url, validate_target
from shortener.store import Store, links

SUGGESTION_SECONDS = 7 * DAY_SECONDS
"""Age in seconds at which the suggestions of an issue no longer change; 98 % of the clicks have arrived by then."""


def rank_stored_articles(
    store: Store,
    *,
    config: Config,
    as_of: int,  # seconds of the UTC epoch
    month: str | None = None,  # only articles that were last shown in this month (YYYY-MM)
    issue: str | None = None,  # only articles of the issue with this slug
    since: int | None = None,  # only articles that were last shown since this time (seconds of the UTC epoch)
    top: int | None = None,  # number of top articles; None means the configured number
    gems: int | None = None,  # number of hidden gems; None means the configured number
) -> Ranking:
    """Rank all articles, or those that ``month``, ``issue`` or ``since`` selects.

    At most one of them may be given. Raises InputError, NotFound.
    """
    settings = config.ranking
    return rank(
        load_history(store, as_of=as_of),
        as_of=as_of,
        month=month,
        issue=issue,
        since=since,
        top=settings.top if top is None else top,
        gems=settings.gems if gems is None else gems,
        window=settings.window,
        zone=config.zone,
        blend=Blend(*settings.blend) if settings.blend else None,
        background=settings.background,
    )


def count_stored_articles(
    store: Store,
    *,
    config: Config,
    as_of: int,  # seconds of the UTC epoch
    month: str | None = None,  # only articles that were last shown in this month (YYYY-MM)
    issue: str | None = None,  # only articles of the issue with this slug
    since: int | None = None,  # only articles that were last shown since this time (seconds of the UTC epoch)
) -> tuple[CountedArticle, ...]:
    """Return articles with their visitors or clicks, the most clicked first.

    Give at most one of ``month``, ``issue`` and ``since``. Raises InputError, NotFound.
    """
    # This is fast, because the ranking model is not used.
    article_filter = ArticleFilter(month=month, issue=issue, zone=config.zone, since=since)
    return count_articles(load_history(store, as_of=as_of), as_of=as_of, article_filter=article_filter)


def explain_article(
    store: Store,
    url: str,  # of the article, or a short link to it
    *,
    config: Config,
    as_of: int,
    month: str | None = None,
    issue: str | None = None,
) -> Explanation:
    """Explain an article's figures in the ranking of all articles, of a month or of an issue.

    Raises NotFound for an unranked article.
    """
    known = load_history(store, as_of=as_of)
    article = resolve_article_url(store, known, url, config=config)
    return explain(
        known,
        article,
        as_of=as_of,
        month=month,
        issue=issue,
        window=config.ranking.window,
        zone=config.zone,
        background=config.ranking.background,
    )


def compare_stored_issues(
    store: Store,
    first: str,  # slug
    second: str,  # slug
    *,
    as_of: int,  # seconds of the UTC epoch; both issues must have been sent
    hours: float | None = None,  # at most the younger issue's age
) -> Comparison:
    """Compare two issues at the same age in hours, by default the younger issue's age.

    Raises NotFound, InputError.
    """
    history = load_history(store, as_of=as_of)
    arrivals = load_issue_arrivals(store, history, (first, second), as_of=as_of)
    return compare(history, first, second, arrivals=arrivals, as_of=as_of, hours=hours)


def load_remaining_shares(store: Store, *, config: Config, as_of: int) -> dict[str, float]:
    """Return for each sent issue (by slug) the share (0 to 1) of its clicks that is still expected."""
    return load_arrivals(store, config=config, as_of=as_of).remaining_shares


def load_arrivals(store: Store, *, config: Config, as_of: int) -> Arrivals:
    """Return the arrival curve of clicks, and for each issue the share of its clicks that is still expected."""
    return estimate_arrivals(load_history(store, as_of=as_of), as_of=as_of, window=config.ranking.window)


def complete_report(store: Store, report: IssueReport, *, config: Config, as_of: int) -> IssueReport:
    """Return ``report`` with its fields ``outlook`` (comparison with earlier issues, and forecast) and ``reruns``
    (articles worth showing again) filled in.
    """
    share = load_remaining_shares(store, config=config, as_of=as_of).get(report.slug)
    return msgspec.structs.replace(
        report,
        reruns=suggest_stored_reruns(store, report.slug, config=config, as_of=as_of),
        outlook=build_outlook(store, report.slug, remaining_share=share, now=as_of),
    )


def suggest_stored_reruns(store: Store, slug: str, *, config: Config, as_of: int) -> tuple[RerunSuggestion, ...]:
    """Return at most two articles of an issue that are worth showing again.

    Issues sent after ``as_of`` (seconds of the UTC epoch) are ignored.
    """
    history = load_history(store, as_of=as_of)
    issues = sorted((each for each in history.issues if each.sent_at <= as_of), key=_sending_order)
    index = next((n for n, each in enumerate(issues) if each.slug == slug), None)
    if index is None:
        return ()
    later = issues[index + 1 :]
    # Only the first days of an issue count, so that its suggestions do not change later.
    counted_until = min(as_of, int(issues[index].sent_at) + SUGGESTION_SECONDS)
    if later:
        counted_until = max(int(issues[index].sent_at), min(counted_until, int(later[0].sent_at) - 1))
    known = load_history(store, as_of=counted_until)
    if slug not in {each.slug for each in known.issues}:
        return ()
    reruns = suggest_reruns(
        known,
        slug,
        as_of=counted_until,
        window=config.ranking.window,
        background=config.ranking.background,
    )
    return tuple(_to_suggestion(rerun, history, later) for rerun in reruns)


def _sending_order(issue: Issue) -> tuple[float, str]:
    return issue.sent_at, issue.slug


def _to_suggestion(rerun: Rerun, history: History, later: Sequence[Issue]) -> RerunSuggestion:
    positions = {
        appearance.issue: appearance.position
        for appearance in history.appearances
        if appearance.url == rerun.url and appearance.position not in (None, rerun.position)
    }
    shown_again = next((issue.slug for issue in later if issue.slug in positions), None)
    return RerunSuggestion(
        url=rerun.url,
        title=history.titles.get(rerun.url) or rerun.url,
        position=rerun.position,
        new_position=rerun.new_position,
        uncertainty_removed=round(rerun.share_removed, 4),
        shown_again=shown_again,
        shown_position=positions[shown_again] if shown_again else None,
        open=not later,
    )


def resolve_article_url(store: Store, loaded_history: History, text: str, *, config: Config) -> str:
    """Return the canonical URL of an article, given as its URL or as a short link. Any other text is returned
    unchanged.
    """
    urls = {showing.url for showing in loaded_history.appearances}
    given = text.strip()
    if given in urls:
        return given
    key = parse_short_url(given, domains=config.domains)
    found = links.find(store, *key) if key else None
    if found and found.target:
        return found.target
    try:
        target = validate_target(given, config=config)
    except TargetRefused:
        return given
    return target if target in urls else given


def months_by_article(
    loaded_history: History,
    *,
    as_of: int,  # seconds of the UTC epoch
    config: Config,
) -> dict[str, set[str]]:
    """Return the months (YYYY-MM) in which issues with an article were sent, by the article's URL.

    Issues sent after ``as_of`` are left out.
    """
    months = {
        issue.slug: datetime.fromtimestamp(issue.sent_at, config.zone).strftime("%Y-%m")
        for issue in loaded_history.issues
        if issue.sent_at <= as_of
    }
    shown: dict[str, set[str]] = {}
    for showing in loaded_history.appearances:
        if showing.issue in months:
            shown.setdefault(showing.url, set()).add(months[showing.issue])
    return shown
