"""SQL for lists of links and of issues, with their clicks and visitors."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from shortener.durations import HOUR_SECONDS
from shortener.store import links
from shortener.store.database import Store
from shortener.store.issues import IssueStatus
from shortener.store.issues import status as issue_status
from shortener.store.rollup_tables import AUTOMATED_CLICKS, HAS_VISITORS
from shortener.store.sql_text import escape_like

LinkSort = Literal["new", "clicks", "visitors", "clicked", "title", "code", "issue", "changed"]
"""Orders of a list of links; ``clicked`` is by the time of the last human click."""
StatusFilter = Literal["active", "todo", "expired", "retired"]
"""States of a link; ``todo`` is a link without a target."""

_JOIN_ISSUES = "left join issues on issues.id = links.issue_id"
_LAST_CLICKED_HOUR = """
    (select hour from clicks_by_link_hour as hours where hours.link_id = counted.link_id and human > 0
     order by hour desc limit 1)
"""
# Numbers are read from tables of click counts, so the time of a list does not depend on the number of clicks.
_COUNTS: dict[LinkSort, str] = {
    "clicks": "select link_id, sum(human) as value from totals_by_placement group by link_id",
    "visitors": "select link_id, sum(link_visitors) as value from totals_by_placement group by link_id",
    "clicked": f"""
        select link_id, {_LAST_CLICKED_HOUR} as value from (select distinct link_id from totals_by_placement) as counted
    """,  # noqa: S608
}
"""Queries of the values by which links are sorted that have been clicked."""
_SORT_KEYS: dict[LinkSort, tuple[str, ...]] = {
    "new": ("links.id",),
    **dict.fromkeys(_COUNTS, ("coalesce(counts.value, 0)", "links.id")),
    "title": ("case when links.title = '' then 1 else 0 end", "lower(links.title)", "links.id"),
    "code": ("links.domain", "links.code"),
    "issue": ("case when links.issue_id is null then 1 else 0 end", "issues.slug", "links.id"),
    "changed": ("links.updated_at", "links.id"),
}
"""Columns of each order. Together they are different for every link. One that begins with ``case`` ascends always."""
_DESCENDING: frozenset[LinkSort] = frozenset({"new", "changed", *_COUNTS})
_STATUS_CONDITIONS: dict[StatusFilter, str] = {
    "active": "links.status = 'active' and links.target is not null "
    "and (links.expires_at is null or links.expires_at > :now)",
    "todo": "links.status = 'active' and links.target is null "
    "and (links.expires_at is null or links.expires_at > :now)",
    "expired": "links.status = 'active' and links.expires_at <= :now",
    "retired": "links.status = 'retired'",
}


class LinkDetails(Struct, frozen=True):
    """A link with its issue, its article, and its human clicks and visitors. Times are seconds of the UTC epoch."""

    id: int
    domain: str
    code: str
    target: str | None
    title: str
    status: str
    expires_at: int | None
    created_at: int
    updated_at: int
    forward: str | None
    issue: str | None
    """Slug of the issue."""
    article_id: int | None
    article: str | None
    """Canonical URL of the article."""
    position: int | None
    article_title: str
    clicks: int
    visitors: int | None
    """None if too few clicks have a visitor hash."""


_SELECT_LINKS = f"""
    select links.id, links.domain, links.code, links.target, links.title, links.status, links.expires_at,
           links.created_at, links.updated_at, links.forward, issues.slug, links.article_id, articles.url,
           articles.position, coalesce(articles.title, ''),
           (select coalesce(sum(human), 0) from totals_by_placement where link_id = links.id),
           case when case when links.issue_id is null
                         then (select {HAS_VISITORS} from totals_by_placement where link_id = links.id)
                         else (select {HAS_VISITORS} from totals_by_placement where issue_id = links.issue_id) end
                then (select coalesce(sum(link_visitors), 0) from totals_by_placement where link_id = links.id) end
