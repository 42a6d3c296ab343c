"""In-memory cache for results that take too long to compute for each page, such as the fitted model of the ranking."""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec
from cachetools import LRUCache
from flask import Flask, current_app
from msgspec import Struct

from shortener.durations import HOUR_SECONDS
from shortener.store import Store, listings
from shortener.web.context import ConnectionPool, store

Value = TypeVar("Value")

FRESH_SECONDS = 30.0
"""Age in seconds from which an entry is refreshed in the background if clicks were counted since it was computed."""
MAX_AGE_SECONDS = float(HOUR_SECONDS)
"""Age in seconds at which an entry expires even without new clicks, because some results depend on the time."""
MAX_ENTRIES = 256

log = logging.getLogger(__name__)


class _Entry(Struct):
    value: Any
    revision: listings.StoreRevision
    computed_at: float


class Cache:
    """Least-recently-used cache that recomputes its values in the background after new clicks."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._entries: LRUCache[Hashable, _Entry] = LRUCache(MAX_ENTRIES)
        self._pending: set[Hashable] = set()
        self._clear_count = 0
        self._refreshing = threading.Lock()  # one refresh at a time, so that several do not slow down the pages

    def get(self, store: Store, key: Hashable, compute: Callable[[Store], Value]) -> Value:
        """Return the cached value of ``key``; compute it first if it is missing or outdated."""
        revision = listings.store_revision(store)
        with self._lock:
            entry = self._entries.get(key)
            # "No clicks yet" is wrong after the first click, while another value is only a little too low.
            is_outdated_empty = entry is not None and not entry.value and entry.revision != revision
            if entry is not None and self._is_usable(entry, revision) and not is_outdated_empty:
                if not self._is_fresh(entry, revision):
                    self._start_refresh(key, compute)
                value: Value = entry.value
                return value
            clear_count = self._clear_count
        return self._put(key, compute(store), revision, clear_count=clear_count)

    def get_if_ready(self, store: Store, key: Hashable, compute: Callable[[Store], Value]) -> Value | None:
        """Return the cached value of ``key``.

        If it is missing or outdated, return None and compute it in a background thread.
        """
        revision = listings.store_revision(store)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or not self._is_usable(entry, revision):
                self._start_refresh(key, compute)
                return None
        # This computes a new value at once if the cached one is empty, such as a ranking without articles, and clicks
        # were counted since.
        return self.get(store, key, compute)

    def missing(self, store: Store, keys: Iterable[Hashable]) -> list[Hashable]:
        """Return those of ``keys`` whose values are not cached, or must be computed anew."""
        revision = listings.store_revision(store)
        with self._lock:
            found = {key: self._entries.get(key) for key in keys}
        return [key for key, entry in found.items() if entry is None or not self._is_usable(entry, revision)]

    def _is_fresh(self, entry: _Entry, revision: listings.StoreRevision) -> bool:
        age = time.monotonic() - entry.computed_at
        return age < (MAX_AGE_SECONDS / 2 if entry.revision == revision else FRESH_SECONDS)

    def _is_usable(self, entry: _Entry, revision: listings.StoreRevision) -> bool:
        # An editor who changed a link must see the effect on the next page.
        is_expired = time.monotonic() - entry.computed_at >= MAX_AGE_SECONDS
        return entry.revision.links == revision.links and not is_expired

    def _put(self, key: Hashable, value: Value, revision: listings.StoreRevision, *, clear_count: int) -> Value:
        with self._lock:
            # If the cache was cleared during the computation, the value is outdated.
            if clear_count == self._clear_count:
                self._entries[key] = _Entry(value, revision, time.monotonic())
        return value

    def _start_refresh(self, key: Hashable, compute: Callable[[Store], Any]) -> None:
        # The caller holds the lock.
        if key in self._pending:
            return
        self._pending.add(key)
        refresh = partial(self._refresh, key, compute)
        threading.Thread(target=refresh, name="refresh", daemon=True).start()

    def _refresh(self, key: Hashable, compute: Callable[[Store], Any]) -> None:
        try:
            with self._refreshing:
                store = self._pool.acquire()
                try:
                    with self._lock:
                        clear_count = self._clear_count
                    revision = listings.store_revision(store)
                    self._put(key, compute(store), revision, clear_count=clear_count)
                finally:
                    self._pool.release(store)
        except Exception:
            log.exception("refreshing the cached value of %r failed", key)
            self.clear()
        finally:
            with self._lock:
                self._pending.discard(key)

    @contextmanager
    def keep(self, store: Store) -> Iterator[None]:
        """Run the ``with`` block in a transaction that does not invalidate cached values.

        Edit only links on which no cached value depends.
        """
        with store.transaction():
            before = listings.store_revision(store)
            yield
            after = listings.store_revision(store)
        with self._lock:
            for entry in self._entries.values():
                if entry.revision.links == before.links:
                    entry.revision = msgspec.structs.replace(entry.revision, links=after.links)

    def clear(self) -> None:
        """Remove all cached values."""
        with self._lock:
            self._clear_count += 1
            self._entries.clear()


def init_app(app: Flask) -> None:
    """Create the cache of an app. The app must already have a connection pool."""
    app.extensions["cache"] = Cache(app.extensions["connection_pool"])


def get_or_compute(
    key: Hashable,
    compute: Callable[[Store], Value],  # can run in a background thread
) -> Value:
    """Return the cached value of ``key``; compute it first if it is missing or outdated.

    ``compute`` must not use the current request.
    """
    cache: Cache = current_app.extensions["cache"]
    return cache.get(store(), key, compute)


def get_if_ready(key: Hashable, compute: Callable[[Store], Value]) -> Value | None:
    """Return the cached value of ``key``, or None while a thread computes it."""
    cache: Cache = current_app.extensions["cache"]
    return cache.get_if_ready(store(), key, compute)


def missing_keys(keys: Iterable[Hashable]) -> list[Hashable]:
    """Return those of ``keys`` whose values are not cached, or must be computed anew."""
    cache: Cache = current_app.extensions["cache"]
    return cache.missing(store(), keys)


@contextmanager
def keep_cache() -> Iterator[None]:
    """Run the ``with`` block in a transaction that does not invalidate cached values.

    Edit only links that belong to no issue.
    """
    # No cached value depends on such links.
    cache: Cache = current_app.extensions["cache"]
    with cache.keep(store()):
        yield


def clear_cache() -> None:
    """Remove all values from the cache of the app."""
    cache: Cache = current_app.extensions["cache"]
    cache.clear()
