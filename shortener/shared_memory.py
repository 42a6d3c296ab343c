"""Integers that all processes with the same data directory share, in small memory-mapped files in ``run/``."""

# A write never waits for the disk, and also succeeds when the disk is full.
import contextlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from shortener.files import try_lock

RUN_DIRECTORY = "run"
COUNTER_NAMES = ("redirects", "prefetches", "misses", "unrecorded", "errors", "gone", "unknown_hosts")
"""Names of a worker's counters, in the order of their values. ``gone`` counts misses of retired and expired links, and
``unknown_hosts`` requests for a code at a host that is no domain."""
CHILD_KINDS = ("worker", "pages", "collector", "sender", "node_pages")
"""Kinds of child processes whose restarts the supervisor counts."""
HEARD_AT, SENT_UNTIL, BACKLOG_BYTES, LINKS_SEEN_AT = range(4)
"""Indexes into ``sender_state``: time of the last report, until when all clicks were sent, bytes of the click log that
were not sent, and when the copy of the links was last up to date. Times are in seconds of UTC epoch."""
MAX_WORKERS = 256
_FILE_BYTES = 8 * 8
"""Size of a file: eight integers of eight bytes. They are aligned, so that each is read and written atomically."""


class SharedCounters:
    """Eight 64-bit integers in a memory-mapped file that processes share. ``values`` is indexed like a list."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._fd).st_size < _FILE_BYTES:
            # Zeros are written now. A sparse file would need a disk block later, when the disk may be full.
            try:
                os.pwrite(self._fd, bytes(_FILE_BYTES), 0)
            except OSError as error:
                os.close(self._fd)
                raise OSError(error.errno, error.strerror, str(path)) from None
        self._map = mmap.mmap(self._fd, _FILE_BYTES)
        self.values = memoryview(self._map).cast("Q")

    def try_lock(self) -> bool:
        """Lock the file for this process; return False if another process holds the lock."""
        return try_lock(self._fd)

    def close(self) -> None:
        """Unmap and close the file, which also releases its lock. A second call has no effect."""
        if self._fd >= 0:
            self.values.release()
            self._map.close()
            os.close(self._fd)
            self._fd = -1


def links_revision(data_directory: Path) -> SharedCounters:
    """Return the shared integers in the file ``run/links``.

    The integer at index 0 grows with each edit of a link.
    """
    return SharedCounters(data_directory / RUN_DIRECTORY / "links")


def sender_state(data_directory: Path) -> SharedCounters:
    """Return the shared integers with the state of a redirect node.

    They are indexed by HEARD_AT, SENT_UNTIL, BACKLOG_BYTES and LINKS_SEEN_AT.
    """
    return SharedCounters(data_directory / RUN_DIRECTORY / "sender")


def reader_pages_revision(data_directory: Path) -> SharedCounters:
    """Return the shared integers in the file ``run/reader-pages-revision``.

    The integer at index 0 grows by 1 each time the error pages for readers are written.
    """
    return SharedCounters(data_directory / RUN_DIRECTORY / "reader-pages-revision")


def restart_counters(data_directory: Path) -> SharedCounters:
    """Return the shared counters of restarts, one for each kind of child process in the order of CHILD_KINDS."""
    return SharedCounters(data_directory / RUN_DIRECTORY / "restarts")


def claim_worker_counters(data_directory: Path) -> SharedCounters:
    """Reserve and return shared counters for this worker process, in the order of COUNTER_NAMES.

    Raises OSError if no file is free.
    """
    for number in range(1, MAX_WORKERS + 1):
        counters = SharedCounters(data_directory / RUN_DIRECTORY / f"worker-{number:02}")
        if counters.try_lock():
            return counters
        counters.close()
    raise OSError(f"{data_directory / RUN_DIRECTORY}: {MAX_WORKERS} workers are running already")


def read_totals(data_directory: Path) -> dict[str, int]:
    """Return the sum of each worker counter, by name, over all workers, including those that have ended."""
    sums = dict.fromkeys(COUNTER_NAMES, 0)
    for values in _read_workers(data_directory):
        for name, value in zip(COUNTER_NAMES, values, strict=False):
            sums[name] += value
    return sums


def read_restarts(data_directory: Path) -> dict[str, int]:
    """Return how often child processes of the server were restarted, by kind of process."""
    restarts = [0] * len(CHILD_KINDS)
    with contextlib.suppress(OSError):
        content = (data_directory / RUN_DIRECTORY / "restarts").read_bytes()
        if len(content) == _FILE_BYTES:
            restarts = memoryview(content).cast("Q").tolist()
    return dict(zip(CHILD_KINDS, restarts, strict=False))


def _read_workers(data_directory: Path) -> Iterator[list[int]]:
    for path in sorted((data_directory / RUN_DIRECTORY).glob("worker-*")):
        content = path.read_bytes()
        if len(content) == _FILE_BYTES:
            yield memoryview(content).cast("Q").tolist()
