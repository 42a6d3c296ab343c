"""Deletion of old click-log files (segments) that were read to their end."""

from collections.abc import Mapping
from typing import Protocol

from shortener.clicklog.reader import ClickLog, Segment
from shortener.durations import DAY_SECONDS


class Position(Protocol):
    """Progress in reading or sending one segment (file of the click log)."""

    @property
    def position(self) -> int:
        """Number of bytes of the segment that were read or sent."""

    @property
    def finished(self) -> bool:
        """Whether the whole segment was read or sent, and no process writes to it any more."""


def delete_old_segments(
    click_log: ClickLog,
    positions: Mapping[str, Position],  # by segment id
    *,
    keep_log_days: int,
    now: float,  # seconds since the UTC epoch
) -> None:
    """Delete click-log files that were completely read or sent and have not changed for ``keep_log_days`` days."""
    for segment in click_log.segments():
        if (
            _is_read_to_end(segment, positions.get(segment.id))
            and now - segment.path.stat().st_mtime > keep_log_days * DAY_SECONDS
        ):
            segment.path.unlink(missing_ok=True)


def _is_read_to_end(segment: Segment, position: Position | None) -> bool:
    if position is None or position.position < segment.size:
        return False
    # Another program such as nginx may keep its *.log file open; other names mean that the file was rotated or
    # imported.
    return position.finished or (not segment.ends and not segment.path.name.endswith(".log"))
