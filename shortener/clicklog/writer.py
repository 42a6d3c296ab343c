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

from shortener.clicklog.format import FORMAT_VERSION, SegmentHeader, encode

LOG_DIRECTORY = "clicklog"
SEGMENT_SUFFIX = ".jsonl"
ROTATE_SECONDS = 3600.0
RETRY_SECONDS = 1.0
"""After a segment could not be opened, how long clicks are counted as unrecorded before the next try."""

log = logging.getLogger(__name__)


class OpenSegment:
    """One open file of the click log: locked for as long as this process lives, its name sorting by start time.

    ``written`` counts the lines that the operating system has, ``synced`` those that the disk has. A segment that
    ``failed`` is never written to again: what a failed or short write, or a failed sync, left in it is unknown.
    A failed sync is not tried again either: the kernel may have dropped the pages, and a second try would lie.
    """

    def __init__(self, directory: Path, *, started: float) -> None:
        self.id = secrets.token_hex(6)
        self.written_lines = 0
        self.synced_lines = 0
        self.write_failed = False
        self._sync_failed = False
        self._directory_synced = False
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / f"{int(started * 1000):014d}-{self.id}{SEGMENT_SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            header = SegmentHeader(
                v=FORMAT_VERSION, segment=self.id, node=socket.gethostname(), started=started
            )
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
            self.write_failed = True
            return False
        self.size += done
        self.written_lines += 1
        return True

    def sync(self) -> bool:
        """Bring what was written to the disk; whether all of it is there.

        A file that somebody deleted takes lines that nobody will ever read: it is left, too.
        """
        written = self.written_lines
        if not self.write_failed and os.fstat(self._fd).st_nlink == 0:
            log.error("click log %s: a segment was deleted while it was written to", self._directory)
            self.write_failed = True
        if self.synced_lines < written and not self._sync_failed:
            try:
                os.fdatasync(self._fd)
                self._sync_directory()
                self.synced_lines = written
            except OSError as error:
                log.error("click log %s: sync failed: %s", self._directory, error)
                self.write_failed = self._sync_failed = True
        return self.synced_lines >= written

    def _sync_directory(self) -> None:
        """A new file survives a power cut only when its directory entry does."""
        if not self._directory_synced:
            fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            self._directory_synced = True

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
        self._write_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._segment: OpenSegment | None = None
        self._retired: list[OpenSegment] = []
        self._retry_at = 0.0
        if sync_seconds:
            threading.Thread(target=self._sync_loop, name="clicklog-sync", daemon=True).start()

    def write(self, line: bytes) -> bool:
        """Hand one line (with its newline) to the operating system; False when the click could not be recorded."""
        for _ in range(2):
            with self._write_lock:
                segment = self._current_segment()
                if segment is None:
                    return False
                written = segment.append(line)
            if written and (
                self._sync_seconds or self._ensure_synced(segment, line_count=segment.written_lines)
            ):
                return True
        return False

    def _current_segment(self) -> OpenSegment | None:
        """The segment to write to, a new one where that has to be; None while none can be opened."""
        segment = self._segment
        if segment is not None:
            if not (
                segment.write_failed
                or segment.size >= self._rotate_bytes
                or time.monotonic() >= segment.rotate_at
            ):
                return segment
            self._retire(segment)
        if time.monotonic() < self._retry_at:
            return None
        try:
            self._segment = OpenSegment(self._directory, started=self._clock())
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            log.error("click log %s: %s; clicks are redirected but not recorded", self._directory, error)
        return self._segment

    def _retire(self, segment: OpenSegment) -> None:
        """Write no more to a segment; closing it waits for the disk, so the syncing thread does it."""
        self._segment = None
        self._retired.append(segment)
        if not self._sync_seconds:
            self._close_retired()

    def _close_retired(self) -> None:
        with self._sync_lock:
            while self._retired:
                self._retired.pop().close()

    def _ensure_synced(self, segment: OpenSegment, *, line_count: int) -> bool:
        """Whether the segment's first ``number`` lines are on the disk; whoever gets the lock syncs for all."""
        with self._sync_lock:
            return segment.synced_lines >= line_count or segment.sync()

    def _sync_loop(self) -> None:
        while True:
            time.sleep(self._sync_seconds)
            self.sync()

    def sync(self) -> None:
        """Bring what was written to the disk, without holding up a click while the disk works."""
        segment = self._segment
        self._close_retired()
        if segment is not None:
            with self._sync_lock:
                if segment is self._segment:
                    segment.sync()

    def close(self) -> None:
        """Sync and close everything; a later write would begin a new segment."""
        with self._write_lock:
            if self._segment is not None:
                self._retired.append(self._segment)
                self._segment = None
            self._close_retired()
