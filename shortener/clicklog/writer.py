"""Writer of the click log. Each worker process has a file (segment) of its own.

The guarantees are described in docs/click-log.md, section 6.2.
"""

import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shortener.clicklog.format import FORMAT_VERSION, SegmentHeader, encode
from shortener.durations import HOUR_SECONDS

LOG_DIRECTORY = "clicklog"
"""Directory of the segments, below the data directory."""
SEGMENT_SUFFIX = ".jsonl"
"""Suffix of the file names of the segments that workers write."""
ROTATE_SECONDS = HOUR_SECONDS
"""Time in seconds after which a new segment is begun."""
RETRY_SECONDS = 1.0
"""Time in seconds after which a failed opening of a segment is tried again. Clicks in between are not recorded."""

log = logging.getLogger(__name__)


class OpenSegment:
    """A new file of the click log that this process writes, locked until ``close`` is called.

    After an error, nothing more is written to the file.
    """

    def __init__(self, directory: Path, *, node: str, started: float) -> None:
        self.id = secrets.token_hex(6)
        self.written_lines = 0
        """Number of lines that were passed to the operating system."""
        self.synced_lines = 0
        """Number of lines that are on the disk."""
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
            header = SegmentHeader(v=FORMAT_VERSION, segment=self.id, node=node, started=started)
            self.size = os.write(self._fd, line := encode(header) + b"\n")
            if self.size != len(line):
                raise OSError("could not write the segment header")
        except OSError:
            os.close(self._fd)
            path.unlink()
            raise
        self.rotate_at = time.monotonic() + ROTATE_SECONDS

    def append(self, line: bytes) -> bool:
        """Write a line; return whether all of it was written."""
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            log.error("click log %s: %s", self._directory, error)
            written = -1
        if written != len(line):
            self.write_failed = True
            return False
        self.size += written
        self.written_lines += 1
        return True

    def sync(self) -> bool:
        """Sync the written lines to the disk; return whether all of them are on it."""
        written_lines = self.written_lines
        # Lines in a deleted file would never be read, so another file is begun.
        if not self.write_failed and os.fstat(self._fd).st_nlink == 0:
            log.error("click log %s: an open segment file was deleted", self._directory)
            self.write_failed = self._sync_failed = True
        if self.synced_lines < written_lines and not self._sync_failed:
            try:
                os.fdatasync(self._fd)
                self._sync_directory_once()
                self.synced_lines = written_lines
            except OSError as error:
                log.error("click log %s: sync failed: %s", self._directory, error)
                # The sync is not repeated: the kernel may have dropped the data, and a second sync would succeed
                # without it.
                self.write_failed = self._sync_failed = True
        return self.synced_lines >= written_lines

    def _sync_directory_once(self) -> None:
        # Without this, the file could be missing from its directory after a power failure.
        if not self._directory_synced:
            fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            self._directory_synced = True

    def close(self) -> None:
        """Sync the file and close it. This also releases its lock."""
        self.sync()
        os.close(self._fd)


class SegmentWriter:
    """Writes the click log of one worker process. Several threads may call ``write``."""

    def __init__(
        self,
        directory: Path,
        *,
        node: str,
        rotate_bytes: int,
        sync_seconds: float,  # interval at which files are synced to the disk; 0: before ``write`` returns
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._node = node
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
        """Write a line, which must end with a newline. Return whether the click was recorded."""
        # After a failure the line is written once more, to a new file. If both files then contain the line, the
        # collector recognizes it by its id and counts the click once.
        for _ in range(2):
            with self._write_lock:
                segment = self._current_segment()
                if segment is None:
                    return False
                written = segment.append(line)
            if written and (self._sync_seconds or self._ensure_synced(segment, line_count=segment.written_lines)):
                return True
        return False

    def _current_segment(self) -> OpenSegment | None:
        segment = self._segment
        if segment is not None:
            if not (
                segment.write_failed or segment.size >= self._rotate_bytes or time.monotonic() >= segment.rotate_at
            ):
                return segment
            self._retire(segment)
        if time.monotonic() < self._retry_at:
            return None
        try:
            self._segment = OpenSegment(self._directory, node=self._node, started=self._clock())
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            log.error("click log %s: %s; clicks are redirected but not recorded", self._directory, error)
        return self._segment

    def _retire(self, segment: OpenSegment) -> None:
        self._segment = None
        self._retired.append(segment)
        # The sync thread closes the file, because closing waits for the disk.
        if not self._sync_seconds:
            self._close_retired()

    def _close_retired(self) -> None:
        with self._sync_lock:
            while self._retired:
                self._retired.pop().close()

    def _ensure_synced(self, segment: OpenSegment, *, line_count: int) -> bool:
        with self._sync_lock:
            # If several threads wait, one of them syncs the lines of all.
            return segment.synced_lines >= line_count or segment.sync()

    def _sync_loop(self) -> None:
        while True:
            time.sleep(self._sync_seconds)
            self.sync()

    def sync(self) -> None:
        """Sync all written lines to the disk. Other threads can write meanwhile."""
        segment = self._segment
        self._close_retired()
        if segment is not None:
            with self._sync_lock:
                if segment is self._segment:
                    segment.sync()

    def close(self) -> None:
        """Sync and close all files. A later ``write`` begins a new file."""
        with self._write_lock:
            if self._segment is not None:
                self._retired.append(self._segment)
                self._segment = None
            self._close_retired()
