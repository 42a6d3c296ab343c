"""The click logs that nodes have sent to the inbox, read as the local click log is."""

from pathlib import Path

from shortener.clicklog.format import ClickLine
from shortener.clicklog.reader import ReadProgress, Segment, decode_part
from shortener.store import Store, inbox

READ_PARTS = 16
"""Number of parts that are read at once, of at most 4 MiB together."""


class Inbox:
    """The inbox, with the interface of ``ClickLog``. The path of a segment is its node's name and its file name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def segments(self) -> list[Segment]:
        """Return the segments with unread parts, ordered by file name. The size is what has arrived."""
        return [
            Segment(received.id, Path(received.node, received.name), received.node, received.size, 0, received.finished)
            for received in inbox.received_segments(self._store)
        ]

    def read(self, segment: Segment, *, position: int, skipping: bool) -> tuple[list[ClickLine], ReadProgress]:
        """Read at most READ_PARTS parts of a segment; return the clicks and misses in them, and the progress.

        The parameters are those of ``ClickLog.read``.
        """
        content = inbox.read_bytes(self._store, segment.id, position=position, parts=READ_PARTS)
        ended = segment.ends and position + len(content) >= segment.size
        return decode_part(segment, content, position=position, skipping=skipping, ended=ended)
