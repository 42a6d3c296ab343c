"""SQL for reports: sums from the rollups, and the one export that reads clicks, streamed.

Reports never read clicks. A query starts from an index prefix (an issue, a link) or reads the rollups in the
order in which they lie, so its time depends on links and hours, not on how often a link was clicked.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from shortener.store.clicks import DAY_SECONDS, HOUR_SECONDS
from shortener.store.database import Store

_VERDICTS = ("human", "bot", "scanner", "preview", "prefetch")
_BY_VERDICT = ", ".join(
    f"coalesce(sum(clicks) filter (where verdict = '{verdict}'), 0) as {verdict}" for verdict in _VERDICTS
)
_OF_LINK = """
    where issue_id in (select distinct issue_id from hourly where link_id = :link) and link_id = :link
"""
"""By way of the issues that have counts of the link, because the rollups lie by issue first."""
_VISITORS = ", ".join(f"sum({prefix}visitors)" for prefix in ("", "link_", "issue_", "site_"))


class Sums(Struct, frozen=True):
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


class HourSums(Struct, frozen=True):
    """People's clicks and all others of one hour or day, which begins at ``start`` (seconds of UTC epoch)."""

    start: int
    human: int
    other: int


class ValueSum(Struct, frozen=True):
    """Clicks of one value of a dimension."""

    dimension: str
    value: str
    clicks: int


class LinkRow(Struct, frozen=True):
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


class PlacementRow(Struct, frozen=True):
    """A placement and the issue that it is in."""

    n: int
    issue: str
    article: str | None
    kind: str
    text: str


def sums_of_issue(store: Store, issue_id: int) -> list[Sums]:
    """The sums of one issue by link and placement."""
    sql = f"""
        select issue_id, link_id, n, {_BY_VERDICT}, {_VISITORS} from hourly
        where issue_id = ? group by link_id, n
    """  # noqa: S608
    return [Sums(*row) for row in store.execute(sql, (issue_id,))]


def sums_of_link(store: Store, link_id: int) -> list[Sums]:
    """The sums of one link by issue (0 for none) and placement."""
    sql = f"""
        select issue_id, link_id, n, {_BY_VERDICT}, {_VISITORS} from hourly
        {_OF_LINK} group by issue_id, n
    """  # noqa: S608
    return [Sums(*row) for row in store.execute(sql, {"link": link_id})]


def sums_of_site(store: Store, *, since: int | None, until: int | None) -> list[Sums]:
    """The sums of everything by issue (0 for none) and link, over the hours that begin in [since, until)."""
    where, bounds = _between("hour", since, until)
    sql = f"""
        select issue_id, link_id, 0, {_BY_VERDICT}, {_VISITORS} from hourly
        {where} group by issue_id, link_id
    """  # noqa: S608
    return [Sums(*row) for row in store.execute(sql, bounds)]


_TIMELINE = """
    select hour - hour % :width as start, sum(case verdict when 'human' then clicks else 0 end), sum(clicks)
    from hourly {where} group by start order by start
"""


def hours_of_issue(store: Store, issue_id: int) -> list[HourSums]:
    """The hours in which an issue was clicked, oldest first."""
    sql = _TIMELINE.format(where="where issue_id = :issue")
    return _hours(store, sql, {"issue": issue_id, "width": HOUR_SECONDS})


def hours_of_link(store: Store, link_id: int) -> list[HourSums]:
    """The hours in which a link was clicked, oldest first."""
    sql = _TIMELINE.format(where=_OF_LINK)
    return _hours(store, sql, {"link": link_id, "width": HOUR_SECONDS})


def days_of_site(store: Store, *, since: int | None, until: int | None) -> list[HourSums]:
    """The UTC days on which anything was clicked, oldest first."""
    where, bounds = _between("hour", since, until)
    sql = _TIMELINE.format(where=where)
    return _hours(store, sql, bounds | {"width": DAY_SECONDS})


def _hours(store: Store, sql: str, values: dict[str, int]) -> list[HourSums]:
    return [HourSums(start, human, clicks - human) for start, human, clicks in store.execute(sql, values)]


def values_of_issue(store: Store, issue_id: int) -> list[ValueSum]:
    """The clicks of one issue by dimension and value, the most first."""
    sql = """
        select dimension, value, sum(clicks) as clicks from daily where issue_id = ?
        group by dimension, value order by dimension, clicks desc, value
    """
    return [ValueSum(*row) for row in store.execute(sql, (issue_id,))]


def values_of_link(store: Store, link_id: int) -> list[ValueSum]:
    """The clicks of one link by dimension and value, the most first."""
    sql = f"""
        select dimension, value, sum(clicks) as clicks from daily
        {_OF_LINK} group by dimension, value order by dimension, clicks desc, value
    """  # noqa: S608
    return [ValueSum(*row) for row in store.execute(sql, {"link": link_id})]


_LINK = """
    select links.id, links.domain, links.code, links.target, links.title, links.status, links.expires_at,
           links.created_at, links.updated_at, links.forward, issues.slug, links.article_id, articles.url,
           articles.position, coalesce(articles.title, '')
    from links left join issues on issues.id = links.issue_id
    left join articles on articles.id = links.article_id
"""


def links_by_id(store: Store, ids: Iterable[int]) -> dict[int, LinkRow]:
    """Links with their issue and article, by id."""
    sql = f"{_LINK} where links.id in (select value from json_each(?)) order by links.id"  # noqa: S608
    return {row[0]: LinkRow(*row) for row in store.execute(sql, (_json(ids),))}


