"""Indexes that begin with the day or hour, so that new clicks change few pages of each index."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
drop index clicks_by_visitor;
drop index clicks_by_address;
drop index clicks_by_copy;
create index clicks_by_visitor on clicks (ts / 86400000, visitor, first) where visitor is not null;
create index clicks_by_address on clicks (ts / 3600000, addr, ts) where addr is not null;
create index clicks_by_copy on clicks (ts / 3600000, copy, ts) where copy is not null;
"""


def m006_local_indexes(db: Database) -> None:
    """Replace three indexes of clicks by indexes that begin with the day or the hour."""
    # Hashes (of visitors, addresses and recipient tokens) are spread evenly, so every batch of new clicks would change
    # all pages of an index that begins with one.
    run_script(db, SCRIPT)
