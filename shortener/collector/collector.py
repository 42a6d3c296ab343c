"""The collector: drains the click log into the store, each click exactly once.

Clicks, sums and the log's position are committed in one transaction, so whatever is killed when, a click is either
in the store and behind the position, or neither.
"""

import fcntl
import logging
import os
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from shortener.classification.evidence import Classification, ClickRequest
from shortener.classification.request_rules import RULES_VERSION
from shortener.clicklog.format import MAX_HEADER_LENGTH, MAX_TEXT_LENGTH, ClickLine
from shortener.clicklog.pseudonyms import DailyKeys, hash_address, hash_visitor, network_of
from shortener.clicklog.reader import ClickLog, ReadProgress, Segment
from shortener.clicklog.writer import LOG_DIRECTORY
from shortener.collector.classifier import Classifier, run_reclassification_queue
from shortener.collector.datacenters import read_datacenters
from shortener.collector.devices import UserAgentCache
from shortener.collector.ip_databases import IPDatabases
from shortener.collector.request_cache import RequestClassifier
from shortener.config import Config
from shortener.errors import AlreadyRunning, StoreBusy, StoreError
from shortener.store import Store
from shortener.store import clicks as sql
from shortener.store.clicks import Click, ResolvedLink, SegmentPosition, UnfinishedSegment
from shortener.urls import clean_referrer

LOCK_FILE = "collector.lock"
BATCH_LINES = 20_000
POLL_SECONDS = 0.2
CLASSIFY_INTERVAL_SECONDS = 5.0
"""How long a click's neighbours may stay unasked: each time the last minutes are read again, so not after each line."""
SWEEP_INTERVAL_SECONDS = 3600.0
RENAME_GRACE_SECONDS = 0.05
MAX_PURGED_DAYS = 2
"""How many days' clicks one sweep deletes; a day a day is due, so after a pause it catches up within hours."""
SHUTDOWN_SECONDS = 5.0
"""How long draining goes on after SIGTERM; half of what the supervisor waits before it kills."""
TARGET_CACHE_SIZE = 50_000
HEADER_CACHE_SIZE = 5_000

log = logging.getLogger(__name__)


class PositionConflict(Exception):
    """Raised when a position is not where this collector left it: someone else drained meanwhile."""


