"""The interface that the engines of the store (SQLite and PostgreSQL) implement: statements and transactions.

The text of a statement is SQL that both engines understand, with three additions that each engine expands:

- ``?`` and ``:name`` are parameters;
- ``in :name`` is true for values in a list, which is given as the parameter ``name``;
- ``pairs(:name)`` is a table with a row for each pair of integers in a list, which is given as the parameter ``name``.
  Its columns are ``low`` and ``high`` (the first and the second integer of the pair) and ``place``, by which the rows
  can be sorted in the order of the list.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from shortener.store.rollup_tables import Rollup

LIST_PARAMETER = re.compile(r"\bin :(?P<values>\w+)|\bpairs\(:(?P<pairs>\w+)\)")
"""A list in the text of a statement: ``in :name`` or ``pairs(:name)``."""


class Cursor(Protocol):
    """The result of a statement. Its methods raise StoreError."""

    @property
    def rowcount(self) -> int:
        """Number of rows that the statement has changed."""

    @property
    def description(self) -> Any:
        """A sequence for each column of the result; its first element is the name of the column."""

    def fetchone(self) -> Any:
        """Return the next row; None after the last."""

    def fetchmany(self, size: int = 1) -> list[Any]:
        """Return at most ``size`` further rows."""

    def fetchall(self) -> list[Any]:
        """Return all further rows."""

    def __iter__(self) -> Iterator[Any]:
        """Yield all further rows."""


class Connection(ABC):
    """A connection to the store, used by one thread at a time. Methods that fail raise StoreError and no other error.

    Outside of a transaction each statement is committed by itself.
    """

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Run one statement and return its result."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> None:
        """Run one statement several times, once with each row of parameters."""

    @abstractmethod
    def execute_unless_busy(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement outside of a transaction. If it would have to wait for another process, it is not run."""

    @abstractmethod
    def stream(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[Any]:
        """Yield the rows of a large result. Only a few of them are in memory at a time."""

    @abstractmethod
    def insert_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows, each with the values of ``columns``."""

    @abstractmethod
    def update_rows(self, table: str, columns: Sequence[str], key: str, rows: Iterable[Sequence[Any]]) -> None:
        """Update many rows of a table. Each item of ``rows`` has the new values of ``columns``, and last the value of
        the column ``key`` by which the row is found.
        """

    @abstractmethod
    def add_sums(self, rollup: Rollup, sums: Mapping[Any, Sequence[int]]) -> None:
        """Add numbers to the rows of a table of click counts.

        ``sums`` maps the key of each row to the numbers to add to its columns; negative ones are subtracted. Rows that
        have no clicks afterwards are deleted.
        """

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @abstractmethod
    def begin(self, *, locked: bool = True) -> None:
        """Begin a transaction. If it is ``locked``, no other locked transaction runs at the same time, in any process.

        A transaction that is not locked may only write rows that no other process changes. Raises StoreBusy if the lock
        is not free within the busy timeout.
        """

    @abstractmethod
    def commit(self) -> None:
        """Commit the transaction."""

    @abstractmethod
    def rollback(self) -> None:
        """Roll back the transaction. Without a transaction this does nothing."""

    @abstractmethod
    def check_not_replaced(self) -> None:
        """Raise StoreError if the store was replaced or removed since this connection was opened."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""
