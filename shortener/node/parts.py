"""Divide a segment, which is a file of the click log, into parts that a node sends one by one."""

import os

from msgspec import Struct

from shortener.clicklog.format import MAX_LINE_BYTES
from shortener.clicklog.reader import Segment, is_being_written
from shortener.store.inbox import MAX_PART_BYTES


class Part(Struct, frozen=True):
    """The next bytes of a click-log file to send. ``finished`` means that no bytes will follow in this file."""

    body: bytes
    finished: bool


def read_part(segment: Segment, *, position: int) -> Part:
    """Return the part of a segment that begins at the byte offset ``position``.

    A part consists of whole lines, and has at most MAX_PART_BYTES. Raises OSError.
    """
    with segment.path.open("rb") as file:
        # Asked first: what is written between the two would not be read, but count as sent.
        is_open = is_being_written(file.fileno(), segment)
        file.seek(position)
        content = file.read(MAX_PART_BYTES)
        finished = not is_open and position + len(content) >= os.fstat(file.fileno()).st_size
    # An incomplete line is returned only if it is too long to be valid, or if no process writes any more. The collector
    # skips such a line.
    if not finished:
        complete = content.rfind(b"\n") + 1
        if complete or len(content) <= MAX_LINE_BYTES:
            content = content[:complete]
    return Part(content, finished)
