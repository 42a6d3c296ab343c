"""Copies of the daily keys that all nodes share."""

import contextlib
import os
import secrets
from pathlib import Path

from shortener.clicklog.pseudonyms import KEY_BYTES, KEY_DIRECTORY
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.store import Reader, shared_keys

LIFETIME_SECONDS = 42 * HOUR_SECONDS
"""Age of a day at which its key is destroyed."""


def copy_keys(reader: Reader, data_directory: Path, *, now: float) -> None:
    """Write the shared keys of the store to files, unless they exist or their day is too long ago.

    Raises StoreError, and OSError if a file cannot be written.
    """
    directory = data_directory / KEY_DIRECTORY
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for day, key in shared_keys.read(reader).items():
        path = directory / str(day)
        if len(key) == KEY_BYTES and now - day * DAY_SECONDS < LIFETIME_SECONDS and not path.exists():
            _write_key(path, key)


def _write_key(path: Path, key: bytes) -> None:
    """Write a key to a temporary file and link it to ``path``, so that no process reads an incomplete key."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(fd)
        # Unlike a rename, a hard link fails if the file exists: another process was first, and its key is used.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
