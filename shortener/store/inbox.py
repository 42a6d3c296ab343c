"""SQL for the inbox, to which redirect nodes send their click logs in parts, and which the collector empties."""

from collections.abc import Collection

from msgspec import Struct

from shortener.store.database import Reader, Store

MAX_PART_BYTES = 256 * 1024
"""Largest part of a segment that a node sends at once."""


class SentPosition(Struct, frozen=True):
    """How much of a click-log file a redirect node has sent."""

    position: int
    """Number of bytes that were sent."""
    finished: bool
    """Whether the file was sent whole and is no longer written."""


class ReceivedSegment(Struct, frozen=True):
    """A click-log file of a redirect node. Its first ``size`` bytes have arrived."""

    id: str
    node: str
    name: str
    size: int
    finished: bool


def sent_positions(reader: Reader, *, node: str) -> dict[str, SentPosition]:
    """Return how much of each click-log file (segment) a redirect node has sent, by segment id."""
    rows = reader.execute("select segment_id, position, finished from sent_segments where node = ?", (node,))
    return {row[0]: SentPosition(row[1], bool(row[2])) for row in rows}


def send(
    reader: Reader,
    segment_id: str,
    body: bytes,
    *,
    node: str,
    file_name: str,
    start: int,
    finished: bool,
    recorded_after: int,  # earliest possible time of the part's clicks in seconds of the UTC epoch; 0 if unknown
    now: int,
) -> bool:
    """Store the next part of a redirect node's click-log file.

    Return False if the earlier parts do not end at byte ``start``.
    """
    # The part is stored in the transaction that also moves the file's position, so each byte arrives exactly once.
    connection = reader.connection
    connection.begin(locked=False)
    try:
        moved = _advance_sent_position(reader, segment_id, node=node, file_name=file_name, start=start, size=len(body),
                      finished=finished, now=now)  # fmt: skip
        if moved and (body or finished):
            reader.execute(
                "insert into inbox (segment_id, position, node, recorded_after, body) values (?, ?, ?, ?, ?)",
                (segment_id, start, node, recorded_after, body),
            )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return moved


def _advance_sent_position(
    reader: Reader, segment_id: str, *, node: str, file_name: str, start: int, size: int, finished: bool, now: int
) -> bool:
    values = (start + size, int(finished), now)
    if start == 0:
        added = reader.execute(
            "insert into sent_segments (position, finished, updated_at, segment_id, node, name) "
            "values (?, ?, ?, ?, ?, ?) on conflict (segment_id) do nothing",
            (*values, segment_id, node, file_name),
        )
        if added.rowcount == 1:
            return True
    moved = reader.execute(
        "update sent_segments set position = ?, finished = ?, updated_at = ? where segment_id = ? and position = ?",
        (*values, segment_id, start),
    )
    return moved.rowcount == 1


def received_segments(store: Store) -> list[ReceivedSegment]:
    """Return the click-log files of redirect nodes that have unread parts in the inbox."""
    rows = store.execute(
        """
        select sent.segment_id, sent.node, sent.name, sent.position, sent.finished from sent_segments as sent
        left join segments on segments.id = sent.segment_id
        where sent.segment_id in (select segment_id from inbox) and (
            sent.position > coalesce(segments.position, 0) or (sent.finished = 1 and segments.finished_at is null)
        )
        order by sent.name
        """
    )
    return [ReceivedSegment(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]


def read_bytes(
    store: Store,
    segment_id: str,
    *,
    position: int,
    parts: int,  # maximum number of stored parts that are read
) -> bytes:
    """Return the stored bytes of a redirect node's click-log file from ``position`` on, up to the first gap."""
    rows = store.execute(
        "select position, body from inbox where segment_id = ? and position + length(body) > ? "
        "order by position limit ?",
        (segment_id, position, parts),
    )
    content = bytearray()
    for start, body in rows:
        if start > position + len(content):
            break  # a part in between is missing
        content += body[position + len(content) - start :]
    return bytes(content)


def delete_read(store: Store, segment_ids: Collection[str] | None = None) -> None:
    """Delete the parts of redirect nodes' click logs that the collector has read.

    With ``segment_ids``, only parts of these log files are deleted.
    """
    # The last part of a file that was sent whole stays until the collector has recorded that it has read the whole
    # file.
    store.execute(
        f"""
        delete from inbox where {"true" if segment_ids is None else "segment_id in :ids"} and exists (
            select 1 from segments join sent_segments as sent on sent.segment_id = segments.id
            where segments.id = inbox.segment_id and inbox.position + length(inbox.body) <= segments.position
                and (inbox.position + length(inbox.body) < sent.position
                    or sent.finished = 0 or segments.finished_at is not null)
        )
        """,  # noqa: S608
        {} if segment_ids is None else {"ids": list(segment_ids)},
    )


def backlog(reader: Reader) -> tuple[int, int | None]:
    """Return (bytes, earliest time) of the unprocessed clicks from redirect nodes.

    The time is in epoch seconds; None if unknown.
    """
    # A new node does not know how old the first clicks that it sends are. It sends 0 as their time, which is ignored.
    sql = "select coalesce(sum(length(body)), 0), min(nullif(recorded_after, 0)) from inbox"
    size, since = reader.execute(sql).fetchone()
    return int(size), since


def delete_finished(store: Store, *, before: int) -> None:
    """Delete the records of click-log files that redirect nodes have sent whole.

    Records that have changed since ``before`` (seconds of the UTC epoch) are kept.
    """
    store.execute("delete from sent_segments where finished = 1 and updated_at < ?", (before,))
