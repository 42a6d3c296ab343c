"""Reader of the click log: finds its files, called segments, and reads lines from a byte offset on."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from shortener.clicklog.format import FORMAT_VERSION, LOCAL_KEY, MAX_LINE_BYTES, ClickLine, decode_header, decode_line
from shortener.clicklog.writer import LOG_DIRECTORY, SEGMENT_SUFFIX
from shortener.durations import DAY_SECONDS
from shortener.files import file_state

CHUNK_SIZE = 1 << 20
"""Maximum number of bytes that one call of ``ClickLog.read`` reads."""
MAX_ID_LENGTH = 128
"""Maximum length in characters of the id of a click or a segment."""
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
"""Suffixes of compressed files in the directory of the click log, which are not read."""


class Segment(Struct, frozen=True):
    """One file of the click log, written by one worker process or by another program, such as nginx."""

    id: str
    """Identifier of the segment, which stays the same when the file is renamed or copied."""
    path: Path
    node: str
    """Name of the machine that wrote the segment; empty for files from other programs."""
    size: int
    """Size of the file in bytes."""
    header_bytes: int
    """Length of the header line in bytes; 0 for files from other programs, which have no header."""
    ends: bool = True
    """False for files from other programs, which may always grow."""
    former_id: str = ""
    """Identifier that earlier versions of this program made from the file name; empty if there is none."""


class SkippedLine(Struct, frozen=True):
    """A damaged line of the click log: the byte offset where it begins, and what is wrong with it."""

    byte_position: int
    reason: str


class ReadProgress(Struct):
    """How far one file of the click log was read. Positions are byte offsets in the file."""

    segment: Segment
    start_position: int
    """Position where this read began."""
    position: int
    """Position where the next read begins."""
    in_long_line: bool
    """Whether ``position`` is in the middle of a line longer than MAX_LINE_BYTES."""
    lines: int = 0
    """Number of complete lines that were read, with damaged lines, but without header and empty lines."""
    skips: list[SkippedLine] = []
    finished: bool = False
    """Whether the segment was read to its end and no process writes to it any more."""
    local_key_days: set[int] = set()
    """UTC days (since 1970) of lines whose hashes were made with a local key (LOCAL_KEY)."""


class ClickLog:
    """The click log of a data directory. Its files are called segments."""

    def __init__(self, data_directory: Path) -> None:
        self._directory = data_directory / LOG_DIRECTORY
        self._segment_cache: dict[str, tuple[tuple[int, int, int], Segment]] = {}
        """By file name: inode, size and modification time when the file was read, and its segment."""

    def segments(self) -> list[Segment]:
        """Return all readable files of the click log with their current sizes, ordered by file name."""
        segments = []
        try:
            entries = sorted(os.scandir(self._directory), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        for entry in entries:
            if not _is_log_file(entry.name):
                continue
            segment = self._load_readable_segment(entry)
            if segment is not None:
                segments.append(segment)
        names = {segment.path.name for segment in segments}
        self._segment_cache = {name: entry for name, entry in self._segment_cache.items() if name in names}
        return segments

    def complete_sizes(self) -> dict[str, int]:
        """Return the size of each file in bytes up to the end of its last complete line, by segment id."""
        return {segment.id: _complete_size(segment) for segment in self.segments()}

    def _load_readable_segment(self, entry: os.DirEntry[str]) -> Segment | None:
        try:
            status = entry.stat(follow_symlinks=False)
            if not entry.is_file(follow_symlinks=False):
                return None
            state = file_state(status)
            cached_state, cached_segment = self._segment_cache.get(entry.name, (None, None))
            if cached_segment is not None and cached_state == state:
                return cached_segment
            segment = _identify_segment(Path(entry.path), size=status.st_size)
        except OSError:
            return None
        if segment is not None:
            self._segment_cache[entry.name] = (state, segment)
        return segment

    def read(
        self,
        segment: Segment,
        *,
        position: int,  # byte offset at which the read begins
        skipping: bool,  # whether it is inside an over-long line
    ) -> tuple[list[ClickLine], ReadProgress]:
        """Return the valid lines in the next CHUNK_SIZE bytes of a log file, and how far the file was read.

        Raises OSError.
        """
        with segment.path.open("rb") as file:
            file.seek(position)
            chunk = file.read(CHUNK_SIZE)
            at_end = position + len(chunk) >= os.fstat(file.fileno()).st_size
            ended = at_end and not is_being_written(file.fileno(), segment)
        return decode_part(segment, chunk, position=position, skipping=skipping, ended=ended)


def decode_part(
    segment: Segment,
    part: bytes,
    *,
    position: int,  # byte offset at which the part begins
    skipping: bool,  # whether it begins inside an over-long line
    ended: bool,  # whether nothing follows it
) -> tuple[list[ClickLine], ReadProgress]:
    """Return the valid lines in a part of a log file, and how far the file was read."""
    progress = ReadProgress(
        segment=segment, start_position=position, position=position, in_long_line=skipping, skips=[]
    )
    lines = list(_decode_complete_lines(part, progress))
    rest = position + len(part) - progress.position
    if rest > MAX_LINE_BYTES or (rest and ended):
        # The rest never becomes a valid line: it is too long already, or the process that wrote it is dead.
        if not progress.in_long_line:
            progress.skips.append(SkippedLine(progress.position, "over-long" if rest > MAX_LINE_BYTES else "torn"))
        progress.in_long_line = not ended
        progress.position += rest
    progress.finished = ended and progress.position >= segment.size
    return lines, progress


def _is_log_file(name: str) -> bool:
    # Other programs write files too, such as ``edge.log.1`` of nginx.
    return name.endswith(SEGMENT_SUFFIX) or (".log" in name and not name.endswith(COMPRESSED_SUFFIXES))


def _identify_segment(path: Path, *, size: int) -> Segment | None:
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES)
    if not first.endswith(b"\n") and len(first) < MAX_LINE_BYTES:
        return None  # its first line is still incomplete
    try:
        header = decode_header(first)
        return Segment(header.segment[:MAX_ID_LENGTH], path, header.node[:MAX_ID_LENGTH], size, len(first))
    except msgspec.MsgspecError:
        # The file of another program has no header. Its id is a hash of the first line, which contains the unique id of
        # a click.
        digest = hashlib.sha256(first).hexdigest()
        with_name = f"{path.name}:{digest[:16]}"[-MAX_ID_LENGTH:]
        # Several files may begin with an invalid line, so the file name is added to its hash.
        if _parse_line(first.rstrip(b"\r\n"))[0] is None:
            return Segment(with_name, path, "", size, 0, ends=False)
        return Segment(f"line:{digest[:32]}", path, "", size, 0, ends=False, former_id=with_name)


def is_foreign(segment_id: str) -> bool:
    """Return whether a segment id belongs to a file that another program, such as nginx, has written."""
    return ":" in segment_id


def _complete_size(segment: Segment) -> int:
    tail = max(0, segment.size - MAX_LINE_BYTES)
    with segment.path.open("rb") as file:
        file.seek(tail)
        end = file.read(segment.size - tail).rfind(b"\n")
    if end >= 0:
        return tail + end + 1
    return segment.size if tail else 0


def is_being_written(fd: int, segment: Segment) -> bool:
    """Return whether a process may still write to the segment; always True for segments of other programs."""
    if not segment.ends:
        return True
    try:
        # A redirect worker holds a lock on the file that it writes.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _decode_complete_lines(chunk: bytes, progress: ReadProgress) -> Iterator[ClickLine]:
    # Each complete line, valid or not, advances ``progress``.
    begin = 0
    while (end := chunk.find(b"\n", begin)) >= 0:
        position = progress.start_position + begin
        line = chunk[begin:end]
        begin = end + 1
        progress.position = progress.start_position + begin
        if progress.in_long_line:
            progress.in_long_line = False
            continue
        if not line or line == b"\r" or (position == 0 and _is_header(line)):
            continue
        progress.lines += 1
        click, reason = _parse_line(line)
        if click is None:
            progress.skips.append(SkippedLine(position, reason))
            continue
        if click.key == LOCAL_KEY:
            progress.local_key_days.add(int(click.ts // DAY_SECONDS))
        yield click


def _is_header(line: bytes) -> bool:
    try:
        decode_header(line)
    except msgspec.MsgspecError:
        return False
    return True


def _parse_line(line: bytes) -> tuple[ClickLine | None, str]:
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
    if click.status is not None and not 100 <= click.status <= 999:
        return None, "wrong values"
    return click, ""
