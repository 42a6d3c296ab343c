"""SQL for reports: sums from the rollups, and the one export that reads clicks, streamed.

Reports never read clicks. A query reads a coarse rollup that has a row for each thing shown, or the fine one of a
single link by its key, so its time depends on placements, hours and values, not on how often they were clicked.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from shortener.store.database import Store
from shortener.store.rollups import DAY_SECONDS, HOUR_SECONDS, SUM_COLUMNS, VERDICTS

_SUM_COLUMNS = ", ".join(SUM_COLUMNS)
_SUMMED_COLUMNS = ", ".join(f"sum({name})" for name in SUM_COLUMNS)
_AUTOMATED_SUM = " + ".join(VERDICTS[1:])
_VERDICT_COLUMNS = ", ".join(f"case verdict when '{verdict}' then clicks else 0 end" for verdict in VERDICTS)
_FROM_CLICKS_BY_LINK = f"{_VERDICT_COLUMNS}, {', '.join(SUM_COLUMNS[len(VERDICTS) :])} from clicks_by_link"
_FROM_CLICKS_BY_ISSUE = f"{_SUM_COLUMNS} from clicks_by_issue"
"""The sums of a coarse row, by hour: of each placement, and of each issue."""
_FAR_FUTURE = 1 << 62
"""Later than any time, and, negative, earlier."""


class ClickTotals(Struct, frozen=True):
    """Clicks by verdict, and first visits of people: on a placement, a link, in an issue, on the site.

    ``n`` is 0 for clicks that came without a placement.
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
    """People's clicks and all others of one hour or day, which begins at ``start`` (seconds of UTC epoch)."""

    start: int
    human: int
    automated: int


class BreakdownRow(Struct, frozen=True):
    """Clicks of one value of a dimension."""

    dimension: str
    value: str
    clicks: int


class LinkDetails(Struct, frozen=True):
    """What a report says of a link besides its counts; ``article`` is the canonical URL of its article."""

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
    article_id: int | None
    article: str | None
    position: int | None
    article_title: str


class LinkPlacementRow(Struct, frozen=True):
    """A placement and the issue that it is in."""

    n: int
    issue: str
    article: str | None
    kind: str
    text: str


def issue_totals(store: Store, issue_id: int) -> list[ClickTotals]:
    """The sums of one issue by link and placement."""
    sql = f"""
        select issue_id, link_id, n, {_SUM_COLUMNS} from totals_by_placement where issue_id = ? order by link_id, n
    """  # noqa: S608
    return [ClickTotals(*row) for row in store.execute(sql, (issue_id,))]


def link_totals(store: Store, link_id: int) -> list[ClickTotals]:
    """The sums of one link by issue (0 for none) and placement."""
    sql = f"select issue_id, link_id, n, {_SUM_COLUMNS} from totals_by_placement where link_id = ? order by issue_id, n"  # noqa: S608
    return [ClickTotals(*row) for row in store.execute(sql, (link_id,))]


def site_totals(store: Store, *, since: int | None, until: int | None) -> list[ClickTotals]:
    """The sums of everything by issue (0 for none), over the hours that begin in [since, until); no link, no n."""
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
    """People's clicks on a link, and its visitors."""

    link_id: int
    clicks: int
    visitors: int


def top_links(store: Store, *, since: int | None, until: int | None, limit: int) -> list[LinkClicks]:
    """The links that people clicked most in the hours that begin in [since, until)."""
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
    """What to select from for [since, until), and its values: ``ever`` without bounds.

    Else the whole days of the rollup ``by_day``, and the ``odd`` hours at both ends.
    """
    if since is None and until is None:
        return total_table, {}
    begin, end = -_FAR_FUTURE if since is None else since, _FAR_FUTURE if until is None else until
    first, last = begin + -begin % DAY_SECONDS, end - end % DAY_SECONDS
    if first > last:
        first = last = end
    day = f"hour - hour % {DAY_SECONDS}"
    hours = f"""
        select {key_columns.replace("day", day)}, {edge_select}
        where hour >= :begin and hour < :first or hour >= :last and hour < :end
    """
    days = f"select {key_columns}, {_SUM_COLUMNS} from {day_table} where day >= :first and day < :last"  # noqa: S608
    return f"({days} union all {hours})", {"begin": begin, "first": first, "last": last, "end": end}


