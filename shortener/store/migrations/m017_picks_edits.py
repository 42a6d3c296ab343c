"""What editors change in a month's draft of picks, and decisions without a reason."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table decisions_new (
    id integer primary key,
    month text not null check (month glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    url text not null,
    action text not null check (action in ('pin', 'exclude', 'choose')),
    reason text not null,
    who text not null,
    at integer not null,
    unique (month, url)
) strict;
insert into decisions_new (id, month, url, action, reason, who, at)
    select id, month, url, action, reason, who, at from decisions;
drop table decisions;
alter table decisions_new rename to decisions;

create table picks_settings (
    month text primary key check (month glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    top integer check (top between 1 and 100),
    gems integer check (gems between 0 and 100),
    template text check (template in ('cards', 'list', 'own'))
) strict, without rowid;

create table picks_texts (
    month text not null check (month glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    url text not null,
    title text,
    byline text,
    blurb text,
    primary key (month, url)
) strict, without rowid;

create table picks_order (
    month text not null check (month glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    url text not null,
    position integer not null,
    primary key (month, url)
) strict, without rowid;

create table picks_templates (
    format text primary key check (format in ('markdown', 'html')),
    text text not null,
    who text not null,
    at integer not null
) strict, without rowid;
"""


def m017_picks_edits(db: Database) -> None:
    """Create the tables of a month's picks: number, texts and order, and own templates; allow an empty reason."""
    run_script(db, SCRIPT)
