"""The articles that an issue will have: matched with the stored ones, corrected by editors, and numbered."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from msgspec import UNSET

from shortener.newsletter import ExtractedArticle, ExtractedIssue, Role, normalize_phrase
from shortener.services.edit import ArticleEdit
from shortener.services.issue_plan import ExistingIssue, PlannedArticle
from shortener.store.issues import Article

_MIN_SIGNATURE_LENGTH = 3  # characters of a title or link text by which a target is recognised
_TEXT_FIELDS = ("title", "author", "summary")


def find_retargets(extracted: ExtractedIssue, existing: ExistingIssue) -> dict[str, str]:
    """Return a dict from new URLs, which a new version of a document contains, to the stored URLs that they replace."""
    if existing.issue is None:
        return {}
    keys = {target.key for target in extracted.articles}
    gone = [
        article for article in existing.articles if article.url not in keys and _has_one_own_link(article, existing)
    ]
    stored_urls = {article.url for article in existing.articles}
    new = [target for target in extracted.articles if target.key not in stored_urls]
    # A new URL replaces a stored one that the document no longer contains, if both have the same title or link text,
    # and no other target has it. The stored URL must have one short link, which belongs to this issue only.
    gone_by_signature = _urls_by_unique_signature({article.url: _stored_texts(article, existing) for article in gone})
    new_by_signature = _urls_by_unique_signature({target.key: _texts(target) for target in new})
    replaced_urls: dict[str, str] = {}
    for signature, key in new_by_signature.items():
        old = gone_by_signature.get(signature)
        if old is not None and key not in replaced_urls and old not in replaced_urls.values():
            replaced_urls[key] = old
    return replaced_urls


def _has_one_own_link(article: Article, existing: ExistingIssue) -> bool:
    issue_id = existing.issue.id if existing.issue else None
    link_ids = {placement.link_id for placement in existing.placements if placement.article_id == article.id}
    own = [link for link in existing.links if link.id in link_ids]
    return (
        len(own) == 1
        and own[0].issue_id == issue_id
        and own[0].target == article.url
        and not existing.numbers_elsewhere.get(own[0].id)
    )


def _texts(target: ExtractedArticle) -> Iterable[str]:
    return [target.title or "", *(placement.text for placement in target.placements)]


def _stored_texts(article: Article, existing: ExistingIssue) -> Iterable[str]:
    texts = (placement.text for placement in existing.placements if placement.article_id == article.id)
    return [article.title, *texts]


def _urls_by_unique_signature(
    texts: Mapping[str, Iterable[str]],  # by URL
) -> dict[str, str]:
    urls: dict[str, set[str]] = {}
    for url, values in texts.items():
        for value in values:
            signature = normalize_phrase(value)
            if len(signature) >= _MIN_SIGNATURE_LENGTH and value != url:
                urls.setdefault(signature, set()).add(url)
    return {signature: next(iter(found)) for signature, found in urls.items() if len(found) == 1}


def plan_articles(
    extracted: ExtractedIssue,
    existing: ExistingIssue,
    replaced_urls: Mapping[str, str],  # stored URL by the new URL that replaces it
    corrections: Sequence[ArticleEdit],
) -> list[PlannedArticle]:
    """Return all link targets of a document in document order, with the corrections of editors applied."""
    stored = {article.url: article for article in existing.articles}
    planned = [
        _plan_article(target, stored.get(target.key) or stored.get(replaced_urls.get(target.key, "")))
        for target in extracted.articles
    ]
    _assign_positions(planned)
    _apply_edits(planned, corrections)
    return planned


def _plan_article(target: ExtractedArticle, stored: Article | None) -> PlannedArticle:
    planned = PlannedArticle(
        url=target.key,
        position=target.position,
        role=target.role,
        title=target.title or "",
        author=target.author or "",
        summary=target.summary or "",
        section=target.section or "",
        image=target.image or "",
    )
    if stored is None:
        return planned
    planned.article_id, planned.corrected_fields = stored.id, stored.corrected_fields
    corrected = stored.corrected_fields.split()
    for field in _TEXT_FIELDS:
        if field in corrected:
            setattr(planned, field, getattr(stored, field))
    if "role" in corrected:
        planned.role = cast(Role, stored.role)
        planned.position = stored.position if "position" in corrected else planned.position
    return planned


def _assign_positions(planned: Sequence[PlannedArticle]) -> None:
    articles = [article for article in planned if article.role == "article"]
    # A position that an editor has set stays.
    pinned = [article for article in articles if "position" in article.corrected_fields.split() and article.position]
    order = [article for article in articles if article not in pinned]
    for article in sorted(pinned, key=_position):
        order.insert(_position(article) - 1, article)
    _renumber(planned, order)


def _position(article: PlannedArticle) -> int:
    return article.position or 0


def _renumber(planned: Iterable[PlannedArticle], order: Sequence[PlannedArticle]) -> None:
    for article in planned:
        article.position = None
    for position, article in enumerate(order, start=1):
        article.position = position


def _apply_edits(planned: Sequence[PlannedArticle], edits: Iterable[ArticleEdit]) -> None:
    by_url = {article.url: article for article in planned}
    found = [(by_url[edit.url], edit) for edit in edits if edit.url in by_url]
    for article, edit in found:
        if edit.role is not None and edit.role != article.role:
            _correct_role(planned, article, edit.role)
    for article, edit in found:
        for field in _TEXT_FIELDS:
            text = getattr(edit, field)
            if text is not None and text != getattr(article, field):
                setattr(article, field, text)
                _mark(article, field)
    _apply_moves(planned, [(article, edit.position) for article, edit in found if edit.position is not UNSET])


def _mark(article: PlannedArticle, *fields: str) -> None:
    article.corrected_fields = " ".join(sorted({*article.corrected_fields.split(), *fields}))


def _correct_role(planned: Sequence[PlannedArticle], article: PlannedArticle, role: Role) -> None:
    place = {other.url: number for number, other in enumerate(planned)}
    order = sorted((other for other in planned if other.position and other is not article), key=_position)
    if role == "article":
        # A new article gets its position in the order of the document.
        order.insert(sum(place[other.url] < place[article.url] for other in order), article)
    article.role = role
    _mark(article, "role")
    _renumber(planned, order)


def _apply_moves(planned: Sequence[PlannedArticle], moves: Iterable[tuple[PlannedArticle, int | None]]) -> None:
    moved = {article.url: (article, position) for article, position in moves if position != article.position}
    order = sorted((other for other in planned if other.position and other.url not in moved), key=_position)
    for article, position in sorted(moved.values(), key=_new_position):
        article.role = "other" if position is None else "article"
        if position is not None:
            order.insert(min(position, len(order) + 1) - 1, article)
        _mark(article, "position", "role")
    if moved:
        _renumber(planned, order)


def _new_position(move: tuple[PlannedArticle, int | None]) -> int:
    return move[1] or 0
