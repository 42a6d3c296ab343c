"""A table of the short links in drafts of a month's recommended articles."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table drafts (
    month text not null check (month glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    url text not null,
    link_id integer not null references links on delete cascade,
    primary key (month, url)
) strict, without rowid;
"""


def m003_drafts(db: Database) -> None:
    """Create the table of the short links in drafts of recommended articles, by month and article URL."""
    run_script(db, SCRIPT)
