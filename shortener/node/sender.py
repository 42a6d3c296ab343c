"""Send the click log of this node to the central store, and report the node's state."""

# The store saves how many bytes of each segment it has received, so that each byte arrives exactly once.
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable

from shortener import __version__
from shortener.clicklog.pseudonyms import KEY_CHECK_SECONDS, DailyKeys
from shortener.clicklog.reader import ClickLog, Segment, is_foreign
from shortener.clicklog.retention import delete_old_segments
from shortener.clicklog.writer import LOG_DIRECTORY
from shortener.config import Config
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.errors import StoreError
from shortener.node.keys import copy_keys
from shortener.node.parts import read_part
from shortener.shared_memory import BACKLOG_BYTES, HEARD_AT, SENT_UNTIL, links_revision, read_totals, sender_state
from shortener.store import Reader, inbox, nodes
from shortener.store.inbox import SentPosition

REPORT_SECONDS = 2.0
"""Time between two reports to the store."""
RETENTION_SECONDS = float(HOUR_SECONDS)
CLOCK_MARGIN_SECONDS = 1
"""Time that a click may take from its time to its line in the click log."""
MAX_REFUSALS = 3
"""Number of times in a row that a part of a segment is refused before the segment is left out."""

log = logging.getLogger(__name__)


class _Refused(Exception):
    """Raised when the store has received more or fewer bytes of a segment than this sender assumes."""


