"""A copy of the store that is consistent while everything runs."""

import os
import sqlite3
from pathlib import Path

from shortener.errors import InputError, StoreError
from shortener.files import STORE_FILE_NAME
from shortener.store.database import Store


def back_up(store: Store, destination: Path) -> int:
    """Copy the store to ``destination``, check the copy, and put it in place whole; its size in bytes.

    ``vacuum into`` reads one snapshot: it neither waits for writers nor starts over when they write.
    Raises InputError when the destination exists already or cannot be written, StoreError when the copy is not sound.
    """
    if destination.is_dir():
        destination = destination / STORE_FILE_NAME
    if destination.exists():
        raise InputError(
            f"{destination}: exists already; name a new file, so that no good backup is overwritten"
        )
    partial = destination.with_name(destination.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        store.execute("vacuum into ?", (str(partial),))
        _check_integrity(partial)
        fd = os.open(partial, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        partial.rename(destination)
    except (OSError, sqlite3.OperationalError) as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{destination}: cannot be written: {error}") from None
    return destination.stat().st_size


def _check_integrity(path: Path) -> None:
    copy = sqlite3.connect(path)
    try:
        verdict = copy.execute("pragma integrity_check").fetchone()[0]
    finally:
        copy.close()
    if verdict != "ok":
        raise StoreError(f"{path}: the copy is not sound ({verdict}); keep the last good backup")
