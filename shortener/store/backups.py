"""Backups: consistent copies of the store, made while other processes read and write it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from shortener.errors import InputError, StoreError, StoreUnavailable
from shortener.files import STORE_FILE_NAME
from shortener.store.database import Store
from shortener.store.operation import note_backup
from shortener.store.sqlite import SqliteConnection, store_error
from shortener.store.write_ahead_log import random_number


def back_up(
    store: Store,
    destination: Path,  # a file that does not exist yet, or a directory
    *,
    now: int,
) -> int:
    """Copy an SQLite store to a new file, and return the size of the file in bytes.

    Raises InputError, StoreError.
    """
    if not isinstance(store.connection, SqliteConnection):
        raise InputError("the store is a PostgreSQL database; back it up with its own tools, such as pg_dump")
    if destination.is_dir():
        destination = destination / STORE_FILE_NAME
    if destination.exists():
        raise InputError(
            f"{destination}: the file exists already; name a new one, so that no good backup is overwritten"
        )
    partial = destination.with_name(destination.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        # "vacuum into" reads one snapshot: it waits for no writer and does not start over when one commits.
        store.execute("vacuum into ?", (str(partial),))
        _check_and_renumber(partial)
        fd = os.open(partial, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        partial.rename(destination)
        note_backup(store, now=now)
    except (OSError, StoreUnavailable) as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{destination}: cannot be written: {error}") from None
    return destination.stat().st_size


def _check_and_renumber(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as backup:
            # A write-ahead log is matched to its store by this number, and one of the original must not be applied to
            # the copy.
            backup.execute(f"pragma user_version = {random_number()}")
            problem = backup.execute("pragma integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        raise store_error(error) from error
    if problem != "ok":
        raise StoreError(f"{path}: the backup failed its integrity check ({problem}); keep the last good backup")
