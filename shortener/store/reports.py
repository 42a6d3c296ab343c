"""SQL for reports: sums from the rollups, and the export of single clicks.

Reports read rollups, never clicks, so that their time does not grow with the number of clicks.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.store.database import Store
from shortener.store.rollups import (
    DAY_EXPRESSION,
    SUM_COLUMNS,
    VERDICT_CLICKS,
    VERDICTS,
    VISITOR_COLUMNS,
)

_SUM_COLUMNS = ", ".join(SUM_COLUMNS)
_SUMMED_COLUMNS = ", ".join(f"sum({name})" for name in SUM_COLUMNS)
_AUTOMATED_SUM = " + ".join(VERDICTS[1:])
_FROM_CLICKS_BY_LINK = f"{', '.join((*VERDICT_CLICKS.values(), *VISITOR_COLUMNS))} from clicks_by_link"
_FROM_CLICKS_BY_ISSUE = f"{_SUM_COLUMNS} from clicks_by_issue"
"""SQL that selects clicks and first visits by hour: for each placement, and for each issue."""
_FAR_FUTURE = 1 << 62
"""A time later than any click; its negative is earlier than any click."""


class ClickTotals(Struct, frozen=True):
    """Number of clicks with each verdict, and of first visits to a placement, a link, an issue and the site.

    ``issue_id`` is 0 for a link without an issue, ``n`` is 0 for clicks without a placement.
    """

    issue_id: int
    link_id: int
    n: int
    human: int
    bot: int
    scanner: int
    preview: int
    prefetch: int
    visitors: int
    link_visitors: int
    issue_visitors: int
    site_visitors: int


class PeriodClicks(Struct, frozen=True):
    """Human and automated clicks in the hour or day that begins at ``start`` (seconds of UTC epoch)."""

    start: int
    human: int
    automated: int


class BreakdownRow(Struct, frozen=True):
    """Clicks with one value of a dimension, such as a browser or a country."""

    dimension: str
    value: str
    clicks: int


class LinkPlacementRow(Struct, frozen=True):
    """A placement of a link, with the slug of its issue and the URL of its article."""

    n: int
    issue: str
    article: str | None
    kind: str
    text: str


def issue_totals(store: Store, issue_id: int) -> list[ClickTotals]:
    """Return the totals of one issue by link and placement."""
    sql = f"""
        select issue_id, link_id, n, {_SUM_COLUMNS} from totals_by_placement where issue_id = ? order by link_id, n
    """  # noqa: S608
    return [ClickTotals(*row) for row in store.execute(sql, (issue_id,))]


def link_totals(store: Store, link_id: int) -> list[ClickTotals]:
    """Return the totals of one link by issue (0 for none) and placement."""
    sql = f"select issue_id, link_id, n, {_SUM_COLUMNS} from totals_by_placement where link_id = ? order by issue_id, n"  # noqa: S608
    return [ClickTotals(*row) for row in store.execute(sql, (link_id,))]


def site_totals(store: Store, *, since: int | None, until: int | None) -> list[ClickTotals]:
    """Return the totals of every issue (0: links without one) in the hours that begin in [since, until)."""
    rows, bounds = _rows_between(
        "clicks_by_placement",
        "issue_id",
        since,
        until,
        total_table="totals_by_placement",
        edge_select=_FROM_CLICKS_BY_ISSUE,
    )
    sql = f"select issue_id, 0, 0, {_SUMMED_COLUMNS} from {rows} group by issue_id"  # noqa: S608
    return [ClickTotals(*row) for row in store.execute(sql, bounds)]


class LinkClicks(Struct, frozen=True):
    """Human clicks and visitors of a link."""

    link_id: int
    clicks: int
    visitors: int


def top_links(store: Store, *, since: int | None, until: int | None, limit: int) -> list[LinkClicks]:
    """Return the links with the most human clicks in the hours that begin in [since, until)."""
    rows, bounds = _rows_between(
        "clicks_by_placement", "link_id", since, until, total_table="totals_by_placement"
    )
    sql = f"""
        select link_id, sum(human) as clicks, sum(link_visitors) from {rows}
        group by link_id having sum(human) > 0 order by clicks desc, link_id limit :limit
    """  # noqa: S608
    return [LinkClicks(*row) for row in store.execute(sql, bounds | {"limit": limit})]


def _rows_between(
    day_table: str,
    key_columns: str,
    since: int | None,
    until: int | None,
    *,
    total_table: str,
    edge_select: str = _FROM_CLICKS_BY_LINK,
) -> tuple[str, dict[str, int]]:
    """Return SQL for the rollup rows whose sum is the clicks between two times, and its parameters.

    If neither ``since`` nor ``until`` is given, these are the rows of ``total_table``. Otherwise they are the
    whole days in ``day_table``, and the hours before the first and after the last whole day, selected by
    ``edge_select``.
    """
    if since is None and until is None:
        return total_table, {}
    begin, end = -_FAR_FUTURE if since is None else since, _FAR_FUTURE if until is None else until
    first, last = begin + -begin % DAY_SECONDS, end - end % DAY_SECONDS
    if first > last:
        first = last = end
    hours = f"""
        select {key_columns.replace("day", DAY_EXPRESSION)}, {edge_select}
        where hour >= :begin and hour < :first or hour >= :last and hour < :end
    """
    days = f"select {key_columns}, {_SUM_COLUMNS} from {day_table} where day >= :first and day < :last"  # noqa: S608
    return f"({days} union all {hours})", {"begin": begin, "first": first, "last": last, "end": end}


def issue_timeline(store: Store, issue_id: int) -> list[PeriodClicks]:
    """Return the hours with clicks on an issue, oldest first."""
    sql = f"select hour, human, {_AUTOMATED_SUM} from clicks_by_issue where issue_id = ? order by hour"  # noqa: S608
    return [PeriodClicks(*row) for row in store.execute(sql, (issue_id,))]


def link_timeline(store: Store, link_id: int) -> list[PeriodClicks]:
    """Return the hours with clicks on a link, oldest first."""
    sql = f"""
        select hour, sum({VERDICT_CLICKS["human"]}), sum(clicks) - sum({VERDICT_CLICKS["human"]})
        from clicks_by_link where link_id = ? group by hour order by hour
    """  # noqa: S608
    return [PeriodClicks(*row) for row in store.execute(sql, (link_id,))]


def site_timeline(store: Store, *, since: int | None, until: int | None) -> list[PeriodClicks]:
    """Return the UTC days with clicks on any link in [since, until), oldest first."""
    rows, bounds = _rows_between(
        "clicks_of_site", "day", since, until, total_table="clicks_of_site", edge_select=_FROM_CLICKS_BY_ISSUE
    )
    sql = f"select day, sum(human), sum({_AUTOMATED_SUM}) from {rows} group by day order by day"  # noqa: S608
    return [PeriodClicks(*row) for row in store.execute(sql, bounds)]


def issue_breakdown(store: Store, issue_id: int) -> list[BreakdownRow]:
    """Return the clicks of one issue by dimension and value, each dimension ordered by clicks, most first."""
    sql = """
        select dimension, value, clicks from breakdown_by_issue where issue_id = ?
        order by dimension, clicks desc, value
    """
    return [BreakdownRow(*row) for row in store.execute(sql, (issue_id,))]


def link_breakdown(store: Store, link_id: int) -> list[BreakdownRow]:
    """Return the clicks of one link by dimension and value, each dimension ordered by clicks, most first."""
    sql = """
        select dimension, value, sum(clicks) as clicks from breakdown_by_link where link_id = ?
        group by dimension, value order by dimension, clicks desc, value
    """
    return [BreakdownRow(*row) for row in store.execute(sql, (link_id,))]


def link_placements(store: Store, link_id: int) -> list[LinkPlacementRow]:
    """Return the placements of a link in all issues, ordered by placement number."""
    sql = """
        select placements.n, issues.slug, articles.url, placements.kind, placements.text from placements
        join issues on issues.id = placements.issue_id
        left join articles on articles.id = placements.article_id
        where placements.link_id = ? order by placements.n
    """
    return [LinkPlacementRow(*row) for row in store.execute(sql, (link_id,))]


class HumanClicks(Struct, frozen=True):
    """Human clicks and first visits on one placement (``n`` 0: none) of a link in an issue."""

    issue_id: int
    link_id: int
    n: int
    clicks: int
    visitors: int
    link_visitors: int


def human_clicks_by_placement(store: Store, *, until: int) -> list[HumanClicks]:
    """Return the human clicks on every placement of every issue, in the hours that began by ``until``."""
    # Later clicks are subtracted from the totals: there are none if ``until`` is now, and few if it is recent.
    keys = "issue_id, link_id, n"
    later, bounds = _rows_between(
        "clicks_by_placement", keys, until + 1, None, total_table="totals_by_placement"
    )
    sql = f"""
        select {keys}, sum(human), sum(visitors), sum(link_visitors) from (
            select {keys}, human, visitors, link_visitors from totals_by_placement
            union all select {keys}, -human, -visitors, -link_visitors from {later}
        ) where issue_id > 0 group by {keys} having sum(human) > 0
    """  # noqa: S608
    return [HumanClicks(*row) for row in store.execute(sql, bounds)]


def first_clicked_hour(store: Store, issue_id: int, *, until: int) -> int | None:
    """Return the first hour with a human click on an issue, or None if there is none up to ``until``."""
    sql = "select hour from clicks_by_issue where issue_id = ? and human > 0 and hour <= ? order by hour limit 1"
    hour = store.value(sql, (issue_id, until))
    return None if hour is None else int(hour)


class HumanClicksBetween(Struct, frozen=True):
    """Human clicks and first visits on an issue's links, from ``first_hour`` to the end of ``last_hour``."""

    first_hour: int
    last_hour: int
    clicks: int
    link_visitors: int


