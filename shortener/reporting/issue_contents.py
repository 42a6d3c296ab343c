"""Contents of an issue: its articles, its short links, and each use of a link."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.config import Config
from shortener.reporting.counts import to_datetime_or_none
from shortener.short_urls import build_short_url
from shortener.store import Store, issues, links
from shortener.store.issues import Article, Placement
from shortener.store.links import Link


class PlacementContents(Struct, frozen=True):
    """One use of a link in an issue."""

    n: int
    """Number of the use in document order."""
    kind: str
    """Such as title."""
    text: str
    part: str = ""
    """Part of a mail: html or text. '' if the issue is not a mail."""


class LinkContents(Struct, frozen=True):
    """A short link of an issue, with each use of the link in this issue."""

    short_url: str
    target: str | None
    article: str | None
    """URL of the article that the link belongs to, or None."""
    placements: tuple[PlacementContents, ...]
    trap: bool = False
    """Whether it is a honeypot link, which readers do not see."""
    role: str = "other"
    """article, inline or other."""


class ArticleLinkContents(Struct, frozen=True):
    """A short link of an article, with the uses of the link that belong to this article."""

    short_url: str
    placements: tuple[PlacementContents, ...]


class ArticleContents(Struct, frozen=True):
    """A link target of the issue with the fields that editors can correct.

    ``position`` is None if the target is not an article.
    """

    position: int | None
    url: str
    title: str
    author: str
    summary: str
    section: str
    links: tuple[ArticleLinkContents, ...]
    image: str
    role: str = "other"
    """article, inline or other."""


class IssueContents(Struct, frozen=True):
    """Contents of an issue: its articles and its short links."""

    slug: str
    title: str
    sent_at: datetime | None
    recipients: int | None
    articles: tuple[ArticleContents, ...]
    """Articles in order of position. Other link targets are left out."""
    links: tuple[LinkContents, ...]
    """Every short link once."""
    todo: tuple[str, ...]
    """Short links that have no target yet."""
    format: str
    domain: str
    status: str = "draft"
    """draft, scheduled, sent, archived or removed."""


def load_issue_contents(store: Store, slug: str, *, config: Config, now: int) -> IssueContents:
    """Return the contents of the issue with this slug. Raises NotFound.

    The status is given for the time ``now`` (seconds of the UTC epoch).
    """
    issue = issues.get(store, slug)
    stored_links = links.list_by_issue(store, issue.id)
    targets = issues.list_articles(store, issue.id)
    articles = [article for article in targets if article.position is not None]
    roles = {target.id: target.role for target in targets}
    placements = issues.list_placements(store, issue.id)
    short_urls = _short_urls(stored_links, config=config)
    by_link: dict[int, list[PlacementContents]] = {link.id: [] for link in stored_links}
    article_ids = {link.id: link.article_id for link in stored_links}
    for placement in placements:
        by_link[placement.link_id].append(
            PlacementContents(placement.n, placement.kind, placement.text, placement.part)
        )
        article_ids[placement.link_id] = placement.article_id
    article_urls = {article.id: article.url for article in articles}
    return IssueContents(
        slug=issue.slug,
        title=issue.title,
        sent_at=to_datetime_or_none(issue.sent_at),
        recipients=issue.recipients,
        articles=_article_contents(articles, placements, short_urls),
        links=tuple(
            LinkContents(
                short_urls[link.id],
                link.target,
                article_urls.get(article_ids[link.id] or 0),
                tuple(by_link[link.id]),
                trap=bool(link.honeypot),
                role=roles.get(article_ids[link.id] or 0, "other"),
            )
            for link in stored_links
        ),
        todo=tuple(short_urls[link.id] for link in stored_links if link.target is None),
        format=issue.format,
        domain=issue.domain,
        status=issues.status(issue, now=now),
    )


def load_other_links(store: Store, slug: str, *, config: Config) -> tuple[ArticleContents, ...]:
    """Return the link targets of an issue that are not articles. Raises NotFound.

    Those linked in running text come first.
    """
    issue = issues.get(store, slug)
    short_urls = _short_urls(links.list_by_issue(store, issue.id), config=config)
    others = [article for article in issues.list_articles(store, issue.id) if article.position is None]
    others.sort(key=_is_other)
    return _article_contents(others, issues.list_placements(store, issue.id), short_urls)


def _is_other(article: Article) -> bool:
    return article.role != "inline"


def _short_urls(stored_links: Iterable[Link], *, config: Config) -> dict[int, str]:
    return {link.id: build_short_url(link.domain, link.code, domains=config.domains) for link in stored_links}


def _article_contents(
    articles: Sequence[Article], placements: Iterable[Placement], short_urls: Mapping[int, str]
) -> tuple[ArticleContents, ...]:
    by_article: dict[int | None, dict[str, list[PlacementContents]]] = {article.id: {} for article in articles}
    for placement in placements:
        if placement.article_id in by_article:
            by_url = by_article[placement.article_id].setdefault(short_urls[placement.link_id], [])
            by_url.append(PlacementContents(placement.n, placement.kind, placement.text, placement.part))
    return tuple(
        ArticleContents(
            position=article.position,
            url=article.url,
            title=article.title,
            author=article.author,
            summary=article.summary,
            section=article.section,
            links=tuple(
                ArticleLinkContents(short_url, tuple(placed)) for short_url, placed in by_article[article.id].items()
            ),
            image=article.image,
            role=article.role,
        )
        for article in articles
    )
