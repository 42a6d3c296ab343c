"""Opening of the store, and write transactions on it.

The store is the file ``store.db`` in the data directory, or a PostgreSQL database.
"""

import importlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from shortener.errors import SchemaTooNew, StoreError
from shortener.files import LINKS_COPY_FILE_NAME, STORE_FILE_NAME
from shortener.shared_memory import links_revision
from shortener.store.connection import Connection
from shortener.store.migrations import MIGRATION_NAMES, MIGRATIONS
from shortener.store.migrations.first_stores import complete_first_tables
from shortener.store.sqlite import SqliteConnection
from shortener.store.write_ahead_log import change_number, increment_number, set_aside_foreign

if TYPE_CHECKING:
    from shortener.store.postgres_store import NodeReader

CACHE_SIZE_KIB = 48 * 1024
"""Page cache of a connection in KiB. It holds the indexes of a few million clicks, which the collector updates."""
# A page that several batches change is copied to the store only once.
CHECKPOINT_INTERVAL_PAGES = 8_000
"""Number of pages in the write-ahead log (32 MB) after which they are copied to the store."""
MIN_FREE_BYTES = 64 * 1024
"""Free disk space in bytes below which an error is explained by the full disk: SQLite says only "disk I/O error"."""
BUSY_TIMEOUT_SECONDS = 15.0
"""How long a connection waits for the write lock before it raises an error."""


