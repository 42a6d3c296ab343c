"""SQL for the ranking of articles and the comparison of issues: human clicks, and positions of articles."""

from collections.abc import Mapping

from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.store.database import Store
from shortener.store.reports import signed_rows
from shortener.store.rollup_tables import HAS_VISITORS


class HumanClicks(Struct, frozen=True):
    """Numbers of human clicks on one placement (use of a link in an issue)."""

    issue_id: int
    link_id: int
    n: int
    """Number of the placement; 0 for clicks whose placement is unknown."""
    clicks: int
    visitor_clicks: int
    """Clicks with a visitor hash."""
    visitors: int
    """Clicks that are the visitor's first of the day on the placement."""
    link_visitors: int
    """Clicks that are the visitor's first of the day on the link."""
    issue_visitors: int
    """Clicks that are the visitor's first of the day in the issue."""


def human_clicks_by_placement(store: Store, *, until: int) -> list[HumanClicks]:
    """Return the human clicks on every use of a link in every issue.

    Hours that begin after ``until`` (epoch seconds) do not count.
    """
    # Later clicks are subtracted from the totals: there are none if ``until`` is now, and few if it is recent.
    keys = "issue_id, link_id, n"
    names = ("human", "visitor_clicks", "visitors", "link_visitors", "issue_visitors")
    next_hour = until - until % HOUR_SECONDS + HOUR_SECONDS
    later, bounds = signed_rows(keys, next_hour, None, quarter_hour_table="clicks_by_link")
    sql = f"""
        select {keys}, {", ".join(f"sum(sign * {name})" for name in names)} from (
            select 1 as sign, {keys}, {", ".join(names)} from totals_by_placement
            union all select -sign, {keys}, {", ".join(names)} from {later} as later
        ) as clicked where issue_id > 0 group by {keys} having sum(sign * human) > 0 order by {keys}
    """  # noqa: S608
    return [HumanClicks(*row) for row in store.execute(sql, bounds)]


def first_clicked_hour(store: Store, issue_id: int, *, until: int) -> int | None:
    """Return when the first hour with a human click on an issue began, in epoch seconds.

    Return None if there is none by ``until``.
    """
    sql = "select hour from clicks_by_issue_hour where issue_id = ? and human > 0 and hour <= ? order by hour limit 1"
    hour = store.value(sql, (issue_id, until))
    return None if hour is None else int(hour)


class ClicksBefore(Struct, frozen=True):
    """Numbers of human clicks on an issue: over all time, and before a given time."""

    total: int
    before: int
    visitors: int | None
    """Number of visitors over all time; None if too few clicks have a visitor hash."""


def human_clicks_before(store: Store, issue_id: int, *, time: int) -> ClicksBefore:
    """Return the numbers of human clicks on an issue over all time and before ``time`` (epoch seconds)."""
    # Only quarter-hours that have ended by ``time`` count as before it.
    sql = f"""
        select coalesce(sum(human), 0), coalesce(sum(human) filter (where quarter_hour <= ?), 0),
               case when {HAS_VISITORS} then coalesce(sum(issue_visitors), 0) end
        from clicks_by_issue where issue_id = ?
    """  # noqa: S608
    return ClicksBefore(*store.execute(sql, (time - QUARTER_HOUR_SECONDS, issue_id)).fetchone())


class QuarterHourClicks(Struct, frozen=True):
    """Human clicks and visitors of an issue in the quarter-hour that begins at ``start`` (seconds of the UTC epoch)."""

    issue_id: int
    start: int
    clicks: int
    visitors: int


def human_clicks_by_quarter_hour(store: Store, ends: Mapping[int, int]) -> list[QuarterHourClicks]:
    """Return the human clicks on issues until given times, by quarter-hour.

    ``ends`` maps an issue id to a time in epoch seconds.
    """
    sql = """
        select issue_id, quarter_hour, human, issue_visitors from pairs(:ends) as issue cross join clicks_by_issue
        where issue_id = issue.low and quarter_hour < issue.high and human > 0 order by issue.place, quarter_hour
    """
    return [QuarterHourClicks(*row) for row in store.execute(sql, {"ends": list(ends.items())})]


class LinkStepClicks(Struct, frozen=True):
    """Human clicks on one link of an issue in one period. ``step`` is the number of the period, from 0."""

    domain: str
    code: str
    step: int
    clicks: int


def human_clicks_by_link_and_step(
    store: Store,
    issue_id: int,
    *,
    start: int,  # of the first period, in seconds of the UTC epoch
    seconds: int,  # length of a period
    steps: int,  # number of periods
) -> list[LinkStepClicks]:
    """Return the human clicks on each link of an issue in each of several periods of equal length."""
    # A quarter-hour counts for the period in which it begins; the one that contains ``start`` counts for the first
    # period.
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
    """Human clicks and visitors of an issue until a given time.

    The numbers are fractions if that time is inside a quarter-hour.
    """

    issue_id: int
    clicks: float
    visitors: float


def counts_until(store: Store, ends: Mapping[int, int]) -> list[CountsUntil]:
    """Return the human clicks and visitors of each issue until a given time.

    ``ends`` maps an issue id to a time in epoch seconds.
    """
    # Sums of integers do not depend on the order of rows, as sums of fractions do.
    # The clicks of a quarter-hour are assumed to be spread evenly over it.
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
    """Human clicks on an issue from ``first_hour`` to ``last_hour``, both included."""

    first_hour: int
    """Beginning of the hour, in seconds of the UTC epoch."""
    last_hour: int
    """Beginning of the hour, in seconds of the UTC epoch."""
    clicks: int
    link_visitors: int
    """Number of visitors, who count once a day for each link."""


def human_clicks_by_period(
    store: Store,
    issue_id: int,
    *,
    sent_at: int,
    hourly_seconds: int,
    until: int,  # seconds of the UTC epoch; hours that begin later are left out
) -> list[HumanClicksBetween]:
    """Return the human clicks on an issue, first by hour and later by 24 hours.

    The longer periods begin ``hourly_seconds`` after ``sent_at`` (epoch seconds).
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
    """A placement (use of a link in an issue), with the article for which its clicks count."""

    issue_id: int
    article_id: int
    """0 if there is no article."""
    link_id: int
    n: int
    """Number of the placement; 0 for clicks whose placement is unknown."""
    kind: str


def article_placements(store: Store) -> list[ArticlePlacement]:
    """Return all placements (uses of a link in an issue) with their articles."""
    # Link targets without a position are not articles. A link with an article has a further row, with number 0, for
    # clicks of unknown placement.
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
    """An article that takes part in the ranking, because it has a position in an issue."""

    id: int
    issue_id: int
    url: str
    position: int
    title: str
    author: str


def list_ranked_articles(store: Store) -> list[RankedArticle]:
    """Return every article that has a position in an issue, ordered by issue and position."""
    sql = """
        select articles.id, issue_id, url, position, articles.title, author
        from articles join issues on issues.id = issue_id where position is not null and removed_at is null
        order by issue_id, position, articles.id
    """
    return [RankedArticle(*row) for row in store.execute(sql)]
