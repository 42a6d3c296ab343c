"""SQL for the files (segments) of the click log: how far they were read, and which lines were damaged."""

from collections.abc import Sequence

from msgspec import Struct

from shortener.store.database import Reader, Store

MAX_SKIPS_PER_SEGMENT = 1000
"""Maximum number of skipped lines of a segment that are stored with their position; more are only counted."""


class SegmentPosition(Struct, frozen=True):
    """How far the collector has read a file of the click log."""

    position: int
    """Offset in bytes."""
    in_long_line: bool
    """Whether ``position`` is inside a line that is longer than allowed."""
    finished: bool
    """Whether the file was read to its end and is no longer written."""


def segment_positions(store: Store) -> dict[str, SegmentPosition]:
    """Return how far each file of the click log was read, by the id of the file."""
    rows = store.execute("select id, position, in_long_line, finished_at from segments")
    return {row[0]: SegmentPosition(row[1], bool(row[2]), row[3] is not None) for row in rows}


def read_positions(reader: Reader) -> dict[str, int]:
    """Return how many bytes of each file of the click log were read, by the id of the file."""
    return dict(reader.execute("select id, position from segments").fetchall())


def read_lines_drained(reader: Reader) -> int:
    """Return the number of click-log lines that were moved into the store, over all time."""
    return reader.meta("lines_drained")


def segment_position(store: Store, segment_id: str) -> SegmentPosition:
    """Return how far one file of the click log was read. If the file is unknown, the position is 0."""
    row = store.execute(
        "select position, in_long_line, finished_at from segments where id = ?", (segment_id,)
    ).fetchone()
    return SegmentPosition(row[0], bool(row[1]), row[2] is not None) if row else SegmentPosition(0, False, False)


def rename_segment(store: Store, segment_id: str, *, new_id: str) -> None:
    """Change the id of a file of the click log. Its read position and its damaged lines are kept."""
    store.execute("update segments set id = ? where id = ?", (new_id, segment_id))
    store.execute("update skips set segment_id = ? where segment_id = ?", (new_id, segment_id))


class UnfinishedSegment(Struct, frozen=True):
    """A click-log file that has not been read to its end.

    ``name`` is the file name. ``position`` is the number of bytes that were read.
    """

    id: str
    name: str
    position: int


def unfinished_segments(store: Store, *, node: str) -> list[UnfinishedSegment]:
    """Return the click-log files of one machine that were not read to their end, ordered by name.

    ``node`` is the host name of the machine.
    """
    sql = "select id, name, position from segments where finished_at is null and node = ? order by name"
    return [UnfinishedSegment(*row) for row in store.execute(sql, (node,))]


def advance_position(
    store: Store,
    segment_id: str,
    *,
    file_name: str,
    node: str,
    new_position: SegmentPosition,
    lines: int,  # number of new lines
    skips: Sequence[tuple[int, str]],  # (byte offset, reason) of each damaged line
    now: int,
) -> None:
    """Store how far a file of the click log was read, and which new lines are damaged."""
    store.execute(
        """
        insert into segments (id, name, node, position, lines, skipped, in_long_line, finished_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (id) do update set
            name = excluded.name, position = excluded.position, lines = segments.lines + excluded.lines,
            skipped = segments.skipped + excluded.skipped, in_long_line = excluded.in_long_line,
            finished_at = excluded.finished_at, updated_at = excluded.updated_at
        """,
        (
            segment_id,
            file_name,
            node,
            new_position.position,
            lines,
            len(skips),
            int(new_position.in_long_line),
            now if new_position.finished else None,
            now,
        ),
    )
    if lines:
        store.add_to_meta("lines_drained", lines)
    stored = store.value("select count(*) from skips where segment_id = ?", (segment_id,)) if skips else 0
    store.connection.execute_many(
        "insert into skips (segment_id, byte_position, reason, at) values (?, ?, ?, ?) on conflict do nothing",
        (
            (segment_id, byte_position, reason, now)
            for byte_position, reason in skips[: max(0, MAX_SKIPS_PER_SEGMENT - stored)]
        ),
    )


def delete_finished_segments(store: Store, *, before: int) -> None:
    """Delete records of damaged lines and of completely read click-log files that are older than ``before`` (seconds of
    the UTC epoch).
    """
    store.execute("delete from skips where at < ?", (before,))
    store.execute("delete from segments where finished_at is not null and updated_at < ?", (before,))