def issue_timeline(store: Store, issue_id: int) -> list[PeriodClicks]:
    """The hours in which an issue was clicked, oldest first."""
    sql = f"select hour, human, {_AUTOMATED_SUM} from clicks_by_issue where issue_id = ? order by hour"  # noqa: S608
    return [PeriodClicks(*row) for row in store.execute(sql, (issue_id,))]


def link_timeline(store: Store, link_id: int) -> list[PeriodClicks]:
    """The hours in which a link was clicked, oldest first."""
    sql = """
        select hour, sum(case verdict when 'human' then clicks else 0 end),
               sum(case verdict when 'human' then 0 else clicks end)
        from clicks_by_link where link_id = ? group by hour order by hour
    """
    return [PeriodClicks(*row) for row in store.execute(sql, (link_id,))]


def site_timeline(store: Store, *, since: int | None, until: int | None) -> list[PeriodClicks]:
    """The UTC days on which anything was clicked, oldest first."""
    rows, bounds = _rows_between(
        "clicks_of_site", "day", since, until, total_table="clicks_of_site", edge_select=_FROM_CLICKS_BY_ISSUE
    )
    sql = f"select day, sum(human), sum({_AUTOMATED_SUM}) from {rows} group by day order by day"  # noqa: S608
    return [PeriodClicks(*row) for row in store.execute(sql, bounds)]


def issue_breakdown(store: Store, issue_id: int) -> list[BreakdownRow]:
    """The clicks of one issue by dimension and value, the most first."""
    sql = """
        select dimension, value, clicks from breakdown_by_issue where issue_id = ?
        order by dimension, clicks desc, value
    """
    return [BreakdownRow(*row) for row in store.execute(sql, (issue_id,))]


def link_breakdown(store: Store, link_id: int) -> list[BreakdownRow]:
    """The clicks of one link by dimension and value, the most first."""
    sql = """
        select dimension, value, sum(clicks) as clicks from breakdown_by_link where link_id = ?
        group by dimension, value order by dimension, clicks desc, value
    """
    return [BreakdownRow(*row) for row in store.execute(sql, (link_id,))]


_SELECT_LINK = """
    select links.id, links.domain, links.code, links.target, links.title, links.status, links.expires_at,
           links.created_at, links.updated_at, links.forward, issues.slug, links.article_id, articles.url,
           articles.position, coalesce(articles.title, '')
    from links left join issues on issues.id = links.issue_id
    left join articles on articles.id = links.article_id
"""


def link_details_by_id(store: Store, ids: Iterable[int]) -> dict[int, LinkDetails]:
    """Links with their issue and article, by id."""
    sql = f"{_SELECT_LINK} where links.id in (select value from json_each(?)) order by links.id"  # noqa: S608
    return {row[0]: LinkDetails(*row) for row in store.execute(sql, (_json(ids),))}


def link_details_by_code(store: Store, domain: str, code: str) -> LinkDetails | None:
    """The link of a code with its issue and article, or None."""
    row = store.execute(
        f"{_SELECT_LINK} where links.domain = ? and links.code = ?", (domain, code)
    ).fetchone()
    return LinkDetails(*row) if row else None


def link_placements(store: Store, link_id: int) -> list[LinkPlacementRow]:
    """The placements of a link in all issues, in the order of n."""
    sql = """
        select placements.n, issues.slug, articles.url, placements.kind, placements.text from placements
        join issues on issues.id = placements.issue_id
        left join articles on articles.id = placements.article_id
        where placements.link_id = ? order by placements.n
    """
    return [LinkPlacementRow(*row) for row in store.execute(sql, (link_id,))]


class IssueBasics(Struct, frozen=True):
    """An issue as lists and the ranking need it; times in seconds of UTC epoch."""

    id: int
    slug: str
    title: str
    sent_at: int | None
    recipients: int | None
    created_at: int


