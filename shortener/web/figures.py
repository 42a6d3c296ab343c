"""What pages take from the ranking, whose fit takes longer than a page may: computed once and kept for a while."""

import time
from collections.abc import Mapping

from msgspec import Struct

from shortener.config import Config
from shortener.errors import NotFound
from shortener.ranking import Explanation, RankedArticle
from shortener.reporting.ranking import explain_article, rank_stored_articles
from shortener.services import draft_picks
from shortener.services.draft_picks import Draft
from shortener.store import Store
from shortener.web.cache import get_or_compute
from shortener.web.context import config

MAX_EXPLAINED_ARTICLES = 10
"""Articles of one issue that were in others too and are taken apart, a fit each; the others go without figures."""


class ArticleResult(Struct, frozen=True):
    """How an article did in one issue: the clicks of an average article at its place there, and its appeal."""

    expected: float
    ranked: RankedArticle


def remaining_shares() -> Mapping[str, float]:
    """The share of each sent issue's clicks that is still to come, by slug."""
    asked = config()

    def compute(store: Store) -> Mapping[str, float]:
        known = rank_stored_articles(store, config=asked, as_of=int(time.time()))
        return {each.slug: each.to_come for each in known.issues}

    return get_or_compute("to come", compute)


def article_results(slug: str) -> Mapping[str, ArticleResult]:
    """The articles of an issue by URL; none for an issue that nobody was sent yet."""
    asked = config()

    def compute(store: Store) -> Mapping[str, ArticleResult]:
        now = int(time.time())
        try:
            known = rank_stored_articles(store, config=asked, as_of=now, issue=slug)
        except NotFound:
            return {}
        again = [each.url for each in known.articles if each.shown > 1][:MAX_EXPLAINED_ARTICLES]
        here = {url: _expected_clicks(store, url, slug, config=asked, now=now) for url in again}
        return {
            each.url: ArticleResult(here.get(each.url, each.expected), each)
            for each in known.articles
            if each.shown == 1 or each.url in here
        }

    return get_or_compute(("standings", slug), compute)


def _expected_clicks(store: Store, url: str, slug: str, *, config: Config, now: int) -> float:
    """The expected clicks in one issue of an article that others showed too."""
    made: Explanation = explain_article(store, url, config=config, as_of=now, issue=slug)
    return sum(cell.expected for cell in made.cells if cell.issue == slug)


def cached_draft(month: str) -> Draft:
    """The ranking of a month and the draft of its picks. Raises InputError, NotFound."""
    asked = config()

    def compute(store: Store) -> Draft:
        return draft_picks.build_draft(store, month, config=asked, as_of=int(time.time()))

    return get_or_compute(("draft", month), compute)
