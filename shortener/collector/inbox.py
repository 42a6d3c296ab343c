"""Reader of the inbox, the table of the store to which nodes send their click logs."""

from pathlib import Path

from shortener.clicklog.format import ClickLine
from shortener.clicklog.reader import ReadProgress, Segment, decode_part
from shortener.store import Store, inbox

READ_PARTS = 16
"""Number of parts that are read at once, of at most 4 MiB together."""


class Inbox:
    """The click logs that other machines have sent to the store."""

    # ``segments`` and ``read`` can be called like those of ``ClickLog``, which reads the log of this machine.
    def __init__(self, store: Store) -> None:
        self._store = store

    def segments(self) -> list[Segment]:
        """Return the received log files that were not read to their end, ordered by file name."""
        # The size is the number of bytes received so far.
        return [
            Segment(received.id, Path(received.node, received.name), received.node, received.size, 0, received.finished)
            for received in inbox.received_segments(self._store)
        ]

    def read(
        self,
        segment: Segment,
        *,
        position: int,  # byte from which to read
        skipping: bool,  # whether ``position`` is inside an over-long line, which is skipped
    ) -> tuple[list[ClickLine], ReadProgress]:
        """Return the next lines of a received log file, and how far the file was read."""
        content = inbox.read_bytes(self._store, segment.id, position=position, parts=READ_PARTS)
        ended = segment.ends and position + len(content) >= segment.size
        return decode_part(segment, content, position=position, skipping=skipping, ended=ended)