def link_by_code(store: Store, domain: str, code: str) -> LinkRow | None:
    """The link of a code with its issue and article, or None."""
    row = store.execute(f"{_LINK} where links.domain = ? and links.code = ?", (domain, code)).fetchone()
    return LinkRow(*row) if row else None


def placements_of_link(store: Store, link_id: int) -> list[PlacementRow]:
    """The placements of a link in all issues, in the order of n."""
    sql = """
        select placements.n, issues.slug, articles.url, placements.kind, placements.text from placements
        join issues on issues.id = placements.issue_id
        left join articles on articles.id = placements.article_id
        where placements.link_id = ? order by placements.n
    """
    return [PlacementRow(*row) for row in store.execute(sql, (link_id,))]


class IssueRow(Struct, frozen=True):
    """An issue as lists and the ranking need it; times in seconds of UTC epoch."""

    id: int
    slug: str
    title: str
    sent_at: int | None
    recipients: int | None
    created_at: int


def issues(store: Store) -> list[IssueRow]:
    """All issues, the latest first."""
    sql = """
        select id, slug, title, sent_at, recipients, created_at from issues
        order by coalesce(sent_at, created_at) desc, id desc
    """
    return [IssueRow(*row) for row in store.execute(sql)]


class HumanSums(Struct, frozen=True):
    """People's clicks and first visits on one placement (n = 0: none) of a link in an issue."""

    issue_id: int
    link_id: int
    n: int
    clicks: int
    visitors: int
    link_visitors: int


def human_sums(store: Store, *, until: int) -> list[HumanSums]:
    """People's clicks on every placement of every issue, in the hours that began by ``until``."""
    sql = """
        select issue_id, link_id, n, sum(clicks), sum(visitors), sum(link_visitors) from hourly
        where issue_id > 0 and hour <= ? and verdict = 'human' group by issue_id, link_id, n
    """
    return [HumanSums(*row) for row in store.execute(sql, (until,))]


class HumanHour(Struct, frozen=True):
    """People's clicks and first visits on links, in one hour of an issue."""

    issue_id: int
    hour: int
    clicks: int
    link_visitors: int


def human_hours(store: Store, *, until: int) -> list[HumanHour]:
    """People's clicks by issue and hour, in the hours that began by ``until``."""
    sql = """
        select issue_id, hour, sum(clicks), sum(link_visitors) from hourly
        where issue_id > 0 and hour <= ? and verdict = 'human' group by issue_id, hour order by issue_id, hour
    """
    return [HumanHour(*row) for row in store.execute(sql, (until,))]


class ShownRow(Struct, frozen=True):
    """Which article a placement of a link belongs to, 0 where it is none; ``n`` 0 stands for no placement."""

    issue_id: int
    article_id: int
    link_id: int
    n: int
    kind: str


def shown(store: Store) -> list[ShownRow]:
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
    return [ShownRow(*row) for row in store.execute(sql)]


class ArticleRow(Struct, frozen=True):
    """An article of an issue as the ranking needs it."""

    id: int
    issue_id: int
    url: str
    position: int
    title: str


def ranked_articles(store: Store) -> list[ArticleRow]:
    """All that are articles, issue by issue; what has no position is tracked but is none."""
    sql = """
        select id, issue_id, url, position, title from articles where position is not null
        order by issue_id, position, id
    """
    return [ArticleRow(*row) for row in store.execute(sql)]


def misses(store: Store, *, since: int | None, until: int | None, most: int) -> list[dict[str, Any]]:
    """The codes that were asked for most and led nowhere ('' for all that were too many to remember)."""
    where, bounds = _between("day", since and since - since % DAY_SECONDS, until)
    sql = f"""
        select domain, code, status, sum(requests) as requests from misses {where}
        group by domain, code, status order by requests desc, domain, code limit :most
    """  # noqa: S608
    return list(store.rows(sql, bounds | {"most": most}))


class ClickRow(Struct, frozen=True):
    """A click as it is exported; ``ts`` in milliseconds of UTC epoch, ``n`` 0 for none."""

    id: str
    ts: int
    domain: str
    code: str
    n: int
    verdict: str
    reason: str
    rules: int
    country: str
    browser: str
    os: str
    device: str
    referrer: str


def clicks(store: Store, *, since: int | None, until: int | None) -> Iterator[ClickRow]:
    """The clicks of [since, until) (seconds) that are still kept, oldest first, as they are read."""
    where, bounds = _between("ts", since and since * 1000, until and until * 1000)
    sql = f"""
        select clicks.id, ts, domain, code, n, verdict, reason, rules, country,
               coalesce(browser, ''), coalesce(os, ''), coalesce(device, ''), referrer
        from clicks join links on links.id = link_id left join agents on agents.id = agent_id
        {where} order by ts, seq
    """  # noqa: S608
    for row in store.execute(sql, bounds):
        yield ClickRow(*row)


def _between(column: str, since: int | None, until: int | None) -> tuple[str, dict[str, int]]:
    """A where clause for [since, until) and its values; none without bounds, so that no index tempts."""
    bounds = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
    terms = [f"{column} {sign} :{name}" for name, sign in (("since", ">="), ("until", "<")) if name in bounds]
    return (f"where {' and '.join(terms)}" if terms else ""), bounds


def _json(ids: Iterable[int]) -> str:
    return msgspec.json.encode(sorted(ids)).decode()
