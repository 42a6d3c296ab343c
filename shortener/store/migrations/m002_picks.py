"""Tables of articles' views, reads and fans on other platforms, and of decisions about recommended articles."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table signals (
    url text primary key,
    views integer check (views >= 0),
    reads integer check (reads >= 0),
    fans integer check (fans >= 0),
    updated_at integer not null
) strict, without rowid;

create table decisions (
    id integer primary key,
    month text not null check (month glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    url text not null,
    action text not null check (action in ('pin', 'exclude', 'choose')),
    reason text not null check (reason <> ''),
    who text not null,
    at integer not null,
    unique (month, url)
) strict;
"""


def m002_picks(db: Database) -> None:
    """Create the tables ``signals`` (views, reads and fans of articles on other platforms) and ``decisions``."""
    run_script(db, SCRIPT)
