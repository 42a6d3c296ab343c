"""Opening of a store on PostgreSQL, and copying of its links to a file, from which this machine redirects."""

import logging
from pathlib import Path
from typing import TypeVar

from shortener.errors import StoreError
from shortener.store.database import Reader, Store
from shortener.store.links_copy import update_copy
from shortener.store.postgres import PostgresConnection
from shortener.store.postgres_driver import connection_options
from shortener.store.postgres_migrations import is_empty, migrate

ReaderType = TypeVar("ReaderType", bound=Reader)

READER_TIMEOUT_SECONDS = 1.0
ANSWER_SECONDS = 5.0
"""Silence of the database after which a node closes its connection."""
LINKS_CHANNEL = "shortener_links"
"""Channel on which a change of links or settings is announced."""

__all__ = ["connection_options", "open_node_reader", "open_reader", "open_store"]

log = logging.getLogger(__name__)


class PostgresStore(Store):
    """A store on PostgreSQL. Its links are also copied to a local file, from which this machine redirects."""

    def _publish_links(self) -> None:
        # With the file, this machine redirects even while PostgreSQL cannot be reached.
        try:
            if self.meta("links_revision") != self._shared_revision.values[0]:
                self.copy_links()
        except StoreError as error:
            # The transaction is committed: its caller must not take it for failed.
            log.warning("%s; redirects notice changed links later", error)

    def copy_links(self) -> None:
        """Copy the edited links to the file from which this machine redirects. Raises StoreError."""
        self._shared_revision.values[0] = update_copy(self, self.data)


def open_store(data: Path, *, url: str, create: bool, busy_timeout_seconds: float, beside_click_log: bool) -> Store:
    """Open a store on PostgreSQL; see ``database.open_database`` for parameters and errors."""
    connection = PostgresConnection(url, busy_timeout_seconds=busy_timeout_seconds)
    try:
        if is_empty(connection):
            if not create:
                raise StoreError("the store: the database is empty", kind="database_empty")
            if not beside_click_log and any((data / "clicklog").glob("*.jsonl")):
                raise StoreError(
                    "the store: there is a click log but the database is empty; restore a backup of the database, or "
                    "move the click log away to start with an empty store"
                )
        migrate(connection)
        store = PostgresStore(connection, data=data)
        if create:
            store.copy_links()  # redirects of this machine may begin before the feed
        return store
    except BaseException:
        connection.close()
        raise


class NodeReader(Reader):
    """A redirect node's connection to the store.

    The connection is closed if the database does not answer within ``ANSWER_SECONDS``.
    """

    connection: PostgresConnection

    def wait_for_links(self, *, seconds: float) -> None:
        """Return when links or settings may have changed, at the latest after ``seconds``. Raises StoreError."""
        self.connection.wait_for_notification(seconds=seconds)


def open_reader(url: str) -> Reader:
    """Open a connection that only reads from the store. Raises StoreError if there is no store."""
    return _open_reader(Reader, PostgresConnection(url, busy_timeout_seconds=READER_TIMEOUT_SECONDS))


def open_node_reader(
    url: str,
    *,
    channel: str = "",  # channel whose notifications the connection receives
) -> NodeReader:
    """Open a redirect node's connection to the store. Raises StoreError."""
    connection = PostgresConnection(
        url, busy_timeout_seconds=READER_TIMEOUT_SECONDS, answer_seconds=ANSWER_SECONDS, channel=channel
    )
    return _open_reader(NodeReader, connection)


def _open_reader(kind: type[ReaderType], connection: PostgresConnection) -> ReaderType:
    try:
        if is_empty(connection):
            raise StoreError("the store: the database is empty", kind="database_empty")
        return kind(connection)
    except BaseException:
        connection.close()
        raise
