"""Sums of clicks by quarter-hour instead of by hour."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

_SUM_COLUMNS = """
    human integer not null check (human >= 0),
    bot integer not null check (bot >= 0),
    scanner integer not null check (scanner >= 0),
    preview integer not null check (preview >= 0),
    prefetch integer not null check (prefetch >= 0),
    visitor_clicks integer not null check (visitor_clicks >= 0),
    visitors integer not null check (visitors >= 0),
    link_visitors integer not null check (link_visitors >= 0),
    issue_visitors integer not null check (issue_visitors >= 0),
    site_visitors integer not null check (site_visitors >= 0)
"""
_SUMS = """
    sum(human), sum(bot), sum(scanner), sum(preview), sum(prefetch),
    sum(visitor_clicks), sum(visitors), sum(link_visitors), sum(issue_visitors), sum(site_visitors)
"""
_IS_PURGED = "hour < (select value from meta where name = 'purged_before')"

SCRIPT = f"""
alter table clicks_by_link rename to old_clicks_by_link;
alter table breakdown_by_link rename to old_breakdown_by_link;
alter table totals_by_placement rename to old_totals_by_placement;
drop table clicks_by_issue;
drop table clicks_by_placement;
drop table clicks_of_site;
drop table breakdown_by_issue;

create table clicks_by_link (
    link_id integer not null,
    quarter_hour integer not null,
    n integer not null,
    issue_id integer not null,
    {_SUM_COLUMNS},
    primary key (link_id, quarter_hour, n, issue_id)
) strict, without rowid;

create index clicks_by_link_time on clicks_by_link (quarter_hour);

insert into clicks_by_link
select link_id, ts / 900000 * 900, n, coalesce(issue_id, 0),
    sum(verdict = 'human'), sum(verdict = 'bot'), sum(verdict = 'scanner'), sum(verdict = 'preview'),
    sum(verdict = 'prefetch'), sum(verdict = 'human' and visitor is not null), sum(first_visits & 1 > 0),
    sum(first_visits & 2 > 0), sum(first_visits & 4 > 0), sum(first_visits & 8 > 0)
from clicks where ts >= 1000 * (select value from meta where name = 'purged_before') group by 1, 2, 3, 4;

insert into clicks_by_link
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

create table breakdown_by_link (
    link_id integer not null,
    dimension text not null,
    value text not null,
    day integer not null,
    issue_id integer not null,
    clicks integer not null check (clicks >= 0),
    primary key (link_id, dimension, value, day, issue_id)
) strict, without rowid;

insert into breakdown_by_link
select link_id, dimension, value, day, issue_id, clicks from old_breakdown_by_link;

drop table old_clicks_by_link;
drop table old_breakdown_by_link;
drop table old_totals_by_placement;

create table totals_by_placement (
    issue_id integer not null,
    link_id integer not null,
    n integer not null,
    {_SUM_COLUMNS},
    primary key (issue_id, link_id, n)
) strict, without rowid;

create index totals_by_placement_link on totals_by_placement (link_id, human, link_visitors);

insert into totals_by_placement select issue_id, link_id, n, {_SUMS} from clicks_by_link group by 1, 2, 3;

create table clicks_by_issue (
    issue_id integer not null,
    quarter_hour integer not null,
    {_SUM_COLUMNS},
    primary key (issue_id, quarter_hour)
) strict, without rowid;

create index clicks_by_issue_time on clicks_by_issue (quarter_hour);

insert into clicks_by_issue select issue_id, quarter_hour, {_SUMS} from clicks_by_link group by 1, 2;

create table clicks_by_issue_hour (
    issue_id integer not null,
    hour integer not null,
    {_SUM_COLUMNS},
    primary key (issue_id, hour)
) strict, without rowid;

insert into clicks_by_issue_hour
select issue_id, quarter_hour - quarter_hour % 3600, {_SUMS} from clicks_by_link group by 1, 2;

create table clicks_by_placement (
    day integer not null,
    issue_id integer not null,
    link_id integer not null,
    n integer not null,
    {_SUM_COLUMNS},
    primary key (day, issue_id, link_id, n)
) strict, without rowid;

insert into clicks_by_placement
select quarter_hour - quarter_hour % 86400, issue_id, link_id, n, {_SUMS} from clicks_by_link group by 1, 2, 3, 4;

create table clicks_of_site (
    quarter_hour integer not null,
    {_SUM_COLUMNS},
    primary key (quarter_hour)
) strict, without rowid;

insert into clicks_of_site select quarter_hour, {_SUMS} from clicks_by_link group by 1;

create table breakdown_by_issue (
    issue_id integer not null,
    dimension text not null,
    value text not null,
    clicks integer not null check (clicks >= 0),
    primary key (issue_id, dimension, value)
) strict, without rowid;

insert into breakdown_by_issue
select issue_id, dimension, value, sum(clicks) from breakdown_by_link group by 1, 2, 3;

alter table misses rename column day to quarter_hour;
"""  # noqa: S608


def m008_quarter_hours(db: Database) -> None:
    """Sum the stored clicks by quarter-hour.

    If the clicks of an hour were deleted, the click counts of the hour are stored for its first quarter-hour.
    """
    # How many of the deleted human clicks had a visitor hash is unknown, so the number is estimated. If an issue (or a
    # link without an issue) has at least one visitor for every two human clicks, all its human clicks are assumed to
    # have a hash; otherwise only as many as there were visitors.
    run_script(db, SCRIPT)
