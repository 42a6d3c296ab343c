"""Indexes that begin with the day or hour, so that adding new clicks changes few pages of an index."""

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
    """Index clicks by day or hour first.

    Visitor and address hashes are spread evenly: an index by the hash alone would touch all its pages for every batch.
    """
    run_script(db, SCRIPT)
