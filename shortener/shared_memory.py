"""Counters that every process of one data directory shares, in small memory-mapped files under ``run/``.

``links`` holds the revision of the links, so that a redirect worker knows at the cost of a memory access that
something changed; ``worker-NN`` holds what one redirect worker has answered. A write never waits for a disk, and a
full one cannot stop it.
"""

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

RUN_DIRECTORY = "run"
COUNTER_NAMES = ("redirects", "prefetches", "misses", "unrecorded", "errors", "gone")
"""What a worker counts; ``gone`` are those of the misses whose link was retired or had expired."""
CHILD_KINDS = ("worker", "pages", "collector")
"""Whose restarts the supervisor counts."""
MAX_WORKERS = 256
_FILE_BYTES = 8 * 8
"""Eight numbers of eight bytes; aligned, so each is read and written whole."""


class SharedCounters:
    """Eight shared 64-bit numbers, indexed like a list."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._fd).st_size < _FILE_BYTES:
            # Written, not set to a length: a hole would need a disk block later, when there may be none.
            os.pwrite(self._fd, bytes(_FILE_BYTES), 0)
        self._map = mmap.mmap(self._fd, _FILE_BYTES)
        self.values = memoryview(self._map).cast("Q")

    def try_lock(self) -> bool:
        """Make the numbers this process's own, unless another living process has them."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Unmap and close; a claim is given back. A second time does nothing."""
        if self._fd >= 0:
            self.values.release()
            self._map.close()
            os.close(self._fd)
            self._fd = -1


def links_revision(data_directory: Path) -> SharedCounters:
    """Number 0: the revision of the links that was committed last, written by whoever committed it.

    Numbers 1 and 2: the inodes of the store and of the write-ahead log that belongs to it.
    """
    return SharedCounters(data_directory / RUN_DIRECTORY / "links")


def restart_counters(data_directory: Path) -> SharedCounters:
    """How often children were started again because they had died, in the order of CHILDREN."""
    return SharedCounters(data_directory / RUN_DIRECTORY / "restarts")


def claim_worker_counters(data_directory: Path) -> SharedCounters:
    """Counters of this worker's own, in the order of FIELDS.

    The kernel gives them back when the process ends, however it ends; its sums stay, and the next one goes on.
    """
    for number in range(1, MAX_WORKERS + 1):
        numbers = SharedCounters(data_directory / RUN_DIRECTORY / f"worker-{number:02}")
        if numbers.try_lock():
            return numbers
        numbers.close()
    raise OSError(f"{data_directory / RUN_DIRECTORY}: {MAX_WORKERS} workers are running already")


def read_totals(data_directory: Path) -> dict[str, int]:
    """The sums over all workers, living or not, by field."""
    sums = dict.fromkeys(COUNTER_NAMES, 0)
    for values in _read_workers(data_directory):
        for field, value in zip(COUNTER_NAMES, values, strict=False):
            sums[field] += value
    return sums


def read_restarts(data_directory: Path) -> dict[str, int]:
    """How often children were started again, by kind; none where no server has run yet."""
    numbers = [0] * len(CHILD_KINDS)
    with contextlib.suppress(OSError):
        content = (data_directory / RUN_DIRECTORY / "restarts").read_bytes()
        if len(content) == _FILE_BYTES:
            numbers = memoryview(content).cast("Q").tolist()
    return dict(zip(CHILD_KINDS, numbers, strict=False))


def _read_workers(data_directory: Path) -> Iterator[list[int]]:
    for path in sorted((data_directory / RUN_DIRECTORY).glob("worker-*")):
        content = path.read_bytes()
        if len(content) == _FILE_BYTES:
            yield memoryview(content).cast("Q").tolist()
