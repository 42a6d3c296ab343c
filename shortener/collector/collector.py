"""The collector, which moves clicks from the click log into the store, each exactly once."""

# To drain the log is to read its lines and to store their clicks. After a crash, no click is lost or counted twice
# (docs/reliability.md, section 2.3).
import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

from shortener.clicklog.format import ClickLine
from shortener.clicklog.pseudonyms import KEY_CHECK_SECONDS, DailyKeys
from shortener.clicklog.reader import ClickLog, ReadProgress, Segment
from shortener.clicklog.writer import LOG_DIRECTORY
from shortener.collector.classifier import Classifier, run_reclassification_queue
from shortener.collector.devices import UserAgentCache
from shortener.collector.enrich import ClickEnricher
from shortener.collector.inbox import Inbox
from shortener.collector.key_sharing import share_keys
from shortener.collector.locks import acquire_lock, check_other_lease, take_lease
from shortener.collector.retention import delete_expired
from shortener.config import Config
from shortener.durations import HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.errors import StoreBusy, StoreUnavailable
from shortener.files import holder_name
from shortener.store import Store, clicks, inbox, log_segments, nodes
from shortener.store.clicks import Click
from shortener.store.log_segments import SegmentPosition, UnfinishedSegment

BATCH_LINES = 20_000
POLL_SECONDS = 0.2
CLASSIFY_INTERVAL_SECONDS = 5.0
"""Seconds between two comparisons of new clicks with nearby clicks. After every line they would take too long."""
RETENTION_INTERVAL_SECONDS = float(HOUR_SECONDS)
RENAME_GRACE_SECONDS = 0.05
SHUTDOWN_SECONDS = 5.0  # half of the time that the parent process waits before it kills the collector
"""Longest time in seconds that the collector still reads the click log after SIGTERM."""

log = logging.getLogger(__name__)


class PositionConflict(Exception):
    """Raised when another collector has already stored the lines of the click log that this collector has read."""


