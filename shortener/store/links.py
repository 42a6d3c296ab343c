"""SQL for single short links: find, add and change them, with a history of their edits."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct

from shortener.errors import Conflict, NotFound
from shortener.messages import Message
from shortener.store.database import Reader, Store
from shortener.store.sql_text import column_list
from shortener.store.webhooks import record_event

LinkField = Literal["target", "title", "forward", "expires_at", "status", "honeypot"]
"""Fields of a link whose changes are recorded as edits."""


class Link(Struct, frozen=True):
    """A short link. Times are seconds of the UTC epoch."""

    id: int
    domain: str
    code: str
    target: str | None
    """None until it is set."""
    title: str
    issue_id: int | None
    article_id: int | None
    forward: str | None
    """How a click's query string is added to the target: ``merge``, ``override``, ``drop``, or None for the default."""
    status: str
    honeypot: int
    expires_at: int | None
    created_at: int
    updated_at: int


class LinkPreview(Struct, frozen=True):
    """Content of the preview page of a link. ``gone`` means that the link is retired or has expired."""

    target: str | None
    title: str
    gone: bool


_COLUMNS = column_list(Link)


def find(store: Store, domain: str, code: str) -> Link | None:
    """Return the link with this domain and code, or None. ``code`` is case-sensitive."""
    sql = f"select {_COLUMNS} from links where domain = ? and code = ?"  # noqa: S608
    row = store.execute(sql, (domain, code)).fetchone()
    return Link(*row) if row else None


def get(store: Store, domain: str, code: str) -> Link:
    """Return the link with this code. Raises NotFound."""
    link = find(store, domain, code)
    if link is None:
        raise not_found(domain, code)
    return link


def find_by_target(store: Store, domain: str, target: str, *, now: int) -> Link | None:
    """Return the oldest link to ``target`` that redirects at ``now`` and belongs to no issue, or None."""
    sql = f"""
        select {_COLUMNS} from links where domain = ? and target = ? and issue_id is null and status = 'active'
            and honeypot = 0 and (expires_at is null or expires_at > ?) order by id limit 1
    """  # noqa: S608
    row = store.execute(sql, (domain, target, now)).fetchone()
    return Link(*row) if row else None


def not_found(domain: str, code: str) -> NotFound:
    """Return a NotFound error that says that no link has this code."""
    return NotFound(
        Message("{domain}/{code}: there is no such short link", domain=domain, code=code), kind="link_not_found"
    )


def add(
    store: Store,
    domain: str,
    code: str,
    *,
    target: str | None,  # canonical URL; None if unknown
    now: int,
    title: str = "",
    issue_id: int | None = None,
    article_id: int | None = None,
    honeypot: bool = False,
    forward: str | None = None,
    expires_at: int | None = None,
) -> int:
    """Add a link and return its id. Call this inside a transaction.

    Raises Conflict if the code is taken.
    """
    row = store.execute(
        """
        insert into links (domain, code, target, title, issue_id, article_id, honeypot, forward, expires_at,
                           created_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (domain, code) do nothing returning id
        """,
        (domain, code, target, title, issue_id, article_id, int(honeypot), forward, expires_at, now, now),
    ).fetchone()
    if row is None:
        raise Conflict(Message("{domain}/{code}: the code is taken", domain=domain, code=code), kind="code_taken")
    event = {"domain": domain, "code": code, "target": target, "title": title}
    # The event has to be stored in the transaction that adds the link.
    record_event(store, "link.created", event, now=now)
    return int(row[0])


def update_field(store: Store, link: Link, field: LinkField, value: str | int | None, *, who: str, now: int) -> None:
    """Change one field of a link, and record the change in the link's history as an edit by ``who``."""
    old = getattr(link, field)
    if old == value:
        return
    with store.transaction():
        store.execute(
            f"update links set {field} = ?, updated_at = ? where id = ?",  # noqa: S608
            (value, now, link.id),
        )
        store.execute(
            "insert into edits (link_id, at, who, field, old, new) values (?, ?, ?, ?, ?, ?)",
            (link.id, now, who, field, _text(old), _text(value)),
        )
        record_event(store, *_event_type_and_data(link, field, old, value, who=who), now=now)


def _event_type_and_data(
    link: Link, field: LinkField, old: str | int | None, new: str | int | None, *, who: str
) -> tuple[str, dict[str, Any]]:
    event: dict[str, Any] = {"domain": link.domain, "code": link.code, "by": who}
    if field == "status" and new == "retired":
        return "link.retired", event | {"target": link.target, "title": link.title}
    return "link.updated", event | {"field": field, "old": old, "new": new}


def assign_owner(store: Store, link_id: int, *, issue_id: int, article_id: int, now: int) -> None:
    """Set the issue and the article to which a link belongs, unless they are set already."""
    store.execute(
        """
        update links set issue_id = coalesce(issue_id, ?), article_id = coalesce(article_id, ?), updated_at = ?
        where id = ?
        """,
        (issue_id, article_id, now, link_id),
    )


def list_edits(store: Store, link_id: int) -> list[dict[str, Any]]:
    """Return the edits of a link, oldest first, as dicts with the keys at, who, field, old and new."""
    return list(store.rows("select at, who, field, old, new from edits where link_id = ? order by at, id", (link_id,)))


def codes_by_id(store: Store, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Return (domain, code) of each link, by link id."""
    sql = "select id, domain, code from links where id in :ids"
    rows = store.execute(sql, {"ids": list(ids)})
    return {row[0]: (row[1], row[2]) for row in rows}


def list_by_id(store: Store, ids: Iterable[int]) -> list[Link]:
    """Return the links with these ids, oldest first."""
    sql = f"select {_COLUMNS} from links where id in :ids order by id"  # noqa: S608
    return [Link(*row) for row in store.execute(sql, {"ids": list(ids)})]


def list_by_issue(store: Store, issue_id: int) -> list[Link]:
    """Return the links that belong to an issue or occur in it, the oldest first."""
    sql = f"""
        select {_COLUMNS} from links where issue_id = :issue
            or id in (select link_id from placements where issue_id = :issue)
        order by id
    """  # noqa: S608
    return [Link(*row) for row in store.execute(sql, {"issue": issue_id})]


def list_static_redirects(store: Store) -> Iterator[tuple[str, str, str]]:
    """Yield (domain, code, target) of each active link that has a target and never expires."""
    yield from store.connection.stream(
        """
        select domain, code, target from links
        where status = 'active' and target is not null and expires_at is null order by id
        """
    )


def find_preview(reader: Reader, domain: str, code: str, *, now: int) -> LinkPreview | None:
    """Return the content of a link's preview page at ``now`` (seconds of the UTC epoch); None if there is
    no such link.
    """
    sql = "select target, title, status, expires_at from links where domain = ? and code = ?"
    row = reader.execute(sql, (domain, code)).fetchone()
    if row is None:
        return None
    target, title, status, expires_at = row
    return LinkPreview(target, title, status == "retired" or (expires_at is not None and now >= expires_at))


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
