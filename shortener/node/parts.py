"""Divide a segment (a file of the click log) into parts. A part is what a node sends in one transaction."""

import os

from msgspec import Struct

from shortener.clicklog.format import MAX_LINE_BYTES
from shortener.clicklog.reader import Segment, is_being_written
from shortener.store.inbox import MAX_PART_BYTES


class Part(Struct, frozen=True):
    """The next bytes of a segment to be sent. ``finished`` means that the segment ends with them and will not grow."""

    body: bytes
    finished: bool


def read_part(segment: Segment, *, position: int) -> Part:
    """Return at most MAX_PART_BYTES bytes of a segment from ``position`` on. Raises OSError.

    The part has whole lines. An incomplete line is included only if it is too long to be valid, or if no process writes
    to the segment any more; the collector skips such a line.
    """
    with segment.path.open("rb") as file:
        # Asked first: what is written between the two would not be read, but count as sent.
        is_open = is_being_written(file.fileno(), segment)
        file.seek(position)
        content = file.read(MAX_PART_BYTES)
        finished = not is_open and position + len(content) >= os.fstat(file.fileno()).st_size
    if not finished:
        complete = content.rfind(b"\n") + 1
        if complete or len(content) <= MAX_LINE_BYTES:
            content = content[:complete]
    return Part(content, finished)
