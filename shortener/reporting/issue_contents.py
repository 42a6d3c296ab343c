"""What an issue consists of, as a value: its articles, their links, and where each stands."""

from datetime import datetime

from msgspec import Struct

from shortener.config import Config
from shortener.reporting.counts import moment
from shortener.short_urls import short_url
from shortener.store import Store, issues, links


class PlacementShown(Struct, frozen=True):
    """One occurrence of a link."""

    n: int
    kind: str
    text: str


class LinkShown(Struct, frozen=True):
    """A short link with its occurrences in the issue. ``article`` is the URL of what it belongs to."""

    short_url: str
    target: str | None
    article: str | None
    placements: tuple[PlacementShown, ...]
    trap: bool = False
    """Whether it is hidden in the issue, so that only machines follow it."""


class ArticleLink(Struct, frozen=True):
    """A short link as it stands under its article."""

    short_url: str
    placements: tuple[PlacementShown, ...]


class ArticleShown(Struct, frozen=True):
    """An article; ``position`` is None for what is tracked but is no article (footer, social links, profiles)."""

    position: int | None
    url: str
    title: str
    author: str
    summary: str
    section: str
    links: tuple[ArticleLink, ...]
    image: str


class IssueShown(Struct, frozen=True):
    """An issue; times in ISO 8601, UTC. ``todo`` are the short links that still need a target."""

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    articles: tuple[ArticleShown, ...]
    links: tuple[LinkShown, ...]
    todo: tuple[str, ...]
    format: str
    domain: str


def show_issue(store: Store, slug: str, *, config: Config) -> IssueShown:
    """The issue of a slug. Raises NotFound."""
    issue = issues.get(store, slug)
    codes = {link.id: link for link in links.of_issue(store, issue.id)}
    urls = {
        link_id: short_url(link.domain, link.code, domains=config.domains) for link_id, link in codes.items()
    }
    found = issues.articles(store, issue.id)
    by_link: dict[int, list[PlacementShown]] = {link_id: [] for link_id in codes}
    by_article: dict[int, dict[int, list[PlacementShown]]] = {article.id: {} for article in found}
    owners: dict[int, int | None] = {link_id: link.article_id for link_id, link in codes.items()}
    for placement in issues.placements(store, issue.id):
        shown = PlacementShown(placement.n, placement.kind, placement.text)
        by_link[placement.link_id].append(shown)
        owners[placement.link_id] = placement.article_id
        if placement.article_id is not None:
            by_article[placement.article_id].setdefault(placement.link_id, []).append(shown)
    article_urls = {article.id: article.url for article in found}
    return IssueShown(
        slug=issue.slug,
        title=issue.title,
        sent_at=None if issue.sent_at is None else moment(issue.sent_at),
        recipients=issue.recipients,
        articles=tuple(
            ArticleShown(
                position=article.position,
                url=article.url,
                title=article.title,
                author=article.author,
                summary=article.summary,
                section=article.section,
                links=tuple(
                    ArticleLink(urls[link], tuple(each)) for link, each in by_article[article.id].items()
                ),
                image=article.image,
            )
            for article in found
        ),
        links=tuple(
            LinkShown(
                urls[link_id],
                codes[link_id].target,
                article_urls.get(owners[link_id] or 0),
                tuple(each),
                trap=bool(codes[link_id].trap),
            )
            for link_id, each in by_link.items()
        ),
        todo=tuple(urls[link_id] for link_id, link in codes.items() if link.target is None),
        format=issue.format,
        domain=issue.domain,
    )
