"""Webhooks: endpoints, events that happened, and their deliveries."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table webhooks (
    id integer primary key,
    url text not null,
    events text not null default '',
    secret text not null,
    old_secret text not null default '',
    old_secret_until integer not null default 0,
    disabled_at integer,
    disabled_reason text not null default '',
    created_at integer not null,
    updated_at integer not null
) strict;

create table webhook_events (
    id text primary key,
    type text not null,
    at integer not null,
    data text not null
) strict;

create index webhook_events_by_time on webhook_events (at);

create table webhook_deliveries (
    id integer primary key,
    webhook_id integer not null references webhooks on delete cascade,
    event_id text not null references webhook_events on delete cascade,
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed')),
    attempts integer not null default 0,
    next_at integer not null,
    tried_at integer,
    http_status integer,
    message text not null default '',
    unique (webhook_id, event_id)
) strict;

create index webhook_deliveries_by_event on webhook_deliveries (event_id);
create index webhook_deliveries_waiting on webhook_deliveries (next_at) where state = 'waiting';
"""


def m012_webhooks(db: Database) -> None:
    """Create the tables of webhooks."""
    run_script(db, SCRIPT)
