"""Cache of short links in a redirect worker. After an edit, links are read from the store again."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shortener.errors import StoreUnavailable
from shortener.redirect.responses import redirect_response
from shortener.shared_memory import links_revision

MAX_CACHED_LINKS = 20_000
"""Number of links that a worker keeps in memory, about 1 kB each. Reading a link again takes 10 µs."""
REVISION_CHECK_SECONDS = 1.0
"""Interval in seconds at which the store is asked whether another program has changed links."""
RETRY_SECONDS = 0.5
"""Time in seconds before the store is read again after it could not be read."""
BUSY_TIMEOUT_SECONDS = 0.05
"""Longest wait in seconds for a store that another program has locked. The worker answers no request meanwhile. Our
own writers use WAL mode and never block a look-up."""

# Without the package store, a worker does not load sqlite-utils, and starts within a tenth of a second.
_FIND_LINK_SQL = "select target, forward, status, expires_at from links where domain = ? and code = ?"
_REVISION_SQL = "select value from meta where name = 'links_revision'"


class Link:
    """A short link, with the fields that a worker needs.

    ``response`` is the redirect for requests without a query string.
    """

    __slots__ = ("expires_at", "forward", "is_retired", "response", "revision", "target")

    def __init__(
        self,
        target: str,
        forward: str | None,
        link_status: str,
        expires_at: int | None,
        *,
        status: int,
        revision: int,
    ) -> None:
        self.target = target
        self.forward = forward
        self.is_retired = link_status == "retired"
        self.expires_at = expires_at
        self.revision = revision
        self.response = redirect_response(target, status=status)

    def is_gone(self, now: float) -> bool:
        """Return whether the link is retired, or has expired at ``now`` (seconds since the UTC epoch)."""
        return self.is_retired or (self.expires_at is not None and now >= self.expires_at)


class LinkCache:
    """Looks up short links, and keeps them in the memory of one worker. It is thread-safe."""

    def __init__(self, file: Path, *, status: int = 302, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = file
        self._status = status
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, str], Link] = {}
        self._shared_revision = links_revision(file.parent)
        self._announced_revision = self._shared_revision.values[0]
        self._stored_revision = -1
        self._revision = 0
        """Number of changes of links that this cache has noticed, in shared memory or in the store."""
        self._connection: sqlite3.Connection | None = None
        self._opened_file = (0, 0)
        self._next_check_at = 0.0
        self._next_retry_at = 0.0

    def __len__(self) -> int:
        """Return the number of cached links."""
        return len(self._cache)

    def find(self, domain: str, code: str) -> Link | None:
        """Return the link with this domain and code; None if it does not exist or has no target yet.

        Raises StoreUnavailable.
        """
        if self._shared_revision.values[0] != self._announced_revision or self._clock() >= self._next_check_at:
            self._invalidate_if_edited()
        link = self._cache.get((domain, code))
        if link is not None and link.revision == self._revision:
            return link
        return self._load(domain, code)

    def _invalidate_if_edited(self) -> None:
        with self._lock:
            self._next_check_at = self._clock() + REVISION_CHECK_SECONDS
            self._close_replaced_file()
            announced = self._shared_revision.values[0]
            try:
                row = self._query(_REVISION_SQL, ())
                stored = row[0] if row else -1
            except sqlite3.Error:
                stored = self._stored_revision
            if announced != self._announced_revision or stored != self._stored_revision:
                self._revision += 1
                self._announced_revision, self._stored_revision = announced, stored

    def close(self) -> None:
        """Close the connection to the store, which is opened again when necessary."""
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _close_replaced_file(self) -> None:
        # A restored backup replaces the file.
        if self._connection is not None and _file_identity(self._path) not in (None, self._opened_file):
            self._disconnect()
            self._revision += 1

    def _load(self, domain: str, code: str) -> Link | None:
        key = (domain, code)
        with self._lock:
            revision = self._revision
            try:
                row = self._query(_FIND_LINK_SQL, key)
            except sqlite3.Error as error:
                # An outdated target is better for a reader than none.
                outdated = self._cache.get(key)
                if outdated is None:
                    raise StoreUnavailable(f"{self._path}: {error}") from error
                return outdated
            if row is None or row[0] is None:
                self._cache.pop(key, None)
                return None
            link = Link(*row, status=self._status, revision=revision)
            if key not in self._cache and len(self._cache) >= MAX_CACHED_LINKS:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = link
            return link

    def _query(self, sql: str, parameters: tuple[str, ...]) -> tuple[Any, ...] | None:
        if self._connection is None and self._clock() < self._next_retry_at:
            # Raised at once, so that requests do not wait for the store.
            raise sqlite3.OperationalError("the store could not be read a moment ago")
        try:
            if self._connection is None:
                self._opened_file = _file_identity(self._path) or (0, 0)
                self._connection = _open_read_only(self._path)
            row: tuple[Any, ...] | None = self._connection.execute(sql, parameters).fetchone()
        except sqlite3.Error:
            self._disconnect()
            self._next_retry_at = self._clock() + RETRY_SECONDS
            raise
        return row


def _open_read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False)


def _file_identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
