"""SQL for lists and numbers of clicks, which the APIs of other shorteners call visits."""

from collections.abc import Iterable

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.rollup_tables import AUTOMATED_CLICKS

_COUNTS = f"coalesce(sum(human), 0), coalesce(sum({AUTOMATED_CLICKS}), 0)"


class VisitCounts(Struct, frozen=True):
    """Numbers of human clicks and of automated clicks."""

    human: int = 0
    automated: int = 0


def count_by_link(store: Store, link_ids: Iterable[int]) -> dict[int, VisitCounts]:
    """Return the numbers of human and of automated clicks on links, by link id. Links without clicks are left out."""
    sql = f"""
        select link_id, {_COUNTS} from totals_by_placement
        where link_id in :ids group by link_id
    """  # noqa: S608
    return {row[0]: VisitCounts(*row[1:]) for row in store.execute(sql, {"ids": list(link_ids)})}


def count_all(store: Store) -> VisitCounts:
    """Return the numbers of human and of automated clicks on all links together."""
    return VisitCounts(*store.execute(f"select {_COUNTS} from totals_by_placement").fetchone())  # noqa: S608


class IssueVisits(Struct, frozen=True):
    """The number of active links of an issue, and the numbers of clicks on all its links."""

    slug: str
    links: int
    human: int
    automated: int


def count_by_issue(store: Store) -> list[IssueVisits]:
    """Return the numbers of clicks of each issue, ordered by slug. Removed issues are left out."""
    sql = f"""
        select slug, (select count(*) from links where links.issue_id = issues.id and status = 'active'), {_COUNTS}
        from issues
            left join links as own on own.issue_id = issues.id
            left join totals_by_placement as totals on totals.link_id = own.id
        where removed_at is null group by issues.id order by slug
    """  # noqa: S608
    return [IssueVisits(*row) for row in store.execute(sql)]


class VisitFilter(Struct, frozen=True):
    """A filter for clicks. A click has to match all fields; None matches any click."""

    link_id: int | None = None
    issue: str | None = None
    """Slug."""
    domain: str | None = None
    since: int | None = None
    """Earliest time, in seconds of the UTC epoch."""
    until: int | None = None
    """Latest time, in seconds of the UTC epoch."""
    human_only: bool = False


class Visit(Struct, frozen=True):
    """One click in a list of single clicks. ``ts`` is milliseconds of the UTC epoch."""

    ts: int
    domain: str
    code: str
    verdict: str
    country: str
    referrer: str
    user_agent: str


_JOINS = """
    from clicks join links on links.id = link_id left join issues on issues.id = links.issue_id
        left join user_agents on user_agents.id = agent_id
"""


def list_visits(store: Store, visit_filter: VisitFilter, *, limit: int, offset: int) -> list[Visit]:
    """Return at most ``limit`` clicks that match a filter, the newest first, after skipping ``offset`` clicks."""
    where, values = _where_clause(visit_filter)
    sql = f"""
        select ts, links.domain, code, verdict, country, referrer, coalesce(ua, '') {_JOINS} {where}
        order by ts desc, seq desc limit :limit offset :offset
    """
    return [Visit(*row) for row in store.execute(sql, values | {"limit": limit, "offset": offset})]


def count_visits(store: Store, visit_filter: VisitFilter) -> int:
    """Return the number of stored clicks that match a filter."""
    where, values = _where_clause(visit_filter)
    return int(store.value(f"select count(*) {_JOINS} {where}", values))


def _where_clause(visit_filter: VisitFilter) -> tuple[str, dict[str, str | int]]:
    terms: list[str] = []
    values: dict[str, str | int] = {}
    for name, condition, factor in (
        ("link_id", "link_id = :link_id", 1),
        ("issue", "issues.slug = :issue", 1),
        ("domain", "links.domain = :domain", 1),
        ("since", "ts >= :since", 1000),
        ("until", "ts <= :until", 1000),
    ):
        value = getattr(visit_filter, name)
        if value is not None:
            terms.append(condition)
            values[name] = value * factor
    if visit_filter.human_only:
        terms.append("verdict = 'human'")
    return (f"where {' and '.join(terms)}" if terms else ""), values
