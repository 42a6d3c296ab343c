"""What an issue consists of, as a value: its articles, their links, and where each stands."""

from datetime import datetime

from msgspec import Struct

from shortener.config import Config
from shortener.reporting.counts import to_datetime
from shortener.short_urls import build_short_url
from shortener.store import Store, issues, links


class PlacementContents(Struct, frozen=True):
    """One occurrence of a link."""

    n: int
    kind: str
    text: str


class LinkContents(Struct, frozen=True):
    """A short link with its occurrences in the issue. ``article`` is the URL of what it belongs to."""

    short_url: str
    target: str | None
    article: str | None
    placements: tuple[PlacementContents, ...]
    trap: bool = False
    """Whether it is hidden in the issue, so that only machines follow it."""


class ArticleLinkContents(Struct, frozen=True):
    """A short link as it stands under its article."""

    short_url: str
    placements: tuple[PlacementContents, ...]


class ArticleContents(Struct, frozen=True):
    """An article; ``position`` is None for what is tracked but is no article (footer, social links, profiles)."""

    position: int | None
    url: str
    title: str
    author: str
    summary: str
    section: str
    links: tuple[ArticleLinkContents, ...]
    image: str


class IssueContents(Struct, frozen=True):
    """An issue; times in ISO 8601, UTC. ``todo`` are the short links that still need a target."""

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    articles: tuple[ArticleContents, ...]
    links: tuple[LinkContents, ...]
    todo: tuple[str, ...]
    format: str
    domain: str


def load_issue_contents(store: Store, slug: str, *, config: Config) -> IssueContents:
    """The issue of a slug. Raises NotFound."""
    issue = issues.get(store, slug)
    codes = {link.id: link for link in links.list_by_issue(store, issue.id)}
    urls = {
        link_id: build_short_url(link.domain, link.code, domains=config.domains)
        for link_id, link in codes.items()
    }
    found = issues.list_articles(store, issue.id)
    by_link: dict[int, list[PlacementContents]] = {link_id: [] for link_id in codes}
    by_article: dict[int, dict[int, list[PlacementContents]]] = {article.id: {} for article in found}
    owners: dict[int, int | None] = {link_id: link.article_id for link_id, link in codes.items()}
    for placement in issues.list_placements(store, issue.id):
        shown = PlacementContents(placement.n, placement.kind, placement.text)
        by_link[placement.link_id].append(shown)
        owners[placement.link_id] = placement.article_id
        if placement.article_id is not None:
            by_article[placement.article_id].setdefault(placement.link_id, []).append(shown)
    article_urls = {article.id: article.url for article in found}
    return IssueContents(
        slug=issue.slug,
        title=issue.title,
        sent_at=None if issue.sent_at is None else to_datetime(issue.sent_at),
        recipients=issue.recipients,
        articles=tuple(
            ArticleContents(
                position=article.position,
                url=article.url,
                title=article.title,
                author=article.author,
                summary=article.summary,
                section=article.section,
                links=tuple(
                    ArticleLinkContents(urls[link], tuple(each))
                    for link, each in by_article[article.id].items()
                ),
                image=article.image,
            )
            for article in found
        ),
        links=tuple(
            LinkContents(
                urls[link_id],
                codes[link_id].target,
                article_urls.get(owners[link_id] or 0),
                tuple(each),
                trap=bool(codes[link_id].honeypot),
            )
            for link_id, each in by_link.items()
        ),
        todo=tuple(urls[link_id] for link_id, link in codes.items() if link.target is None),
        format=issue.format,
        domain=issue.domain,
    )