"""  # noqa: S608
_LINK_JOINS = f"{_JOIN_ISSUES} left join articles on articles.id = links.article_id"


def all_links(store: Store) -> Iterator[LinkDetails]:
    """Yield every link, oldest first."""
    for row in store.connection.stream(f"{_SELECT_LINKS} from links {_LINK_JOINS} order by links.id"):
        yield LinkDetails(*row)


def link_details_by_id(store: Store, ids: Iterable[int]) -> dict[int, LinkDetails]:
    """Return the details of links by id, in the order of ``ids``. Unknown ids are left out."""
    ids = list(ids)
    sql = f"{_SELECT_LINKS} from links {_LINK_JOINS} where links.id in :ids"
    details = {row[0]: LinkDetails(*row) for row in store.execute(sql, {"ids": ids})}
    return {link_id: details[link_id] for link_id in ids if link_id in details}


def link_details_by_code(store: Store, domain: str, code: str) -> LinkDetails:
    """Return the details of the link with this domain and code. Raises NotFound."""
    sql = f"{_SELECT_LINKS} from links {_LINK_JOINS} where links.domain = ? and links.code = ?"
    row = store.execute(sql, (domain, code)).fetchone()
    if row is None:
        raise links.not_found(domain, code)
    return LinkDetails(*row)


class LinkFilter(Struct, frozen=True):
    """Which links a list contains, and in which order. A link has to meet every criterion that is set."""

    words: tuple[str, ...] = ()
    """Each word has to occur in the code, title or target of a link."""
    status: StatusFilter | None = None
    issue: str | None = None
    """Slug of an issue; only its links are listed."""
    sort: LinkSort = "new"
    issues: tuple[str, ...] = ()
    """Slugs of issues; only their links are listed."""
    created_since: int | None = None
    """Earliest time of creation, in seconds of the UTC epoch."""
    created_until: int | None = None
    """Latest time of creation, in seconds of the UTC epoch."""
    with_retired: bool = True
    domain: str | None = None
    is_reversed: bool = False
    """Whether the order of ``sort`` is reversed."""


def count_links(store: Store, link_filter: LinkFilter, *, now: int) -> int:
    """Return the number of links that match a filter."""
    where, values = _where_clause(link_filter, now)
    join = _JOIN_ISSUES if link_filter.issue or link_filter.issues else ""
    return int(store.value(f"select count(*) from links {join} {where}", values))  # noqa: S608


def search_links(store: Store, link_filter: LinkFilter, *, now: int, limit: int, offset: int = 0) -> list[LinkDetails]:
    """Return at most ``limit`` links that match a filter, after skipping the first ``offset``."""
    ids = None
    if link_filter.sort in _COUNTS and link_filter == LinkFilter(sort=link_filter.sort):
        ids = _most_clicked_ids(store, link_filter.sort, limit=limit, offset=offset)
    if ids is None:
        where, values = _where_clause(link_filter, now)
        rows = store.execute(
            f"select links.id {_from_clause(link_filter)} {where} {_order_by(link_filter)} limit :limit offset :offset",
            values | {"limit": limit, "offset": offset},
        )
        ids = [row[0] for row in rows]
    return list(link_details_by_id(store, ids).values())


def search_links_after(
    store: Store,
    link_filter: LinkFilter,
    *,
    now: int,
    limit: int,
    after: Sequence[str | int] | None,  # sort key of the link before the page; None in the first call
) -> tuple[list[LinkDetails], tuple[str | int, ...] | None]:
    """Return (links, after) of one page of the links that match a filter.

    Pass ``after`` to the next call; None means no more links.
    """
    where, values = _where_clause(link_filter, now)
    # Keyset pagination: links that are created between two calls do not cause others to be repeated or left out.
    keys = ", ".join(_SORT_KEYS[link_filter.sort])
    if after is not None:
        names = [f"key{index}" for index in range(len(after))]
        sign = "<" if link_filter.sort in _DESCENDING else ">"
        condition = f"({keys}) {sign} ({', '.join(f':{name}' for name in names)})"
        where = f"{where} and {condition}" if where else f"where {condition}"
        values |= dict(zip(names, after, strict=True))
    rows = store.execute(
        f"select links.id, {keys} {_from_clause(link_filter)} {where} {_order_by(link_filter)} limit :limit",
        values | {"limit": limit + 1},
    ).fetchall()
    details = link_details_by_id(store, [row[0] for row in rows[:limit]])
    return list(details.values()), tuple(rows[limit - 1][1:]) if len(rows) > limit else None


def sort_key_length(sort: LinkSort) -> int:
    """Return the number of values in the sort key of a list with this order."""
    return len(_SORT_KEYS[sort])


def is_descending(sort: LinkSort) -> bool:
    """Return whether the order ``sort`` puts the largest values first, such as the most clicks or the latest time."""
    return sort in _DESCENDING


def _from_clause(link_filter: LinkFilter) -> str:
    sort = link_filter.sort
    counts = f"left join ({_COUNTS[sort]}) as counts on counts.link_id = links.id" if sort in _COUNTS else ""
    return f"from links {counts} {_JOIN_ISSUES if link_filter.issue or link_filter.issues or sort == 'issue' else ''}"


def _order_by(link_filter: LinkFilter) -> str:
    sort = link_filter.sort
    direction = " desc" if (sort in _DESCENDING) != link_filter.is_reversed else ""
    return f"order by {', '.join(key if key.startswith('case') else key + direction for key in _SORT_KEYS[sort])}"


def _most_clicked_ids(store: Store, sort: LinkSort, *, limit: int, offset: int) -> list[int] | None:
    """Return the ids of a page of links, the highest value first; None if some may have no clicks or visitors."""
    # Reading the table of click counts alone is four times as fast as joining it to all links. Links without clicks are
    # not in this table, and belong among those whose value is 0.
    sql = f"""
        select link_id, value from ({_COUNTS[sort]}) as counts
        order by coalesce(value, 0) desc, link_id desc limit ? offset ?
    """  # noqa: S608
    rows = store.execute(sql, (limit, offset)).fetchall()
    return [row[0] for row in rows] if len(rows) == limit and rows[-1][1] else None


def last_clicked_hours(store: Store, ids: Sequence[int]) -> dict[int, int]:
    """Return the hour of the last human click on links, by link id.

    An hour is given by its beginning in epoch seconds.
    """
    sql = f"""
        select link_id, {_LAST_CLICKED_HOUR} from (select id as link_id from links where id in :ids) as counted
    """  # noqa: S608
    rows = store.execute(sql, {"ids": list(ids)}).fetchall()
    return {link_id: hour for link_id, hour in rows if hour is not None}


def _where_clause(link_filter: LinkFilter, now: int) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"now": now} if link_filter.status else {}
    terms = [_STATUS_CONDITIONS[link_filter.status]] if link_filter.status else []
    if link_filter.issue:
        terms.append("issues.slug = :issue")
        values["issue"] = link_filter.issue
    if link_filter.issues:
        terms.append("issues.slug in :issues")
        values["issues"] = list(link_filter.issues)
    if link_filter.domain:
        terms.append("links.domain = :domain")
        values["domain"] = link_filter.domain
    for name, sign in (("created_since", ">="), ("created_until", "<=")):
        if (bound := getattr(link_filter, name)) is not None:
            terms.append(f"links.created_at {sign} :{name}")
            values[name] = bound
    if not link_filter.with_retired:
        terms.append("links.status = 'active'")
    for index, word in enumerate(link_filter.words):
        name = f"word{index}"
        # Concatenating the three columns of every link would take longer than searching them one by one.
        like = (f"{field} like :{name} escape '\\'" for field in ("links.target", "links.title", "links.code"))
        terms.append(f"({' or '.join(like)})")
        values[name] = f"%{escape_like(word)}%"
    return (f"where {' and '.join(terms)}" if terms else ""), values


class IssueSummary(Struct, frozen=True):
    """An issue with its numbers of links, clicks and visitors. Times are seconds of the UTC epoch."""

    id: int
    slug: str
    title: str
    sent_at: int | None
    recipients: int | None
    created_at: int
    articles: int
    links: int
    links_without_target: int
    clicks: int
    """Number of human clicks."""
    visitors: int | None
    """None if too few human clicks have a visitor hash."""
    automated: int
    """Number of automated clicks."""
    archived_at: int | None = None
    removed_at: int | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether the issue is archived or removed, so that lists and comparisons leave it out."""
        return self.archived_at is not None or self.removed_at is not None

    def status(self, *, now: int) -> IssueStatus:
        """Return the status of the issue at ``now`` (seconds of the UTC epoch)."""
        return issue_status(self, now=now)