def human_clicks_by_period(
    store: Store, issue_id: int, *, sent_at: int, hourly_seconds: int, until: int
) -> list[HumanClicksBetween]:
    """Return the human clicks on an issue, summed for each hour at first and for each day later.

    The hours end ``hourly_seconds`` after sending; the days are counted from sending. Only hours count that
    began by ``until`` and ended after ``sent_at`` (seconds of UTC epoch).
    """
    sql = f"""
        select min(hour), max(hour), sum(human), sum(link_visitors) from clicks_by_issue
        where issue_id = :issue and hour > :sent - {HOUR_SECONDS} and hour <= :until and human > 0
        group by case when hour < :sent + :hourly then hour else -((hour - :sent) / {DAY_SECONDS}) end
        order by min(hour)
    """  # noqa: S608
    values = {"issue": issue_id, "sent": sent_at, "hourly": hourly_seconds, "until": until}
    return [HumanClicksBetween(*row) for row in store.execute(sql, values)]


class ArticlePlacement(Struct, frozen=True):
    """The article for which clicks on a placement count; ``n`` is 0 for clicks without a placement number.

    ``article_id`` is 0 if there is no article.
    """

    issue_id: int
    article_id: int
    link_id: int
    n: int
    kind: str


def article_placements(store: Store) -> list[ArticlePlacement]:
    """Return for which article the clicks on each placement count, and those without a placement number.

    The second kind has a row with ``n`` 0 for each link that has an article. The rows are ordered by issue,
    link and ``n``. Targets without a position are no articles.
    """
    sql = """
        with ranked as (
            select articles.id from articles join issues on issues.id = issue_id
            where position is not null and removed_at is null
        )
        select placements.issue_id, coalesce(ranked.id, 0), link_id, n, kind
        from placements left join ranked on ranked.id = placements.article_id
        union all
        select articles.issue_id, coalesce(ranked.id, 0), links.id, 0, ''
        from links join articles on articles.id = links.article_id left join ranked on ranked.id = articles.id
        order by 1, 3, 4
    """
    return [ArticlePlacement(*row) for row in store.execute(sql)]