class Reader:
    """A read-only connection to the store, used by one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.execute = connection.execute
        """Run one statement. Raises StoreError, as does reading its rows."""

    def rows(self, sql: str, parameters: Any = ()) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query as dicts."""
        cursor = self.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def row(self, sql: str, parameters: Any = ()) -> dict[str, Any] | None:
        """Return the first row of a query as a dict, or None."""
        return next(self.rows(sql, parameters), None)

    def value(self, sql: str, parameters: Any = ()) -> Any:
        """Return the first column of the first row of a query; None if there is no row."""
        row = self.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def meta(self, name: str) -> int:
        """Return a number from the table ``meta``, such as ``links_revision``; 0 if it is missing."""
        return int(self.value("select value from meta where name = ?", (name,)) or 0)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Store(Reader):
    """A connection that reads and writes the store, used by one thread at a time."""

    def __init__(self, connection: Connection, *, data: Path) -> None:
        super().__init__(connection)
        self.data = data
        self.check_transaction: Callable[[], None] | None = None
        """Called at the beginning and the end of each transaction. If it raises, the transaction is rolled back."""
        self._shared_revision = links_revision(data)

    def set_meta(self, name: str, value: int) -> None:
        """Store a number under a name in the table ``meta``."""
        self.execute(
            "insert into meta (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
            (name, value),
        )

    def add_to_meta(self, name: str, value: int) -> None:
        """Add ``value`` to the number stored under a name in the table ``meta``."""
        self.execute(
            "insert into meta (name, value) values (?, ?) "
            "on conflict (name) do update set value = meta.value + excluded.value",
            (name, value),
        )

    def delete_meta(self, name: str) -> None:
        """Delete the number stored under a name in the table ``meta``."""
        self.execute("delete from meta where name = ?", (name,))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the ``with`` block in a write transaction, and roll back on any error.

        Raises StoreBusy if another process writes for too long.
        """
        # The block becomes part of a transaction that is already open.
        if self.connection.in_transaction:
            yield
            return
        self.connection.begin()
        try:
            self._check_transaction()
            yield
            self._check_transaction()
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise
        self._publish_links()

    def _check_transaction(self) -> None:
        if self.check_transaction is not None:
            self.check_transaction()

    def roll_back(self) -> None:
        """Roll back a transaction that was left open, for example by a request that was interrupted."""
        self.connection.rollback()

    def _publish_links(self) -> None:
        # Redirect workers notice an edit by this number. Two processes that commit at once may write in either order;
        # both changes are visible to readers by then.
        self._shared_revision.values[0] = self.meta("links_revision")

    def check_not_replaced(self) -> None:
        """Raise StoreError if the store file was replaced or removed since this connection was opened."""
        self.connection.check_not_replaced()

    def close(self) -> None:
        """Close the connection."""
        super().close()
        self._shared_revision.close()


def open_store(
    data: Path, *, url: str = "", create: bool = True, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS
) -> Store:
    """Open the store in ``data``, or in the PostgreSQL database at ``url``.

    A store is created or migrated if needed. Raises StoreError, SchemaTooNew.
    """
    if url:
        return open_database(
            data, url=url, create=create, busy_timeout_seconds=busy_timeout_seconds, beside_click_log=False
        )
    path = data / STORE_FILE_NAME
    if not create and not path.exists():
        raise StoreError(f"{path}: there is no store here", kind="store_missing")
    # A store beside a click log was moved away or emptied, and an empty one must not replace it.
    if not (path.exists() and path.stat().st_size) and any((data / "clicklog").glob("*.jsonl")):
        raise StoreError(
            f"{path}: there is a click log but no store; restore a backup, or move the click log away to start "
            "with an empty store"
        )
    prepare_directory(data)
    try:
        replaced = set_aside_foreign(path)
        conn = sqlite3.connect(path, timeout=busy_timeout_seconds, isolation_level=None, check_same_thread=False)
        with close_on_error(conn):
            path.chmod(0o600)
            _choose_temp_store(conn)
            conn.execute("pragma foreign_keys = on")
            conn.execute("pragma synchronous = full")
            conn.execute(f"pragma cache_size = -{CACHE_SIZE_KIB}")
            conn.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_INTERVAL_PAGES}")
            _enable_wal(conn)
            _migrate(Database(conn))
            if replaced:
                change_number(conn)
            return Store(SqliteConnection(conn, path=path), data=data)
    except (sqlite3.Error, OSError) as error:
        full = "; the disk is full" if shutil.disk_usage(data).free < MIN_FREE_BYTES else ""
        raise StoreError(f"{path}: {error}{full}", kind="store_unusable") from error


def _import_postgres_store() -> ModuleType:
    try:
        return importlib.import_module("shortener.store.postgres_store")
    except ImportError as error:
        raise StoreError(
            "storage.url is set, but the driver of PostgreSQL is missing", kind="postgres_missing"
        ) from error


@contextmanager
def close_on_error(conn: sqlite3.Connection) -> Iterator[None]:
    """Close a connection if the ``with`` block raises an error."""
    try:
        yield
    except BaseException:
        conn.close()
        raise


def has_temporary_directory() -> bool:
    """Return whether SQLite finds a writable folder for temporary files.

    The folders are those of https://sqlite.org/tempfiles.html, section 5.
    """
    named = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp", ".")  # noqa: S108
    return any(path and Path(path).is_dir() and os.access(path, os.W_OK | os.X_OK) for path in named)


def _choose_temp_store(conn: sqlite3.Connection) -> None:
    # SQLite finds no folder for temporary files, for example, in a container with a read-only root.
    if not has_temporary_directory():
        conn.execute("pragma temp_store = memory")


def open_database(
    data: Path,
    *,
    url: str,
    create: bool = True,
    busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
    beside_click_log: bool = True,  # False: if ``data`` has a click log, an empty database is an error (a lost store)
) -> Store:
    """Open the store in the PostgreSQL database at ``url``.

    A store is created or migrated if needed. Raises StoreError, SchemaTooNew.
    """
    prepare_directory(data)
    store: Store = _import_postgres_store().open_store(
        data, url=url, create=create, busy_timeout_seconds=busy_timeout_seconds, beside_click_log=beside_click_log
    )
    return store


def open_reader(data: Path, *, url: str = "") -> Reader:
    """Open a connection that only reads the store, and never waits for the write lock.

    Raises StoreError if there is no store.
    """
    if url:
        reader: Reader = _import_postgres_store().open_reader(url)
        return reader
    return Reader(_open_read_only(data / STORE_FILE_NAME))


def open_links_copy(data: Path) -> Store:
    """Open the local copy of the links and settings of a PostgreSQL store, for reading only. Raises StoreError."""
    return Store(_open_read_only(data / LINKS_COPY_FILE_NAME), data=data)


def _open_read_only(path: Path) -> SqliteConnection:
    path = path.resolve()
    try:
        conn = sqlite3.connect(
            f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=1.0, check_same_thread=False
        )
        with close_on_error(conn):
            _choose_temp_store(conn)
            conn.execute("select 1 from meta").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    return SqliteConnection(conn, path=path)


def open_node_reader(url: str, *, listening: bool = False) -> "NodeReader":
    """Open a redirect node's connection to the store. Raises StoreError if the store cannot be read.

    With ``listening``, the connection can wait for changes of links.
    """
    module = _import_postgres_store()
    reader: NodeReader = module.open_node_reader(url, channel=module.LINKS_CHANNEL if listening else "")
    return reader


def connection_options(url: str) -> dict[str, str]:
    """Return the options in the URL of a PostgreSQL database, as in ``{"host": "localhost"}``.

    Raises StoreError.
    """
    options: dict[str, str] = _import_postgres_store().connection_options(url)
    return options


def prepare_directory(data: Path) -> None:
    """Create the data directory, accessible to its owner only. Raises StoreError if it cannot be used."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not data.is_dir():
            raise NotADirectoryError(20, "is not a directory")
        if data.stat().st_mode & 0o077:
            data.chmod(0o700)
    except OSError as error:
        raise StoreError(f"{data}: {error.strerror}", kind="data_directory_unusable") from error


def _enable_wal(conn: sqlite3.Connection) -> None:
    for attempt in range(50):
        try:
            if conn.execute("pragma journal_mode = wal").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError as error:
            # Another process that is starting holds the lock.
            if "locked" not in str(error) or attempt == 49:
                raise
        time.sleep(0.05)


def _migrate(db: Database) -> None:
    unknown = sorted({migration.name for migration in MIGRATIONS.applied(db)} - set(MIGRATION_NAMES))
    if unknown:
        raise SchemaTooNew(
            f"the store was written by a newer version (it has the migration {unknown[-1]}); install that version"
        )
    while MIGRATIONS.pending(db):
        _apply_next_migration(db)


def _apply_next_migration(db: Database) -> None:
    db.conn.execute("begin immediate")
    try:
        # Another process may have migrated the store while this one waited for the write lock.
        pending = [migration.name for migration in MIGRATIONS.pending(db)]
        # The fifth migration is the first one that needs the tables.
        if pending[:1] == ["m005_lists"]:
            complete_first_tables(db)
        MIGRATIONS.apply(db, stop_before=pending[1:2])
        increment_number(db.conn)
        db.conn.execute("commit")
    except BaseException:
        db.conn.rollback()
        raise
