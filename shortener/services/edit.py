"""Corrections by editors: details of an issue and its articles, targets of links, and honeypot links.

A honeypot link is one that readers do not see.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from msgspec import UNSET, Struct, UnsetType

from shortener.config import Config
from shortener.errors import Conflict, FieldError, InputError, NotFound
from shortener.messages import Message
from shortener.newsletter import Role
from shortener.services.plausibility import check_details
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store import Store, decisions, draft_links, issues, links, picks_edits
from shortener.store.issues import Article, Issue
from shortener.store.links import Link, LinkField
from shortener.store.nearby_clicks import queue_reclassification

ROLES: tuple[Role, ...] = get_args(Role)
"""Roles of a target of an issue."""


def correct_issue(
    store: Store,
    slug: str,
    *,
    now: int,
    title: str | None = None,  # None leaves it unchanged
    sent_at: int | UnsetType | None = UNSET,  # seconds of the UTC epoch; None for unknown
    recipients: int | UnsetType | None = UNSET,  # None for unknown
    confirmed: bool = False,
) -> None:
    """Change the given fields of an issue.

    Raises NotFound, InputError, and Doubtful for unlikely values that are not confirmed.
    """
    if isinstance(recipients, int) and recipients < 1:
        raise InputError(Message("recipients: expected 1 or more, or nothing if the number is unknown"))
    if title is not None and not title.strip():
        raise FieldError(Message("title: an issue needs a title"), field="title")
    values = {"title": UNSET if title is None else title.strip(), "sent_at": sent_at, "recipients": recipients}
    changes = {name: value for name, value in values.items() if value is not UNSET}
    if not changes:
        raise InputError(Message("{slug}: no change was given", slug=slug))
    with store.transaction():
        issue = issues.get(store, slug)
        if not confirmed:
            known = {name: None if value is UNSET else value for name, value in values.items() if name != "title"}
            check_details(store, issue, now=now, **known)  # type: ignore[arg-type]
        issues.update(store, issue.id, now=now, **changes)
        if sent_at is not UNSET and sent_at != issue.sent_at:
            # Verdicts of clicks depend on the sending time.
            queue_reclassification(store, issue.id)


def retarget(store: Store, link: Link, target: str, *, config: Config, who: str, now: int) -> None:
    """Change the target of a link to the canonical URL ``target``.

    The link's article, and editors' decisions about that article, get the new URL too.
    """
    if target == link.target:
        return
    old = link.target or build_short_url(link.domain, link.code, domains=config.domains)
    with store.transaction():
        replace_target(store, link, old, target, who=who, now=now)
        # Until a link has a target, drafts identify its article by the short URL.
        if link.target is None:
            draft_links.rename_url(store, old_url=old, new_url=target)


def replace_target(store: Store, link: Link, old: str, target: str, *, who: str, now: int) -> None:
    """Change the target of a link, and change the URL of its article from ``old`` to ``target``."""
    links.update_field(store, link, "target", target, who=who, now=now)
    issues.rename_article_url(store, link.id, old_url=old, new_url=target)
    decisions.rename_url(store, old_url=old, new_url=target)
    picks_edits.rename_url(store, old_url=old, new_url=target)


REVERTIBLE_FIELDS: tuple[LinkField, ...] = ("target", "title", "forward", "expires_at")
"""Fields of a link whose last edit can be reverted."""


def last_edits(store: Store, link: Link) -> dict[LinkField, dict[str, Any]]:
    """Return the last edit of each field of a link, by field. Edits that cannot be reverted are left out."""
    last = {edit["field"]: edit for edit in links.list_edits(store, link.id)}
    # A target cannot become unknown again, because readers may have followed it.
    return {
        field: last[field]
        for field in REVERTIBLE_FIELDS
        if field in last and (field != "target" or last[field]["old"] is not None)
    }


def revert_edit(
    store: Store,
    link: Link,
    field: str,
    *,
    at: int,  # time of the edit in seconds of the UTC epoch
    config: Config,
    who: str,
    now: int,
) -> None:
    """Undo an edit of a link's field. Raises Conflict if the field has been edited since."""
    with store.transaction():
        edit = next((edit for name, edit in last_edits(store, link).items() if name == field), None)
        if edit is None or edit["at"] != at:
            raise Conflict(Message("this was changed again meanwhile; check the history of the link"))
        if field == "target":
            retarget(store, link, edit["old"], config=config, who=who, now=now)
        else:
            old = int(edit["old"]) if field == "expires_at" and edit["old"] is not None else edit["old"]
            links.update_field(store, link, edit["field"], old, who=who, now=now)


