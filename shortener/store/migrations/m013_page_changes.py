"""A table of the changes that users made in the web interface. It is kept so that users can undo them."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table page_changes (
    id integer primary key,
    page text not null,
    at integer not null,
    who text not null,
    summary text not null,
    before blob not null,
    after blob not null,
    undone_at integer
) strict;

create index page_changes_by_page on page_changes (page, id);
create index page_changes_by_time on page_changes (at);
"""


def m013_page_changes(db: Database) -> None:
    """Create the table of the changes that users made in the web interface."""
    run_script(db, SCRIPT)
