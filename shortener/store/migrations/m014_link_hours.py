"""Sums of the clicks of each link by hour, for the timeline of a link."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table clicks_by_link_hour (
    link_id integer not null,
    hour integer not null,
    human integer not null check (human >= 0),
    bot integer not null check (bot >= 0),
    scanner integer not null check (scanner >= 0),
    preview integer not null check (preview >= 0),
    prefetch integer not null check (prefetch >= 0),
    visitor_clicks integer not null check (visitor_clicks >= 0),
    visitors integer not null check (visitors >= 0),
    link_visitors integer not null check (link_visitors >= 0),
    issue_visitors integer not null check (issue_visitors >= 0),
    site_visitors integer not null check (site_visitors >= 0),
    primary key (link_id, hour)
) strict, without rowid;

insert into clicks_by_link_hour
select link_id, quarter_hour - quarter_hour % 3600 as hour,
    sum(human), sum(bot), sum(scanner), sum(preview), sum(prefetch),
    sum(visitor_clicks), sum(visitors), sum(link_visitors), sum(issue_visitors), sum(site_visitors)
from clicks_by_link group by link_id, hour;
"""


def m014_link_hours(db: Database) -> None:
    """Create the table of each link's clicks by hour, and fill it with the sums of the link's quarter-hours."""
    run_script(db, SCRIPT)
