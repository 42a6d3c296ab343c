"""Detection of a worker process that keeps much more memory after a flood of requests than before it."""

import resource
from collections.abc import Callable
from pathlib import Path

GROWTH = 1.2
"""Growth of a worker's memory that is normal."""
MAX_BASELINE_GROWTH = 1.5
"""Growth after which memory counts as kept even if it grew in small steps."""
EXCESS_SECONDS = 30.0
"""Time for which a worker must have kept the memory. A flood that is over frees some of it later."""
MIN_AGE_SECONDS = 120.0
"""Age below which no worker is replaced, so that a flood that goes on does not replace workers all the time."""
LINK_BYTES = 1500
CONNECTION_BYTES = 64 * 1024
"""Memory that a cached link or an open connection may take."""

_STATUS = Path("/proc/self/statm")
_PAGE_BYTES = resource.getpagesize()


class MemoryWatch:
    """Decides whether a worker process keeps too much memory after a flood of requests.

    Create it when the process starts.
    """

    def __init__(
        self,
        *,
        now: float,  # monotonic seconds
    ) -> None:
        self._started_at = now
        self._first = 0.0
        self._baseline = 0.0
        self._excess_since: float | None = None

    def should_replace(
        self,
        resident: int,  # bytes of memory that the process has
        *,
        in_use: Callable[[], int],  # returns the bytes that connections and caches may need
        now: float,  # monotonic seconds
    ) -> bool:
        """Return whether the process has kept too much memory for too long."""
        if not self._first:
            self._first = self._baseline = resident
        excess = resident - GROWTH * self._baseline
        if excess <= 0 or excess <= in_use():
            self._excess_since = None
            if excess <= 0:
                self._first = min(self._first, resident)
                # The baseline grows slowly, so that only a flood counts.
                self._baseline = min(max(self._baseline, resident), MAX_BASELINE_GROWTH * self._first)
            return False
        if self._excess_since is None:
            self._excess_since = now
        return now - self._excess_since >= EXCESS_SECONDS and now - self._started_at >= MIN_AGE_SECONDS


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 if the system does not report it."""
    try:
        return int(_STATUS.read_bytes().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def open_files() -> int:
    """Return the number of open files of this process; 0 if the system does not report it."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0
