"""Queries about the store's version, integrity, latest clicks and backups, for the checks of the command ``doctor``."""

import sqlite3

from msgspec import Struct

from shortener.errors import StoreError
from shortener.store.database import Reader, Store

BACKUP_KEY = "backed_up_at"
RECENT_CLICKS = 500
"""Number of latest clicks whose networks are compared."""


def sqlite_version() -> tuple[int, ...]:
    """Return the version of SQLite."""
    return sqlite3.sqlite_version_info


def postgres_version(reader: Reader) -> str:
    """Return the version of PostgreSQL."""
    return str(reader.value("select current_setting('server_version')"))


def check_content(reader: Reader) -> str:
    """Check the integrity of the store. Return ``ok``, or a text that says what is wrong."""
    return str(reader.value("pragma quick_check(1)"))


class RecentNetworks(Struct, frozen=True):
    """The network with the largest share of the latest clicks."""

    clicks: int
    """Number of the latest clicks whose network is known."""
    network: str
    network_clicks: int
    """Number of these clicks that came from ``network``."""
    user_agents: int
    """Number of different user agents among the latest clicks."""


def recent_networks(reader: Reader) -> RecentNetworks | None:
    """Return the network with the largest share of the latest ``RECENT_CLICKS`` clicks.

    The result is None if no click has a known network.
    """
    # User agents are counted over the latest clicks, whether or not their network is known.
    rows = reader.execute(
        """
        select net, count(*),
            (select count(distinct agent_id) from (select agent_id from clicks order by ts desc limit ?) as latest)
        from (select net from clicks where net is not null order by ts desc limit ?) as known
        group by net order by 2 desc
        """,
        (RECENT_CLICKS, RECENT_CLICKS),
    ).fetchall()
    if not rows:
        return None
    return RecentNetworks(sum(row[1] for row in rows), rows[0][0], rows[0][1], rows[0][2])


def newest_click_time(reader: Reader) -> float:
    """Return the time of the newest click in seconds of the UTC epoch; 0.0 without clicks."""
    return float((reader.execute("select max(ts) from clicks").fetchone()[0] or 0) / 1000)


def last_backup_time(reader: Reader) -> int | None:
    """Return when the store was last backed up (seconds of the UTC epoch); None if it never was."""
    row = reader.execute("select value from meta where name = ?", (BACKUP_KEY,)).fetchone()
    return int(row[0]) if row else None


def note_backup(store: Store, *, now: int) -> None:
    """Store the time of a backup. Errors of the store are ignored."""
    try:
        with store.transaction():
            store.set_meta(BACKUP_KEY, now)
    except StoreError:
        # The disk is full, or the store is locked.
        return
