"""Check whether SQLite's write-ahead log (WAL) belongs to the store file beside it.

A WAL of another store file is set aside.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from shortener.errors import InputError, StoreBusy, StoreError

log = logging.getLogger(__name__)
# SQLite applies a valid WAL to any database file beside it, even to a backup that has replaced ``store.db``. Therefore
# each write transaction increments the store number (``user_version``) in the header of the store file. A WAL contains
# the store numbers of its transactions. If they do not fit the number in the file, the WAL belongs to another store
# file.
MAX_NUMBER = 2**31 - 1
"""Largest store number; the one after it is 1. 0 means that a store has no number yet."""
SQLITE_MAGIC = b"SQLite format 3\0"
DATABASE_HEADER_BYTES = 100
USER_VERSION_OFFSET = 60
WAL_MAGIC = b"\x37\x7f\x06"
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
"""Sizes and offsets are those of sqlite.org/fileformat2.html."""


class Relation(Enum):
    """Whether a WAL (write-ahead log) belongs to a store file. UNKNOWN means that they cannot be compared."""

    OWN = "own"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


def increment_number(conn: sqlite3.Connection) -> None:
    """Increment the store number (``user_version`` in the header of the store file), inside a write transaction.

    A store without a number gets a random one.
    """
    number = conn.execute("pragma user_version").fetchone()[0]
    conn.execute(f"pragma user_version = {number % MAX_NUMBER + 1 if number > 0 else random_number()}")


def random_number() -> int:
    """Return a random store number for a new store or a copy."""
    # If a copy continued from the number of its original, a WAL of one could be mistaken for a WAL of the other.
    return secrets.randbelow(MAX_NUMBER) + 1


def change_number(conn: sqlite3.Connection) -> None:
    """Give the store file a new random number.

    An older write-ahead log then no longer belongs to the file.
    """
    # A WAL has to begin with the number after the store's, or it would be taken for that of another store.
    for assign in (increment_number, lambda each: each.execute(f"pragma user_version = {random_number()}")):
        conn.execute("begin immediate")
        assign(conn)
        conn.execute("commit")


def wal_path(store: Path) -> Path:
    """Return the path of the WAL (write-ahead log) that SQLite uses for a store file. Symbolic links are followed."""
    resolved = store.resolve()
    return resolved.with_name(resolved.name + "-wal")


def relation(
    store: Path,
    *,
    wal: Path | None = None,  # None: the WAL beside the store file
) -> Relation:
    """Return whether a write-ahead log (WAL) belongs to a store file. Raises OSError."""
    wal = wal or wal_path(store)
    before = _read_headers(store, wal)
    found = _compare(before[0], wal)
    # Both files unchanged: the header was not written and the WAL did not start over between the two reads.
    return found if before == _read_headers(store, wal) else Relation.UNKNOWN


def set_aside_foreign(store: Path) -> bool:
    """Rename the WAL (write-ahead log) beside a store if it belongs to another store file.

    Return whether it was renamed. Raises OSError.
    """
    if relation(store) is not Relation.FOREIGN:
        return False
    with _directory_lock(store):
        if relation(store) is not Relation.FOREIGN:
            return False  # another process was quicker
        wal = wal_path(store)
        number = 1
        while (aside := wal.with_name(f"{wal.name}.set-aside-{number}")).exists():
            number += 1
        wal.rename(aside)
        wal.with_name(wal.name.removesuffix("-wal") + "-shm").unlink(missing_ok=True)
    log.error(
        "%s: it continued another store file than %s, and was moved to %s; `shortener doctor` says how to put it back",
        wal,
        store,
        aside.name,
    )
    return True


def logs_set_aside(store: Path) -> list[Path]:
    """Return the paths of the WALs (write-ahead logs) that were set aside, the oldest first."""
    wal = wal_path(store)
    names = [*wal.parent.glob(f"{wal.name}.set-aside-*"), *wal.parent.glob(f"{wal.name}.of-the-store-before")]
    return sorted(names, key=lambda path: path.stat().st_mtime)


def put_back(store: Path, aside: Path) -> None:
    """Put back and apply a write-ahead log that was set aside. After an error, the store is unchanged.

    Raises InputError, StoreBusy, StoreError.
    """
    for path in (store, aside):
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
    with _directory_lock(store):
        wal = wal_path(store)
        _checkpoint(store)
        if wal.exists():
            raise StoreBusy(f"{store}: other processes use the store; stop them first")
        if relation(store, wal=aside) is Relation.FOREIGN:
            raise InputError(f"{aside}: belongs to another store file than {store}; put that file there first")
        # The WAL is applied to a copy of the store file first.
        with tempfile.TemporaryDirectory(dir=store.parent) as directory:
            trial = Path(directory) / store.name
            shutil.copyfile(store, trial)
            shutil.copyfile(aside, wal_path(trial))
            problem = _checkpoint(trial, check=True)
        if problem != "ok":
            raise InputError(f"{aside}: cannot be applied to {store}: the result would be damaged ({problem})")
        aside.rename(wal)
        _checkpoint(store)


def _read_headers(store: Path, wal: Path) -> tuple[bytes, bytes]:
    try:
        header = _read_store_header(store)
    except FileNotFoundError:
        header = b""
    try:
        with wal.open("rb") as file:
            return header, file.read(WAL_HEADER_BYTES)
    except FileNotFoundError:
        return header, b""


_descriptors: dict[tuple[int, int], int] = {}
"""Open descriptors of store files, by device and inode."""
_descriptors_lock = threading.Lock()


def _read_store_header(store: Path) -> bytes:
    # The file is kept open: when a process closes any descriptor of a file, the kernel releases all locks of the
    # process on that file (POSIX), also the locks of its connections to the store. Another process could then remove
    # the WAL to which these connections still write, because it finds no lock of theirs
    # (https://sqlite.org/howtocorrupt.html, section 2.2).
    with _descriptors_lock:
        status = store.stat()
        if (status.st_dev, status.st_ino) not in _descriptors:
            for key in [key for key, descriptor in _descriptors.items() if not os.fstat(descriptor).st_nlink]:
                os.close(_descriptors.pop(key))  # no other process can open a deleted file
            descriptor = os.open(store, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(descriptor)
            _descriptors[status.st_dev, status.st_ino] = descriptor
        return os.pread(_descriptors[status.st_dev, status.st_ino], DATABASE_HEADER_BYTES, 0)


def _compare(header: bytes, wal: Path) -> Relation:
    # Inodes and times are not compared, because a copied data directory has different ones.
    try:
        file = wal.open("rb")
    except FileNotFoundError:
        return Relation.UNKNOWN
    with file:
        copies = _header_copies_in_wal(file)
        if next(copies, None) is None:
            return Relation.UNKNOWN  # it has no pages
        if not header or (header.startswith(SQLITE_MAGIC) and header[18:20] == b"\1\1"):
            # SQLite removes the WAL of an empty file. A file in rollback mode, such as a backup, never has a WAL.
            return Relation.FOREIGN
        number = _number(header)
        if not header.startswith(SQLITE_MAGIC) or number <= 0:
            return Relation.UNKNOWN
        numbers = (_number(copy) for copy in copies if copy)
        first = next(numbers, None)
        if not first or first < 0:
            return Relation.UNKNOWN  # another program has removed the number
        # Until a checkpoint copies the header from the WAL to the file, the file has the number before the WAL's first.
        # From then on, it has one of the numbers in the WAL.
        own = number in (first, (first - 2) % MAX_NUMBER + 1) or number in numbers
        return Relation.OWN if own else Relation.FOREIGN


def _header_copies_in_wal(file: BinaryIO) -> Iterator[bytes]:
    header = file.read(WAL_HEADER_BYTES)
    if len(header) < WAL_HEADER_BYTES or not header.startswith(WAL_MAGIC):
        return
    page_bytes, salt = int.from_bytes(header[8:12]), header[16:24]
    offset = WAL_HEADER_BYTES
    while len(frame := os.pread(file.fileno(), FRAME_HEADER_BYTES, offset)) == FRAME_HEADER_BYTES:
        if frame[8:16] != salt:
            return
        # A WAL without the first page of the store file has no copy of the header. b"" tells it from an empty WAL.
        if offset == WAL_HEADER_BYTES:
            yield b""
        if int.from_bytes(frame[:4]) == 1:
            yield os.pread(file.fileno(), DATABASE_HEADER_BYTES, offset + FRAME_HEADER_BYTES)
        offset += FRAME_HEADER_BYTES + page_bytes


def _number(header: bytes) -> int:
    return int.from_bytes(header[USER_VERSION_OFFSET : USER_VERSION_OFFSET + 4], signed=True)


def _checkpoint(
    store: Path,
    *,
    check: bool = False,  # also check the integrity of the file; errors are returned instead of raised
) -> str:
    """Apply the WAL to the store file, and return "ok" or a problem."""
    try:
        # The last connection to a store writes the WAL into the file, and removes the WAL, when it is closed.
        with contextlib.closing(sqlite3.connect(store.resolve(), isolation_level=None)) as conn:
            conn.execute("select 1 from sqlite_master").fetchone()
            return str(conn.execute("pragma integrity_check(1)").fetchone()[0]) if check else "ok"
    except sqlite3.Error as error:
        if check:
            return str(error)
        raise StoreError(f"{store}: {error}") from error


@contextlib.contextmanager
def _directory_lock(store: Path) -> Iterator[None]:
    fd = os.open(store.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Only one process at a time renames a WAL.
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