def mark_honeypot(
    store: Store, slug: str, url: str, *, config: Config, who: str, now: int, is_honeypot: bool = True
) -> Link:
    """Mark or unmark a link of an issue as a honeypot, which readers do not see.

    Return the changed link. Raises NotFound.
    """
    with store.transaction():
        issue = issues.get(store, slug)
        link = _find_link(store, issue, url, config)
        links.update_field(store, link, "honeypot", int(is_honeypot), who=who, now=now)
        article_id = _article_id_of_link(store, issue, link)
        for article in issues.list_articles(store, issue.id) if is_honeypot else ():
            if article.id == article_id and article.position is not None:
                _correct_position(store, issue, article, None)
        if link.honeypot != int(is_honeypot):
            queue_reclassification(store, issue.id)
        return links.get(store, link.domain, link.code)


def _find_link(store: Store, issue: Issue, url: str, config: Config) -> Link:
    key = parse_short_url(url, domains=config.domains)
    for link in links.list_by_issue(store, issue.id):
        if (link.domain, link.code) == key:
            return link
    raise NotFound(Message("{slug} has no short link {url}", slug=issue.slug, url=url), kind="link_not_in_issue")


def _article_id_of_link(store: Store, issue: Issue, link: Link) -> int | None:
    placements = issues.list_placements(store, issue.id)
    article_ids = (placement.article_id for placement in placements if placement.link_id == link.id)
    return next(article_ids, link.article_id)


def correct_article(
    store: Store,
    slug: str,
    url: str,  # short URL or target of the article
    *,
    config: Config,
    title: str | None = None,  # None leaves a field unchanged
    author: str | None = None,
    summary: str | None = None,
    position: int | None = None,  # from 1
    is_article: bool | None = None,  # False removes the article from the ranking
) -> Article:
    """Correct the given fields of an article, and return the changed article. Raises NotFound, InputError."""
    with store.transaction():
        issue = issues.get(store, slug)
        article = _find_article(store, issue, url, config)
        for field, value in (("title", title), ("author", author), ("summary", summary)):
            if value is not None:
                issues.correct_article(store, article, field, value)  # type: ignore[arg-type]
                article = _reload_article(store, issue, article)
        if is_article is False:
            if position is not None:
                raise InputError(Message("{url}: a link that is no article cannot have a position", url=url))
            _correct_position(store, issue, article, None)
        elif position is not None or (is_article and article.position is None):
            offsets = {} if position else _first_offset_by_article(store, issue)
            _correct_position(store, issue, article, position or _position_in_document(store, issue, article, offsets))
        return _reload_article(store, issue, article)


class ArticleEdit(Struct, frozen=True):
    """New values for an article or other link target of an issue.

    None leaves a text or role unchanged.
    """

    url: str
    title: str | None = None
    author: str | None = None
    summary: str | None = None
    position: int | UnsetType | None = UNSET
    """Position among the articles, from 1; None for a target that is not an article. UNSET means unchanged."""
    role: Role | None = None
    """One of "article", "inline" (a link in running text) and "other"."""


def correct_articles(store: Store, slug: str, article_edits: Iterable[ArticleEdit], *, config: Config) -> None:
    """Correct several articles of an issue. Only values that differ from the stored ones count as corrections.

    Raises NotFound.
    """
    edits = list(article_edits)
    with store.transaction():
        issue = issues.get(store, slug)
        roles = {article.url: article.role for article in issues.list_articles(store, issue.id)}
        for edit in edits:
            if edit.url not in roles:
                raise NotFound(Message("{slug} has no article {url} any more", slug=slug, url=edit.url))
        for role in ROLES:
            if urls := [edit.url for edit in edits if edit.role == role != roles[edit.url]]:
                set_roles(store, slug, urls, role=role, config=config)
        articles = {article.url: article for article in issues.list_articles(store, issue.id)}
        for edit in edits:
            for name, text in (("title", edit.title), ("author", edit.author), ("summary", edit.summary)):
                if text is not None and text != getattr(articles[edit.url], name):
                    article = _reload_article(store, issue, articles[edit.url])
                    issues.correct_article(store, article, name, text)  # type: ignore[arg-type]
        moves = {articles[edit.url].id: edit.position for edit in edits if edit.position is not UNSET}
        positions = {article.id: article.position for article in articles.values()}
        _correct_positions(store, issue, {id: moves[id] for id in moves if moves[id] != positions[id]})


