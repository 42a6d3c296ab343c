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
from shortener.web.context import Stores, store

Value = TypeVar("Value")

YOUNG_SECONDS = 30.0
"""So long a value serves, whatever was clicked meanwhile."""
OLD_SECONDS = 3600.0
"""A value that is older does not serve, though nothing was clicked: shares still to come depend on the time."""
MOST = 256
"""Values that are kept."""
STACK_BYTES = 32 << 20
"""Of a thread that computes. The server's own have 2 MB, in which OpenBLAS dies of a system of a hundred equations."""

log = logging.getLogger(__name__)


class _Kept(Struct):
    value: Any
    revision: listings.Revision
    at: float
    renewing: bool = False


class Keeper:
    """Keeps values by key. One that has grown old serves once more while a thread computes the next."""

    def __init__(self, stores: Stores, *, young_seconds: float = YOUNG_SECONDS) -> None:
        self._stores = stores
        self._young = young_seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def get(self, store: Store, key: Hashable, compute: Callable[[Store], Value]) -> Value:
        """The value of a key, computed now where there is none that may serve."""
        revision = listings.revision(store)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and self._serves(kept, revision):
                if not self._is_fresh(kept, revision) and not kept.renewing:
                    kept.renewing = True
                    _start(lambda: self._renew(key, compute))
                value: Value = kept.value
                return value
        return self._put(key, _in_own_thread(lambda: compute(store)), revision)

    def _is_fresh(self, kept: _Kept, revision: listings.Revision) -> bool:
        age = time.monotonic() - kept.at
        return age < (OLD_SECONDS / 2 if kept.revision == revision else self._young)

    def _serves(self, kept: _Kept, revision: listings.Revision) -> bool:
        """Links that changed since are an editor's doing, who wants to see it at once."""
        return (
            self._young > 0
            and kept.revision.links == revision.links
            and time.monotonic() - kept.at < OLD_SECONDS
        )

    def _put(self, key: Hashable, value: Value, revision: listings.Revision) -> Value:
        with self._lock:
            self._kept[key] = _Kept(value, revision, time.monotonic())
            self._kept.move_to_end(key)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return value

    def _renew(self, key: Hashable, compute: Callable[[Store], Any]) -> None:
        try:
            store = self._stores.take()
            try:
                revision = listings.revision(store)
                self._put(key, compute(store), revision)
            finally:
                self._stores.give_back(store)
        except Exception:
            log.exception("computing %r anew", key)
            self.forget()

    def forget(self) -> None:
        """Drop everything, because an editor changed what it was computed from."""
        with self._lock:
            self._kept.clear()


_starting = threading.Lock()


def _start(work: Callable[[], None]) -> threading.Thread:
    """Start a thread with room on its stack; others that start at the same moment may get as much, which is no harm."""
    thread = threading.Thread(target=work, name="compute", daemon=True)
    with _starting:
        before = threading.stack_size(STACK_BYTES)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    return thread


def _in_own_thread(work: Callable[[], Value]) -> Value:
    """What the work gives, or raises, done in a thread of its own that is waited for."""
    done: Future[Value] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    _start(run).join()
    return done.result()


def prepare(app: Flask) -> None:
    """Give the app its kept values."""
    app.extensions["keeper"] = Keeper(app.extensions["stores"])


def keep(key: Hashable, compute: Callable[[Store], Value]) -> Value:
    """The kept value of a key; ``compute`` may be called with another connection, outside of a request."""
    keeper: Keeper = current_app.extensions["keeper"]
    return keeper.get(store(), key, compute)


def forget() -> None:
    """Drop all kept values."""
    keeper: Keeper = current_app.extensions["keeper"]
    keeper.forget()
