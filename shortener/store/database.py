"""Opening the store, and the one way to write to it: ``BEGIN IMMEDIATE``, all or nothing."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from shortener.errors import SchemaTooNew, StoreBusy, StoreError
from shortener.files import STORE_FILE_NAME
from shortener.shared_memory import SharedCounters, links_revision
from shortener.store.migrations import MIGRATIONS

WAL_NAME = STORE_FILE_NAME + "-wal"
SHM_NAME = STORE_FILE_NAME + "-shm"
CACHE_SIZE_KIB = 48 * 1024
"""Pages that a connection keeps: the indexes that the collector adds to all over, of a few million clicks."""
CHECKPOINT_INTERVAL_PAGES = 8_000
"""WAL pages (32 MB) between checkpoints: a page that many batches touch is then written once for all of them."""
BUSY_TIMEOUT_SECONDS = 15.0
"""How long a command waits for another writer before it gives up; the collector tries again for ever."""


class Store:
    """One connection to the store of a data directory.

    A store is used by one thread at a time. Writers group their statements with ``writing()``.
    """

    def __init__(self, db: Database, *, data: Path) -> None:
        self.db = db
        self.data = data
        self._shared_revision = links_revision(data)
        status = (data / STORE_FILE_NAME).stat()
        self._file_id = (status.st_dev, status.st_ino)
        _record_inodes(data, self._shared_revision)

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Run one statement on the bare connection (sqlite-utils' own ``execute`` adds a tracer and a commit)."""
        return self.db.conn.execute(sql, parameters)

    def rows(self, sql: str, parameters: Any = ()) -> Iterator[dict[str, Any]]:
        """The rows of a query as dicts, streamed."""
        cursor = self.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def row(self, sql: str, parameters: Any = ()) -> dict[str, Any] | None:
        """The first row of a query, or None."""
        return next(self.rows(sql, parameters), None)

    def value(self, sql: str, parameters: Any = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def meta(self, name: str) -> int:
        """One of the store's own numbers, as ``links_revision`` or ``purged_before``; 0 where it has none."""
        return int(self.value("select value from meta where name = ?", (name,)) or 0)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction that holds the write lock from its first statement; rolled back on any error.

        Raises StoreBusy when another process holds the lock for longer than ``BUSY_SECONDS``.
        """
        if self.db.conn.in_transaction:
            yield
            return
        try:
            self.execute("begin immediate")
        except sqlite3.OperationalError as error:
            raise StoreBusy(
                f"{self.data / STORE_FILE_NAME}: {error}; another process is writing, try again"
            ) from error
        try:
            yield
            self.execute("commit")
        except BaseException:
            self.db.conn.rollback()
            raise
        self._publish_links_revision()

    def _publish_links_revision(self) -> None:
        """Tell the redirect workers which revision the links have, so that the next click sees a change.

        Two who commit at once may write in either order: what a worker then reads includes both.
        """
        self._shared_revision.values[0] = self.meta("links_revision")

    def check_not_replaced(self) -> None:
        """Raise StoreError when the file behind this connection is not the data directory's store any more."""
        path = self.data / STORE_FILE_NAME
        try:
            status = path.stat()
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._file_id:
            raise StoreError(
                f"{path}: the store was moved away or replaced while it was in use; stop, then start"
            )

    def close(self) -> None:
        """Close the connection."""
        self.db.close()
        self._shared_revision.close()


def open_store(
    data: Path, *, create: bool = True, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS
) -> Store:
    """Open the store in ``data``, made or brought up to date first.

    With ``create=False`` a missing store is an error, so that a store that was moved away is never
    silently replaced by an empty one. Raises StoreError, SchemaTooNew.
    """
    path = data / STORE_FILE_NAME
    if not path.exists():
        if not create:
            raise StoreError(f"{path}: there is no store here; check storage.data")
        if any((data / "clicklog").glob("*.jsonl")):
            raise StoreError(
                f"{path}: there is a click log but no store; restore a backup, or move the click log away to start anew"
            )
    prepare_directory(data)
    try:
        _set_aside_foreign_wal(data)
        conn = sqlite3.connect(
            path, timeout=busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        path.chmod(0o600)
        conn.execute("pragma foreign_keys = on")
        conn.execute("pragma synchronous = full")
        conn.execute(f"pragma cache_size = -{CACHE_SIZE_KIB}")
        conn.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_INTERVAL_PAGES}")
        _enable_wal(conn)
        db = Database(conn)
        _migrate(db)
        return Store(db, data=data)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}; see `shortener doctor`") from error