class Collector:
    """The one collector of a data directory; holds its lock for as long as it lives.

    Raises AlreadyRunning when another one works.
    """

    def __init__(self, store: Store, *, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._lock_fd = _acquire_lock(config.data_directory / LOCK_FILE)
        self._store = store
        self._config = config
        self._clock = clock
        self._log = ClickLog(config.data_directory)
        self._keys = DailyKeys(config.data_directory)
        self._user_agents = UserAgentCache(store)
        self._classifier = Classifier(store, agents=self._user_agents)
        self._request_classifier = RequestClassifier(read_datacenters(config))
        self._ip_databases = IPDatabases(config)
        self._classified_at = 0.0
        self._next_sweep_at = 0.0
        self._header_cache: dict[tuple[tuple[str, str], ...], tuple[int, dict[str, str]]] = {}
        self._case_sensitive_hosts = {domain.host for domain in config.domains if domain.case_sensitive}
        self._https_hosts = {domain.host for domain in config.domains if domain.scheme == "https"}
        self._targets: dict[tuple[str, str], ResolvedLink | None] = {}
        self._targets_revision = -1
        self._positions = sql.segment_positions(store)

    def drain(self) -> int:
        """Drain everything that stands in the log now and judge it; how many lines that was."""
        lines = 0
        while drained := self._drain_batch(classify=True):
            lines += drained
        self._classify_new()
        return lines

    def _classify_new(self) -> None:
        while self._classifier.classify_new():
            pass
        run_reclassification_queue(self._store, agents=self._user_agents)
        self._classified_at = time.monotonic()

    def _drain_batch(self, *, classify: bool) -> int:
        """One transaction's worth of lines; 0 when there was nothing to read.

        A full batch is judged at once, which is cheaper than to store it and to read it again, a smaller one if it is
        to be.
        """
        lines: list[ClickLine] = []
        progresses: list[ReadProgress] = []
        for segment in self._log.segments():
            for read, progress in self._read_segment(segment):
                lines += read
                progresses.append(progress)
                if len(lines) >= BATCH_LINES:
                    break
            if len(lines) >= BATCH_LINES:
                break
        if not progresses:
            return 0
        if classify := classify or len(lines) >= BATCH_LINES:
            self._classify_new()
        try:
            self._commit(lines, progresses, classify=classify)
        except PositionConflict:
            self._positions = sql.segment_positions(self._store)
        except BaseException:
            self._clear_caches()
            raise
        return sum(progress.lines for progress in progresses) or 1

    def _read_segment(self, segment: Segment) -> Iterator[tuple[list[ClickLine], ReadProgress]]:
        """What is new in a segment, piece by piece."""
        more = self._has_unread(segment)
        position = self._positions.get(segment.id, SegmentPosition(0, False, False))
        while more:
            try:
                read, progress = self._log.read(
                    segment, position=position.position, skipping=position.in_long_line
                )
            except OSError as error:
                log.error("%s: %s", segment.path, error)
                return
            if progress.position == progress.start_position and not (
                progress.finished and not position.finished
            ):
                return
            yield read, progress
            position = _position_after(progress)
            more = position.position < segment.size

    def _has_unread(self, segment: Segment) -> bool:
        position = self._positions.get(segment.id)
        if position is None or position.position < segment.size:
            return True
        if position.position > segment.size and not position.finished:
            log.warning(
                "%s: shorter than what was read of it (%d of %d bytes); its end was lost",
                segment.path,
                segment.size,
                position.position,
            )
            self._positions[segment.id] = SegmentPosition(position.position, position.in_long_line, True)
        return not position.finished and segment.header_bytes > 0

    def _commit(self, lines: list[ClickLine], progresses: list[ReadProgress], *, classify: bool) -> None:
        """Clicks in, sums updated, positions moved: all or nothing."""
        self._store.check_not_replaced()
        now = int(self._clock())
        with self._store.transaction():
            for progress in progresses:
                if sql.segment_position(self._store, progress.segment.id).position != progress.start_position:
                    raise PositionConflict
                self._save_position(progress, now=now)
            unknown = self._store_lines(lines, classify=classify)
            if unknown:
                log.warning("%d lines name no short link of this store", unknown)
        for progress in progresses:
            self._positions[progress.segment.id] = _position_after(progress)

    def _save_position(self, progress: ReadProgress, *, now: int) -> None:
        skips = [(skip.byte_position, skip.reason) for skip in progress.skips]
        for skip in progress.skips:
            log.warning(
                "%s: line at byte %d passed over: %s", progress.segment.path, skip.byte_position, skip.reason
            )
        sql.advance_position(
            self._store,
            progress.segment.id,
            file_name=progress.segment.path.name,
            node=progress.segment.node,
            new_position=_position_after(progress),
            lines=progress.lines,
            skips=skips,
            now=now,
        )

    def _store_lines(self, lines: list[ClickLine], *, classify: bool) -> int:
        """Store and add up what is new among the lines; how many of them name no link."""
        known = sql.stored_ids(self._store, [line.id for line in lines])
        misses: Counter[tuple[int, str, str, int]] = Counter()
        clicks: list[Click] = []
        unknown = 0
        self._refresh_targets()
        if self._ip_databases.reload_changed():
            self._request_classifier.clear()
        for line in lines:
            if line.status in {404, 410}:
                day = int(line.ts) // sql.DAY_SECONDS * sql.DAY_SECONDS
                misses[day, line.host[:253], line.code[:64], line.status] += 1
                continue
            if line.id in known:
                continue
            known.add(line.id)
            placed = self._resolve(line)
            if placed is None:
                unknown += 1
            else:
                clicks.append(self._build_click(line, placed))
        if classify:
            self._classifier.store_classified(clicks)
        else:
            self._classifier.store_unclassified(clicks)
        sql.add_misses(self._store, misses)
        return unknown

    def _refresh_targets(self) -> None:
        revision = self._store.meta("links_revision")
        if revision != self._targets_revision or len(self._targets) > TARGET_CACHE_SIZE:
            self._targets.clear()
            self._targets_revision = revision

    def _resolve(self, line: ClickLine) -> ResolvedLink | None:
        host = line.host.lower()
        key = (host, line.code if host in self._case_sensitive_hosts else line.code.lower())
        if key not in self._targets:
            self._targets[key] = sql.resolve(self._store, *key)
        return self._targets[key]

    def _build_click(self, line: ClickLine, target: ResolvedLink) -> Click:
        """A line as it is stored: judged, its reader reduced to hashes, its user agent read."""
        followed = self._redact(line)
        ua = None if line.ua is None else line.ua[:MAX_TEXT_LENGTH]
        headers, sent = (None, None) if line.h is None else self._store_headers(line.h)
        language = (line.lang or "").partition(",")[0].partition(";")[0].strip()[:35]
        method = (line.method or "GET")[:16]
        referrer = _cached_clean_referrer(line.ref) if line.ref else ""
        n = line.n if line.n in target.issues_by_placement else 0
        # Judged by what is stored, so that judging again by the same rules changes nothing.
        evidence = ClickRequest(
            ts=line.ts,
            method=method,
            ua=ua,
            headers=sent,
            lang=language or None,
            https=line.host.lower() in self._https_hosts,
            net=line.net,
            ref=referrer or None,
            asn=self._ip_databases.asn(line.net),
        )
        judged = self._request_classifier.classify(evidence, headers_key=headers)
        if target.honeypot and judged.verdict == "human":
            judged = Classification("scanner", "hidden-link", judged.evidence)
        return Click(
            id=line.id,
            ts=int(line.ts * 1000),
            link_id=target.link_id,
            n=n,
            issue_id=target.issues_by_placement.get(n, target.issue_id),
            method=method,
            status=line.status or 302,
            verdict=judged.verdict,
            reason=judged.reason,
            rules_version=RULES_VERSION,
            evidence=judged.evidence,
            first_visits=0,
            net=line.net,
            addr=line.addr,
            visitor=line.visitor,
            recipient_token=line.copy,
            agent_id=None if ua is None else self._user_agents.get_or_create(ua).id,
            headers_id=headers,
            referrer=referrer,
            language=language,
            country=self._ip_databases.country(line.net) if followed else "",
        )

    def _store_headers(self, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Request headers as they are stored, and their row; most readers send one of a few sets."""
        key = tuple(headers.items())
        found = self._header_cache.get(key)
        if found is None:
            if len(self._header_cache) >= HEADER_CACHE_SIZE:
                self._header_cache.clear()
            kept = {name[:32]: headers[name][:MAX_HEADER_LENGTH] for name in sorted(headers)[:20]}
            text = msgspec.json.encode(kept).decode()
            found = self._header_cache[key] = sql.get_or_add_headers(self._store, text), kept
        return found

    def _redact(self, line: ClickLine) -> bool:
        """Take out what must not be stored: whole addresses, and traits of who asked not to be followed.

        Whether the reader may be followed.
        """
        if line.ip:
            key = self._keys.key(line.ts)
            line.net = line.net or network_of(line.ip)
            line.addr = line.addr or hash_address(line.ip, key=key)
            line.visitor = line.visitor or hash_visitor(line.ip, line.ua or "", key=key)
        line.net, line.addr = _shorten_identifier(line.net), _shorten_identifier(line.addr)
        line.visitor, line.copy = _shorten_identifier(line.visitor), _shorten_identifier(line.copy)
        if self._config.privacy.addresses == "none":
            line.net = line.addr = line.visitor = line.copy = None
        sent = line.h or {}
        if "" in sent.values():  # nginx writes "" for what was not sent
            line.h = sent = {name: value for name, value in sent.items() if value}
        if self._config.privacy.respect_gpc and "1" in (sent.get("sec-gpc"), sent.get("dnt")):
            line.visitor = line.copy = line.ua = line.ref = None
            return False
        return True

    def follow(self, *, stop: Callable[[], bool]) -> None:
        """Drain for ever, until ``stop`` says so; then what is left, as far as FINISH_SECONDS reach."""
        failures = 0
        while not stop():
            try:
                drained = self._drain_batch(classify=self._is_classification_due())
                self._run_due_tasks()
                failures = 0
            except (sqlite3.OperationalError, StoreBusy) as error:
                failures, drained = failures + 1, 0
                log.error("store: %s; trying again (nothing is lost: the click log keeps it)", error)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                    raise
                raise StoreError(f"the store: {error}; see `shortener doctor`") from error
            if not drained:
                _sleep(min(POLL_SECONDS * 2**failures, 5.0), stop=stop)
        self._drain_rest()

    def _drain_rest(self) -> None:
        """Drain and judge what is left, but not for long: what a backlog keeps, the next collector goes on with."""
        until = time.monotonic() + SHUTDOWN_SECONDS
        try:
            while time.monotonic() < until and self._drain_batch(classify=False):
                pass
            while time.monotonic() < until and self._classifier.classify_new():
                pass
        except (sqlite3.OperationalError, StoreBusy) as error:
            log.error("store: %s; the click log keeps the rest for the next start", error)

    def _run_due_tasks(self) -> None:
        """What need not follow every line: judging by the neighbours, and destroying what is too old."""
        now = time.monotonic()
        if self._is_classification_due():
            self._classify_new()
            self._report_deleted_segments()
        if now >= self._next_sweep_at:
            self._next_sweep_at = now + SWEEP_INTERVAL_SECONDS
            self.sweep()

    def _report_deleted_segments(self) -> None:
        """Say, and write down as passed over, that segments of this node are gone that were not read to the end."""
        if not (
            gone := self._confirm_deleted(sql.unfinished_segments(self._store, node=socket.gethostname()))
        ):
            return
        now = int(self._clock())
        with self._store.transaction():
            for each in gone:
                log.error(
                    "%s: deleted before it was drained to its end; clicks after byte %d are lost",
                    each.name,
                    each.position,
                )
                ended = self._positions[each.id] = SegmentPosition(each.position, False, True)
                sql.advance_position(
                    self._store,
                    each.id,
                    file_name=each.name,
                    node=socket.gethostname(),
                    new_position=ended,
                    lines=0,
                    skips=[(each.position, "deleted")],
                    now=now,
                )

    def _confirm_deleted(self, segments: list[UnfinishedSegment]) -> list[UnfinishedSegment]:
        """Those that two looks in a row do not find; one look may miss a file that is just being renamed."""
        if not (self._config.data_directory / LOG_DIRECTORY).is_dir():
            return []  # not mounted, perhaps
        for pause in (0.0, RENAME_GRACE_SECONDS):
            if segments:
                time.sleep(pause)
                there = {segment.id for segment in self._log.segments()}
                segments = [each for each in segments if each.id not in there]
        return segments

    def _is_classification_due(self) -> bool:
        return time.monotonic() - self._classified_at >= CLASSIFY_INTERVAL_SECONDS

    def sweep(self) -> None:
        """Destroy what is too old: daily keys, drained segments, clicks and what only they used."""
        now = self._clock()
        privacy = self._config.privacy
        self._keys.destroy_expired(now=now)
        for segment in self._log.segments():
            position = self._positions.get(segment.id)
            drained = position is not None and position.finished and position.position >= segment.size
            if drained and now - segment.path.stat().st_mtime > privacy.keep_log * sql.DAY_SECONDS:
                segment.path.unlink(missing_ok=True)
        with self._store.transaction():
            sql.delete_finished_segments(
                self._store, before=int(now) - 2 * privacy.keep_log * sql.DAY_SECONDS
            )
        self._purge_clicks(before=int(now) // sql.DAY_SECONDS - privacy.keep_clicks)

    def _purge_clicks(self, *, before: int) -> None:
        """Delete clicks from before a UTC day, at most those of PURGED_DAYS: a wrong clock shall not take them all."""
        oldest = sql.oldest_click_time(self._store)
        if oldest is None:
            return
        before = min(before, oldest // sql.DAY_SECONDS + MAX_PURGED_DAYS)
        purged = False
        while sql.purge_clicks(self._store, before=before * sql.DAY_SECONDS):
            purged = True
        if purged:
            sql.delete_unreferenced(self._store)
            self._clear_caches()

    def _clear_caches(self) -> None:
        """Forget ids of rows that are not, or not any more, in the store."""
        self._user_agents.clear()
        self._header_cache.clear()
        self._request_classifier.clear()

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._lock_fd)


def acquire_collector(store: Store, *, config: Config, stop: Callable[[], bool]) -> Collector | None:
    """The collector, as soon as no other one works on the data directory; None when ``stop`` said so while it waited.

    One that is told to stop before it began still gets its turn if nobody else has it: what was answered is drained.
    """
    while True:
        try:
            return Collector(store, config=config)
        except AlreadyRunning:
            if stop():
                return None
            _sleep(POLL_SECONDS, stop=stop)


def drain_once(store: Store, *, config: Config) -> int:
    """Return when every line that was written before the call is in the store and judged, whoever did it.

    The number of lines that this call itself drained.
    """
    wanted = ClickLog(config.data_directory).complete_sizes()
    while True:
        try:
            collector = Collector(store, config=config)
        except AlreadyRunning:
            positions = sql.segment_positions(store)
            there = all(
                segment in positions and positions[segment].position >= size
                for segment, size in wanted.items()
            )
            if there and sql.all_classified(store):
                return 0
            time.sleep(POLL_SECONDS / 4)
            continue
        try:
            return collector.drain()
        finally:
            collector.close()


_cached_clean_referrer = lru_cache(maxsize=4096)(clean_referrer)


def _position_after(progress: ReadProgress) -> SegmentPosition:
    return SegmentPosition(progress.position, progress.in_long_line, progress.finished)


def _shorten_identifier(text: str | None) -> str | None:
    """What stands for a reader, not longer than it has to be; None for nothing."""
    return text[:64] if text else None


def _sleep(seconds: float, *, stop: Callable[[], bool]) -> None:
    """Sleep, but not much longer than until ``stop`` says so."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop():
        time.sleep(min(POLL_SECONDS, seconds))


def _acquire_lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise AlreadyRunning(f"{path}: another collector works on this data directory") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
