"""Writing the click log: one segment per worker process, one ``write()`` per click, brought to the disk in groups."""

import fcntl
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shortener.clicklog.format import VERSION, SegmentHeader, encode

DIRECTORY = "clicklog"
SUFFIX = ".jsonl"
ROTATE_SECONDS = 3600.0
RETRY_SECONDS = 1.0
"""After a segment could not be opened, how long clicks are counted as unrecorded before the next try."""

log = logging.getLogger(__name__)


class Segment:
    """One open file of the click log: locked for as long as this process lives, its name sorting by start time.

    ``written`` counts the lines that the operating system has, ``synced`` those that the disk has. A segment that
    ``failed`` is never written to again: what a failed or short write, or a failed sync, left in it is unknown.
    A failed sync is not tried again either: the kernel may have dropped the pages, and a second try would lie.
    """

    def __init__(self, directory: Path, *, started: float) -> None:
        self.id = secrets.token_hex(6)
        self.written = 0
        self.synced = 0
        self.failed = False
        self._sync_failed = False
        self._entry_synced = False
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / f"{int(started * 1000):014d}-{self.id}{SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            header = SegmentHeader(v=VERSION, segment=self.id, node=socket.gethostname(), started=started)
            self.size = os.write(self._fd, line := encode(header) + b"\n")
            if self.size != len(line):
                raise OSError("no room for a segment's header")
        except OSError:
            os.close(self._fd)
            path.unlink()
            raise
        self.rotate_at = time.monotonic() + ROTATE_SECONDS

    def append(self, line: bytes) -> bool:
        """One ``write()``; a short one is a failure, although the system calls it a success."""
        try:
            done = os.write(self._fd, line)
        except OSError as error:
            log.error("click log %s: %s", self._directory, error)
            done = -1
        if done != len(line):
            self.failed = True
            return False
        self.size += done
        self.written += 1
        return True

    def sync(self) -> bool:
        """Bring what was written to the disk; whether all of it is there.

        A file that somebody deleted takes lines that nobody will ever read: it is left, too.
        """
        written = self.written
        if not self.failed and os.fstat(self._fd).st_nlink == 0:
            log.error("click log %s: a segment was deleted while it was written to", self._directory)
            self.failed = True
        if self.synced < written and not self._sync_failed:
            try:
                os.fdatasync(self._fd)
                self._sync_entry()
                self.synced = written
            except OSError as error:
                log.error("click log %s: sync failed: %s", self._directory, error)
                self.failed = self._sync_failed = True
        return self.synced >= written

    def _sync_entry(self) -> None:
        """A new file survives a power cut only when its directory entry does."""
        if not self._entry_synced:
            fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            self._entry_synced = True

    def close(self) -> None:
        """Sync what can be and close the file, which gives the lock back."""
        self.sync()
        os.close(self._fd)


class SegmentWriter:
    """The click log of one worker process; ``write`` is safe from several threads.

    With ``sync_seconds`` a thread of its own syncs that often, and no click waits for the disk; with 0 a click is on
    the disk before ``write`` returns, and threads that write meanwhile share one sync. A click that had to be written
    a second time, to a new segment, counts once by its id.
    """

    def __init__(
        self,
        directory: Path,
        *,
        rotate_bytes: int,
        sync_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._rotate_bytes = rotate_bytes
        self._sync_seconds = sync_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._segment: Segment | None = None
        self._left: list[Segment] = []
        self._retry_at = 0.0
        if sync_seconds:
            threading.Thread(target=self._sync_for_ever, name="clicklog-sync", daemon=True).start()

    def write(self, line: bytes) -> bool:
        """Hand one line (with its newline) to the operating system; False when the click could not be recorded."""
        for _ in range(2):
            with self._lock:
                segment = self._current()
                if segment is None:
                    return False
                written = segment.append(line)
            if written and (self._sync_seconds or self._share_sync(segment, number=segment.written)):
                return True
        return False

    def _current(self) -> Segment | None:
        """The segment to write to, a new one where that has to be; None while none can be opened."""
        segment = self._segment
        if segment is not None:
            if not (
                segment.failed or segment.size >= self._rotate_bytes or time.monotonic() >= segment.rotate_at
            ):
                return segment
            self._leave(segment)
        if time.monotonic() < self._retry_at:
            return None
        try:
            self._segment = Segment(self._directory, started=self._clock())
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            log.error("click log %s: %s; clicks are redirected but not recorded", self._directory, error)
        return self._segment

    def _leave(self, segment: Segment) -> None:
        """Write no more to a segment; closing it waits for the disk, so the syncing thread does it."""
        self._segment = None
        self._left.append(segment)
        if not self._sync_seconds:
            self._close_left()

    def _close_left(self) -> None:
        with self._syncing:
            while self._left:
                self._left.pop().close()

    def _share_sync(self, segment: Segment, *, number: int) -> bool:
        """Whether the segment's first ``number`` lines are on the disk; whoever gets the lock syncs for all."""
        with self._syncing:
            return segment.synced >= number or segment.sync()

    def _sync_for_ever(self) -> None:
        while True:
            time.sleep(self._sync_seconds)
            self.sync()

    def sync(self) -> None:
        """Bring what was written to the disk, without holding up a click while the disk works."""
        segment = self._segment
        self._close_left()
        if segment is not None:
            with self._syncing:
                if segment is self._segment:
                    segment.sync()

    def close(self) -> None:
        """Sync and close everything; a later write would begin a new segment."""
        with self._lock:
            if self._segment is not None:
                self._left.append(self._segment)
                self._segment = None
            self._close_left()
