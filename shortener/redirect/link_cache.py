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

from shortener.redirect.responses import redirect_to
from shortener.shared_memory import links_revision

FILE_NAME = "store.db"
REMEMBERED = 20_000
"""Links that one worker keeps in memory (about 1 kB each); what does not fit is read again, 10 µs each."""
RECHECK_SECONDS = 1.0
"""How often the revision is read from the store itself, for edits that were made without this program."""
RETRY_SECONDS = 0.5
"""After the store could not be read, how long until it is tried again."""
BUSY_SECONDS = 0.05
"""How long a look-up, and all readers of this worker, wait while a foreign program holds the whole store; our own
writers never hold a reader up."""

_FIND = "select target, forward, status, expires_at from links where domain = ? and code = ?"
_REVISION = "select value from facts where name = 'links_revision'"


class Link:
    """A short link as the redirect needs it; ``answer`` is the one to a click without a query, made once."""

    __slots__ = ("answer", "expires_at", "forward", "retired", "revision", "target")

    def __init__(
        self,
        target: str,
        forward: str | None,
        state: str,
        expires_at: int | None,
        *,
        status: int,
        revision: int,
    ) -> None:
        self.target = target
        self.forward = forward
        self.retired = state == "retired"
        self.expires_at = expires_at
        self.revision = revision
        self.answer = redirect_to(target, status=status)

    def gone(self, now: float) -> bool:
        """Whether the link was retired or has expired at ``now`` (seconds of UTC epoch)."""
        return self.retired or (self.expires_at is not None and now >= self.expires_at)


class Unavailable(Exception):
    """Raised when the store cannot be read and the link is not in memory either."""


class Links:
    """The links of a data directory, as one worker sees them; safe to use from several threads.

    A remembered link is used while the revision is the one that it was read at. It stays behind as what is answered
    when the store cannot be read: an old target is better for a reader than none.
    """

    def __init__(self, data: Path, *, status: int = 302, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = data / FILE_NAME
        self._status = status
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: dict[tuple[str, str], Link] = {}
        self._shared = links_revision(data)
        self._announced = self._shared.values[0]
        self._stored = -1
        self._revision = 0
        """Counts up at every change, whether it was announced or found in the store."""
        self._reader: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._recheck_at = 0.0
        self._retry_at = 0.0

    def find(self, domain: str, code: str) -> Link | None:
        """The link, or None where there is none (or it has no target yet).

        Sees every change that was committed before the call. Raises Unavailable.
        """
        if self._shared.values[0] != self._announced or self._clock() >= self._recheck_at:
            self._recheck()
        link = self._remembered.get((domain, code))
        if link is not None and link.revision == self._revision:
            return link
        return self._read(domain, code)

    def _recheck(self) -> None:
        """Count the revision up if anything changed; a link that is read from now on has seen it."""
        with self._lock:
            self._recheck_at = self._clock() + RECHECK_SECONDS
            self._leave_replaced_file()
            announced = self._shared.values[0]
            try:
                row = self._query(_REVISION, ())
                stored = row[0] if row else -1
            except sqlite3.Error:
                stored = self._stored
            if announced != self._announced or stored != self._stored:
                self._revision += 1
                self._announced, self._stored = announced, stored

    def _leave_replaced_file(self) -> None:
        """A restored backup is another file under the same name; one that was moved away is read on."""
        if self._reader is not None and _identity(self._path) not in (None, self._file):
            self._reader.close()
            self._reader = None
            self._revision += 1

    def _read(self, domain: str, code: str) -> Link | None:
        key = (domain, code)
        with self._lock:
            revision = self._revision
            try:
                row = self._query(_FIND, key)
            except sqlite3.Error as error:
                known = self._remembered.get(key)
                if known is None:
                    raise Unavailable from error
                return known
            if row is None or row[0] is None:
                self._remembered.pop(key, None)
                return None
            link = Link(*row, status=self._status, revision=revision)
            if key not in self._remembered and len(self._remembered) >= REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = link
            return link

    def _query(self, sql: str, parameters: tuple[str, ...]) -> tuple[Any, ...] | None:
        """The first row. Raises sqlite3.Error, at once while the last try to open the store is not long ago."""
        if self._reader is None:
            if self._clock() < self._retry_at:
                raise sqlite3.OperationalError("the store could not be read a moment ago")
            self._retry_at = self._clock() + RETRY_SECONDS
            self._file = _identity(self._path) or (0, 0)
            self._reader = _open(self._path)
        try:
            row: tuple[Any, ...] | None = self._reader.execute(sql, parameters).fetchone()
        except sqlite3.Error:
            self._reader.close()
            self._reader = None
            self._retry_at = self._clock() + RETRY_SECONDS
            raise
        return row


def _open(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor make a store where there is none."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
