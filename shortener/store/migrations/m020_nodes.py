"""Tables of redirect nodes, the machines that answer short links."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

# A store on SQLite has no nodes. The tables exist there too, so that both engines have one schema.
SCRIPT = """
create table nodes (
    name text primary key,
    role text not null,
    added_at integer not null,
    removed_at integer,
    version text not null default '',
    heard_at integer,
    sent_until integer,
    links_revision integer not null default 0,
    backlog_bytes integer not null default 0,
    unrecorded integer not null default 0,
    disk_free integer not null default 0
) strict, without rowid;

create table sent_segments (
    segment_id text primary key,
    node text not null,
    name text not null,
    position integer not null,
    finished integer not null default 0,
    updated_at integer not null
) strict, without rowid;
create index sent_segments_by_node on sent_segments (node);

create table inbox (
    segment_id text not null,
    position integer not null,
    node text not null,
    recorded_after integer not null,
    body blob not null,
    primary key (segment_id, position)
) strict;
create index inbox_by_node on inbox (node, recorded_after);

create table leases (
    name text primary key,
    holder text not null,
    until_ms integer not null,
    epoch integer not null
) strict, without rowid;

create table shared_keys (
    day integer primary key,
    key blob not null
) strict;

create table local_key_days (
    node text not null,
    day integer not null,
    primary key (node, day)
) strict, without rowid;
"""

POSTGRES_SCRIPT = """
alter table shared_keys set unlogged;

alter table nodes enable row level security;
create policy own_node on nodes using (role = current_user);

alter table sent_segments enable row level security;
create policy own_segments on sent_segments using (node = (select name from nodes where role = current_user));

alter table inbox enable row level security;
create policy own_inbox on inbox for insert
    with check (node = (select name from nodes where role = current_user));
"""
"""What only PostgreSQL has: keys that no write-ahead log, standby or base backup contains, and the rights of nodes.

A node has a database role of its own, which sees and changes only the rows of its node.
"""


def m020_nodes(db: Database) -> None:
    """Create the tables of redirect nodes, the click logs that they send, the keys that they share, and leases."""
    run_script(db, SCRIPT)
