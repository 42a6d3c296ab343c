"""Reading the click log: which segments there are, and what stands in them after a position."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from shortener.clicklog.format import FORMAT_VERSION, MAX_LINE_BYTES, ClickLine, decode_header, decode_line
from shortener.clicklog.writer import LOG_DIRECTORY, SEGMENT_SUFFIX
from shortener.files import file_state

CHUNK_SIZE = 1 << 20
MAX_ID_LENGTH = 128
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
"""What a rotated log becomes after it was drained."""


class Segment(Struct, frozen=True):
    """One file of the click log. ``id`` is its identity: a copy or a renamed file has the same."""

    id: str
    path: Path
    node: str
    size: int
    header_bytes: int


class SkippedLine(Struct, frozen=True):
    """A line that was passed over: where it begins, in bytes, and why."""

    byte_position: int
    reason: str


class ReadProgress(Struct):
    """How far one segment has been read, and what came of it in this batch."""

    segment: Segment
    start_position: int
    position: int
    in_long_line: bool
    """Whether ``position`` stands inside an over-long line whose end was not seen yet."""
    lines: int = 0
    skips: list[SkippedLine] = []
    finished: bool = False


class ClickLog:
    """The segments of a data directory."""

    def __init__(self, data_directory: Path) -> None:
        self._directory = data_directory / LOG_DIRECTORY
        self._segment_cache: dict[str, tuple[tuple[int, int, int], Segment]] = {}
        """By name: the file's inode, size and time of change when it was looked into, and what it was."""

    def segments(self) -> list[Segment]:
        """All segments with their present sizes, in the order of their names; unreadable ones are left out."""
        found = []
        try:
            entries = sorted(os.scandir(self._directory), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        for entry in entries:
            if not _is_log_file(entry.name):
                continue
            segment = self._load_segment(entry)
            if segment is not None:
                found.append(segment)
        seen = {segment.path.name for segment in found}
        self._segment_cache = {name: known for name, known in self._segment_cache.items() if name in seen}
        return found

    def complete_sizes(self) -> dict[str, int]:
        """How far each segment can be read now: the bytes up to the end of its last complete line, by its id."""
        return {segment.id: _complete_size(segment) for segment in self.segments()}

    def _load_segment(self, entry: os.DirEntry[str]) -> Segment | None:
        try:
            status = entry.stat(follow_symlinks=False)
            if not entry.is_file(follow_symlinks=False):
                return None
            state = file_state(status)
            before, known = self._segment_cache.get(entry.name, (None, None))
            if known is not None and before == state:
                return known
            segment = _identify_segment(Path(entry.path), size=status.st_size)
        except OSError:
            return None
        if segment is not None:
            self._segment_cache[entry.name] = (state, segment)
        return segment

    def read(
        self, segment: Segment, *, position: int, skipping: bool
    ) -> tuple[list[ClickLine], ReadProgress]:
        """The click lines from ``position`` on, about READ_BYTES at the most, and how far that went.

        Raises OSError when the file cannot be read.
        """
        progress = ReadProgress(
            segment=segment, start_position=position, position=position, in_long_line=skipping, skips=[]
        )
        with segment.path.open("rb") as file:
            file.seek(position)
            chunk = file.read(CHUNK_SIZE)
            at_end = position + len(chunk) >= os.fstat(file.fileno()).st_size
            ended = at_end and not _is_being_written(file.fileno(), segment)
        lines = list(_decode_lines(chunk, progress))
        rest = position + len(chunk) - progress.position
        if rest > MAX_LINE_BYTES or (rest and ended):
            # The tail is longer than any line, or its writer is dead: nothing will complete it.
            if not progress.in_long_line:
                progress.skips.append(
                    SkippedLine(progress.position, "over-long" if rest > MAX_LINE_BYTES else "torn")
                )
            progress.in_long_line = not ended
            progress.position += rest
        progress.finished = ended and progress.position >= segment.size
        return lines, progress


def _is_log_file(name: str) -> bool:
    """Our own segments, and what other programs write and rotate: ``edge.log``, ``edge.log.1``."""
    return name.endswith(SEGMENT_SUFFIX) or (".log" in name and not name.endswith(COMPRESSED_SUFFIXES))


def _identify_segment(path: Path, *, size: int) -> Segment | None:
    """A segment's identity from its first line; None while that line is not complete."""
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES)
    if not first.endswith(b"\n") and len(first) < MAX_LINE_BYTES:
        return None
    try:
        header = decode_header(first)
        return Segment(header.segment[:MAX_ID_LENGTH], path, header.node[:MAX_ID_LENGTH], size, len(first))
    except msgspec.MsgspecError:
        digest = hashlib.sha256(first).hexdigest()[:16]
        return Segment(f"{path.name}:{digest}"[-MAX_ID_LENGTH:], path, "", size, 0)


def _complete_size(segment: Segment) -> int:
    tail = max(0, segment.size - MAX_LINE_BYTES)
    with segment.path.open("rb") as file:
        file.seek(tail)
        end = file.read(segment.size - tail).rfind(b"\n")
    if end >= 0:
        return tail + end + 1
    return segment.size if tail else 0


def _is_being_written(fd: int, segment: Segment) -> bool:
    """Whether a living process writes the segment: our own writers hold a lock, a foreign file may always grow."""
    if not segment.header_bytes:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _decode_lines(chunk: bytes, progress: ReadProgress) -> Iterator[ClickLine]:
    """The lines of a chunk that are clicks or misses; ``progress`` moves past every complete line."""
    begin = 0
    while (end := chunk.find(b"\n", begin)) >= 0:
        offset = progress.start_position + begin
        line = chunk[begin:end]
        begin = end + 1
        progress.position = progress.start_position + begin
        if progress.in_long_line:
            progress.in_long_line = False
            continue
        if not line or line == b"\r" or (offset == 0 and progress.segment.header_bytes):
            continue
        progress.lines += 1
        click, reason = _parse_line(line)
        if click is None:
            progress.skips.append(SkippedLine(offset, reason))
        else:
            yield click


def _parse_line(line: bytes) -> tuple[ClickLine | None, str]:
    """A line as a click, or why it is none."""
    if len(line) > MAX_LINE_BYTES:
        return None, "over-long"
    try:
        click = decode_line(line)
    except msgspec.ValidationError:
        return None, "wrong keys"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, "unreadable"
    if click.v != FORMAT_VERSION:
        return None, "other version"
    if not (0 < click.ts < 1e11) or not 0 < len(click.id) <= MAX_ID_LENGTH or not click.code:
        return None, "wrong values"
    return click, ""
