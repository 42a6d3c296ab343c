"""View of the search for issues, articles, links, pages, and terms of the help."""

from flask import Blueprint, Response, render_template, request, url_for
from msgspec import Struct

from shortener.reporting.counts import click_rate
from shortener.reporting.link_records import LinkRecord, build_link_record, search_text, search_words
from shortener.services.accounts import Role, role_allows
from shortener.store import listings, search
from shortener.store.listings import LinkFilter
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.issue_sentence import describe_comparison
from shortener.web.languages import gettext as _
from shortener.web.ranking_cache import ALL_ARTICLES, cached_outlooks, counted_articles, ranking_if_ready
from shortener.web.responses import json_response
from shortener.web.terms import term_sections

blueprint = Blueprint("search", __name__, url_prefix="/-")

MAX_RESULTS = 8
"""Largest number of results of each kind. The lists have the others."""
LATEST_LINKS = 5 * MAX_RESULTS
"""Number of matching links among which those with the words in the title are found."""


class FoundIssue(Struct, frozen=True):
    """An issue that has each word of the search in its title or slug. ``rate`` is its click rate, None if unknown."""

    slug: str
    title: str
    status: str
    rate: float | None


class FoundArticle(Struct, frozen=True):
    """An article that has each word of the search in its title, author or URL."""

    url: str
    title: str
    author: str
    issue: str
    """Slug of the latest issue with the article."""
    position: int | None
    """Position of the article in this latest issue."""
    visitors: int | None
    """Sum over the issues in the ranking; None if there are none, or if clicks are counted instead."""
    clicks: int | None
    """Sum over the issues in the ranking; None if there are none, or if visitors are counted instead."""


class FoundPage(Struct, frozen=True):
    """A page, or a term of the help page, whose name contains all words of the search.

    ``text`` is the explanation of the term.
    """

    name: str
    address: str
    text: str = ""


class SearchResults(Struct, frozen=True):
    """The first results of a search, by kind: issues, articles, links and pages."""

    query: str
    issues: tuple[FoundIssue, ...] = ()
    articles: tuple[FoundArticle, ...] = ()
    links: tuple[LinkRecord, ...] = ()
    pages: tuple[FoundPage, ...] = ()
    has_more: tuple[str, ...] = ()
    """Kinds, except pages, of which there are more results."""
    totals: dict[str, int] = {}
    """Number of all results by kind."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not (self.issues or self.articles or self.links or self.pages)


@blueprint.get("/search")
@role_required("viewer")
def show_search() -> str:
    """Show issues, articles, links, pages and terms that contain all words of the query."""
    results = _find()
    ranking = ranking_if_ready() if results.articles else None
    return render_template(
        "search.html",
        results=results,
        words=search_words(results.query),
        has_all=_has_all,
        outlooks=cached_outlooks(tuple(issue.slug for issue in results.issues)) if results.issues else {},
        describe_comparison=describe_comparison,
        ranked={article.url: article for article in ranking.articles if article.is_comparable} if ranking else {},
    )


@blueprint.get("/search.json")
@role_required("viewer")
def search_json() -> Response:
    """Return the results of a search as JSON."""
    return json_response(_find())


def _find() -> SearchResults:
    query = search_text(request.args.get("q", ""), config=config())
    words = search_words(query)
    if not words:
        return SearchResults(query)
    issues, pages = _find_issues(words), _find_pages(words)
    totals = {
        "issues": len(issues),
        "articles": search.count_articles(store(), words),
        "links": listings.count_links(store(), LinkFilter(words=words), now=now()),
        "pages": len(pages),
    }
    return SearchResults(
        query,
        issues[:MAX_RESULTS],
        _find_articles(words),
        _find_links(words),
        pages[:MAX_RESULTS],
        tuple(name for name in ("issues", "articles", "links") if totals[name] > MAX_RESULTS),
        totals,
    )


def _has_all(text: str, words: tuple[str, ...]) -> bool:
    folded = text.casefold()
    return all(word.casefold() in folded for word in words)


def _find_issues(words: tuple[str, ...]) -> tuple[FoundIssue, ...]:
    found = listings.list_issues(store(), with_hidden=True)
    return tuple(
        FoundIssue(
            issue.slug,
            issue.title,
            issue.status(now=now()),
            click_rate(issue.visitors, issue.recipients) if issue.clicks else None,
        )
        for issue in found
        if _has_all(f"{issue.title} {issue.slug}", words)
    )


def _find_articles(words: tuple[str, ...]) -> tuple[FoundArticle, ...]:
    counts = {article.url: (article.visitors, article.clicks) for article in counted_articles(ALL_ARTICLES)}
    found = search.search_articles(store(), words, limit=MAX_RESULTS)
    return tuple(
        FoundArticle(each.url, each.title, each.author, each.issue, each.position, *counts.get(each.url, (None, None)))
        for each in found
    )


def _find_links(words: tuple[str, ...]) -> tuple[LinkRecord, ...]:
    rows = listings.search_links(store(), LinkFilter(words=words), now=now(), limit=LATEST_LINKS)
    rows = sorted(rows, key=lambda row: not _has_all(row.title, words))[:MAX_RESULTS]
    return tuple(build_link_record(row, config=config(), now=now()) for row in rows)


def _find_pages(words: tuple[str, ...]) -> tuple[FoundPage, ...]:
    terms = [
        FoundPage(str(term.name), f"{url_for('settings.show_help')}#{key}", str(term.text))
        for _title, section in term_sections()
        for key, term in section.items()
    ]
    found = [page for page in (*_pages(), *terms) if _has_all(page.name, words)]
    return tuple(sorted(found, key=lambda page: not page.name.casefold().startswith(words[0].casefold())))


def _pages() -> list[FoundPage]:
    pages: list[tuple[str, str, Role]] = [
        (_("Overview"), "overview.show_overview", "viewer"),
        (_("Issues"), "issues.list_issues", "viewer"),
        (_("New issue"), "new_issue.new_issue", "editor"),
        (_("Articles"), "articles.show_articles", "viewer"),
        (_("Picks"), "picks.show_picks", "viewer"),
        (_("Links"), "link_list.list_links", "viewer"),
        (_("New link"), "links.new_link", "editor"),
        (_("Settings"), "settings.show_settings", "viewer"),
        (_("Help"), "settings.show_help", "viewer"),
        (_("Account and password"), "accounts.account", "viewer"),
        (_("System"), "settings.show_system", "admin"),
        (_("Users"), "accounts.users", "admin"),
        (_("Tokens"), "tokens.list_tokens", "admin"),
        (_("Webhooks"), "webhooks.list_webhooks", "admin"),
    ]
    own_role = current_user().role
    return [FoundPage(str(name), url_for(endpoint)) for name, endpoint, role in pages if role_allows(own_role, role)]
