"""Cached results of the ranking, because computing them for each page would be too slow."""

import time
from collections.abc import Callable, Hashable, Mapping
from functools import partial

from msgspec import Struct

from shortener.config import Config
from shortener.errors import NotFound
from shortener.ranking import Arrivals, CountedArticle, Explanation, RankedArticle, Ranking
from shortener.reporting.issue_report import RerunSuggestion
from shortener.reporting.outlook import Outlook, build_outlooks
from shortener.reporting.ranking import (
    count_stored_articles,
    explain_article,
    load_arrivals,
    rank_stored_articles,
    suggest_stored_reruns,
)
from shortener.services import draft_picks
from shortener.services.draft_picks import Draft
from shortener.store import Store
from shortener.store.picks_edits import PicksEdits
from shortener.web.cache import get_if_ready, get_or_compute, missing_keys
from shortener.web.context import config, now, store


class RankingKey(Struct, frozen=True):
    """Selection of the articles in a ranking: those of an issue, of a month, since a time, or all."""

    month: str | None = None
    """Month (YYYY-MM). An article belongs to the month of its last issue."""
    issue: str | None = None
    """Slug of the issue."""
    since: int | None = None
    """Time in seconds of the UTC epoch."""


ALL_ARTICLES = RankingKey()


def remaining_shares() -> Mapping[str, float]:
    """Return the share (0 to 1) of each sent issue's clicks that are still to come, by slug."""
    return arrivals().remaining_shares


def arrivals() -> Arrivals:
    """Return how fast clicks arrive after an issue was sent. The result is cached."""
    app_config = config()

    def compute(store: Store) -> Arrivals:
        return load_arrivals(store, config=app_config, as_of=int(time.time()))

    return get_or_compute("arrivals", compute)


def cached_outlooks(slugs: tuple[str, ...]) -> dict[str, Outlook]:
    """Return the forecast of each issue, and the comparison with earlier issues, by slug. The result is cached."""
    shares, at = remaining_shares(), now()

    def compute(store: Store) -> dict[str, Outlook]:
        return build_outlooks(store, slugs, remaining_shares=shares, now=at)

    return get_or_compute(("outlooks", slugs), compute)


def reruns(slug: str, *, wait: bool) -> tuple[RerunSuggestion, ...] | None:
    """Return the articles of an issue that are worth repeating in a later issue, at another position.

    Without ``wait``, return None while the suggestions are computed.
    """
    app_config = config()

    def compute(store: Store) -> tuple[RerunSuggestion, ...]:
        return suggest_stored_reruns(store, slug, config=app_config, as_of=int(time.time()))

    return (get_or_compute if wait else get_if_ready)(("reruns", slug), compute)


def article_results(slug: str) -> Mapping[str, RankedArticle] | None:
    """Return the ranking results of an issue's articles, by URL; None while they are computed."""
    app_config = config()

    def compute(store: Store) -> Mapping[str, RankedArticle]:
        now = int(time.time())
        try:
            ranking = rank_stored_articles(store, config=app_config, as_of=now, issue=slug)
        except NotFound:
            return {}
        return {article.url: article for article in ranking.articles}

    return get_if_ready(("results", slug), compute)


def cached_ranking(key: RankingKey) -> Ranking:
    """Return a ranking from the cache, or compute it. Raises InputError, NotFound."""
    return get_or_compute(("ranking", key), partial(_rank, config(), key))


def ranking_if_ready(key: RankingKey = ALL_ARTICLES) -> Ranking | None:
    """Return a ranking from the cache, or None while it is computed. Raises InputError, NotFound."""
    return get_if_ready(("ranking", key), partial(_rank, config(), key))


def prepare(slug: str, month: str) -> None:
    """Start threads that compute the results of an issue, a month and all articles, unless they are cached."""
    starts: dict[Hashable, Callable[[], object]] = {
        ("ranking", ALL_ARTICLES): ranking_if_ready,
        ("results", slug): partial(article_results, slug),
        ("ranking", RankingKey(month=month)): partial(ranking_if_ready, RankingKey(month=month)),
        ("reruns", slug): partial(reruns, slug, wait=False),
    }
    for key in missing_keys(starts):
        starts[key]()


def counted_articles(key: RankingKey) -> tuple[CountedArticle, ...]:
    """Return the articles of a ranking with their counts, ordered by clicks, without computing the ranking.

    Raises InputError, NotFound.
    """
    app_config = config()

    def compute(store: Store) -> tuple[CountedArticle, ...]:
        as_of = int(time.time())
        return count_stored_articles(
            store, config=app_config, as_of=as_of, month=key.month, issue=key.issue, since=key.since
        )

    return get_or_compute(("counted", key), compute)


def cached_draft(month: str) -> Draft:
    """Return the draft of a month's picks (recommended articles), made from the cached ranking.

    Raises InputError, NotFound.
    """
    return _draft(month, cached_ranking(RankingKey(month=month)))


def edited_draft(draft: Draft, edits: PicksEdits) -> Draft:
    """Return a draft with ``edits`` in place of the stored edits."""
    return draft_picks.draft_from_ranking(
        store(), draft.month, draft.ranking, config=config(), as_of=draft.as_of, edits=edits
    )


def draft_if_ready(month: str) -> Draft | None:
    """Return the draft of a month's picks (recommended articles), or None while the ranking is computed.

    Raises InputError, NotFound.
    """
    ranking = ranking_if_ready(RankingKey(month=month))
    return None if ranking is None else _draft(month, ranking)


def explanation(url: str, month: str, *, wait: bool) -> Explanation | None:
    """Return how the ranking of a month (YYYY-MM) computes an article's figures.

    Without ``wait``, return None during the computation.
    """
    app_config = config()

    def compute(store: Store) -> Explanation:
        try:
            return explain_article(store, url, config=app_config, as_of=int(time.time()), month=month)
        except NotFound:
            # The ranking does not contain the article. ``cells``, its appearances in issues, is empty.
            return Explanation(url, "", 1.0, 1.0, 1.0, "visitors", None, None, 0.0, (), (), "")

    return (get_or_compute if wait else get_if_ready)(("explanation", url, month), compute)


def _rank(app_config: Config, key: RankingKey, store: Store) -> Ranking:
    return rank_stored_articles(
        store, config=app_config, as_of=int(time.time()), month=key.month, issue=key.issue, since=key.since
    )


def _draft(month: str, ranking: Ranking) -> Draft:
    # Decisions do not change the ranking, so that the draft is not cached with it.
    return draft_picks.draft_from_ranking(store(), month, ranking, config=config(), as_of=now())
