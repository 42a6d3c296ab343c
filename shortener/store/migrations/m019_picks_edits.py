"""Tables of what editors change in the draft of a month's recommended articles."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
alter table decisions rename column reason to required_reason;
alter table decisions add column reason text not null default '';
update decisions set reason = required_reason;
alter table decisions drop column required_reason;

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
    blurb text
) strict;
create index picks_texts_by_month on picks_texts (month);

create table picks_order (
    month text not null check (month glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    url text not null,
    position integer not null
) strict;
create index picks_order_by_month on picks_order (month);

create table picks_templates (
    format text primary key check (format in ('markdown', 'html')),
    text text not null,
    who text not null,
    at integer not null
) strict, without rowid;
"""


def m019_picks_edits(db: Database) -> None:
    """Create the tables for editors' changes to recommended articles, and allow decisions without a reason."""
    run_script(db, SCRIPT)
