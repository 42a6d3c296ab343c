"""SQL for reports from the tables of click counts, and for the export of single clicks."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from shortener.durations import DAY_SECONDS, QUARTER_HOUR_SECONDS
from shortener.store.database import Store
from shortener.store.rollup_tables import AUTOMATED_CLICKS, SUM_COLUMNS, VERDICTS

_SUM_COLUMNS = ", ".join(SUM_COLUMNS)
_FAR_FUTURE = 1 << 62
"""A time later than any click; its negative is earlier than any click."""


class ClickTotals(Struct, frozen=True):
    """Clicks by verdict on a placement (one use of a link in an issue), or summed over a link or an issue."""

    issue_id: int
    """0 for a link without an issue."""
    link_id: int
    n: int
    """Number of the placement; 0 for clicks whose placement is unknown."""
    human: int
    bot: int
    scanner: int
    preview: int
    prefetch: int
    visitor_clicks: int
    """Human clicks with a visitor hash."""
    visitors: int
    """Human clicks that are the visitor's first of the day on the placement."""
    link_visitors: int
    """Human clicks that are the visitor's first of the day on the link."""
    issue_visitors: int
    """Human clicks that are the visitor's first of the day in the issue."""
    site_visitors: int
    """Human clicks that are the visitor's first of the day on the site."""


class PeriodClicks(Struct, frozen=True):
    """Human and automated clicks in one period, such as a quarter-hour or an hour."""

    start: int
    """Beginning of the period, in seconds of the UTC epoch."""
    human: int
    automated: int


class BreakdownRow(Struct, frozen=True):
    """Number of clicks with one value of a dimension, such as the value Firefox of the dimension browser."""

    dimension: str
    value: str
    clicks: int


class LinkPlacementRow(Struct, frozen=True):
    """One use of a link in an issue."""

    n: int
    """Number of the use, which is different for all uses of the link."""
    issue: str
    """Slug."""
    article: str | None
    """URL."""
    kind: str
    text: str


def issue_totals(store: Store, issue_id: int) -> list[ClickTotals]:
    """Return the click counts of one issue by link and placement (one use of the link)."""
    sql = f"""
        select issue_id, link_id, n, {_SUM_COLUMNS} from totals_by_placement where issue_id = ? order by link_id, n
    """  # noqa: S608
    return [ClickTotals(*row) for row in store.execute(sql, (issue_id,))]


def link_totals(store: Store, link_id: int) -> list[ClickTotals]:
    """Return the click counts of one link by issue and placement (one use of the link). Issue 0 means no issue."""
    sql = f"select issue_id, link_id, n, {_SUM_COLUMNS} from totals_by_placement where link_id = ? order by issue_id, n"  # noqa: S608
    return [ClickTotals(*row) for row in store.execute(sql, (link_id,))]


def site_totals(store: Store, *, since: int | None, until: int | None) -> list[ClickTotals]:
    """Return the click counts of each issue from ``since`` to just before ``until``.

    Both times (epoch seconds) begin a quarter-hour; None means no limit.
    """
    rows, bounds = signed_rows("issue_id", since, until, quarter_hour_table="clicks_by_issue")
    sums = ", ".join(f"sum(sign * {name})" for name in SUM_COLUMNS)
    any_clicks = f"sum(sign * ({' + '.join(VERDICTS)})) > 0"
    sql = (
        f"select issue_id, 0, 0, {sums} from {rows} as clicked group by issue_id having {any_clicks} order by issue_id"  # noqa: S608
    )
    return [ClickTotals(*row) for row in store.execute(sql, bounds)]


class LinkClicks(Struct, frozen=True):
    """Human clicks and visitors of one link."""

    link_id: int
    issue_id: int
    """0 for a link without an issue, and for a sum over all issues."""
    clicks: int
    visitor_clicks: int
    """Number of the clicks with a visitor hash."""
    visitors: int


def link_clicks_since(store: Store, link_id: int, since: int) -> LinkClicks:
    """Return the human clicks on a link since a time, over all issues.

    A quarter-hour that began before ``since`` (epoch seconds) is left out.
    """
    sql = """
        select coalesce(sum(human), 0), coalesce(sum(visitor_clicks), 0), coalesce(sum(link_visitors), 0)
        from clicks_by_link
        where link_id = ? and quarter_hour >= ?
    """
    return LinkClicks(link_id, 0, *store.execute(sql, (link_id, since)).fetchone())


def top_links(store: Store, *, since: int | None, until: int | None, limit: int) -> list[LinkClicks]:
    """Return the ``limit`` links with the most human clicks in a period.

    ``since`` and ``until`` (epoch seconds) begin a quarter-hour; None means no limit.
    """
    rows, bounds = signed_rows("link_id", since, until, quarter_hour_table="clicks_by_link")
    sql = f"""
        select link_id, coalesce(links.issue_id, 0), clicks, visitor_clicks, visitors from (
            select link_id, sum(sign * human) as clicks, sum(sign * visitor_clicks) as visitor_clicks,
                   sum(sign * link_visitors) as visitors
            from {rows} as clicked group by link_id having sum(sign * human) > 0
            order by clicks desc, link_id limit :limit
        ) as top left join links on links.id = link_id order by clicks desc, link_id
    """  # noqa: S608
    return [LinkClicks(*row) for row in store.execute(sql, bounds | {"limit": limit})]


