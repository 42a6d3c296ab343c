"""The PostgreSQL engine of the store: translation of statements to PostgreSQL, and transactions."""

import re
import select
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors

from shortener.clicklog.format import storable
from shortener.errors import StoreBusy
from shortener.store.connection import Connection, Cursor
from shortener.store.postgres_driver import REPEATABLE, NoAnswer, complete_url, connect, store_error
from shortener.store.rollup_tables import Rollup
from shortener.store.sql_text import json_array

# Only this module and ``postgres_driver`` import psycopg. They are loaded only if the store is on PostgreSQL.

ATTEMPTS = 3
"""Number of times that a statement is tried which can be repeated."""
STREAM_ROWS = 5_000
"""Number of rows that are in memory while a large result is read."""

_TOKENS = re.compile(
    r"'(?:[^']|'')*'|\bin :(?P<values>\w+)|\bpairs\(:(?P<pairs>\w+)\)"
    r"|(?<!:):(?P<name>\w+)|(?P<mark>\?)|(?P<like>\blike\b)"
)
_PAIRS = (
    "(select ordinality as place, (value ->> 0)::bigint as low, (value ->> 1)::bigint as high "
    "from jsonb_array_elements({}::jsonb) with ordinality as t(value, ordinality))"
)


@lru_cache(2048)
def translate(sql: str) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """Translate a statement to PostgreSQL.

    Return (SQL, names of all parameters, names of the parameters that are lists of pairs).
    """
    names: list[str] = []  # the first name is that of $1
    pairs: set[str] = set()
    marks = 0

    def number(name: str) -> str:
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    def replace(match: re.Match[str]) -> str:
        nonlocal marks
        kind = match.lastgroup
        if kind is None:
            return match[0]
        if kind == "like":
            # In SQLite, ``like`` ignores the case of ASCII letters.
            return "ilike"
        if kind == "mark":  # a parameter without a name
            marks += 1
            return f"${marks}"
        if kind == "values":
            return f"= any({number(match[kind])})"
        if kind == "pairs":
            pairs.add(match[kind])
            return _PAIRS.format(number(match[kind]))
        return number(match[kind])

    return _TOKENS.sub(replace, sql), tuple(names), frozenset(pairs)


def _values_in_order(
    parameters: Sequence[Any] | Mapping[str, Any], names: tuple[str, ...], pairs: frozenset[str]
) -> Sequence[Any]:
    if not isinstance(parameters, Mapping):
        return parameters
    return [json_array(parameters[name]) if name in pairs else _adapt_value(parameters[name]) for name in names]


def _adapt_value(value: Any) -> Any:
    # psycopg sends only a list as an array.
    return list(value) if isinstance(value, tuple | set | frozenset) else value


