"""The time at which each user last used the web interface."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
alter table users add column seen_at integer;

update users set seen_at = (select max(seen_at) from sessions where user_id = users.id);
"""


def m016_users_seen(db: Database) -> None:
    """Add the time at which each user last used the web interface, and fill it from the stored sessions."""
    # The time is stored with the user, because sessions are deleted when they end.
    run_script(db, SCRIPT)
