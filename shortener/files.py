"""Names, locks and states of files that several packages use."""

import fcntl
import os
from pathlib import Path

STORE_FILE_NAME = "store.db"
"""File name of the store in the data directory."""

FileState = tuple[int, int, int]
"""(inode, size in bytes, modification time in nanoseconds): differs once a file was replaced or written to."""


def file_state(status: os.stat_result) -> FileState:
    """Return the state of the file that ``os.stat`` described."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def try_lock(fd: int) -> bool:
    """Lock an open file exclusively without waiting; return False if another process holds the lock.

    The kernel releases the lock when the file descriptor is closed, also when its process is killed.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def open_locked(path: Path) -> int | None:
    """Open a file, which is created if necessary, and lock it exclusively.

    Return the file descriptor that holds the lock, or None if another process holds it. Raises OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if try_lock(fd):
        return fd
    os.close(fd)
    return None
