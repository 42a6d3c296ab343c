"""SQL for short links: adding, finding, changing, listing."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct
from sqlite_utils import Database

from shortener.errors import Conflict, NotFound
from shortener.store.database import Store

LinkField = Literal["target", "title", "forward", "expires_at", "status", "honeypot"]


class Link(Struct, frozen=True):
    """A short link as it is stored; times in seconds of UTC epoch."""

    id: int
    domain: str
    code: str
    target: str | None
    title: str
    issue_id: int | None
    article_id: int | None
    forward: str | None
    status: str
    honeypot: int
    expires_at: int | None
    created_at: int
    updated_at: int


class LinkPreview(Struct, frozen=True):
    """What the preview page shows of a link."""

    target: str | None
    title: str
    gone: bool


_COLUMNS = ", ".join(Link.__struct_fields__)


def find(store: Store, domain: str, code: str) -> Link | None:
    """The link of a code in the domain's own case, or None."""
    sql = f"select {_COLUMNS} from links where domain = ? and code = ?"  # noqa: S608
    row = store.execute(sql, (domain, code)).fetchone()
    return Link(*row) if row else None


def get(store: Store, domain: str, code: str) -> Link:
    """The link of a code. Raises NotFound."""
    link = find(store, domain, code)
    if link is None:
        raise NotFound(f"{domain}/{code}: there is no such short link; `shortener link list` shows them all")
    return link


def add(
    store: Store,
    domain: str,
    code: str,
    *,
    target: str | None,
    now: int,
    title: str = "",
    issue_id: int | None = None,
    article_id: int | None = None,
    honeypot: bool = False,
) -> int:
    """Add a link with a canonical target (None: still to be told); its id. Raises Conflict when the code is taken."""
    row = store.execute(
        """
        insert into links (domain, code, target, title, issue_id, article_id, honeypot, created_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (domain, code) do nothing returning id
        """,
        (domain, code, target, title, issue_id, article_id, int(honeypot), now, now),
    ).fetchone()
    if row is None:
        raise Conflict(
            f"{domain}/{code}: the code is taken; choose another, or `shortener link set` its target"
        )
    return int(row[0])


def update_field(
    store: Store, link: Link, field: LinkField, value: str | int | None, *, who: str, now: int
) -> None:
    """Change one field of a link and keep what it was."""
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


def assign_owner(store: Store, link_id: int, *, issue_id: int, article_id: int, now: int) -> None:
    """Say which issue and article a link belongs to; one that has an owner keeps it."""
    store.execute(
        """
        update links set issue_id = coalesce(issue_id, ?), article_id = coalesce(article_id, ?), updated_at = ?
        where id = ?
        """,
        (issue_id, article_id, now, link_id),
    )


def list_edits(store: Store, link_id: int) -> list[dict[str, Any]]:
    """The changes of a link, oldest first: at, who, field, old, new."""
    return list(
        store.rows("select at, who, field, old, new from edits where link_id = ? order by at, id", (link_id,))
    )


def codes_by_id(store: Store, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """The domain and code of links, by id."""
    sql = "select id, domain, code from links where id in (select value from json_each(?))"
    rows = store.execute(sql, (json.dumps(sorted(ids)),))
    return {row[0]: (row[1], row[2]) for row in rows}


def list_by_issue(store: Store, issue_id: int) -> list[Link]:
    """The links that an issue owns or places, oldest first."""
    sql = f"""
        select {_COLUMNS} from links where issue_id = :issue
            or id in (select link_id from placements where issue_id = :issue)
        order by id
    """  # noqa: S608
    return [Link(*row) for row in store.execute(sql, {"issue": issue_id})]


def list_all(store: Store) -> Iterator[dict[str, Any]]:
    """Every link with its issue, article, human clicks and visitors, in the order in which they were made."""
    yield from store.rows(
        """
        select links.domain, links.code, links.target, links.title, links.status, links.expires_at,
               issues.slug as issue, articles.url as article, articles.position,
               coalesce(sum(totals_by_placement.human), 0) as clicks,
               coalesce(sum(totals_by_placement.link_visitors), 0) as visitors
        from links
        left join issues on issues.id = links.issue_id
        left join articles on articles.id = links.article_id
        left join totals_by_placement on totals_by_placement.link_id = links.id
        group by links.id order by links.id
        """
    )


def list_static_redirects(store: Store) -> Iterator[tuple[str, str, str]]:
    """(domain, code, target) of every link that needs no clock and no look at its state to be answered."""
    yield from store.execute(
        """
        select domain, code, target from links
        where status = 'active' and target is not null and expires_at is null order by id
        """
    )


def find_preview(reader: Database, domain: str, code: str, *, now: int) -> LinkPreview | None:
    """What a reader may see of a link before following it."""
    sql = "select target, title, status, expires_at from links where domain = ? and code = ?"
    row = reader.conn.execute(sql, (domain, code)).fetchone()
    if row is None:
        return None
    target, title, status, expires_at = row
    return LinkPreview(target, title, status == "retired" or (expires_at is not None and now >= expires_at))


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