class PostgresConnection(Connection):
    """A connection to a PostgreSQL database. Outside of a transaction, a lost connection is opened again."""

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_seconds: float,
        answer_seconds: float = 0.0,  # silence of the server after which the connection is closed; 0 means no limit
        channel: str = "",  # channel whose notifications the connection receives
    ) -> None:
        self._url = complete_url(url)
        self._answer_seconds = answer_seconds
        self._channel = channel
        self._busy_timeout_ms = int(busy_timeout_seconds * 1000)
        self._in_transaction = False
        self._column_types: dict[str, dict[str, str]] = {}
        self.postgres = self._connect()

    # 1. Statements

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Run one statement."""
        text, names, pairs = translate(sql)
        values = _values_in_order(parameters, names, pairs)
        for attempt in range(1, ATTEMPTS + 1):
            self._connect_again_if_lost()
            try:
                return self._execute(text, values)
            except psycopg.Error as error:
                # Outside of a transaction a statement is repeated if PostgreSQL asks for it (serialization failure,
                # deadlock), and a query also if the connection was lost. Repeating a transaction is left to its caller.
                if attempt == ATTEMPTS or self._in_transaction or not self._can_repeat(error, text):
                    raise store_error(error) from error
        raise AssertionError

    def _execute(self, text: str, values: Sequence[Any]) -> Cursor:
        try:
            return self.postgres.execute(text.encode(), values)
        except (psycopg.DataError, UnicodeEncodeError):
            cleaned = [storable(value) for value in values]
            if cleaned == list(values):
                raise
            return self.postgres.execute(text.encode(), cleaned)

    def execute_unchanged(self, text: str) -> None:
        """Run a statement that is written for PostgreSQL, without translation."""
        with self._convert_errors():
            self.postgres.execute(text.encode())

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> None:
        """Run one statement several times, once with each row of parameters."""
        text, names, pairs = translate(sql)
        values = [[storable(value) for value in _values_in_order(row, names, pairs)] for row in rows]
        if values:
            with self._convert_errors(), self.postgres.cursor() as cursor:
                cursor.executemany(text.encode(), values)

    def execute_unless_busy(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement outside of a transaction, unless the store is busy."""
        # The statement waits for another transaction only if that transaction changes the same row.
        with suppress(StoreBusy):
            self.execute(sql, parameters)

    def stream(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[Any]:
        """Yield the rows of a large result, all from one snapshot. Only a few rows are in memory at a time."""
        text, names, pairs = translate(sql)
        values = _values_in_order(parameters, names, pairs)
        with self._convert_errors():
            if self._in_transaction:
                yield from _read_in_parts(self.postgres, text, values)
                return
            with connect(self._url, answer_seconds=self._answer_seconds) as other:
                other.execute("begin isolation level repeatable read read only")
                yield from _read_in_parts(other, text, values)

    def insert_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows, each with the values of ``columns``."""
        types = self._types_by_column(table)
        statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
        with self._convert_errors(), self.postgres.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types([types[column] for column in columns])
            for row in rows:
                copy.write_row(row)

    def update_rows(self, table: str, columns: Sequence[str], key: str, rows: Iterable[Sequence[Any]]) -> None:
        """Update many rows of a table, each found by its value in the column ``key``."""
        changes = ", ".join(f"{column} = new.{column}" for column in columns)
        source = self._arrays_as_table(table, (*columns, key))
        self._execute_arrays(f"update {table} set {changes} from {source} where {table}.{key} = new.{key}", rows)  # noqa: S608

    def add_sums(self, rollup: Rollup, sums: Mapping[Any, Sequence[int]]) -> None:
        """Add positive or negative numbers to the rows of a table of click counts.

        Rows that are left without clicks are deleted.
        """
        table, keys, columns = rollup.table, rollup.key_columns, rollup.sum_columns
        source = self._arrays_as_table(table, keys + columns)
        names = ", ".join(keys + columns)
        target = ", ".join(keys)
        added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in columns)
        self._execute_arrays(
            f"insert into {table} ({names}) select {names} from {source} on conflict ({target}) do update set {added}",  # noqa: S608
            [(*key, *row) for key, row in sums.items() if any(row) and min(row) >= 0],
        )
        # A check of the table refuses a negative sum also in a row that is only proposed for insertion.
        negative = [(*key, *row) for key, row in sums.items() if min(row) < 0]
        matches = " and ".join(f"{table}.{name} = new.{name}" for name in keys)
        subtracted = ", ".join(f"{name} = greatest(0, {table}.{name} + new.{name})" for name in columns)
        positive = ", ".join([*keys, *(f"greatest(0, {name})" for name in columns)])
        empty = " and ".join(f"{table}.{name} = 0" for name in rollup.click_columns)
        self._execute_arrays(f"update {table} set {subtracted} from {source} where {matches}", negative)  # noqa: S608
        self._execute_arrays(
            f"insert into {table} ({names}) select {positive} from {source} on conflict ({target}) do nothing",  # noqa: S608
            negative,
        )
        self._execute_arrays(f"delete from {table} using {source} where {matches} and {empty}", negative)  # noqa: S608

    def _types_by_column(self, table: str) -> dict[str, str]:
        if table not in self._column_types:
            rows = self.execute(
                "select attname, format_type(atttypid, null) from pg_attribute where attrelid = to_regclass(?)",
                (table,),
            )
            self._column_types[table] = {name: "int8" if kind == "bigint" else kind for name, kind in rows}
        return self._column_types[table]

    def _arrays_as_table(self, table: str, columns: Sequence[str]) -> str:
        # For example: unnest($1::int8[], $2::text[]) as new(id, title)
        types = self._types_by_column(table)
        arrays = ", ".join(f"${number}::{types[column]}[]" for number, column in enumerate(columns, 1))
        return f"unnest({arrays}) as new({', '.join(columns)})"

    def _execute_arrays(self, text: str, rows: Iterable[Sequence[Any]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        if columns:
            with self._convert_errors():
                self._execute(text, columns)

    # 2. Transactions

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._in_transaction

    def begin(self, *, locked: bool = True) -> None:
        """Begin a transaction. Unless ``locked`` is false, it holds the write lock of the store.

        Raises StoreBusy after a timeout.
        """
        begin = f"begin; set local lock_timeout = {self._busy_timeout_ms}"
        # Only two transactions run without the lock: the first one, which creates the schema with the lock, and the one
        # in which a redirect node sends a part of its click log.
        if locked:
            begin += "; select value from meta where name = 'write_lock' for update"
        for attempt in range(1, ATTEMPTS + 1):
            self._connect_again_if_lost()
            try:
                self.postgres.execute(begin.encode())
                self._in_transaction = True
                return
            except psycopg.Error as error:
                self._roll_back_quietly()
                if isinstance(error, errors.LockNotAvailable):
                    raise StoreBusy("the store: another process is writing; try again") from error
                if isinstance(error, errors.ReadOnlySqlTransaction):
                    self.postgres.close()  # this server is a standby now; the next connection may find the primary
                if attempt == ATTEMPTS or not self.postgres.closed:
                    raise store_error(error) from error

    def commit(self) -> None:
        """Commit the transaction. If the connection is lost meanwhile, the transaction may or may not be committed."""
        with self._convert_errors():
            self.postgres.execute("commit")
        self._in_transaction = False

    def rollback(self) -> None:
        """Roll back the transaction, if one is open."""
        if self._in_transaction:
            self._roll_back_quietly()
            self._in_transaction = False

    def _roll_back_quietly(self) -> None:
        try:
            self.postgres.execute("rollback")
        except psycopg.Error:
            self.postgres.close()  # the server rolls back the transaction of a connection that ends

    # 3. The connection

    def check_not_replaced(self) -> None:
        """Do nothing, because a database cannot be replaced under an open connection."""

    def close(self) -> None:
        """Close the connection."""
        self.postgres.close()

    def wait_for_notification(self, *, seconds: float) -> None:
        """Return when a notification has arrived on the connection's channel, at the latest after ``seconds``."""
        self._connect_again_if_lost()
        with self._convert_errors():
            for _ in self.postgres.notifies(timeout=seconds, stop_after=1):
                pass

    def _connect(self) -> psycopg.Connection[Any]:
        connection = connect(self._url, answer_seconds=self._answer_seconds)
        if self._channel:
            with self._convert_errors():
                connection.execute(f"listen {self._channel}".encode())
        return connection

    def _connect_again_if_lost(self) -> None:
        if self._in_transaction:
            return
        if not self.postgres.closed:
            poll = select.poll()
            poll.register(self.postgres.pgconn.socket, select.POLLIN)
            if self._channel or not poll.poll(0):  # on a channel, what arrives may be a notification
                return
            self.postgres.close()  # the server said something unasked: that it ends the connection
        self.postgres = self._connect()

    def _can_repeat(self, error: psycopg.Error, text: str) -> bool:
        is_query = text.lstrip().startswith(("select", "with"))
        is_lost = self.postgres.closed and not isinstance(error, NoAnswer)
        return isinstance(error, REPEATABLE) or (is_query and is_lost)

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise store_error(error) from error


def _read_in_parts(connection: psycopg.Connection[Any], text: str, values: Sequence[Any]) -> Iterator[Any]:
    with connection.cursor(name="stream") as cursor:
        cursor.itersize = STREAM_ROWS
        cursor.execute(text.encode(), values)
        yield from cursor