def list_issues(store: Store, *, with_hidden: bool = False) -> list[IssueSummary]:
    """Return the issues, the latest first, ordered by sending time or else by creation.

    Archived and removed issues are left out unless ``with_hidden`` is set.
    """
    where = "" if with_hidden else "where archived_at is null and removed_at is null"
    sql = f"""
        select issues.id, slug, title, sent_at, recipients, created_at,
               (select count(*) from articles where issue_id = issues.id and position is not null),
               (select count(distinct link_id) from placements where issue_id = issues.id),
               (select count(*) from links where issue_id = issues.id and target is null),
               coalesce(sum(human), 0), case when {HAS_VISITORS} then coalesce(sum(issue_visitors), 0) end,
               coalesce(sum({AUTOMATED_CLICKS}), 0), archived_at, removed_at
        from issues left join totals_by_placement on totals_by_placement.issue_id = issues.id
        {where}
        group by issues.id order by coalesce(sent_at, created_at) desc, issues.id desc
    """  # noqa: S608
    return [IssueSummary(*row) for row in store.execute(sql)]


class HourlyClicks(Struct, frozen=True):
    """Human clicks on an issue in the UTC hour that begins at ``hour`` (seconds of the UTC epoch)."""

    issue_id: int
    hour: int
    human: int


