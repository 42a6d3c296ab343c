"""Tables of the texts that editors upload for a new issue, and of the results of link checks."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table uploads (
    id integer primary key,
    created_at integer not null,
    updated_at integer not null,
    revision integer not null,
    who text not null,
    name text not null,
    source blob not null,
    choices blob not null,
    issue_slug text
) strict;

create index uploads_by_time on uploads (updated_at);

create table link_checks (
    issue_id integer primary key references issues (id) on delete cascade,
    started_at integer not null,
    finished_at integer,
    total integer not null check (total >= 0),
    done integer not null check (done between 0 and total),
    results blob not null
) strict;
"""


def m018_new_issues(db: Database) -> None:
    """Create the tables ``uploads`` and ``link_checks``.

    Times are seconds of the UTC epoch; ``choices`` and ``results`` are JSON.
    """
    run_script(db, SCRIPT)