def signed_rows(
    key_columns: str, since: int | None, until: int | None, *, quarter_hour_table: str
) -> tuple[str, dict[str, int]]:
    """Return (SQL, parameters) of a subquery with click counts of a period.

    Sum a count as ``sum(sign * count)``, because some rows are subtracted.
    """
    # Both times (seconds of the UTC epoch) begin a quarter-hour; None means no limit.
    if since is None and until is None:
        return "(select 1 as sign, * from totals_by_placement)", {}
    begin, end = -_FAR_FUTURE if since is None else since, _FAR_FUTURE if until is None else until
    # The period is read as whole UTC days, for which each bound is rounded to the nearest midnight. Rows of the other
    # table correct this: they add the quarter-hours that the rounding leaves out (sign 1), or subtract those that it
    # includes in excess (sign -1). Both tables have ``key_columns``.
    first, last = (bound + DAY_SECONDS // 2 - (bound + DAY_SECONDS // 2) % DAY_SECONDS for bound in (begin, end))
    rows = [
        f"select 1 as sign, {key_columns}, {_SUM_COLUMNS} from clicks_by_placement "  # noqa: S608
        "where day >= :first and day < :last"
    ]
    for sign, low, high in (
        (1, "begin", "first"),
        (-1, "first", "begin"),
        (1, "last", "end"),
        (-1, "end", "last"),
    ):
        rows.append(
            f"select {sign}, {key_columns}, {_SUM_COLUMNS} from {quarter_hour_table} "  # noqa: S608
            f"where quarter_hour >= :{low} and quarter_hour < :{high}"
        )
    return f"({' union all '.join(rows)})", {"begin": begin, "first": first, "last": last, "end": end}


def issue_timeline(store: Store, issue_id: int, *, hourly: bool) -> list[PeriodClicks]:
    """Return the clicks on an issue by quarter-hour of UTC, or with ``hourly`` by hour, the oldest first.

    Times without clicks are left out.
    """
    if hourly:
        return _timeline(store, "clicks_by_issue_hour", "hour", "issue_id", issue_id)
    return _timeline(store, "clicks_by_issue", "quarter_hour", "issue_id", issue_id)


def link_timeline(store: Store, link_id: int, *, hourly: bool) -> list[PeriodClicks]:
    """Return the clicks on a link by quarter-hour of UTC, or with ``hourly`` by hour, the oldest first.

    Times without clicks are left out.
    """
    if hourly:
        return _timeline(store, "clicks_by_link_hour", "hour", "link_id", link_id)
    return _timeline(store, "clicks_by_link", "quarter_hour", "link_id", link_id)


def _timeline(store: Store, table: str, time_column: str, key_column: str, key: int) -> list[PeriodClicks]:
    sql = f"""
        select {time_column}, sum(human), sum({AUTOMATED_CLICKS}) from {table}
        where {key_column} = ? group by {time_column} order by {time_column}
    """  # noqa: S608
    return [PeriodClicks(*row) for row in store.execute(sql, (key,))]


def clicked_range(store: Store, *, issue_id: int | None = None, link_id: int | None = None) -> tuple[int, int] | None:
    """Return (begin, end) of the time with clicks, in epoch seconds; None without clicks.

    If no id is given, all clicks count.
    """
    table, column, value = "clicks_of_site", "1", 1
    if issue_id is not None:
        table, column, value = "clicks_by_issue", "issue_id", issue_id
    elif link_id is not None:
        table, column, value = "clicks_by_link", "link_id", link_id
    # SQLite finds one extreme of an index at once, but reads all rows for two.
    first, last = (
        store.value(f"select {function}(quarter_hour) from {table} where {column} = ?", (value,))  # noqa: S608
        for function in ("min", "max")
    )
    return None if first is None else (first, last + QUARTER_HOUR_SECONDS)


def site_timeline(store: Store, periods: Iterable[tuple[int, int]]) -> list[PeriodClicks]:
    """Return the clicks on all links in each of ``periods``, given as (begin, end) in seconds of the UTC epoch.

    Periods without clicks are left out.
    """
    sql = f"""
        select period.low, sum(human), sum({AUTOMATED_CLICKS}) from pairs(:periods) as period cross join clicks_of_site
        where quarter_hour >= period.low and quarter_hour < period.high
        group by period.place, period.low order by period.place
    """  # noqa: S608
    return [PeriodClicks(*row) for row in store.execute(sql, {"periods": list(periods)})]


def issue_breakdown(store: Store, issue_id: int) -> list[BreakdownRow]:
    """Return the clicks on one issue by dimension (such as browser) and value (such as Firefox)."""
    sql = """
        select dimension, value, clicks from breakdown_by_issue where issue_id = ?
        order by dimension, clicks desc, value
    """
    return [BreakdownRow(*row) for row in store.execute(sql, (issue_id,))]


def clicks_by_issue(store: Store, issue_ids: Iterable[int], dimension: str, value: str) -> dict[int, int]:
    """Return a dict from issue id to the number of clicks whose ``dimension``, such as "device", is ``value``.

    Issues without such clicks are left out.
    """
    sql = """
        select issue_id, clicks from breakdown_by_issue
        where issue_id in :issue_ids and dimension = :dimension and value = :value
    """
    values = {"issue_ids": list(issue_ids), "dimension": dimension, "value": value}
    return dict(store.execute(sql, values).fetchall())


class LinkBreakdownRow(Struct, frozen=True):
    """Number of clicks on one link with one value of a dimension, such as the value Firefox of browser."""

    domain: str
    code: str
    value: str
    clicks: int


def issue_breakdown_by_link(store: Store, issue_id: int, dimension: str) -> list[LinkBreakdownRow]:
    """Return the clicks on each link of an issue by the values of one dimension, such as browser."""
    sql = """
        select domain, code, value, sum(clicks)
        from (select distinct link_id from totals_by_placement where issue_id = ?) as clicked
        join breakdown_by_link on breakdown_by_link.link_id = clicked.link_id
        join links on links.id = clicked.link_id
        where dimension = ? and breakdown_by_link.issue_id = ?
        group by domain, code, value order by domain, code, value
    """
    return [LinkBreakdownRow(*row) for row in store.execute(sql, (issue_id, dimension, issue_id))]


def link_breakdown(store: Store, link_id: int) -> list[BreakdownRow]:
    """Return the clicks on one link by dimension (such as browser) and value (such as Firefox)."""
    sql = """
        select dimension, value, sum(clicks) as clicks from breakdown_by_link where link_id = ?
        group by dimension, value order by dimension, clicks desc, value
    """
    return [BreakdownRow(*row) for row in store.execute(sql, (link_id,))]


def link_placements(store: Store, link_id: int) -> list[LinkPlacementRow]:
    """Return the uses of a link in all issues, ordered by the number ``n`` of the use."""
    sql = """
        select placements.n, issues.slug, articles.url, placements.kind, placements.text from placements
        join issues on issues.id = placements.issue_id
        left join articles on articles.id = placements.article_id
        where placements.link_id = ? order by placements.n
    """
    return [LinkPlacementRow(*row) for row in store.execute(sql, (link_id,))]


def top_misses(store: Store, *, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
    """Return the ``limit`` codes that were most often answered with 404 or 410.

    ``since`` and ``until`` are epoch seconds; None means no limit.
    """
    # The code '' sums up all codes beyond the first MAX_MISSED_CODES_PER_DAY of a day.
    where, bounds = _time_where_clause("quarter_hour", since, until)
    sql = f"""
        select domain, code, status, sum(requests) as requests from misses {where}
        group by domain, code, status order by requests desc, domain, code, status limit :limit
    """  # noqa: S608
    return list(store.rows(sql, bounds | {"limit": limit}))


class ClickRow(Struct, frozen=True):
    """One click in the export of single clicks."""

    id: str
    ts: int
    """Milliseconds of the UTC epoch."""
    domain: str
    code: str
    n: int
    """Number of the clicked placement (one use of the link in an issue); 0 if unknown."""
    verdict: str
    reason: str
    rules_version: int
    country: str
    browser: str
    os: str
    device: str
    referrer: str


def export_clicks(store: Store, *, since: int | None, until: int | None) -> Iterator[ClickRow]:
    """Yield the stored clicks from ``since`` to just before ``until`` (seconds of the UTC epoch), the oldest first."""
    where, bounds = _time_where_clause("ts", since and since * 1000, until and until * 1000)
    sql = f"""
        select clicks.id, ts, domain, code, n, verdict, reason, rules_version, country,
               coalesce(browser, ''), coalesce(os, ''), coalesce(device, ''), referrer
        from clicks join links on links.id = link_id left join user_agents on user_agents.id = agent_id
        {where} order by ts, seq
    """  # noqa: S608
    for row in store.connection.stream(sql, bounds):
        yield ClickRow(*row)


def _time_where_clause(column: str, since: int | None, until: int | None) -> tuple[str, dict[str, int]]:
    # For a condition that is always true SQLite would still choose an index, and read every row through it.
    bounds = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
    terms = [f"{column} {sign} :{name}" for name, sign in (("since", ">="), ("until", "<")) if name in bounds]
    return (f"where {' and '.join(terms)}" if terms else ""), bounds
