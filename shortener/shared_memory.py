"""Integers that all processes of a data directory share, in small memory-mapped files in ``run/``.

``links`` holds the revision of the links, so that a worker detects edits with one memory access. ``worker-NN``
counts the responses of one worker. A write never waits for the disk and also succeeds when the disk is full.
"""

import contextlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from shortener.files import try_lock

RUN_DIRECTORY = "run"
COUNTER_NAMES = ("redirects", "prefetches", "misses", "unrecorded", "errors", "gone")
"""Counters of a worker; ``gone`` counts the misses whose link is retired or expired."""
CHILD_KINDS = ("worker", "pages", "collector")
"""Kinds of child processes whose restarts the supervisor counts."""
MAX_WORKERS = 256
_FILE_BYTES = 8 * 8
"""Eight integers of eight bytes, aligned so that each is read and written atomically."""


class SharedCounters:
    """Eight shared 64-bit integers; ``values`` is indexed like a list."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._fd).st_size < _FILE_BYTES:
            # Written and not truncated to size: a hole would need a disk block later, when the disk may be full.
            os.pwrite(self._fd, bytes(_FILE_BYTES), 0)
        self._map = mmap.mmap(self._fd, _FILE_BYTES)
        self.values = memoryview(self._map).cast("Q")

    def try_lock(self) -> bool:
        """Reserve the file for this process; return False if another process has reserved it."""
        return try_lock(self._fd)

    def close(self) -> None:
        """Unmap and close the file, which releases its lock; closing again has no effect."""
        if self._fd >= 0:
            self.values.release()
            self._map.close()
            os.close(self._fd)
            self._fd = -1


def links_revision(data_directory: Path) -> SharedCounters:
    """Open the revision of the links.

    Value 0 is the last committed revision, written by the process that committed it. Values 1 and 2 are the inodes
    of the store and of its write-ahead log.
    """
    return SharedCounters(data_directory / RUN_DIRECTORY / "links")


def restart_counters(data_directory: Path) -> SharedCounters:
    """Open the numbers of restarts of child processes, in the order of CHILD_KINDS."""
    return SharedCounters(data_directory / RUN_DIRECTORY / "restarts")


def claim_worker_counters(data_directory: Path) -> SharedCounters:
    """Reserve counters for this worker, in the order of COUNTER_NAMES. Raises OSError if none are free.

    The kernel releases them when the process ends for any reason. Their values stay, and the next worker adds to them.
    """
    for number in range(1, MAX_WORKERS + 1):
        counters = SharedCounters(data_directory / RUN_DIRECTORY / f"worker-{number:02}")
        if counters.try_lock():
            return counters
        counters.close()
    raise OSError(f"{data_directory / RUN_DIRECTORY}: {MAX_WORKERS} workers are running already")


def read_totals(data_directory: Path) -> dict[str, int]:
    """Return the sums of each counter over all workers, running or not, by name."""
    sums = dict.fromkeys(COUNTER_NAMES, 0)
    for values in _read_workers(data_directory):
        for name, value in zip(COUNTER_NAMES, values, strict=False):
            sums[name] += value
    return sums


def read_restarts(data_directory: Path) -> dict[str, int]:
    """Return the number of restarts by kind of child process; 0 if no server has run yet."""
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