class RankedArticle(Struct, frozen=True):
    """An article of an issue that has a position, and is therefore ranked."""

    id: int
    issue_id: int
    url: str
    position: int
    title: str
    author: str


def list_ranked_articles(store: Store) -> list[RankedArticle]:
    """Return the articles of all issues, ordered by issue and position. Other links are left out."""
    sql = """
        select articles.id, issue_id, url, position, articles.title, author
        from articles join issues on issues.id = issue_id where position is not null and removed_at is null
        order by issue_id, position, articles.id
    """
    return [RankedArticle(*row) for row in store.execute(sql)]


def top_misses(store: Store, *, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
    """Return the codes with the most misses (404, 410) in [since, until).

    The code '' sums up the unknown codes of a day above ``MAX_MISSED_CODES_PER_DAY``.
    """
    where, bounds = _time_condition("day", since and since - since % DAY_SECONDS, until)
    sql = f"""
        select domain, code, status, sum(requests) as requests from misses {where}
        group by domain, code, status order by requests desc, domain, code limit :limit
    """  # noqa: S608
    return list(store.rows(sql, bounds | {"limit": limit}))


class ClickRow(Struct, frozen=True):
    """A row of the export of clicks; ``ts`` is milliseconds of UTC epoch, ``n`` is 0 without a placement."""

    id: str
    ts: int
    domain: str
    code: str
    n: int
    verdict: str
    reason: str
    rules_version: int
    country: str
    browser: str
    os: str
    device: str
    referrer: str


def export_clicks(store: Store, *, since: int | None, until: int | None) -> Iterator[ClickRow]:
    """Yield the stored clicks in [since, until) (seconds of UTC epoch), oldest first."""
    where, bounds = _time_condition("ts", since and since * 1000, until and until * 1000)
    sql = f"""
        select clicks.id, ts, domain, code, n, verdict, reason, rules_version, country,
               coalesce(browser, ''), coalesce(os, ''), coalesce(device, ''), referrer
        from clicks join links on links.id = link_id left join user_agents on user_agents.id = agent_id
        {where} order by ts, seq
    """  # noqa: S608
    for row in store.execute(sql, bounds):
        yield ClickRow(*row)


def _time_condition(column: str, since: int | None, until: int | None) -> tuple[str, dict[str, int]]:
    """Return a ``where`` clause for times in [since, until) and its parameters; empty if both are None."""
    # For a condition that is always true SQLite would still choose an index, and read every row through it.
    bounds = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
    terms = [f"{column} {sign} :{name}" for name, sign in (("since", ">="), ("until", "<")) if name in bounds]
    return (f"where {' and '.join(terms)}" if terms else ""), bounds