def set_roles(
    store: Store,
    slug: str,
    urls: Sequence[str],  # short URLs or targets
    *,
    role: str,  # "article", "inline" (in running text) or "other"
    config: Config,
) -> list[Article]:
    """Give link targets of an issue another role, and return these targets. Raises NotFound, InputError."""
    if role not in ROLES:
        raise InputError(Message("{role}: unknown role; expected one of {names}", role=role, names=", ".join(ROLES)))
    if not urls:
        raise InputError(Message("no link was selected"))
    changed = []
    with store.transaction():
        issue = issues.get(store, slug)
        offsets = _first_offset_by_article(store, issue) if role == "article" else {}
        for url in urls:
            article = _find_article(store, issue, url, config)
            position = None
            if role == "article":
                position = article.position or _position_in_document(store, issue, article, offsets)
            if position != article.position:
                _move_articles(store, issue, {article.id: position})
            issues.correct_article(store, _reload_article(store, issue, article), "role", role)
            changed.append(_reload_article(store, issue, article))
    return changed


def _find_article(store: Store, issue: Issue, url: str, config: Config) -> Article:
    key = parse_short_url(url, domains=config.domains)
    link = links.find(store, *key) if key else None
    article_ids = {placement.link_id: placement.article_id for placement in issues.list_placements(store, issue.id)}
    for article in issues.list_articles(store, issue.id):
        if article.url == url or (link is not None and article_ids.get(link.id) == article.id):
            return article
    raise NotFound(Message("{slug} has no link {url}", slug=issue.slug, url=url), kind="article_not_found")


def _reload_article(store: Store, issue: Issue, article: Article) -> Article:
    return next(stored for stored in issues.list_articles(store, issue.id) if stored.id == article.id)


def _position_in_document(store: Store, issue: Issue, article: Article, offsets: Mapping[int | None, int]) -> int:
    own_offset = offsets.get(article.id, 0)
    return 1 + sum(
        other.position is not None and offsets.get(other.id, 0) < own_offset
        for other in issues.list_articles(store, issue.id)
    )


def _first_offset_by_article(store: Store, issue: Issue) -> dict[int | None, int]:
    output = issues.get_documents(store, issue.id)[1]
    placements = issues.list_placements(store, issue.id)
    codes = links.codes_by_id(store, {placement.link_id for placement in placements})
    places = [output.find(f"/{codes[each.link_id][1]}/{each.n}".encode()) for each in placements]
    # A mail in base64 has no readable short URLs. Placement numbers then replace all offsets; they can be in another
    # order after an edit of the document.
    is_found = all(place >= 0 for place in places)
    offsets: dict[int | None, int] = {}  # by article id; None for links that belong to no article
    for placement, place in zip(placements, places, strict=True):
        offset = place if is_found else placement.n
        offsets[placement.article_id] = min(offset, offsets.get(placement.article_id, offset))
    return offsets


def _correct_position(store: Store, issue: Issue, article: Article, position: int | None) -> None:
    _correct_positions(store, issue, {article.id: position})


def _correct_positions(store: Store, issue: Issue, positions: Mapping[int, int | None]) -> None:
    _move_articles(store, issue, positions)
    # Corrections by editors stay if the issue is added again.
    for article in issues.list_articles(store, issue.id):
        if article.id in positions:
            issues.correct_article(store, article, "position", article.position)
            moved = _reload_article(store, issue, article)
            issues.correct_article(store, moved, "role", moved.role)


def _move_articles(
    store: Store,
    issue: Issue,
    positions: Mapping[int, int | None],  # from 1, by article id; None for a target that is no article any more
) -> None:
    order = [
        other.id
        for other in issues.list_articles(store, issue.id)
        if other.position is not None and other.id not in positions
    ]
    placed = sorted((position, article_id) for article_id, position in positions.items() if position is not None)
    for position, article_id in placed:
        order.insert(min(position, len(order) + 1) - 1, article_id)
    numbers: dict[int, int | None] = dict.fromkeys(positions)
    numbers |= {article_id: number for number, article_id in enumerate(order, start=1)}
    issues.set_positions(store, numbers)
