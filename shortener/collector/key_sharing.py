"""Share the daily keys among all machines that use one PostgreSQL store (docs/click-log.md, section 7)."""

import logging

from shortener.clicklog.pseudonyms import DailyKeys, create_key, due_days, is_expired
from shortener.store import Store, shared_keys

log = logging.getLogger(__name__)


def share_keys(store: Store, keys: DailyKeys, *, now: float) -> None:
    """Copy the daily hash keys between this machine's files and the store. Missing keys are created."""
    with store.transaction():
        # A crash of PostgreSQL empties the table, which is then filled from the files.
        shared = keys.read_all() | shared_keys.read(store)
        shared = {day: key for day, key in shared.items() if not is_expired(day, now=now)}
        # From 18:00 UTC on, the key of tomorrow is due too.
        for day in due_days(now):
            shared.setdefault(day, create_key())
        shared_keys.replace(store, shared)
    for day, key in shared.items():
        try:
            keys.add(day, key)
        except OSError as error:
            log.error("the daily key cannot be stored: %s", error)
