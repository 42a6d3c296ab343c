"""Opening of a store on PostgreSQL, and the local copy of its links."""

import logging
from pathlib import Path

from shortener.errors import StoreError
from shortener.store.database import Reader, Store
from shortener.store.links_copy import update_copy
from shortener.store.postgres import PostgresConnection
from shortener.store.postgres_migrations import is_empty, migrate

READER_TIMEOUT_SECONDS = 1.0

log = logging.getLogger(__name__)


class PostgresStore(Store):
    """A store on PostgreSQL. After an edit of links it updates the local copy of the links."""

    def _publish_links(self) -> None:
        """Update the local copy of the links if they were edited, and write their revision to shared memory."""
        try:
            if self.meta("links_revision") != self._shared_revision.values[0]:
                self.copy_links()
        except StoreError as error:
            # The transaction is committed: its caller must not take it for failed.
            log.warning("%s; redirects notice changed links later", error)

    def copy_links(self) -> None:
        """Update the local copy of the links. Raises StoreError."""
        self._shared_revision.values[0] = update_copy(self, self.data)


def open_store(data: Path, *, url: str, create: bool, busy_timeout_seconds: float, beside_click_log: bool) -> Store:
    """Open the store at ``url``, and migrate its schema if needed. With ``create``, an empty database gets the schema.

    ``data`` is the data directory. If a click log is in it, an empty database gets the schema only with
    ``beside_click_log``. Raises StoreError, SchemaTooNew.
    """
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


def open_reader(url: str) -> Reader:
    """Open a read-only connection. Raises StoreError if there is no store."""
    connection = PostgresConnection(url, busy_timeout_seconds=READER_TIMEOUT_SECONDS)
    try:
        if is_empty(connection):
            raise StoreError("the store: the database is empty", kind="database_empty")
        return Reader(connection)
    except BaseException:
        connection.close()
        raise
