"""What an editor changes in what is stored: an issue's facts, those of its articles, and where a link leads."""

from collections.abc import Iterable

from msgspec import UNSET, Struct, UnsetType

from shortener.collector.classifier import queue_reclassification
from shortener.config import Config
from shortener.errors import InputError, NotFound
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store import Store, decisions, drafts, issues, links
from shortener.store.issues import Article, Issue
from shortener.store.links import Link


def correct_issue(
    store: Store,
    slug: str,
    *,
    now: int,
    title: str | None = None,
    sent_at: int | UnsetType | None = UNSET,
    recipients: int | UnsetType | None = UNSET,
) -> None:
    """Set what is given; None takes back when an issue was sent, or to how many.

    With another time of sending the issue's clicks are judged again, here or by the collector. Raises NotFound,
    InputError.
    """
    if isinstance(recipients, int) and recipients < 1:
        raise InputError("recipients: expected 1 or more; leave it out when it is not known")
    said = {"title": title or UNSET, "sent_at": sent_at, "recipients": recipients}
    changes = {name: value for name, value in said.items() if value is not UNSET}
    if not changes:
        raise InputError(f"{slug}: nothing to change was named")
    with store.transaction():
        issue = issues.get(store, slug)
        issues.update(store, issue.id, now=now, **changes)
        if sent_at is not UNSET and sent_at != issue.sent_at:
            queue_reclassification(store, issue.id)


def retarget(store: Store, link: Link, target: str, *, config: Config, who: str, now: int) -> None:
    """Change where a link leads to a canonical target, and with it which article it stands for in its issues."""
    if target == link.target:
        return
    old = link.target or build_short_url(link.domain, link.code, domains=config.domains)
    with store.transaction():
        links.update_field(store, link, "target", target, who=who, now=now)
        issues.rename_article_url(store, link.id, old_url=old, new_url=target)
        decisions.rename_url(store, old_url=old, new_url=target)
        if link.target is None:
            drafts.rename_url(store, old_url=old, new_url=target)


def mark_honeypot(
    store: Store, slug: str, url: str, *, config: Config, who: str, now: int, is_honeypot: bool = True
) -> Link:
    """Say that a link of an issue is hidden in it, so that only machines follow it (or is not); the link as it is then.

    It is no article any more. What its clicks say of others is judged again, here or by the collector. Raises
    NotFound.
    """
    with store.transaction():
        issue = issues.get(store, slug)
        link = _find_link(store, issue, url, config)
        links.update_field(store, link, "honeypot", int(is_honeypot), who=who, now=now)
        for article in issues.list_articles(store, issue.id) if is_honeypot else ():
            if article.id == _article_id_of_link(store, issue, link) and article.position is not None:
                _move_article(store, issue, article, None)
        if link.honeypot != int(is_honeypot):
            queue_reclassification(store, issue.id)
        return links.get(store, link.domain, link.code)


def _find_link(store: Store, issue: Issue, url: str, config: Config) -> Link:
    key = parse_short_url(url, domains=config.domains)
    for link in links.list_by_issue(store, issue.id):
        if (link.domain, link.code) == key:
            return link
    raise NotFound(f"{issue.slug} has no short link {url}; `shortener link list` shows which issue has which")


def _article_id_of_link(store: Store, issue: Issue, link: Link) -> int | None:
    """The article that a link has in an issue."""
    placed = (each.article_id for each in issues.list_placements(store, issue.id) if each.link_id == link.id)
    return next(placed, link.article_id)


def correct_article(
    store: Store,
    slug: str,
    url: str,
    *,
    config: Config,
    title: str | None = None,
    author: str | None = None,
    summary: str | None = None,
    position: int | None = None,
    is_article: bool | None = None,
) -> Article:
    """Set what is given of the article that a short link or target names; the article as it is then.

    A new version of the issue leaves corrected fields alone. Raises NotFound, InputError.
    """
    with store.transaction():
        issue = issues.get(store, slug)
        article = _find_article(store, issue, url, config)
        for field, value in (("title", title), ("author", author), ("summary", summary)):
            if value is not None:
                issues.correct_article(store, article, field, value)  # type: ignore[arg-type]
                article = _reload_article(store, issue, article)
        if is_article is False:
            if position is not None:
                raise InputError("--position and --not-article contradict each other")
            _move_article(store, issue, article, None)
        elif position is not None or (is_article and article.position is None):
            _move_article(store, issue, article, position or _position_in_document(store, issue, article))
        return _reload_article(store, issue, article)


class ArticleEdit(Struct, frozen=True):
    """How an editor wants an article to be: None leaves a text, UNSET the position; without one it is no article."""

    url: str
    title: str | None = None
    author: str | None = None
    summary: str | None = None
    position: int | UnsetType | None = UNSET


def correct_articles(
    store: Store, slug: str, article_edits: Iterable[ArticleEdit], *, config: Config
) -> None:
    """Correct articles where they are not as wanted: what is left as it was does not count as corrected.

    Raises NotFound.
    """
    with store.transaction():
        known = {each.url: each for each in issues.list_articles(store, issues.get(store, slug).id)}
        for want in sorted(
            article_edits, key=lambda each: each.position if isinstance(each.position, int) else 0
        ):
            found = known.get(want.url)
            if found is None:
                raise NotFound("this issue has no such article any more; load the page again")
            texts = {
                name: said
                for name, said in (("title", want.title), ("author", want.author), ("summary", want.summary))
                if said is not None and said != getattr(found, name)
            }
            place = found.position if want.position is UNSET else want.position
            moved = place != found.position
            if texts or moved:
                correct_article(
                    store,
                    slug,
                    want.url,
                    config=config,
                    title=texts.get("title"),
                    author=texts.get("author"),
                    summary=texts.get("summary"),
                    position=place if moved else None,
                    is_article=place is not None if moved else None,
                )


def _find_article(store: Store, issue: Issue, url: str, config: Config) -> Article:
    wanted = url
    key = parse_short_url(url, domains=config.domains)
    link = links.find(store, *key) if key else None
    by_link = {
        placement.link_id: placement.article_id for placement in issues.list_placements(store, issue.id)
    }
    for article in issues.list_articles(store, issue.id):
        if article.url == wanted or (link is not None and by_link.get(link.id) == article.id):
            return article
    raise NotFound(f"{issue.slug} has no link {url}; `shortener issue show {issue.slug}` lists them")


def _reload_article(store: Store, issue: Issue, article: Article) -> Article:
    return next(each for each in issues.list_articles(store, issue.id) if each.id == article.id)


def _position_in_document(store: Store, issue: Issue, article: Article) -> int:
    """The position that an article has by the order of the document."""
    first: dict[int | None, int] = {}
    for placement in issues.list_placements(store, issue.id):
        first.setdefault(placement.article_id, placement.n)
    own = first.get(article.id, 0)
    return 1 + sum(
        each.position is not None and first.get(each.id, 0) < own
        for each in issues.list_articles(store, issue.id)
    )


def _move_article(store: Store, issue: Issue, article: Article, position: int | None) -> None:
    """Put an article at a position (None: it is no article), and number the others anew."""
    order = [
        each.id
        for each in issues.list_articles(store, issue.id)
        if each.position is not None and each.id != article.id
    ]
    if position is not None:
        order.insert(min(position, len(order) + 1) - 1, article.id)
    positions: dict[int, int | None] = {article.id: None}
    positions |= {article_id: place for place, article_id in enumerate(order, start=1)}
    issues.set_positions(store, positions)
    issues.correct_article(store, article, "position", positions[article.id])
