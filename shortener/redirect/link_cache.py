"""Looking up short links: from memory while nothing changed, else from the store's file, read-only.

The file is opened here and not through ``store``: a worker needs one statement and no write lock, and starts in a
tenth of a second because it loads nothing else.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shortener.redirect.responses import redirect_response
from shortener.shared_memory import links_revision

STORE_FILE_NAME = "store.db"
MAX_CACHED_LINKS = 20_000
"""Links that one worker keeps in memory (about 1 kB each); what does not fit is read again, 10 µs each."""
REVISION_CHECK_SECONDS = 1.0
"""How often the revision is read from the store itself, for edits that were made without this program."""
RETRY_SECONDS = 0.5
"""After the store could not be read, how long until it is tried again."""
BUSY_TIMEOUT_SECONDS = 0.05
"""How long a look-up, and all readers of this worker, wait while a foreign program holds the whole store; our own
writers never hold a reader up."""

_FIND_LINK_SQL = "select target, forward, status, expires_at from links where domain = ? and code = ?"
_REVISION_SQL = "select value from meta where name = 'links_revision'"


class Link:
    """A short link as the redirect needs it; ``answer`` is the one to a click without a query, made once."""

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
        """Whether the link was retired or has expired at ``now`` (seconds of UTC epoch)."""
        return self.is_retired or (self.expires_at is not None and now >= self.expires_at)


class StoreUnavailable(Exception):
    """Raised when the store cannot be read and the link is not in memory either."""


class LinkCache:
    """The links of a data directory, as one worker sees them; safe to use from several threads.

    A remembered link is used while the revision is the one that it was read at. It stays behind as what is answered
    when the store cannot be read: an old target is better for a reader than none.
    """

    def __init__(
        self, data_directory: Path, *, status: int = 302, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = data_directory / STORE_FILE_NAME
        self._status = status
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, str], Link] = {}
        self._shared_counters = links_revision(data_directory)
        self._announced_revision = self._shared_counters.values[0]
        self._stored_revision = -1
        self._revision = 0
        """Counts up at every change, whether it was announced or found in the store."""
        self._connection: sqlite3.Connection | None = None
        self._opened_file = (0, 0)
        self._next_check_at = 0.0
        self._next_retry_at = 0.0

    def find(self, domain: str, code: str) -> Link | None:
        """The link, or None where there is none (or it has no target yet).

        Sees every change that was committed before the call. Raises Unavailable.
        """
        if (
            self._shared_counters.values[0] != self._announced_revision
            or self._clock() >= self._next_check_at
        ):
            self._check_revision()
        link = self._cache.get((domain, code))
        if link is not None and link.revision == self._revision:
            return link
        return self._load(domain, code)

    def _check_revision(self) -> None:
        """Count the revision up if anything changed; a link that is read from now on has seen it."""
        with self._lock:
            self._next_check_at = self._clock() + REVISION_CHECK_SECONDS
            self._close_replaced_file()
            announced = self._shared_counters.values[0]
            try:
                row = self._query(_REVISION_SQL, ())
                stored = row[0] if row else -1
            except sqlite3.Error:
                stored = self._stored_revision
            if announced != self._announced_revision or stored != self._stored_revision:
                self._revision += 1
                self._announced_revision, self._stored_revision = announced, stored

    def _close_replaced_file(self) -> None:
        """A restored backup is another file under the same name; one that was moved away is read on."""
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
                known = self._cache.get(key)
                if known is None:
                    raise StoreUnavailable from error
                return known
            if row is None or row[0] is None:
                self._cache.pop(key, None)
                return None
            link = Link(*row, status=self._status, revision=revision)
            if key not in self._cache and len(self._cache) >= MAX_CACHED_LINKS:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = link
            return link

    def _query(self, sql: str, parameters: tuple[str, ...]) -> tuple[Any, ...] | None:
        """The first row. Raises sqlite3.Error, at once while the last try to open the store is not long ago."""
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
    """A connection that can neither write nor make a store where there is none."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False
    )


def _file_identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
