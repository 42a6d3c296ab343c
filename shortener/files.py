"""Functions that lock a file, or find out whether a file has changed."""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

STORE_FILE_NAME = "store.db"
"""File name of the store in the data directory."""
LINKS_COPY_FILE_NAME = "links.db"
"""File name of the local copy of the links of a store on PostgreSQL."""

FileState = tuple[int, int, int]
"""(inode, size in bytes, modification time in nanoseconds). It changes when a file is replaced or written to."""


def file_state(status: os.stat_result) -> FileState:
    """Return inode, size and modification time of a file, by which a change of the file is noticed."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def try_lock(fd: int) -> bool:
    """Lock an open file exclusively, without waiting; return False if another process holds the lock.

    The lock ends when the file descriptor is closed.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def open_locked(path: Path) -> int | None:
    """Open or create a file and lock it exclusively; return the file descriptor, or None if it is locked already.

    Raises OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if try_lock(fd):
        return fd
    os.close(fd)
    return None


def holder_name(lock_fd: int, *, machine: str) -> str:
    """Return a name for the process that holds a lock file, such as ``web1 9f86d081884c7d65``.

    The process keeps the name after a restart.
    """
    # The lock file has the name from the last run.
    lines = os.pread(lock_fd, 4096, 0).decode("utf-8", "replace").splitlines()
    kept = lines[1] if len(lines) == 2 and lines[1].startswith(f"{machine} ") else None
    name = kept or f"{machine} {secrets.token_hex(8)}"
    with contextlib.suppress(OSError):  # a full disk has no room for it
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()}\n{name}\n".encode(), 0)
    return name
