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

from shortener.classification.evidence import Evidence, Judgement
from shortener.classification.request_rules import RULES_VERSION
from shortener.clicklog.format import MAX_HEADER, MAX_TEXT, ClickLine
from shortener.clicklog.pseudonyms import DailyKeys, hash_address, hash_visitor, network_of
from shortener.clicklog.reader import ClickLog, Progress, Segment
from shortener.clicklog.writer import DIRECTORY
from shortener.collector.classifier import Judge, judge_asked
from shortener.collector.datacenters import read_datacenters
from shortener.collector.devices import Agents
from shortener.collector.ip_databases import Atlas
from shortener.collector.request_cache import Requests
from shortener.config import Config
from shortener.errors import AlreadyRunning, StoreBusy, StoreError
from shortener.store import Store
from shortener.store import clicks as sql
from shortener.store.clicks import Click, Placed, Position, Unfinished
from shortener.urls import clean_referrer

LOCK_FILE = "collector.lock"
BATCH_LINES = 20_000
POLL_SECONDS = 0.2
JUDGE_SECONDS = 5.0
"""How long a click's neighbours may stay unasked: each time the last minutes are read again, so not after each line."""
SWEEP_SECONDS = 3600.0
RENAMING_SECONDS = 0.05
PURGED_DAYS = 2
"""How many days' clicks one sweep deletes; a day a day is due, so after a pause it catches up within hours."""
FINISH_SECONDS = 5.0
"""How long draining goes on after SIGTERM; half of what the supervisor waits before it kills."""
PLACES_REMEMBERED = 50_000
HEADERS_REMEMBERED = 5_000

log = logging.getLogger(__name__)


class Moved(Exception):
    """Raised when a position is not where this collector left it: someone else drained meanwhile."""