def list_issues(store: Store) -> list[IssueBasics]:
    """All issues, the latest first."""
    sql = """
        select id, slug, title, sent_at, recipients, created_at from issues
        order by coalesce(sent_at, created_at) desc, id desc
    """
    return [IssueBasics(*row) for row in store.execute(sql)]


class HumanClicks(Struct, frozen=True):
    """People's clicks and first visits on one placement (n = 0: none) of a link in an issue."""

    issue_id: int
    link_id: int
    n: int
    clicks: int
    visitors: int
    link_visitors: int


def human_clicks_by_placement(store: Store, *, until: int) -> list[HumanClicks]:
    """People's clicks on every placement of every issue, in the hours that began by ``until``.

    What came later is taken off the totals: it is nothing as of today, and little as of last week.
    """
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
    """The first hour in which a person clicked an issue, if it began by ``until``."""
    sql = "select hour from clicks_by_issue where issue_id = ? and human > 0 and hour <= ? order by hour limit 1"
    found = store.value(sql, (issue_id, until))
    return None if found is None else int(found)


class HumanClicksBetween(Struct, frozen=True):
    """People's clicks and first visits on links, from one hour of an issue until the end of another."""

    first_hour: int
    last_hour: int
    clicks: int
    link_visitors: int


def human_clicks_by_period(
    store: Store, issue_id: int, *, sent_at: int, hourly_seconds: int, until: int
) -> list[HumanClicksBetween]:
    """People's clicks on an issue by hour, and from ``hourly`` seconds after ``sent`` on by the day since then.

    Of the hours that began by ``until`` and ended after ``sent``; a span's hours are those with clicks.
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
    """Which article a placement of a link belongs to, 0 where it is none; ``n`` 0 stands for no placement."""

    issue_id: int
    article_id: int
    link_id: int
    n: int
    kind: str


def article_placements(store: Store) -> list[ArticlePlacement]:
    """The articles of all placements, and of the clicks without one on a link that has an article of its own.

    Ordered by link and n, so that n = 0 comes first. What has no position is no article.
    """
    sql = """
        with ranked as (select id from articles where position is not null)
        select placements.issue_id, coalesce(ranked.id, 0), link_id, n, kind
        from placements left join ranked on ranked.id = placements.article_id
        union all
        select articles.issue_id, coalesce(ranked.id, 0), links.id, 0, ''
        from links join articles on articles.id = links.article_id left join ranked on ranked.id = articles.id
        order by 1, 3, 4
    """
    return [ArticlePlacement(*row) for row in store.execute(sql)]


class RankedArticle(Struct, frozen=True):
    """An article of an issue as the ranking needs it."""

    id: int
    issue_id: int
    url: str
    position: int
    title: str


def list_ranked_articles(store: Store) -> list[RankedArticle]:
    """All that are articles, issue by issue; what has no position is tracked but is none."""
    sql = """
        select id, issue_id, url, position, title from articles where position is not null
        order by issue_id, position, id
    """
    return [RankedArticle(*row) for row in store.execute(sql)]


def top_misses(store: Store, *, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
    """The codes that were asked for most and led nowhere ('' for all that were too many to remember)."""
    where, bounds = _time_condition("day", since and since - since % DAY_SECONDS, until)
    sql = f"""
        select domain, code, status, sum(requests) as requests from misses {where}
        group by domain, code, status order by requests desc, domain, code limit :limit
    """  # noqa: S608
    return list(store.rows(sql, bounds | {"limit": limit}))


class ClickRow(Struct, frozen=True):
    """A click as it is exported; ``ts`` in milliseconds of UTC epoch, ``n`` 0 for none."""

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
    """The clicks of [since, until) (seconds) that are still kept, oldest first, as they are read."""
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
    """A where clause for [since, until) and its values; none without bounds, so that no index tempts."""
    bounds = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
    terms = [f"{column} {sign} :{name}" for name, sign in (("since", ">="), ("until", "<")) if name in bounds]
    return (f"where {' and '.join(terms)}" if terms else ""), bounds


def _json(ids: Iterable[int]) -> str:
    return msgspec.json.encode(sorted(ids)).decode()
