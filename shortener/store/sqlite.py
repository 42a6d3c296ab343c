"""The SQLite engine of the store, which is the default: its connection, its errors, and lists in statements."""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from shortener.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from shortener.store.connection import LIST_PARAMETER, Connection, Cursor
from shortener.store.rollup_tables import Rollup, add_statement, delete_empty_statement
from shortener.store.sql_text import json_array
from shortener.store.write_ahead_log import increment_number

BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_EXPANSIONS = {
    "values": "in (select value from json_each(:{name}))",
    "pairs": "(select key as place, json_extract(value, '$[0]') as low, json_extract(value, '$[1]') as high "
    "from json_each(:{name}))",
}


def store_error(error: sqlite3.Error) -> StoreError:
    """Convert an error of SQLite to an error of the store."""
    # The low byte is the primary code of SQLite's extended result codes. Errors of the module itself have none.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind: type[StoreError] = StoreError
    if code in BUSY_CODES:
        kind = StoreBusy
    elif code in DAMAGE_CODES:
        kind = StoreDamaged
    elif isinstance(error, sqlite3.OperationalError):
        kind = StoreUnavailable
    return kind(f"the store: {error}", kind="store_unusable")


class _Cursor(sqlite3.Cursor):
    """A cursor that converts errors of SQLite to StoreError, even while rows are fetched."""

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise store_error(error) from error

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        try:
            return super().fetchmany(size)
        except sqlite3.Error as error:
            raise store_error(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise store_error(error) from error

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        try:
            yield from iter(super().__next__, None)
        except sqlite3.Error as error:
            raise store_error(error) from error


@lru_cache(1024)
def _expand_lists(sql: str) -> tuple[str, tuple[str, ...]]:
    """Translate the list parameters of a statement; return (SQL, names of these parameters)."""
    # The values of these parameters have to be passed as JSON arrays.
    names = tuple(match[match.lastgroup or 0] for match in LIST_PARAMETER.finditer(sql))

    def expansion(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        return _EXPANSIONS[kind].format(name=match[kind])

    return LIST_PARAMETER.sub(expansion, sql), names


class SqliteConnection(Connection):
    """A connection to the store file ``store.db``."""

    def __init__(self, connection: sqlite3.Connection, *, path: Path) -> None:
        self.sqlite = connection
        self._path = path
        self._file_id = _file_id(path)
        self._changes_before = 0

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Run one statement."""
        if isinstance(parameters, dict):
            sql, lists = _expand_lists(sql)
            if lists:
                parameters = parameters | {name: json_array(parameters[name]) for name in lists}
        try:
            return self.sqlite.cursor(_Cursor).execute(sql, parameters)
        except sqlite3.Error as error:
            raise store_error(error) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> None:
        """Run one statement several times, once with each row of parameters."""
        try:
            self.sqlite.executemany(sql, rows)
        except sqlite3.Error as error:
            raise store_error(error) from error

    def execute_unless_busy(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement outside of a transaction, unless another process is writing to the store."""
        timeout = self.execute("pragma busy_timeout").fetchone()[0]
        self.execute("pragma busy_timeout = 0")
        try:
            self.sqlite.execute(sql, parameters)
        except sqlite3.OperationalError:
            pass
        finally:
            self.execute(f"pragma busy_timeout = {timeout}")

    def stream(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[Any]:
        """Yield the rows of a large result. Only a few of them are in memory at a time."""
        return iter(self.execute(sql, parameters))

    def insert_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows, each with the values of ``columns``."""
        marks = ", ".join("?" * len(columns))
        self.execute_many(f"insert into {table} ({', '.join(columns)}) values ({marks})", rows)  # noqa: S608

    def update_rows(self, table: str, columns: Sequence[str], key: str, rows: Iterable[Sequence[Any]]) -> None:
        """Update many rows of a table, each found by its value in the column ``key``."""
        changes = ", ".join(f"{column} = ?" for column in columns)
        self.execute_many(f"update {table} set {changes} where {key} = ?", rows)  # noqa: S608

    def add_sums(self, rollup: Rollup, sums: Mapping[Any, Sequence[int]]) -> None:
        """Add positive or negative numbers to the rows of a table of click counts.

        Rows that are left without clicks are deleted.
        """
        self.execute_many(add_statement(rollup), ((*key, *row, *row) for key, row in sums.items() if any(row)))
        self.execute_many(delete_empty_statement(rollup), [key for key, row in sums.items() if min(row) < 0])

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.sqlite.in_transaction

    def begin(self, *, locked: bool = True) -> None:
        """Begin a transaction that holds the write lock. ``locked`` is ignored.

        Raises StoreBusy if the lock is not free within the busy timeout.
        """
        try:
            self.sqlite.execute("begin immediate")
        except sqlite3.OperationalError as error:
            raise StoreBusy(f"{self._path}: {error}: another process is writing; try again") from error
        except sqlite3.Error as error:
            raise store_error(error) from error
        self._changes_before = self.sqlite.total_changes

    def commit(self) -> None:
        """Commit the transaction."""
        try:
            # The number is in the header of the store file (see ``write_ahead_log``).
            if self.sqlite.total_changes != self._changes_before:
                increment_number(self.sqlite)
            self.sqlite.execute("commit")
        except sqlite3.Error as error:
            raise store_error(error) from error

    def rollback(self) -> None:
        """Roll back the transaction, if one is open."""
        try:
            self.sqlite.rollback()
        except sqlite3.Error as error:
            raise store_error(error) from error

    def check_not_replaced(self) -> None:
        """Raise StoreError if the store file was replaced or removed since this connection was opened."""
        if self._file_id is None or _file_id(self._path) != self._file_id:
            raise StoreError(
                f"{self._path}: the store was moved away or replaced while it was in use; restart the server"
            )

    def close(self) -> None:
        """Close the connection."""
        self.sqlite.close()


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
