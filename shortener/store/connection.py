"""The interface that SQLite and PostgreSQL implement for the store: statements and transactions."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from shortener.store.rollup_tables import Rollup

# Statements are SQL that both engines understand, with three additions:
# - ``?`` and ``:name`` are parameters;
# - ``in :name`` takes a list as its parameter;
# - ``pairs(:name)`` is a table with a row for each pair of integers in the list ``name``. The columns ``low`` and
#   ``high`` are the two integers. The column ``place`` increases in the order of the list.
LIST_PARAMETER = re.compile(r"\bin :(?P<values>\w+)|\bpairs\(:(?P<pairs>\w+)\)")
"""A list in the text of a statement: ``in :name``, or ``pairs(:name)`` for a table of integer pairs."""


class Cursor(Protocol):
    """The result of a statement. Its methods raise StoreError."""

    @property
    def rowcount(self) -> int:
        """Number of rows that the statement has changed."""

    @property
    def description(self) -> Any:
        """The columns of the result. Each is a sequence that begins with the name of the column."""

    def fetchone(self) -> Any:
        """Return the next row; None after the last."""

    def fetchmany(self, size: int = 1) -> list[Any]:
        """Return at most ``size`` further rows."""

    def fetchall(self) -> list[Any]:
        """Return all further rows."""

    def __iter__(self) -> Iterator[Any]:
        """Yield all further rows."""


class Connection(ABC):
    """A connection to the store, used by one thread at a time. Methods that fail raise StoreError."""

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Run one statement and return its result. Outside of a transaction, the statement is committed at once."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> None:
        """Run one statement several times, once with each row of parameters."""

    @abstractmethod
    def execute_unless_busy(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement outside of a transaction, unless it would have to wait for another process."""

    @abstractmethod
    def stream(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[Any]:
        """Yield the rows of a large result. Only a few of them are in memory at a time."""

    @abstractmethod
    def insert_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows, each with the values of ``columns``."""

    @abstractmethod
    def update_rows(
        self,
        table: str,
        columns: Sequence[str],
        key: str,
        rows: Iterable[Sequence[Any]],  # each has the new values of ``columns``, then the value of ``key``
    ) -> None:
        """Update many rows of a table, each found by its value in the column ``key``."""

    @abstractmethod
    def add_sums(
        self,
        rollup: Rollup,
        sums: Mapping[Any, Sequence[int]],  # by the key of a row, a number for each of ``rollup.sum_columns``
    ) -> None:
        """Add positive or negative numbers to the rows of a table of click counts.

        Rows that are left without clicks are deleted.
        """

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @abstractmethod
    def begin(
        self,
        *,
        locked: bool = True,  # False: only rows that no other process changes may be written
    ) -> None:
        """Begin a transaction. Unless ``locked`` is false, it holds the write lock of the store.

        Raises StoreBusy after a timeout.
        """

    @abstractmethod
    def commit(self) -> None:
        """Commit the transaction."""

    @abstractmethod
    def rollback(self) -> None:
        """Roll back the transaction, if one is open."""

    @abstractmethod
    def check_not_replaced(self) -> None:
        """Raise StoreError if the store was replaced or removed since this connection was opened."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""