class Sender:
    """Sends the click log of one node to the store. ``clock`` returns seconds of the UTC epoch."""

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock
        self._node = config.node.name
        self._log = ClickLog(config.data_directory)
        self._keys = DailyKeys(config.data_directory, shared=True)
        self._links_revision = links_revision(config.data_directory)
        self._state = sender_state(config.data_directory)
        self._positions: dict[str, SentPosition] | None = None
        self._left_out: set[str] = set()
        self._refusals: Counter[str] = Counter()
        self._missing: set[str] = set()
        self._sent_until = 0
        self._report_at = self._keys_at = self._destroy_keys_at = self._retention_at = 0.0

    def destroy_expired_keys(self) -> None:
        """Destroy the expired daily keys, if it is time to check.

        Call it often, even while the store is unreachable.
        """
        now = time.monotonic()
        if now >= self._destroy_keys_at:
            self._destroy_keys_at = now + KEY_CHECK_SECONDS
            self._keys.destroy_expired(now=self._clock())

    def send(self, reader: Reader) -> int:
        """Send all complete lines of the click log to the store; return the number of bytes sent. Raises StoreError.

        Also reports the node's state every REPORT_SECONDS.
        """
        try:
            return self._send_log(reader)
        except _Refused as refusal:
            self._positions = None
            self._note_refusal(str(refusal))
            return 0
        except StoreError:
            self._positions = None
            self._report_at = 0.0
            raise

    def _send_log(self, reader: Reader) -> int:
        if self._positions is None:
            self._read_positions(reader)
        begun = int(self._clock())
        sent = 0
        for segment in self._log.segments():
            sent += self._send_segment(reader, segment)
        self._sent_until = max(self._sent_until, begun - CLOCK_MARGIN_SECONDS)
        self._run_due_tasks(reader)
        return sent

    def _note_refusal(self, segment_id: str) -> None:
        # Refusals happen, for example, on a machine that is a copy of another node.
        self._refusals[segment_id] += 1
        if self._refusals[segment_id] == MAX_REFUSALS:
            self._left_out.add(segment_id)
            log.error("segment %s is not sent, because another node has sent one with this id", segment_id)

    def _read_positions(self, reader: Reader) -> None:
        self._positions = inbox.sent_positions(reader, node=self._node)
        if not self._sent_until:
            node = nodes.find(reader, self._node)
            self._sent_until = (node and node.sent_until) or 0

    def _send_segment(self, reader: Reader, segment: Segment) -> int:
        begun = current = self._position(segment.id)
        if current.finished or segment.id in self._left_out:
            return 0
        if segment.size < current.position:
            self._left_out.add(segment.id)
            log.warning(
                "%s: the file is shorter (%d bytes) than what was sent (%d): it was truncated",
                segment.path,
                segment.size,
                current.position,
            )
            return 0
        while not current.finished and (current.position < segment.size or segment.ends):
            try:
                part = read_part(segment, position=current.position)
            except OSError as error:
                log.error("%s: %s", segment.path, error)
                break
            if not (part.body or part.finished):
                break
            current = self._send_part(reader, segment.id, part.body, name=segment.path.name, finished=part.finished)
            if current.position >= segment.size and not part.finished:
                break
        return current.position - begun.position

    def _send_part(self, reader: Reader, segment_id: str, body: bytes, *, name: str, finished: bool) -> SentPosition:
        start = self._position(segment_id).position
        is_sent = inbox.send(
            reader,
            segment_id,
            body,
            node=self._node,
            file_name=name,
            start=start,
            finished=finished,
            recorded_after=self._sent_until,
            now=int(self._clock()),
        )
        if not is_sent:
            raise _Refused(segment_id)
        self._refusals.pop(segment_id, None)
        position = SentPosition(start + len(body), finished)
        if self._positions is not None:
            self._positions[segment_id] = position
        if time.monotonic() >= self._report_at:
            self._report_state(reader)
        return position

    def _position(self, segment_id: str) -> SentPosition:
        return (self._positions or {}).get(segment_id, SentPosition(0, False))

    def _run_due_tasks(self, reader: Reader) -> None:
        now = time.monotonic()
        if now >= self._report_at:
            self._finish_deleted_segments(reader)
            self._report_state(reader)
            # Read again at each report: a store restored from a backup is sent again what it has lost.
            self._read_positions(reader)
        if now >= self._keys_at:
            self._keys_at = now + (KEY_CHECK_SECONDS if self._copy_keys(reader) else REPORT_SECONDS)
        if now >= self._retention_at:
            self._retention_at = now + RETENTION_SECONDS
            days = self._config.privacy.keep_log
            delete_old_segments(self._log, self._positions or {}, keep_log_days=days, now=self._clock())

    def _copy_keys(self, reader: Reader) -> bool:
        """Copy the daily keys; return False if the store lacks today's key."""
        now = self._clock()
        try:
            return int(now // DAY_SECONDS) in copy_keys(reader, self._keys, now=now)
        except OSError as error:
            log.error("the daily keys cannot be stored: %s", error)
            return True

    def _report_state(self, reader: Reader) -> None:
        self._report_at = time.monotonic() + REPORT_SECONDS
        data = self._config.data_directory
        backlog = sum(max(0, each.size - self._position(each.id).position) for each in self._log.segments())
        state = nodes.Node(
            name=self._node,
            role="",
            added_at=0,
            version=__version__,
            heard_at=None,
            sent_until=self._sent_until or None,
            links_revision=self._links_revision.values[0],
            backlog_bytes=backlog,
            unrecorded=read_totals(data)["unrecorded"],
            disk_free=shutil.disk_usage(data).free,
        )
        if not nodes.report(reader, state):
            raise StoreError(f"the node {self._node} was removed from the list of nodes; its clicks stay in its log")
        values = self._state.values
        values[HEARD_AT], values[SENT_UNTIL], values[BACKLOG_BYTES] = int(self._clock()), self._sent_until, backlog

    def _finish_deleted_segments(self, reader: Reader) -> None:
        if not (self._config.data_directory / LOG_DIRECTORY).is_dir():
            return  # not mounted, perhaps
        listed = {segment.id for segment in self._log.segments()}
        open_ids = {each for each, position in (self._positions or {}).items() if not position.finished}
        # A file counts as deleted if it is missing at two reports in a row: a listing can miss one that is just being
        # renamed.
        missing = {each for each in open_ids - listed if not is_foreign(each)}
        for segment_id in missing & self._missing:
            start = self._position(segment_id).position
            log.error("segment %s: deleted before it was fully sent; clicks after byte %d are lost", segment_id, start)
            self._send_part(reader, segment_id, b"", name="", finished=True)
        self._missing = missing