def open_reader(data: Path) -> Database:
    """A read-only connection for the hot path: it can never wait for, or take, a write lock.

    Raises StoreError when there is no store yet.
    """
    path = (data / STORE_FILE_NAME).resolve()
    try:
        conn = sqlite3.connect(
            f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=1.0, check_same_thread=False
        )
        conn.execute("select 1 from meta").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    return Database(conn)


def prepare_directory(data: Path) -> None:
    """Make the data directory, for its owner only. Raises StoreError when it cannot be used."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not data.is_dir():
            raise NotADirectoryError(20, "is not a directory")
        if data.stat().st_mode & 0o077:
            data.chmod(0o700)
    except OSError as error:
        raise StoreError(
            f"{data}: {error.strerror}; storage.data has to name a directory that this user can write"
        ) from error


def _inodes(data: Path) -> tuple[int, int]:
    """The inodes of the store and of its write-ahead log; 0 for what is not there."""
    found = []
    for name in (STORE_FILE_NAME, WAL_NAME):
        try:
            found.append((data / name).stat().st_ino)
        except OSError:
            found.append(0)
    return found[0], found[1]


def _record_inodes(data: Path, counters: SharedCounters) -> None:
    """Note which write-ahead log belongs to which store."""
    counters.values[1], counters.values[2] = _inodes(data)


def _set_aside_foreign_wal(data: Path) -> None:
    """Set a write-ahead log aside that belongs to another store than the one that lies beside it.

    Who puts a backup in place after a kill, or while the server runs, and leaves ``store.db-wal`` there, would have
    SQLite write the old store's pages into the backup. Where both files are others than was noted, the whole
    directory was copied, and they belong together. An empty log, which a reader made, harms nobody.
    """
    numbers = links_revision(data)
    try:
        store, wal = _inodes(data)
        same_wal, same_store = wal == numbers.values[2] != 0, store == numbers.values[1]
        if same_wal and not same_store and store and (data / WAL_NAME).stat().st_size:
            (data / WAL_NAME).rename(data / f"{WAL_NAME}.of-the-store-before")
            (data / SHM_NAME).unlink(missing_ok=True)
    finally:
        numbers.close()


def _enable_wal(conn: sqlite3.Connection) -> None:
    """Switch to WAL; the switch itself needs a moment alone, which other starting processes may hold."""
    for attempt in range(50):
        try:
            if conn.execute("pragma journal_mode = wal").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == 49:
                raise
        time.sleep(0.05)


def _migrate(db: Database) -> None:
    applied = {migration.name for migration in MIGRATIONS.applied(db)}
    known = [migration.name for migration in MIGRATIONS._migrations]
    unknown = sorted(applied - set(known))
    if unknown:
        raise SchemaTooNew(
            f"the store was written by a newer version (it has {unknown[-1]}); install that version again"
        )
    for name in known:
        if name not in applied:
            _apply_migration(db, stop_before=known[known.index(name) + 1 :])


def _apply_migration(db: Database, *, stop_before: list[str]) -> None:
    """One migration, under the write lock from the start: a second process finds it done and passes."""
    db.conn.execute("begin immediate")
    try:
        MIGRATIONS.apply(db, stop_before=stop_before or None)
        db.conn.execute("commit")
    except BaseException:
        db.conn.rollback()
        raise
