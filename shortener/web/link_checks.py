"""Link checks: a thread requests the destination of every link in an issue, and stores which of them answer."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import msgspec
from flask import Flask, current_app
from msgspec import Struct

from shortener.errors import StoreBusy
from shortener.services.host_throttle import HostThrottle
from shortener.services.link_checker import NO_ANSWER, LinkStatus, check_links
from shortener.store import Store, link_checks
from shortener.web.context import ConnectionPool, config, connection_pool, now, store

TIMEOUT_SECONDS = 90.0
"""Limit for a whole check."""
PROGRESS_INTERVAL_SECONDS = 1.0
LOST_SECONDS = 180
"""Age in seconds at which a check without results is taken for lost, because the server was stopped."""

log = logging.getLogger(__name__)


class HostStatus(Struct, frozen=True):
    """The results of a link check for one host. ``answers`` says whether all destinations on the host answered."""

    host: str
    statuses: tuple[LinkStatus, ...]
    answers: bool


class LinkCheck(Struct, frozen=True):
    """The last check whether the destinations of an issue's links answer, with its results by host.

    Hosts with problems are first. ``total`` is the number of all destinations, and ``done`` the number of those that
    have been checked. ``problems`` is the number of destinations that failed the check, or could not be checked.
    ``finished_at`` (seconds of the UTC epoch) is None while the check runs. ``is_offline`` is set if no destination
    responded, as when this server has no connection.
    """

    done: int
    total: int
    finished_at: int | None
    problems: int
    is_offline: bool
    hosts: tuple[HostStatus, ...]


def init_app(app: Flask) -> None:
    """Create the throttle that limits an app's requests to each host in link checks."""
    app.extensions["host_throttle"] = HostThrottle()


def start_check(issue_id: int, targets: list[str]) -> bool:
    """Start a thread that checks whether the destinations ``targets`` (URLs) of an issue's links answer.

    Return False if too many checks are running.
    """
    throttle: HostThrottle = current_app.extensions["host_throttle"]
    if not throttle.check_slots.acquire(blocking=False):
        return False
    try:
        with store().transaction():
            link_checks.start(store(), issue_id, total=len(targets), now=now())
        user_agent = f"shortener (+{config().base_url})"
        check = _RunningCheck(connection_pool(), throttle, issue_id, targets, now(), user_agent)
        threading.Thread(target=check.run, name="link-check", daemon=True).start()
    except BaseException:
        throttle.check_slots.release()
        raise
    return True


class _RunningCheck(Struct, frozen=True):
    pool: ConnectionPool
    throttle: HostThrottle
    issue_id: int
    targets: list[str]
    started_at: int
    user_agent: str

    def run(self) -> None:
        """Check the destinations. Store the progress every second, and then the results."""
        results: dict[str, LinkStatus] = {}
        try:
            requests = threading.Thread(target=self._request, args=(results,), name="link-check", daemon=True)
            requests.start()
            done = 0
            while requests.is_alive():
                requests.join(PROGRESS_INTERVAL_SECONDS)
                if len(results) != done:
                    done = len(results)
                    self._store_progress(done)
            self._store_results(results)
        except Exception:
            log.exception("the link check of issue %d failed", self.issue_id)
        finally:
            self.throttle.check_slots.release()

    def _request(self, results: dict[str, LinkStatus]) -> None:
        statuses = check_links(
            self.targets,
            user_agent=self.user_agent,
            throttle=self.throttle,
            timeout_seconds=TIMEOUT_SECONDS,
            results=results,
        )
        results.update({status.target: status for status in statuses})

    def _store_progress(self, done: int) -> None:
        with suppress(StoreBusy), self._store() as store:
            link_checks.set_progress(store, self.issue_id, started_at=self.started_at, done=done)

    def _store_results(self, results: Mapping[str, LinkStatus]) -> None:
        found = [results[target] for target in self.targets if target in results]
        with self._store() as store:
            link_checks.finish(
                store,
                self.issue_id,
                started_at=self.started_at,
                results=msgspec.json.encode(found),
                now=int(time.time()),
            )

    @contextmanager
    def _store(self) -> Iterator[Store]:
        store = self.pool.acquire()
        try:
            with store.transaction():
                yield store
        finally:
            self.pool.release(store)


def load_check(issue_id: int) -> LinkCheck | None:
    """Return the last link check of an issue; None if the check was interrupted, or if the issue was never checked."""
    stored = link_checks.find(store(), issue_id)
    if stored is None or (stored.finished_at is None and now() - stored.started_at > LOST_SECONDS):
        return None
    statuses = msgspec.json.decode(stored.results, type=list[LinkStatus])
    by_host: dict[str, list[LinkStatus]] = {}
    for status in statuses:
        by_host.setdefault(urlsplit(status.target).netloc, []).append(status)
    hosts = [
        HostStatus(host, tuple(found), all(status.result == "answers" for status in found))
        for host, found in by_host.items()
    ]
    problems = sum(status.result != "answers" for status in statuses)
    return LinkCheck(
        done=stored.done,
        total=stored.total,
        finished_at=stored.finished_at,
        problems=problems,
        is_offline=bool(statuses) and all(status.text == NO_ANSWER for status in statuses),
        hosts=tuple(sorted(hosts, key=_answers)),
    )


def _answers(host: HostStatus) -> bool:
    return host.answers
