"""Looking up short links: from memory while nothing changed, else from the store's own file, read-only."""

import sqlite3
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path

from sqlite_utils import Database

from shortener.counters import links_revision
from shortener.errors import StoreError
from shortener.store import open_reader

REMEMBERED = 20_000
"""Links that one worker keeps in memory (about 500 bytes each); what does not fit is read again, 5 µs each."""
RECHECK_SECONDS = 1.0
"""How often the revision is read from the store itself, for edits that were made without this program."""
RETRY_SECONDS = 0.5
"""After the store could not be read, how long until it is tried again."""

_FIND = "select target, forward, status, expires_at, title from links where domain = ? and code = ?"


class Link:
    """A short link as the redirect needs it; ``headers`` are those of its plain answer, made once."""

    __slots__ = ("expires_at", "forward", "headers", "retired", "target", "title")

    def __init__(
        self, target: str, forward: str | None, status: str, expires_at: int | None, title: str
    ) -> None:
        self.target = target
        self.forward = forward
        self.retired = status == "retired"
        self.expires_at = expires_at
        self.title = title
        self.headers = answer_headers(target)

    def gone(self, now: float) -> bool:
        """Whether the link was retired or has expired at ``now`` (seconds of UTC epoch)."""
        return self.retired or (self.expires_at is not None and now >= self.expires_at)


class Unavailable(Exception):
    """Raised when the store cannot be read and the link is not in memory either."""


class Links:
    """The links of a data directory, as one worker sees them; safe to use from several threads."""

    def __init__(self, data: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._data = data
        self._clock = clock
        self._lock = threading.Lock()
        self._fresh: dict[Hashable, Link] = {}
        self._stale: dict[Hashable, Link] = {}
        self._shared = links_revision(data)
        self._revision = self._shared.values[0]
        self._reader: Database | None = None
        self._stored_revision = -1
        self._recheck_at = 0.0
        self._retry_at = 0.0

    def find(self, domain: str, code: str) -> Link | None:
        """The link, or None where there is none (or it has no target yet).

        Sees every change that was committed before the call. Raises Unavailable.
        """
        if self._shared.values[0] != self._revision or self._clock() >= self._recheck_at:
            self._refresh()
        link = self._fresh.get((domain, code))
        return link if link is not None else self._read(domain, code)

    def _refresh(self) -> None:
        """Forget what may have changed; keep it aside for as long as the store cannot be read."""
        with self._lock:
            self._recheck_at = self._clock() + RECHECK_SECONDS
            shared = self._shared.values[0]
            try:
                stored = self._query("select value from facts where name = 'links_revision'", ())
            except (sqlite3.Error, StoreError):
                stored = None
            if shared != self._revision or (stored and stored[0] != self._stored_revision):
                self._stale = self._fresh or self._stale
                self._fresh = {}
                self._revision = shared
            if stored:
                self._stored_revision = stored[0]

    def _read(self, domain: str, code: str) -> Link | None:
        key = (domain, code)
        with self._lock:
            revision = self._revision
            try:
                row = self._query(_FIND, key)
            except (sqlite3.Error, StoreError) as error:
                stale = self._stale.get(key)
                if stale is None:
                    raise Unavailable from error
                return stale
            if row is None or row[0] is None:
                return None
            link = Link(*row)
            if revision == self._shared.values[0]:
                if len(self._fresh) >= REMEMBERED:
                    self._fresh = {}
                self._fresh[key] = link
            return link

    def _query(self, sql: str, parameters: tuple[str, ...]) -> tuple[object, ...] | None:
        if self._reader is None:
            if self._clock() < self._retry_at:
                raise StoreError("the store cannot be read")
            self._retry_at = self._clock() + RETRY_SECONDS
            self._reader = open_reader(self._data)
        try:
            row: tuple[object, ...] | None = self._reader.conn.execute(sql, parameters).fetchone()
        except sqlite3.Error:
            self._reader.close()
            self._reader = None
            raise
        return row


def answer_headers(target: str) -> list[tuple[str, str]]:
    """The headers of a redirect to ``target``, which is canonical and so fit for a header as it is."""
    return [
        ("Location", target),
        ("Cache-Control", "private, no-store"),
        ("Referrer-Policy", "origin"),
        ("X-Robots-Tag", "noindex"),
        ("Content-Length", "0"),
    ]