class Collector:
    """The one collector of a data directory; holds its lock for as long as it lives.

    Raises AlreadyRunning when another one works.
    """

    def __init__(self, store: Store, *, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._lock = _lock(config.data / LOCK_FILE)
        self._store = store
        self._config = config
        self._clock = clock
        self._log = ClickLog(config.data)
        self._keys = DailyKeys(config.data)
        self._agents = Agents(store)
        self._judge = Judge(store, agents=self._agents)
        self._requests = Requests(read_datacenters(config))
        self._atlas = Atlas(config)
        self._judged_at = 0.0
        self._sweep_at = 0.0
        self._headers: dict[tuple[tuple[str, str], ...], tuple[int, dict[str, str]]] = {}
        self._cased = {domain.host for domain in config.domains if domain.case_sensitive}
        self._secure = {domain.host for domain in config.domains if domain.scheme == "https"}
        self._places: dict[tuple[str, str], Placed | None] = {}
        self._places_revision = -1
        self._positions = sql.positions(store)

    def drain(self) -> int:
        """Drain everything that stands in the log now and judge it; how many lines that was."""
        lines = 0
        while drained := self._drain_batch(judge=True):
            lines += drained
        self._judge_new()
        return lines

    def _judge_new(self) -> None:
        while self._judge.judge_new():
            pass
        judge_asked(self._store, agents=self._agents)
        self._judged_at = time.monotonic()

    def _drain_batch(self, *, judge: bool) -> int:
        """One transaction's worth of lines; 0 when there was nothing to read.

        A full batch is judged at once, which is cheaper than to store it and to read it again, a smaller one if it is
        to be.
        """
        lines: list[ClickLine] = []
        progresses: list[Progress] = []
        for segment in self._log.segments():
            for read, progress in self._read(segment):
                lines += read
                progresses.append(progress)
                if len(lines) >= BATCH_LINES:
                    break
            if len(lines) >= BATCH_LINES:
                break
        if not progresses:
            return 0
        if judge := judge or len(lines) >= BATCH_LINES:
            self._judge_new()
        try:
            self._commit(lines, progresses, judge=judge)
        except Moved:
            self._positions = sql.positions(self._store)
        except BaseException:
            self._forget()
            raise
        return sum(progress.lines for progress in progresses) or 1

    def _read(self, segment: Segment) -> Iterator[tuple[list[ClickLine], Progress]]:
        """What is new in a segment, piece by piece."""
        more = self._has_more(segment)
        position = self._positions.get(segment.id, Position(0, False, False))
        while more:
            try:
                read, progress = self._log.read(
                    segment, position=position.position, skipping=position.skipping
                )
            except OSError as error:
                log.error("%s: %s", segment.path, error)
                return
            if progress.position == progress.start and not (progress.finished and not position.finished):
                return
            yield read, progress
            position = _after(progress)
            more = position.position < segment.size

    def _has_more(self, segment: Segment) -> bool:
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
            self._positions[segment.id] = Position(position.position, position.skipping, True)
        return not position.finished and segment.header_bytes > 0

    def _commit(self, lines: list[ClickLine], progresses: list[Progress], *, judge: bool) -> None:
        """Clicks in, sums updated, positions moved: all or nothing."""
        self._store.check_in_place()
        now = int(self._clock())
        with self._store.writing():
            for progress in progresses:
                if sql.position(self._store, progress.segment.id).position != progress.start:
                    raise Moved
                self._move(progress, now=now)
            unknown = self._count(lines, judge=judge)
            if unknown:
                log.warning("%d lines name no short link of this store", unknown)
        for progress in progresses:
            self._positions[progress.segment.id] = _after(progress)

    def _move(self, progress: Progress, *, now: int) -> None:
        skips = [(skip.offset, skip.reason) for skip in progress.skips]
        for skip in progress.skips:
            log.warning(
                "%s: line at byte %d passed over: %s", progress.segment.path, skip.offset, skip.reason
            )
        sql.move_position(
            self._store,
            progress.segment.id,
            name=progress.segment.path.name,
            node=progress.segment.node,
            to=_after(progress),
            lines=progress.lines,
            skips=skips,
            now=now,
        )

    def _count(self, lines: list[ClickLine], *, judge: bool) -> int:
        """Store and add up what is new among the lines; how many of them name no link."""
        known = sql.known_ids(self._store, [line.id for line in lines])
        misses: Counter[tuple[int, str, str, int]] = Counter()
        clicks: list[Click] = []
        unknown = 0
        self._refresh_places()
        if self._atlas.refresh():
            self._requests.forget()
        for line in lines:
            if line.status in {404, 410}:
                day = int(line.ts) // sql.DAY_SECONDS * sql.DAY_SECONDS
                misses[day, line.host[:253], line.code[:64], line.status] += 1
                continue
            if line.id in known:
                continue
            known.add(line.id)
            placed = self._place(line)
            if placed is None:
                unknown += 1
            else:
                clicks.append(self._click(line, placed))
        if judge:
            self._judge.take_judged(clicks)
        else:
            self._judge.take(clicks)
        sql.add_misses(self._store, misses)
        return unknown

    def _refresh_places(self) -> None:
        revision = self._store.fact("links_revision")
        if revision != self._places_revision or len(self._places) > PLACES_REMEMBERED:
            self._places.clear()
            self._places_revision = revision

    def _place(self, line: ClickLine) -> Placed | None:
        host = line.host.lower()
        key = (host, line.code if host in self._cased else line.code.lower())
        if key not in self._places:
            self._places[key] = sql.place(self._store, *key)
        return self._places[key]

    def _click(self, line: ClickLine, placed: Placed) -> Click:
        """A line as it is stored: judged, its reader reduced to hashes, its user agent read."""
        followed = self._withhold(line)
        ua = None if line.ua is None else line.ua[:MAX_TEXT]
        headers, sent = (None, None) if line.h is None else self._headers_of(line.h)
        language = (line.lang or "").partition(",")[0].partition(";")[0].strip()[:35]
        method = (line.method or "GET")[:16]
        referrer = _cleaned(line.ref) if line.ref else ""
        n = line.n if line.n in placed.placements else 0
        # Judged by what is stored, so that judging again by the same rules changes nothing.
        evidence = Evidence(
            ts=line.ts,
            method=method,
            ua=ua,
            h=sent,
            lang=language or None,
            https=line.host.lower() in self._secure,
            net=line.net,
            ref=referrer or None,
            asn=self._atlas.system(line.net),
        )
        judged = self._requests.judge(evidence, headers=headers)
        if placed.trap and judged.verdict == "human":
            judged = Judgement("scanner", "hidden-link", judged.gaps)
        return Click(
            id=line.id,
            ts=int(line.ts * 1000),
            link_id=placed.link_id,
            n=n,
            issue_id=placed.placements.get(n, placed.issue_id),
            method=method,
            status=line.status or 302,
            verdict=judged.verdict,
            reason=judged.reason,
            rules=RULES_VERSION,
            gaps=judged.gaps,
            first=0,
            net=line.net,
            addr=line.addr,
            visitor=line.visitor,
            copy=line.copy,
            agent_id=None if ua is None else self._agents.read(ua).id,
            headers_id=headers,
            referrer=referrer,
            language=language,
            country=self._atlas.country(line.net) if followed else "",
        )

    def _headers_of(self, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Request headers as they are stored, and their row; most readers send one of a few sets."""
        key = tuple(headers.items())
        found = self._headers.get(key)
        if found is None:
            if len(self._headers) >= HEADERS_REMEMBERED:
                self._headers.clear()
            kept = {name[:32]: headers[name][:MAX_HEADER] for name in sorted(headers)[:20]}
            text = msgspec.json.encode(kept).decode()
            found = self._headers[key] = sql.headers_id(self._store, text), kept
        return found

    def _withhold(self, line: ClickLine) -> bool:
        """Take out what must not be stored: whole addresses, and traits of who asked not to be followed.

        Whether the reader may be followed.
        """
        if line.ip:
            key = self._keys.key(line.ts)
            line.net = line.net or network_of(line.ip)
            line.addr = line.addr or hash_address(line.ip, key=key)
            line.visitor = line.visitor or hash_visitor(line.ip, line.ua or "", key=key)
        line.net, line.addr = _identity(line.net), _identity(line.addr)
        line.visitor, line.copy = _identity(line.visitor), _identity(line.copy)
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
                drained = self._drain_batch(judge=self._is_judging_due())
                self._do_what_is_due()
                failures = 0
            except (sqlite3.OperationalError, StoreBusy) as error:
                failures, drained = failures + 1, 0
                log.error("store: %s; trying again (nothing is lost: the click log keeps it)", error)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                    raise
                raise StoreError(f"the store: {error}; see `shortener doctor`") from error
            if not drained:
                _wait(min(POLL_SECONDS * 2**failures, 5.0), stop=stop)
        self._finish()

    def _finish(self) -> None:
        """Drain and judge what is left, but not for long: what a backlog keeps, the next collector goes on with."""
        until = time.monotonic() + FINISH_SECONDS
        try:
            while time.monotonic() < until and self._drain_batch(judge=False):
                pass
            while time.monotonic() < until and self._judge.judge_new():
                pass
        except (sqlite3.OperationalError, StoreBusy) as error:
            log.error("store: %s; the click log keeps the rest for the next start", error)

    def _do_what_is_due(self) -> None:
        """What need not follow every line: judging by the neighbours, and destroying what is too old."""
        now = time.monotonic()
        if self._is_judging_due():
            self._judge_new()
            self._report_deleted()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            self.sweep()

    def _report_deleted(self) -> None:
        """Say, and write down as passed over, that segments of this node are gone that were not read to the end."""
        if not (gone := self._gone(sql.unfinished(self._store, node=socket.gethostname()))):
            return
        now = int(self._clock())
        with self._store.writing():
            for each in gone:
                log.error(
                    "%s: deleted before it was drained to its end; clicks after byte %d are lost",
                    each.name,
                    each.position,
                )
                ended = self._positions[each.id] = Position(each.position, False, True)
                sql.move_position(
                    self._store,
                    each.id,
                    name=each.name,
                    node=socket.gethostname(),
                    to=ended,
                    lines=0,
                    skips=[(each.position, "deleted")],
                    now=now,
                )

    def _gone(self, segments: list[Unfinished]) -> list[Unfinished]:
        """Those that two looks in a row do not find; one look may miss a file that is just being renamed."""
        if not (self._config.data / DIRECTORY).is_dir():
            return []  # not mounted, perhaps
        for pause in (0.0, RENAMING_SECONDS):
            if segments:
                time.sleep(pause)
                there = {segment.id for segment in self._log.segments()}
                segments = [each for each in segments if each.id not in there]
        return segments

    def _is_judging_due(self) -> bool:
        return time.monotonic() - self._judged_at >= JUDGE_SECONDS

    def sweep(self) -> None:
        """Destroy what is too old: daily keys, drained segments, clicks and what only they used."""
        now = self._clock()
        privacy = self._config.privacy
        self._keys.destroy_old(now=now)
        for segment in self._log.segments():
            position = self._positions.get(segment.id)
            drained = position is not None and position.finished and position.position >= segment.size
            if drained and now - segment.path.stat().st_mtime > privacy.keep_log * sql.DAY_SECONDS:
                segment.path.unlink(missing_ok=True)
        with self._store.writing():
            sql.forget_segments(self._store, before=int(now) - 2 * privacy.keep_log * sql.DAY_SECONDS)
        self._purge(before=int(now) // sql.DAY_SECONDS - privacy.keep_clicks)

    def _purge(self, *, before: int) -> None:
        """Delete clicks from before a UTC day, at most those of PURGED_DAYS: a wrong clock shall not take them all."""
        oldest = sql.oldest(self._store)
        if oldest is None:
            return
        before = min(before, oldest // sql.DAY_SECONDS + PURGED_DAYS)
        purged = False
        while sql.purge(self._store, before=before * sql.DAY_SECONDS):
            purged = True
        if purged:
            sql.forget_unused(self._store)
            self._forget()

    def _forget(self) -> None:
        """Forget ids of rows that are not, or not any more, in the store."""
        self._agents.forget()
        self._headers.clear()
        self._requests.forget()

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._lock)


def await_turn(store: Store, *, config: Config, stop: Callable[[], bool]) -> Collector | None:
    """The collector, as soon as no other one works on the data directory; None when ``stop`` said so while it waited.

    One that is told to stop before it began still gets its turn if nobody else has it: what was answered is drained.
    """
    while True:
        try:
            return Collector(store, config=config)
        except AlreadyRunning:
            if stop():
                return None
            _wait(POLL_SECONDS, stop=stop)


def drain_once(store: Store, *, config: Config) -> int:
    """Return when every line that was written before the call is in the store and judged, whoever did it.

    The number of lines that this call itself drained.
    """
    wanted = ClickLog(config.data).complete_sizes()
    while True:
        try:
            collector = Collector(store, config=config)
        except AlreadyRunning:
            positions = sql.positions(store)
            there = all(
                segment in positions and positions[segment].position >= size
                for segment, size in wanted.items()
            )
            if there and sql.all_judged(store):
                return 0
            time.sleep(POLL_SECONDS / 4)
            continue
        try:
            return collector.drain()
        finally:
            collector.close()


_cleaned = lru_cache(maxsize=4096)(clean_referrer)


def _after(progress: Progress) -> Position:
    return Position(progress.position, progress.skipping, progress.finished)


def _identity(text: str | None) -> str | None:
    """What stands for a reader, not longer than it has to be; None for nothing."""
    return text[:64] if text else None


def _wait(seconds: float, *, stop: Callable[[], bool]) -> None:
    """Sleep, but not much longer than until ``stop`` says so."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop():
        time.sleep(min(POLL_SECONDS, seconds))


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise AlreadyRunning(f"{path}: another collector works on this data directory") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
