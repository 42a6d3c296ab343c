"""Contents of an issue as a value: its articles, its short links, and where each link is placed."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from shortener.config import Config
from shortener.reporting.counts import to_datetime_or_none
from shortener.short_urls import build_short_url
from shortener.store import Store, issues, links
from shortener.store.issues import Article


class PlacementContents(Struct, frozen=True):
    """One occurrence of a link: its number in document order, its kind and its text."""

    n: int
    kind: str
    text: str


class LinkContents(Struct, frozen=True):
    """A short link with its placements in the issue; ``article`` is the URL of its article, None for other links."""

    short_url: str
    target: str | None
    article: str | None
    placements: tuple[PlacementContents, ...]
    trap: bool = False
    """Whether it is a honeypot link, which readers do not see."""


class ArticleLinkContents(Struct, frozen=True):
    """A short link of an article, with the placements that present this article."""

    short_url: str
    placements: tuple[PlacementContents, ...]


class ArticleContents(Struct, frozen=True):
    """A target of the issue with what editors can correct; ``position`` is None for one that is no article."""

    position: int | None
    url: str
    title: str
    author: str
    summary: str
    section: str
    links: tuple[ArticleLinkContents, ...]
    image: str


class IssueContents(Struct, frozen=True):
    """Contents of an issue; ``todo`` lists the short links that have no target yet.

    ``articles`` are ordered by position. ``links`` has every short link once. ``other_links`` are the targets that
    are no article (footer, social, profiles), so that an editor can correct them or give them a position.
    """

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    articles: tuple[ArticleContents, ...]
    links: tuple[LinkContents, ...]
    todo: tuple[str, ...]
    format: str
    domain: str
    other_links: tuple[ArticleContents, ...] = ()


def load_issue_contents(store: Store, slug: str, *, config: Config) -> IssueContents:
    """Return the contents of the issue with this slug. Raises NotFound."""
    issue = issues.get(store, slug)
    stored_links = links.list_by_issue(store, issue.id)
    articles = issues.list_articles(store, issue.id)
    short_urls = {
        link.id: build_short_url(link.domain, link.code, domains=config.domains) for link in stored_links
    }
    by_link: dict[int, list[PlacementContents]] = {link.id: [] for link in stored_links}
    by_article: dict[int, dict[str, list[PlacementContents]]] = {article.id: {} for article in articles}
    article_ids = {link.id: link.article_id for link in stored_links}
    for placement in issues.list_placements(store, issue.id):
        shown = PlacementContents(placement.n, placement.kind, placement.text)
        by_link[placement.link_id].append(shown)
        article_ids[placement.link_id] = placement.article_id
        if placement.article_id is not None:
            placements = by_article[placement.article_id]
            placements.setdefault(short_urls[placement.link_id], []).append(shown)
    article_urls = {article.id: article.url for article in articles if article.position is not None}
    contents = [_article_contents(article, by_article[article.id]) for article in articles]
    return IssueContents(
        slug=issue.slug,
        title=issue.title,
        sent_at=to_datetime_or_none(issue.sent_at),
        recipients=issue.recipients,
        articles=tuple(article for article in contents if article.position is not None),
        links=tuple(
            LinkContents(
                short_urls[link.id],
                link.target,
                article_urls.get(article_ids[link.id] or 0),
                tuple(by_link[link.id]),
                trap=bool(link.honeypot),
            )
            for link in stored_links
        ),
        todo=tuple(short_urls[link.id] for link in stored_links if link.target is None),
        format=issue.format,
        domain=issue.domain,
        other_links=tuple(article for article in contents if article.position is None),
    )


def _article_contents(
    article: Article, placements_by_url: Mapping[str, list[PlacementContents]]
) -> ArticleContents:
    return ArticleContents(
        position=article.position,
        url=article.url,
        title=article.title,
        author=article.author,
        summary=article.summary,
        section=article.section,
        links=tuple(
            ArticleLinkContents(short_url, tuple(placements))
            for short_url, placements in placements_by_url.items()
        ),
        image=article.image,
    )
