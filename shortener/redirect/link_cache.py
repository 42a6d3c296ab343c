"""Cached look-up of short links. After any link has changed, links are read from the store again.

The module opens the store file itself, read-only, and does not use the package ``store``. So a worker does not load
sqlite-utils, and starts within a tenth of a second.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shortener.files import STORE_FILE_NAME
from shortener.redirect.responses import redirect_response
from shortener.shared_memory import links_revision

MAX_CACHED_LINKS = 20_000
"""Number of links that a worker keeps in memory, about 1 kB each. Reading a link again takes 10 µs."""
REVISION_CHECK_SECONDS = 1.0
"""Interval in seconds at which the revision is read from the store, to notice edits by other programs."""
RETRY_SECONDS = 0.5
"""Time in seconds before an unreadable store is tried again."""
BUSY_TIMEOUT_SECONDS = 0.05
"""Longest wait in seconds for a store that another program has locked. The worker answers no request meanwhile. Our
own writers use WAL mode and never block a look-up."""

_FIND_LINK_SQL = "select target, forward, status, expires_at from links where domain = ? and code = ?"
_REVISION_SQL = "select value from meta where name = 'links_revision'"


class Link:
    """A short link. ``response`` is the pre-rendered response to a request without query string."""

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
        """Return whether the link is retired, or expired at ``now`` (seconds of the UTC epoch)."""
        return self.is_retired or (self.expires_at is not None and now >= self.expires_at)


class StoreUnavailable(Exception):
    """Raised when the store cannot be read and the link is not cached either."""


class LinkCache:
    """Links of a data directory, cached for one worker. It is thread-safe.

    A cached link is used as long as the revision of the links has not changed. If the store cannot be read, a cached
    link is used even if it is outdated, because an old target is better for a reader than none.
    """

    def __init__(
        self, data_directory: Path, *, status: int = 302, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = data_directory / STORE_FILE_NAME
        self._status = status
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, str], Link] = {}
        self._shared_revision = links_revision(data_directory)
        self._announced_revision = self._shared_revision.values[0]
        self._stored_revision = -1
        self._revision = 0
        """Incremented at every change, whether announced in shared memory or found in the store."""
        self._connection: sqlite3.Connection | None = None
        self._opened_file = (0, 0)
        self._next_check_at = 0.0
        self._next_retry_at = 0.0

    def find(self, domain: str, code: str) -> Link | None:
        """Return the link; None if it does not exist or has no target yet.

        The result includes every change that was committed before the call. Raises StoreUnavailable.
        """
        if (
            self._shared_revision.values[0] != self._announced_revision
            or self._clock() >= self._next_check_at
        ):
            self._check_revision()
        link = self._cache.get((domain, code))
        if link is not None and link.revision == self._revision:
            return link
        return self._load(domain, code)

    def _check_revision(self) -> None:
        """Increment the cache's own revision if any link changed. Links with an older revision are then read again."""
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

    def _close_replaced_file(self) -> None:
        """Close the store if its path now names another file, such as a restored backup. A moved file stays open."""
        if self._connection is not None and _file_identity(self._path) not in (None, self._opened_file):
            self._connection.close()
            self._connection = None
            self._revision += 1

    def _load(self, domain: str, code: str) -> Link | None:
        key = (domain, code)
        with self._lock:
            revision = self._revision
            try:
                row = self._query(_FIND_LINK_SQL, key)
            except sqlite3.Error as error:
                outdated = self._cache.get(key)
                if outdated is None:
                    raise StoreUnavailable from error
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
        """Return the first row of a query; None if there is no row. Raises sqlite3.Error.

        For RETRY_SECONDS after a failure it raises at once, so that requests do not wait for each attempt.
        """
        if self._connection is None:
            if self._clock() < self._next_retry_at:
                raise sqlite3.OperationalError("the store could not be read a moment ago")
            self._next_retry_at = self._clock() + RETRY_SECONDS
            self._opened_file = _file_identity(self._path) or (0, 0)
            self._connection = _open_read_only(self._path)
        try:
            row: tuple[Any, ...] | None = self._connection.execute(sql, parameters).fetchone()
        except sqlite3.Error:
            self._connection.close()
            self._connection = None
            self._next_retry_at = self._clock() + RETRY_SECONDS
            raise
        return row


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Open a connection that can neither write to the store nor create one."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False
    )


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Return (device, inode) of a file; None if there is none."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