class Collector:
    """Moves clicks from the click log into the store, until ``close`` is called.

    Raises AlreadyRunning if another collector runs.
    """

    def __init__(
        self,
        store: Store,
        *,
        config: Config,
        own_log: bool = True,  # False to read only logs that senders have copied to the store
        clock: Callable[[], float] = time.time,
    ) -> None:
        with contextlib.ExitStack() as resources:
            self._lock_fd = acquire_lock(config.data_directory)
            resources.callback(os.close, self._lock_fd)
            holder = holder_name(self._lock_fd, machine=config.machine_name)
            if config.storage.url:
                check_other_lease(store, holder)
            self._prepare(store, config, own_log=own_log, clock=clock)
            # The lease is taken last, because it must be renewed soon.
            self._lease = take_lease(store, holder) if config.storage.url else None
            if self._lease:
                resources.callback(self._lease.release)
            self._positions = log_segments.segment_positions(store)
            self._replace_former_ids()
            self.maintain_keys()
            self._resources = resources.pop_all()

    def _prepare(self, store: Store, config: Config, *, own_log: bool, clock: Callable[[], float]) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._log = ClickLog(config.data_directory)
        self._own_log = own_log
        self._inbox = Inbox(store) if config.storage.url else None
        self._keys = DailyKeys(config.data_directory)
        self._user_agents = UserAgentCache(store)
        self._classifier = Classifier(store, agents=self._user_agents)
        self._enricher = ClickEnricher(store, config=config, keys=self._keys, agents=self._user_agents)
        self._classified_at = 0.0
        self._next_keys_at = 0.0
        self._next_retention_at = 0.0

    def drain(self) -> int:
        """Store and classify all clicks that are in the click log now; return how many lines of the log were read."""
        lines = 0
        while drained := self._drain_batch(classify=True):
            lines += drained
        self._classify_new()
        return lines

    def _replace_former_ids(self) -> None:
        # Earlier versions of this program made ids from file names.
        known = self._positions
        for segment in self._log.segments():
            if segment.former_id in known and segment.id not in known:
                with self._store.transaction():
                    log_segments.rename_segment(self._store, segment.former_id, new_id=segment.id)
                known[segment.id] = known.pop(segment.former_id)

    def _classify_new(self) -> None:
        while self._classifier.classify_new():
            pass
        run_reclassification_queue(self._store, agents=self._user_agents)
        self._classified_at = time.monotonic()

    def _drain_batch(self, *, classify: bool) -> int:
        """Store the next lines of the click log, and return their number."""
        lines: list[ClickLine] = []
        progresses: list[ReadProgress] = []
        for source, segment in self._segments():
            for segment_lines, progress in self._read_segment(source, segment):
                lines += segment_lines
                progresses.append(progress)
                if len(lines) >= BATCH_LINES:
                    break
            if len(lines) >= BATCH_LINES:
                break
        if not progresses:
            return 0
        # A full batch is classified before it is stored, which is cheaper than reading it from the store again.
        if classify := classify or len(lines) >= BATCH_LINES:
            self._classify_new()
        try:
            self._commit_batch(lines, progresses, classify=classify)
        except PositionConflict:
            self._positions = log_segments.segment_positions(self._store)
        except BaseException:
            self._enricher.clear_caches()
            raise
        return sum(progress.lines for progress in progresses) or 1  # 0 means that nothing is left

    def _segments(self) -> Iterator[tuple[ClickLog | Inbox, Segment]]:
        received: set[str] = set()
        if self._inbox:
            for segment in self._inbox.segments():
                received.add(segment.id)
                yield self._inbox, segment
        if self._own_log:
            for segment in self._log.segments():
                # A segment that is also in the inbox is only read from there.
                if segment.id not in received:
                    yield self._log, segment

    def _read_segment(
        self, source: ClickLog | Inbox, segment: Segment
    ) -> Iterator[tuple[list[ClickLine], ReadProgress]]:
        has_more = self._has_unread(segment)
        position = self._positions.get(segment.id, SegmentPosition(0, False, False))
        while has_more:
            try:
                lines, progress = source.read(segment, position=position.position, skipping=position.in_long_line)
            except OSError as error:
                log.error("%s: %s", segment.path, error)
                return
            if progress.position == progress.start_position and not (progress.finished and not position.finished):
                return
            yield lines, progress
            position = _position_after(progress)
            has_more = position.position < segment.size

    def _has_unread(self, segment: Segment) -> bool:
        position = self._positions.get(segment.id)
        if position is None or position.position < segment.size:
            return True
        if position.position > segment.size and not position.finished:
            log.warning(
                "%s: the file is shorter (%d bytes) than the position already read (%d): it was truncated",
                segment.path,
                segment.size,
                position.position,
            )
            self._positions[segment.id] = SegmentPosition(position.position, position.in_long_line, True)
        return not position.finished and segment.ends

    def _commit_batch(self, lines: list[ClickLine], progresses: list[ReadProgress], *, classify: bool) -> None:
        self._store.check_not_replaced()
        now = int(self._clock())
        with self._store.transaction():
            for progress in progresses:
                if log_segments.segment_position(self._store, progress.segment.id).position != progress.start_position:
                    raise PositionConflict
                self._save_position(progress, now=now)
            if self._inbox:
                inbox.delete_read(self._store, {progress.segment.id for progress in progresses})
            unresolved = self._store_clicks_and_misses(lines, classify=classify)
            if unresolved:
                log.warning("%d clicks skipped: no such short link", unresolved)
        for progress in progresses:
            self._positions[progress.segment.id] = _position_after(progress)

    def _save_position(self, progress: ReadProgress, *, now: int) -> None:
        for skip in progress.skips:
            log.warning("%s: skipped line at byte %d: %s", progress.segment.path, skip.byte_position, skip.reason)
        log_segments.advance_position(
            self._store,
            progress.segment.id,
            file_name=progress.segment.path.name,
            node=progress.segment.node,
            new_position=_position_after(progress),
            lines=progress.lines,
            skips=[(skip.byte_position, skip.reason) for skip in progress.skips],
            now=now,
        )
        nodes.add_local_key_days(self._store, {(progress.segment.node, day) for day in progress.local_key_days})

    def _store_clicks_and_misses(self, lines: list[ClickLine], *, classify: bool) -> int:
        seen_ids = clicks.stored_ids(self._store, [line.id for line in lines])
        misses: Counter[tuple[int, str, str, int]] = Counter()
        new_clicks: list[Click] = []
        unresolved = 0  # lines whose short link is not in the store
        self._enricher.refresh()
        for line in lines:
            if line.status in {404, 410}:
                seconds = int(line.ts)
                quarter_hour = seconds - seconds % QUARTER_HOUR_SECONDS
                misses[quarter_hour, line.host[:253], line.code[:64], line.status] += 1
            elif line.id not in seen_ids:
                seen_ids.add(line.id)
                click = self._enricher.build_click(line)
                if click is None:
                    unresolved += 1
                else:
                    new_clicks.append(click)
        # Frees memory for the classification.
        lines.clear()
        if classify:
            self._classifier.store_classified(new_clicks)
        else:
            self._classifier.store_unclassified(new_clicks)
        clicks.add_misses(self._store, misses)
        return unresolved

    def follow(self, *, stop: Callable[[], bool]) -> None:
        """Move clicks from the click log into the store until ``stop()`` returns true.

        Raises StoreError, and LeaseLost if another machine has taken over.
        """
        failures = 0
        while not stop():
            try:
                drained = self._drain_batch(classify=self._is_classification_due())
                self._run_due_tasks()
                if self._lease:
                    self._lease.renew_if_due()
                failures = 0
            except (StoreUnavailable, StoreBusy) as error:
                failures, drained = failures + 1, 0
                log.error("%s; retrying; no clicks are lost, they stay in the click log", error)
            if not drained:
                sleep_until_stop(min(POLL_SECONDS * 2**failures, 5.0), stop=stop)
        self._drain_rest()

    def _drain_rest(self) -> None:
        until = time.monotonic() + SHUTDOWN_SECONDS
        try:
            while time.monotonic() < until and self._drain_batch(classify=False):
                pass
            while time.monotonic() < until and self._classifier.classify_new():
                pass
        except (StoreUnavailable, StoreBusy) as error:
            log.error("%s; remaining clicks stay in the click log until the next start", error)

    def _run_due_tasks(self) -> None:
        now = time.monotonic()
        if self._is_classification_due():
            self._classify_new()
            self._report_deleted_segments()
            if self._inbox:
                inbox.delete_read(self._store)  # also parts of segments that were read from the local click log
        if now >= self._next_keys_at:
            self._next_keys_at = now + KEY_CHECK_SECONDS
            self.maintain_keys()
        if now >= self._next_retention_at:
            self._next_retention_at = now + RETENTION_INTERVAL_SECONDS
            self.delete_expired()

    def _report_deleted_segments(self) -> None:
        if not self._own_log:
            return
        node = self._config.machine_name
        segments = self._confirm_deleted(log_segments.unfinished_segments(self._store, node=node))
        if not segments:
            return
        now = int(self._clock())
        with self._store.transaction():
            for segment in segments:
                log.error(
                    "%s: deleted before it was fully read; clicks after byte %d are lost",
                    segment.name,
                    segment.position,
                )
                self._positions[segment.id] = SegmentPosition(segment.position, False, True)
                log_segments.advance_position(
                    self._store,
                    segment.id,
                    file_name=segment.name,
                    node=node,
                    new_position=self._positions[segment.id],
                    lines=0,
                    skips=[(segment.position, "deleted")],
                    now=now,
                )

    def _confirm_deleted(self, segments: list[UnfinishedSegment]) -> list[UnfinishedSegment]:
        if not (self._config.data_directory / LOG_DIRECTORY).is_dir():
            return []  # not mounted, perhaps
        # A single listing can miss a file that is being renamed.
        for pause in (0.0, RENAME_GRACE_SECONDS):
            if segments:
                time.sleep(pause)
                existing_ids = {segment.id for segment in self._log.segments()}
                segments = [segment for segment in segments if segment.id not in existing_ids]
        return segments

    def _is_classification_due(self) -> bool:
        return time.monotonic() - self._classified_at >= CLASSIFY_INTERVAL_SECONDS

    def maintain_keys(self) -> None:
        """Destroy expired daily keys. On PostgreSQL, share the other keys with all machines that use the same store."""
        now = self._clock()
        self._keys.destroy_expired(now=now)
        if self._lease:
            share_keys(self._store, self._keys, now=now)

    def delete_expired(self) -> None:
        """Delete log files that were completely read, and clicks that are older than the configuration allows."""
        if delete_expired(
            self._store,
            privacy=self._config.privacy,
            click_log=self._log if self._own_log else None,
            positions=self._positions,
            now=self._clock(),
        ):
            self._enricher.clear_caches()

    def close(self) -> None:
        """Release the locks, so that another process can become the collector."""
        self._resources.close()


def _position_after(progress: ReadProgress) -> SegmentPosition:
    return SegmentPosition(progress.position, progress.in_long_line, progress.finished)


def sleep_until_stop(seconds: float, *, stop: Callable[[], bool]) -> None:
    """Sleep for ``seconds``, or until ``stop()`` returns true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop():
        time.sleep(min(POLL_SECONDS, seconds))
