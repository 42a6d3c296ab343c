"""Log messages about a database that cannot be reached: at most one a minute, and one when it is back."""

import logging
import threading
import time

from shortener.errors import StoreError

REPORT_SECONDS = 60.0
"""Shortest time between two messages about an outage."""

log = logging.getLogger(__name__)


class OutageLog:
    """Logs that the database cannot be reached, and later that it is back.

    All threads of a process share an instance.
    """

    def __init__(
        self,
        consequence: str,  # the effect on users, at the end of each error message
    ) -> None:
        self._consequence = consequence
        self._lock = threading.Lock()
        self._failing: set[int] = set()
        self._is_reported = False
        self._reported_at = -REPORT_SECONDS

    def report(self, error: StoreError) -> None:
        """Log a database error of the calling thread, but at most one error a minute for the whole process."""
        with self._lock:
            self._failing.add(threading.get_ident())
            now = time.monotonic()
            if now - self._reported_at >= REPORT_SECONDS:
                self._is_reported, self._reported_at = True, now
                log.error("%s; %s", error, self._consequence)

    def end(self) -> None:
        """Note that the calling thread has reached the database. If no thread fails any more, log the recovery."""
        with self._lock:
            self._failing.discard(threading.get_ident())
            if self._is_reported and not self._failing:
                self._is_reported = False
                log.info("the store is back")