def hourly_clicks(store: Store, issue_ids: Iterable[int], *, hours: int) -> list[HourlyClicks]:
    """Return the human clicks on issues by hour, until ``hours`` hours after an issue was sent."""
    # If the sending time is unknown, the first hour with a click is used instead.
    sql = """
        select issues.id, hour, human
        from issues cross join clicks_by_issue_hour
        where issues.id in :issues and issue_id = issues.id and human > 0 and hour < :seconds +
            coalesce(sent_at, (select min(hour) from clicks_by_issue_hour where issue_id = issues.id and human > 0))
        order by issues.id, hour
    """
    values = {"issues": list(issue_ids), "seconds": hours * HOUR_SECONDS}
    return [HourlyClicks(*row) for row in store.execute(sql, values)]


class StoreRevision(Struct, frozen=True):
    """Two counters that grow with changes in the store.

    A cached report is outdated when one of them has changed.
    """

    rollups: int
    """Grows with every change of click counts."""
    links: int
    """Grows with every edit of a link."""


def store_revision(store: Store) -> StoreRevision:
    """Return two counters: one grows with each change of click counts, the other with each edit of a link."""
    return StoreRevision(store.meta("rollups_revision"), store.meta("links_revision"))


class TargetEdit(Struct, frozen=True):
    """An edit of a link's target by the user ``who``, from the URL ``old`` to the URL ``new``.

    ``at`` is seconds of the UTC epoch.
    """

    at: int
    who: str
    domain: str
    code: str
    old: str | None
    new: str | None


def list_target_edits(store: Store, issue_id: int) -> list[TargetEdit]:
    """Return the edits of the targets of an issue's links, the oldest first. Setting a first target is not an edit."""
    sql = """
        select at, who, domain, code, old, new from edits join links on links.id = edits.link_id
        where field = 'target' and old is not null
            and link_id in (select link_id from placements where issue_id = ?) order by at, edits.id
    """
    return [TargetEdit(*row) for row in store.execute(sql, (issue_id,))]
