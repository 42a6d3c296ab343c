"""SQL for rankings and comparisons of issues: human clicks by placement and by time, and where articles were."""

from collections.abc import Mapping

from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.store.database import Store
from shortener.store.reports import signed_rows
from shortener.store.rollup_tables import HAS_VISITORS


class HumanClicks(Struct, frozen=True):
    """Human clicks on one placement (``n`` 0: none) of a link, how many have a visitor hash, and first visits.

    First visits are to the placement, the link and the issue.
    """

    issue_id: int
    link_id: int
    n: int
    clicks: int
    visitor_clicks: int
    visitors: int
    link_visitors: int
    issue_visitors: int


def human_clicks_by_placement(store: Store, *, until: int) -> list[HumanClicks]:
    """Return the human clicks on every placement of every issue, in the hours that began by ``until``."""
    # Later clicks are subtracted from the totals: there are none if ``until`` is now, and few if it is recent.
    keys = "issue_id, link_id, n"
    names = ("human", "visitor_clicks", "visitors", "link_visitors", "issue_visitors")
    next_hour = until - until % HOUR_SECONDS + HOUR_SECONDS
    later, bounds = signed_rows(keys, next_hour, None, quarter_hour_table="clicks_by_link")
    sql = f"""
        select {keys}, {", ".join(f"sum(sign * {name})" for name in names)} from (
            select 1 as sign, {keys}, {", ".join(names)} from totals_by_placement
            union all select -sign, {keys}, {", ".join(names)} from {later}
        ) as clicked where issue_id > 0 group by {keys} having sum(sign * human) > 0 order by {keys}
    """  # noqa: S608
    return [HumanClicks(*row) for row in store.execute(sql, bounds)]


def first_clicked_hour(store: Store, issue_id: int, *, until: int) -> int | None:
    """Return the first hour with a human click on an issue, or None if there is none up to ``until``."""
    sql = "select hour from clicks_by_issue_hour where issue_id = ? and human > 0 and hour <= ? order by hour limit 1"
    hour = store.value(sql, (issue_id, until))
    return None if hour is None else int(hour)


class ClicksBefore(Struct, frozen=True):
    """Human clicks of an issue: all, those from before a time, and its visitors (None: unknown)."""

    total: int
    before: int
    visitors: int | None


def human_clicks_before(store: Store, issue_id: int, *, time: int) -> ClicksBefore:
    """Return the human clicks of an issue, and those in quarter-hours that ended by ``time`` (seconds of UTC epoch)."""
    sql = f"""
        select coalesce(sum(human), 0), coalesce(sum(human) filter (where quarter_hour <= ?), 0),
               case when {HAS_VISITORS} then coalesce(sum(issue_visitors), 0) end
        from clicks_by_issue where issue_id = ?
    """  # noqa: S608
    return ClicksBefore(*store.execute(sql, (time - QUARTER_HOUR_SECONDS, issue_id)).fetchone())


class QuarterHourClicks(Struct, frozen=True):
    """Human clicks and visitors of an issue in the quarter-hour that begins at ``start`` (seconds of UTC epoch)."""

    issue_id: int
    start: int
    clicks: int
    visitors: int


def human_clicks_by_quarter_hour(store: Store, ends: Mapping[int, int]) -> list[QuarterHourClicks]:
    """Return the quarter-hours with human clicks on issues, each until its end time, by issue and time.

    ``ends`` has the end times by issue id, in seconds of UTC epoch.
    """
    sql = """
        select issue_id, quarter_hour, human, issue_visitors from pairs(:ends) as issue cross join clicks_by_issue
        where issue_id = issue.low and quarter_hour < issue.high and human > 0 order by issue.place, quarter_hour
    """
    return [QuarterHourClicks(*row) for row in store.execute(sql, {"ends": list(ends.items())})]


class LinkStepClicks(Struct, frozen=True):
    """Human clicks of an issue on one link, in the period with this number since a start."""

    domain: str
    code: str
    step: int
    clicks: int


def human_clicks_by_link_and_step(
    store: Store, issue_id: int, *, start: int, seconds: int, steps: int
) -> list[LinkStepClicks]:
    """Return the human clicks on each link of an issue in ``steps`` periods of ``seconds`` after ``start``.

    A quarter-hour belongs to the period in which it begins; those that end before ``start`` are left out.
    """
    sql = f"""
        select domain, code, case when quarter_hour < :start then 0 else (quarter_hour - :start) / :seconds end as step,
               sum(human)
        from (select distinct link_id from placements where issue_id = :issue) as placed
        join clicks_by_link on clicks_by_link.link_id = placed.link_id
            and quarter_hour > :start - {QUARTER_HOUR_SECONDS} and quarter_hour < :start + :seconds * :steps
        join links on links.id = placed.link_id
        where clicks_by_link.issue_id = :issue and human > 0
        group by domain, code, step order by domain, code, step
    """  # noqa: S608
    values = {"issue": issue_id, "start": start, "seconds": seconds, "steps": steps}
    return [LinkStepClicks(*row) for row in store.execute(sql, values)]


class CountsUntil(Struct, frozen=True):
    """Human clicks and visitors of an issue until a time; fractions if the time is inside a quarter-hour."""

    issue_id: int
    clicks: float
    visitors: float


def counts_until(store: Store, ends: Mapping[int, int]) -> list[CountsUntil]:
    """Return the human clicks and visitors of issues that have any, each until its end time.

    ``ends`` has the end times by issue id, in seconds of UTC epoch. Within the quarter-hour of its end time, the
    clicks of an issue are spread evenly.
    """
    # Sums of integers do not depend on the order of rows, as sums of fractions do.
    seconds = f"""
        case when issue.high - quarter_hour >= {QUARTER_HOUR_SECONDS} then {QUARTER_HOUR_SECONDS}
             else issue.high - quarter_hour end
    """
    sql = f"""
        select issue_id, sum(human * ({seconds})), sum(issue_visitors * ({seconds}))
        from pairs(:ends) as issue cross join clicks_by_issue
        where issue_id = issue.low and quarter_hour < issue.high group by issue_id order by issue_id
    """  # noqa: S608
    return [
        CountsUntil(issue_id, clicks / QUARTER_HOUR_SECONDS, visitors / QUARTER_HOUR_SECONDS)
        for issue_id, clicks, visitors in store.execute(sql, {"ends": list(ends.items())})
    ]


class HumanClicksBetween(Struct, frozen=True):
    """Human clicks and first visits on an issue's links, from ``first_hour`` to the end of ``last_hour``."""

    first_hour: int
    last_hour: int
    clicks: int
    link_visitors: int


def human_clicks_by_period(
    store: Store, issue_id: int, *, sent_at: int, hourly_seconds: int, until: int
) -> list[HumanClicksBetween]:
    """Return the human clicks on an issue, summed by hour soon after sending and by day later.

    Hours are used until ``hourly_seconds`` after sending; the days are counted from sending. Only hours that began by
    ``until`` and ended after ``sent_at`` (seconds of UTC epoch) are counted.
    """
    sql = f"""
        select min(hour), max(hour), sum(human), sum(link_visitors) from clicks_by_issue_hour
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
    """Return the article for which clicks on each placement count, and clicks on a link without a placement number.

    The latter has a row with ``n`` 0 for each link that has an article. The rows are ordered by issue, link and ``n``.
    Targets without a position are no articles.
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
