"""Users of the editor pages, their sessions, and one-time invitations."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table users (
    id integer primary key,
    name text not null unique check (name <> ''),
    role text not null check (role in ('viewer', 'editor', 'admin')),
    password text not null default '',
    created_at integer not null,
    updated_at integer not null
) strict;

create table sessions (
    token text primary key,
    user_id integer not null references users on delete cascade,
    created_at integer not null,
    seen_at integer not null
) strict, without rowid;

create index sessions_by_user on sessions (user_id);

create table invitations (
    token text primary key,
    user_id integer references users on delete cascade,
    expires_at integer not null
) strict, without rowid;
"""


def m004_pages(db: Database) -> None:
    """Create the tables of users, sessions and invitations."""
    run_script(db, SCRIPT)
