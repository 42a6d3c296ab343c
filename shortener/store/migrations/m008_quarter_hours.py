"""Sums by quarter-hour instead of by hour."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script
from shortener.store.rollup_tables import create_statements, recompute_statements

_OLD_TABLES = (
    "clicks_by_link",
    "breakdown_by_link",
    "totals_by_placement",
    "clicks_by_issue",
    "clicks_by_placement",
    "clicks_of_site",
    "breakdown_by_issue",
)
_NEW_COLUMNS = """link_id, quarter_hour, n, issue_id, human, bot, scanner, preview, prefetch,
    visitor_clicks, visitors, link_visitors, issue_visitors, site_visitors"""
_IS_PURGED = "hour < (select value from meta where name = 'purged_before')"

COPY = f"""
insert into clicks_by_link ({_NEW_COLUMNS})
select link_id, ts / 900000 * 900, n, coalesce(issue_id, 0),
    sum(verdict = 'human'), sum(verdict = 'bot'), sum(verdict = 'scanner'), sum(verdict = 'preview'),
    sum(verdict = 'prefetch'), sum(verdict = 'human' and visitor is not null), sum(first_visits & 1 > 0),
    sum(first_visits & 2 > 0), sum(first_visits & 4 > 0), sum(first_visits & 8 > 0)
from clicks where ts >= 1000 * (select value from meta where name = 'purged_before') group by 1, 2, 3, 4;

insert into clicks_by_link ({_NEW_COLUMNS})
select link_id, hour, n, issue_id,
    sum(case verdict when 'human' then clicks else 0 end), sum(case verdict when 'bot' then clicks else 0 end),
    sum(case verdict when 'scanner' then clicks else 0 end), sum(case verdict when 'preview' then clicks else 0 end),
    sum(case verdict when 'prefetch' then clicks else 0 end),
    case when (
        select 2 * sum(link_visitors) >= sum(human) from old_totals_by_placement as total
        where total.issue_id = old.issue_id and (total.issue_id > 0 or total.link_id = old.link_id)
    ) then sum(case verdict when 'human' then clicks else 0 end) else sum(link_visitors) end,
    sum(visitors), sum(link_visitors), sum(issue_visitors), sum(site_visitors)
from old_clicks_by_link as old where {_IS_PURGED} group by link_id, hour, n, issue_id;

insert into breakdown_by_link (link_id, dimension, value, day, issue_id, clicks)
select link_id, dimension, value, day, issue_id, clicks from old_breakdown_by_link;

alter table misses rename column day to quarter_hour;
"""  # noqa: S608


def m008_quarter_hours(db: Database) -> None:
    """Sum the stored clicks by quarter-hour; the sums of hours whose clicks are purged stay at the hour's beginning.

    How many of the purged human clicks carried a visitor is unknown. It counts as all of them for an issue (or a link
    without one) with at least one first visit for every two human clicks, else as the first visits.
    """
    for table in _OLD_TABLES:
        db.execute(f"alter table {table} rename to old_{table}")
    for statement in create_statements():
        db.execute(statement)
    run_script(db, COPY)
    for statement in recompute_statements():
        db.execute(statement)
    for table in _OLD_TABLES:
        db.execute(f"drop table old_{table}")
