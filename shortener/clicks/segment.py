"""Writing the click log: one segment per worker process, one ``write()`` per click, synced in the background."""

import fcntl
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shortener.clicks.line import VERSION, SegmentHeader, encode

DIRECTORY = "clicklog"
SUFFIX = ".jsonl"
ROTATE_SECONDS = 3600.0
RETRY_SECONDS = 1.0
"""After a segment could not be opened, how long clicks are counted as unrecorded before the next try."""

log = logging.getLogger(__name__)


class SegmentWriter:
    """The click log of one worker process.

    ``write`` is safe from several threads. A segment that had any error is never written to again: what a failed
    or short write, or a failed sync, left behind in it is unknown, so the next click goes to a new file. (A click
    that is in both counts once, by its id.)
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
        self._fd = -1
        self._size = 0
        self._rotate_at = 0.0
        self._retry_at = 0.0
        self._dirty = False
        self.segment = secrets.token_hex(6)
        if sync_seconds:
            threading.Thread(target=self._sync_for_ever, name="clicklog-sync", daemon=True).start()

    def write(self, line: bytes) -> bool:
        """Hand one line (with its newline) to the operating system; False when the click could not be recorded."""
        with self._lock:
            if self._fd < 0 or self._size >= self._rotate_bytes or time.monotonic() >= self._rotate_at:
                self._rotate()
            if self._append(line) or (self._rotate() and self._append(line)):
                self._dirty = True
                if not self._sync_seconds:
                    self._sync()
                return True
        return False

    def _append(self, line: bytes) -> bool:
        """One ``write()``; a short one is a failure, although the system calls it a success."""
        if self._fd < 0:
            return False
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            log.error("click log %s: %s", self._directory, error)
            written = -1
        if written == len(line):
            self._size += written
            return True
        self._abandon()
        return False

    def _rotate(self) -> bool:
        """Go on in a new segment; False while that is not possible."""
        if time.monotonic() < self._retry_at:
            return False
        self._abandon()
        try:
            self._open()
        except OSError as error:
            self._abandon()
            self._retry_at = time.monotonic() + RETRY_SECONDS
            log.error("click log %s: %s; clicks are redirected but not recorded", self._directory, error)
            return False
        return True

    def _open(self) -> None:
        """Start a segment: locked for as long as this process lives, its name sorting by start time."""
        started = self._clock()
        self.segment = secrets.token_hex(6)
        path = self._directory / f"{int(started * 1000):014d}-{self.segment}{SUFFIX}"
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        header = SegmentHeader(v=VERSION, segment=self.segment, node=socket.gethostname(), started=started)
        line = encode(header) + b"\n"
        if os.write(self._fd, line) != len(line):
            path.unlink()
            raise OSError("no room for a segment's header")
        _sync_directory(self._directory)
        self._size = len(line)
        self._rotate_at = time.monotonic() + ROTATE_SECONDS

    def _abandon(self) -> None:
        if self._fd >= 0:
            if self._dirty:
                self._sync()
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _sync(self) -> None:
        """Bring the segment to the disk. After a failure the file is left alone: a second try could lie."""
        self._dirty = False
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            log.error("click log %s: sync failed: %s", self._directory, error)
            os.close(self._fd)
            self._fd = -1

    def _sync_for_ever(self) -> None:
        while True:
            time.sleep(self._sync_seconds)
            self.sync()

    def sync(self) -> None:
        """Bring what was written to the disk, without holding up a click while the disk works."""
        with self._lock:
            if not self._dirty or self._fd < 0:
                return
            self._dirty = False
            fd, segment = os.dup(self._fd), self.segment
        try:
            os.fdatasync(fd)
        except OSError as error:
            log.error("click log %s: sync failed: %s", self._directory, error)
            with self._lock:
                if self.segment == segment:
                    self._dirty = False
                    self._abandon()
        finally:
            os.close(fd)

    def close(self) -> None:
        """Sync and close the segment."""
        with self._lock:
            self._abandon()


def _sync_directory(directory: Path) -> None:
    """A new file survives a power cut only when its directory entry does."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
