"""Tokens of the JSON API, and the answers to requests with an idempotency key."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table tokens (
    id integer primary key,
    user_id integer not null references users on delete cascade,
    name text not null check (name <> ''),
    token_hash text not null unique,
    start text not null,
    scopes text not null check (scopes <> ''),
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    unique (user_id, name)
) strict;

create table idempotency_keys (
    token_id integer not null references tokens on delete cascade,
    key text not null,
    request_hash text not null,
    created_at integer not null,
    status integer not null,
    headers text not null,
    body blob not null,
    primary key (token_id, key)
) strict, without rowid;

create index idempotency_keys_by_time on idempotency_keys (created_at);
"""


def m010_tokens(db: Database) -> None:
    """Create the tables of tokens and of idempotency keys."""
    run_script(db, SCRIPT)
