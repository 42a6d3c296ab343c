"""Rankings of the stored articles with the configured settings, explanations of articles, comparisons of issues."""

from datetime import datetime

from shortener.config import Config
from shortener.errors import TargetRefused
from shortener.ranking import Blend, Comparison, Explanation, History, Ranking, compare, explain, rank
from shortener.reporting.ranking_inputs import load_history
from shortener.short_urls import parse_short_url, validate_target
from shortener.store import Store, links


def rank_stored_articles(
    store: Store,
    *,
    config: Config,
    as_of: int,
    month: str | None = None,
    issue: str | None = None,
    top: int | None = None,
    gems: int | None = None,
) -> Ranking:
    """Return the ranking of the articles last shown in a month, of the articles of an issue, or of all articles.

    ``as_of`` is the time of the ranking in seconds of the UTC epoch. ``top`` and ``gems`` are the numbers of top
    articles and hidden gems, by default the configured ones. Raises InputError for an invalid month, NotFound for an
    unknown issue.
    """
    asked = config.ranking
    return rank(
        load_history(store, as_of=as_of, draft_slug=issue),
        as_of=as_of,
        month=month,
        issue=issue,
        top=asked.top if top is None else top,
        gems=asked.gems if gems is None else gems,
        window=asked.window,
        zone=config.zone,
        blend=Blend(*asked.blend) if asked.blend else None,
    )


def explain_article(
    store: Store,
    url: str,
    *,
    config: Config,
    as_of: int,
    month: str | None = None,
    issue: str | None = None,
) -> Explanation:
    """Return the explanation of one article's figures; ``url`` is the URL of the article or a short link to it.

    The other parameters select the ranking, as in ``rank_stored_articles``. Raises NotFound for an article that this
    ranking does not contain.
    """
    known = load_history(store, as_of=as_of, draft_slug=issue)
    article = resolve_article_url(store, known, url, config=config)
    return explain(
        known,
        article,
        as_of=as_of,
        month=month,
        issue=issue,
        window=config.ranking.window,
        zone=config.zone,
    )


def compare_stored_issues(
    store: Store, first: str, second: str, *, as_of: int, hours: float | None = None
) -> Comparison:
    """Return the comparison of two issues, both ``hours`` after sending (by default the age of the younger issue).

    ``first`` and ``second`` are slugs. Raises NotFound for an issue not sent by ``as_of``, InputError if the younger
    issue is not that old yet.
    """
    return compare(load_history(store, as_of=as_of), first, second, as_of=as_of, hours=hours)


def resolve_article_url(store: Store, loaded_history: History, text: str, *, config: Config) -> str:
    """Return the canonical URL of the article that ``text`` names by URL or short link; else the text itself."""
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


def months_by_article(loaded_history: History, *, as_of: int, config: Config) -> dict[str, set[str]]:
    """Return, by article URL, the months (YYYY-MM, in the site's time zone) of the issues with it sent by ``as_of``."""
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
