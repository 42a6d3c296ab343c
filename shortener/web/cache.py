"""Values that take long to compute, kept until the store has changed and they are no longer young."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from flask import Flask, current_app
from msgspec import Struct

from shortener.store import Store, listings
from shortener.web.context import ConnectionPool, store

Value = TypeVar("Value")

FRESH_SECONDS = 30.0
"""So long a value serves, whatever was clicked meanwhile."""
MAX_AGE_SECONDS = 3600.0
"""A value that is older does not serve, though nothing was clicked: shares still to come depend on the time."""
MAX_ENTRIES = 256
"""Values that are kept."""
STACK_SIZE_BYTES = 32 << 20
"""Of a thread that computes. The server's own have 2 MB, in which OpenBLAS dies of a system of a hundred equations."""

log = logging.getLogger(__name__)


class _Entry(Struct):
    value: Any
    revision: listings.StoreRevision
    computed_at: float
    refreshing: bool = False


class Cache:
    """Keeps values by key. One that has grown old serves once more while a thread computes the next."""

    def __init__(self, pool: ConnectionPool, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._pool = pool
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, store: Store, key: Hashable, compute: Callable[[Store], Value]) -> Value:
        """The value of a key, computed now where there is none that may serve."""
        revision = listings.store_revision(store)
        with self._lock:
            kept = self._entries.get(key)
            if kept is not None and self._is_usable(kept, revision):
                if not self._is_fresh(kept, revision) and not kept.refreshing:
                    kept.refreshing = True
                    _start_thread(lambda: self._refresh(key, compute))
                value: Value = kept.value
                return value
        return self._put(key, _run_in_thread(lambda: compute(store)), revision)

    def _is_fresh(self, entry: _Entry, revision: listings.StoreRevision) -> bool:
        age = time.monotonic() - entry.computed_at
        return age < (MAX_AGE_SECONDS / 2 if entry.revision == revision else self._fresh_seconds)

    def _is_usable(self, entry: _Entry, revision: listings.StoreRevision) -> bool:
        """Links that changed since are an editor's doing, who wants to see it at once."""
        return (
            self._fresh_seconds > 0
            and entry.revision.links == revision.links
            and time.monotonic() - entry.computed_at < MAX_AGE_SECONDS
        )

    def _put(self, key: Hashable, value: Value, revision: listings.StoreRevision) -> Value:
        with self._lock:
            self._entries[key] = _Entry(value, revision, time.monotonic())
            self._entries.move_to_end(key)
            if len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
        return value

    def _refresh(self, key: Hashable, compute: Callable[[Store], Any]) -> None:
        try:
            store = self._pool.acquire()
            try:
                revision = listings.store_revision(store)
                self._put(key, compute(store), revision)
            finally:
                self._pool.release(store)
        except Exception:
            log.exception("computing %r anew", key)
            self.clear()

    def clear(self) -> None:
        """Drop everything, because an editor changed what it was computed from."""
        with self._lock:
            self._entries.clear()


_stack_size_lock = threading.Lock()


def _start_thread(task: Callable[[], None]) -> threading.Thread:
    """Start a thread with room on its stack; others that start at the same moment may get as much, which is no harm."""
    thread = threading.Thread(target=task, name="compute", daemon=True)
    with _stack_size_lock:
        before = threading.stack_size(STACK_SIZE_BYTES)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    return thread


def _run_in_thread(task: Callable[[], Value]) -> Value:
    """What the work gives, or raises, done in a thread of its own that is waited for."""
    done: Future[Value] = Future()

    def run() -> None:
        try:
            done.set_result(task())
        except BaseException as error:
            done.set_exception(error)

    _start_thread(run).join()
    return done.result()


def init_app(app: Flask) -> None:
    """Give the app its kept values."""
    app.extensions["cache"] = Cache(app.extensions["connection_pool"])


def get_or_compute(key: Hashable, compute: Callable[[Store], Value]) -> Value:
    """The kept value of a key; ``compute`` may be called with another connection, outside of a request."""
    cache: Cache = current_app.extensions["cache"]
    return cache.get(store(), key, compute)


def clear_cache() -> None:
    """Drop all kept values."""
    cache: Cache = current_app.extensions["cache"]
    cache.clear()
