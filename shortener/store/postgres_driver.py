"""Connections of psycopg, the driver of PostgreSQL: their options, their time limit for answers, and their errors."""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from shortener.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable

DEFAULT_OPTIONS: dict[str, str | int] = {
    "application_name": "shortener",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Connection options unless the URL has others. A dead peer is noticed after about 20 seconds."""
REPEATABLE = (errors.SerializationFailure, errors.DeadlockDetected)
_BUSY = (*REPEATABLE, errors.LockNotAvailable, errors.QueryCanceled)
_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted)
_UNAVAILABLE = (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction)


class NoAnswer(psycopg.OperationalError):
    """Raised when the database server did not answer within the time limit of the connection."""


class _Number(Loader):
    """Converter (for psycopg) of decimals to integers, because PostgreSQL returns a sum of integers as a decimal."""

    def load(self, data: Any) -> int | float:
        text = bytes(data)
        return float(text) if b"." in text else int(text)


class _Flag(Dumper):
    """Converter (for psycopg) of truth values to 0 or 1, as SQLite stores them."""

    oid = Int8Dumper.oid

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"


def store_error(error: psycopg.Error) -> StoreError:
    """Convert an error of PostgreSQL, or of the connection to it, to an error of the store."""
    kind: type[StoreError] = StoreError
    if isinstance(error, _BUSY):
        kind = StoreBusy
    elif isinstance(error, _DAMAGED):
        kind = StoreDamaged
    elif isinstance(error, _UNAVAILABLE):
        kind = StoreUnavailable
    message = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    return kind(f"the store: {message}", kind="store_unusable")


def connection_options(url: str) -> dict[str, str]:
    """Return the options in the URL of a database, such as ``host``, by name.

    Raises StoreError if the URL is not valid.
    """
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.Error as error:
        raise StoreError("storage.url is not a valid connection URL of PostgreSQL") from error


def complete_url(url: str) -> str:
    """Return the URL of a database, completed with the ``DEFAULT_OPTIONS`` that ``url`` does not set.

    Raises StoreError if the URL is not valid.
    """
    given = connection_options(url)
    return make_conninfo(url, **{name: value for name, value in DEFAULT_OPTIONS.items() if name not in given})


class _LimitedConnection(psycopg.Connection[Any]):
    """A connection that is closed if its server does not answer for ``answer_seconds``; 0 means no limit."""

    answer_seconds = 0.0

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        """Run an operation of psycopg and return its result. Raises NoAnswer if the server does not answer in time."""
        if not self.answer_seconds:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(self._limit_silence(gen), *args, **kwargs)
        except NoAnswer:
            self.pgconn.finish()
            raise

    def _limit_silence(self, operation: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            wanted = next(operation)
            silent_since = time.monotonic()
            while True:
                # The operation yields whenever it has to wait for the connection's socket.
                ready = yield wanted
                if ready:
                    silent_since = time.monotonic()
                elif time.monotonic() - silent_since > self.answer_seconds:
                    raise NoAnswer(f"the database did not answer within {self.answer_seconds:.0f} s")
                wanted = operation.send(ready)
        except StopIteration as end:
            return end.value


def connect(url: str, *, answer_seconds: float) -> psycopg.Connection[Any]:
    """Open an autocommit connection to PostgreSQL. Raises StoreError.

    The connection is closed after ``answer_seconds`` without an answer; 0 means no limit.
    """
    try:
        connection = _LimitedConnection.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor)
    except psycopg.Error as error:
        raise store_error(error) from error
    connection.answer_seconds = answer_seconds
    connection.server_cursor_factory = psycopg.RawServerCursor
    # Statements use the dumper that is registered last, and COPY the binary one.
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(bool, _Flag)
    connection.adapters.register_loader("numeric", _Number)
    try:
        if _is_pooled(connection):
            connection.prepare_threshold = None  # the next transaction may run in another backend
    except psycopg.Error as error:
        raise store_error(error) from error
    return connection


def _is_pooled(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(b"select pg_backend_pid()").fetchone()
    # Behind a pooler such as PgBouncer, the id from the start of the connection is not that of the server process.
    return row is None or row[0] != connection.info.backend_pid
