"""SQL for lists that are searched, sorted and paged: links by the thousand, issues with their course.

They read the coarse rollups (``totals``, ``hours``), so that neither many clicks nor many hours make them slow.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.store.database import Store

Sort = Literal["new", "clicks", "title", "code", "changed"]
Status = Literal["active", "todo", "expired", "retired"]

_ISSUE = "left join issues on issues.id = links.issue_id"
_COUNTS = """
    left join (select link_id, sum(human) as clicks from totals group by link_id) as counts
    on counts.link_id = links.id
"""
_LINES = f"""
    select links.domain, code, target, links.title, issues.slug, status, expires_at, links.created_at,
           links.updated_at,
           (select coalesce(sum(human), 0) from totals where link_id = links.id),
           (select coalesce(sum(link_visitors), 0) from totals where link_id = links.id)
    from json_each(?) as asked join links on links.id = asked.value {_ISSUE} order by asked.key
"""  # noqa: S608
_ORDERS: dict[Sort, str] = {
    "new": "links.id desc",
    "clicks": "counts.clicks desc, links.id desc",
    "title": "links.title = '', links.title collate nocase, links.id",
    "code": "links.domain, links.code",
    "changed": "links.updated_at desc, links.id desc",
}
_STATUSES: dict[Status, str] = {
    "active": "links.status = 'active' and links.target is not null "
    "and (links.expires_at is null or links.expires_at > :now)",
    "todo": "links.status = 'active' and links.target is null "
    "and (links.expires_at is null or links.expires_at > :now)",
    "expired": "links.status = 'active' and links.expires_at <= :now",
    "retired": "links.status = 'retired'",
}


class LinkLine(Struct, frozen=True):
    """A link in a list; ``issue`` is a slug, counts are people's, times seconds of UTC epoch."""

    domain: str
    code: str
    target: str | None
    title: str
    issue: str | None
    status: str
    expires_at: int | None
    created_at: int
    updated_at: int
    clicks: int
    visitors: int


class Asked(Struct, frozen=True):
    """Which links a list is to have: those with every word of ``words`` in code, title or target."""

    words: tuple[str, ...] = ()
    status: Status | None = None
    issue: str | None = None
    sort: Sort = "new"


def count_links(store: Store, asked: Asked, *, now: int) -> int:
    """How many links there are of this kind."""
    where, values = _where(asked, now)
    join = _ISSUE if asked.issue else ""
    return int(store.value(f"select count(*) from links {join} {where}", values))  # noqa: S608


def links(store: Store, asked: Asked, *, now: int, limit: int, offset: int = 0) -> list[LinkLine]:
    """So many of these links, in the asked order, after the first ``offset``."""
    ids = None
    if asked == Asked(sort="clicks"):
        ids = _most_clicked(store, limit=limit, offset=offset)
    if ids is None:
        where, values = _where(asked, now)
        counts, issue = _COUNTS if asked.sort == "clicks" else "", _ISSUE if asked.issue else ""
        found = store.execute(
            f"select links.id from links {counts} {issue} {where} order by {_ORDERS[asked.sort]} "  # noqa: S608
            "limit :limit offset :offset",
            values | {"limit": limit, "offset": offset},
        )
        ids = [row[0] for row in found]
    rows = store.execute(_LINES, (msgspec.json.encode(ids).decode(),))
    return [LinkLine(*row) for row in rows]


def _most_clicked(store: Store, *, limit: int, offset: int) -> list[int] | None:
    """The same from the sums alone, four times as fast; None where links that were never clicked come in."""
    sql = """
        select link_id, sum(human) as clicks from totals group by link_id
        order by clicks desc, link_id desc limit ? offset ?
    """
    rows = store.execute(sql, (limit, offset)).fetchall()
    return [row[0] for row in rows] if len(rows) == limit and rows[-1][1] else None


def _where(asked: Asked, now: int) -> tuple[str, dict[str, str | int]]:
    values: dict[str, str | int] = {"now": now} if asked.status else {}
    terms = [_STATUSES[asked.status]] if asked.status else []
    if asked.issue:
        terms.append("issues.slug = :issue")
        values["issue"] = asked.issue
    for index, word in enumerate(asked.words):
        name = f"word{index}"
        # One by one: to put the three together for each link takes longer than to look through them.
        like = (
            f"{field} like :{name} escape '\\'" for field in ("links.target", "links.title", "links.code")
        )
        terms.append(f"({' or '.join(like)})")
        values[name] = f"%{_literal(word)}%"
    return (f"where {' and '.join(terms)}" if terms else ""), values


def _literal(word: str) -> str:
    """A word whose ``%`` and ``_`` stand for themselves."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


class IssueLine(Struct, frozen=True):
    """An issue in the list with its people's clicks and visitors, and what was set aside."""

    id: int
    slug: str
    title: str
    sent_at: int | None
    recipients: int | None
    created_at: int
    articles: int
    links: int
    todo: int
    clicks: int
    visitors: int
    other: int


def issues(store: Store) -> list[IssueLine]:
    """All issues, the latest first."""
    sql = """
        select issues.id, slug, title, sent_at, recipients, created_at,
               (select count(*) from articles where issue_id = issues.id and position is not null),
               (select count(distinct link_id) from placements where issue_id = issues.id),
               (select count(*) from links where issue_id = issues.id and target is null),
               coalesce(sum(human), 0), coalesce(sum(issue_visitors), 0),
               coalesce(sum(bot + scanner + preview + prefetch), 0)
        from issues left join totals on totals.issue_id = issues.id
        group by issues.id order by coalesce(sent_at, created_at) desc, issues.id desc
    """
    return [IssueLine(*row) for row in store.execute(sql)]


class Course(Struct, frozen=True):
    """People's clicks of one issue in one hour (seconds of UTC epoch)."""

    issue_id: int
    hour: int
    human: int


def courses(store: Store, ids: Iterable[int]) -> list[Course]:
    """The hours in which people clicked issues, issue by issue, oldest first."""
    sql = """
        select issue_id, hour, human from hours
        where issue_id in (select value from json_each(?)) and human > 0 order by issue_id, hour
    """
    return [Course(*row) for row in store.execute(sql, (msgspec.json.encode(sorted(ids)).decode(),))]


class Revision(Struct, frozen=True):
    """What changes when anything that a report says changes: the revisions of the sums and of the links."""

    sums: int
    links: int


def revision(store: Store) -> Revision:
    """The store's revision now."""
    return Revision(store.fact("sums_revision"), store.fact("links_revision"))


class TargetEdit(Struct, frozen=True):
    """A change of the target of a link of an issue."""

    at: int
    who: str
    domain: str
    code: str
    old: str | None
    new: str | None


def target_edits(store: Store, issue_id: int) -> list[TargetEdit]:
    """When targets of an issue's links were changed, oldest first; a first target is no change."""
    sql = """
        select at, who, domain, code, old, new from edits join links on links.id = edits.link_id
        where field = 'target' and old is not null
            and link_id in (select link_id from placements where issue_id = ?) order by at, edits.id
    """
    return [TargetEdit(*row) for row in store.execute(sql, (issue_id,))]


def months(store: Store) -> list[int]:
    """When issues were sent, the latest first."""
    sql = "select coalesce(sent_at, created_at) from issues order by 1 desc"
    return [row[0] for row in store.execute(sql)]
