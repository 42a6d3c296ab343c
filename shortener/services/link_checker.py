"""Link checks: whether the targets of links answer. Time, size and number of requests are limited.

No request goes to a private network.
"""

import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from http.client import HTTPException
from typing import Literal
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from shortener.errors import TargetRefused
from shortener.messages import Message, mark_text
from shortener.services.host_throttle import HostThrottle, SlotTimeout
from shortener.services.public_http import (
    AddressRefused,
    Resolver,
    is_public_address,
    resolve_allowed,
    resolve_host,
    send_request,
)
from shortener.urls import canonicalize_target

MAX_TARGETS = 200
"""Maximum number of targets requested in one check; further ones are reported as not checked."""
MAX_THREADS = 6
MAX_REDIRECTS = 5
DEFAULT_PORTS = {"http": 80, "https": 443}
SOCKET_TIMEOUT_SECONDS = 3.0
"""Limit for connecting, and then for each read from the socket."""
TARGET_TIMEOUT_SECONDS = 6.0
"""Limit for one target with all its redirects, not counting the wait for other requests to the same host."""
TOTAL_TIMEOUT_SECONDS = 25.0
"""Limit for a whole check; targets not requested by then are reported as not checked."""
JOIN_GRACE_SECONDS = 1.0
"""Time after the deadline to wait for threads that are about to end."""

ANSWERS = mark_text("answers ({number})")
NO_ANSWER = mark_text("no answer")

CheckResult = Literal["answers", "trouble", "refused", "unasked"]
"""The target answers, has an error ("trouble"), has no public address ("refused") or was not requested ("unasked")."""


class LinkStatus(Struct, frozen=True):
    """The result of checking one target.

    ``number`` replaces ``{number}`` in the message ``text``; often it is the HTTP status.
    """

    target: str
    result: CheckResult
    text: str
    number: int = 0

    @property
    def message(self) -> Message:
        """The translatable message about the result."""
        return Message(self.text, number=self.number)


def check_links(
    targets: Iterable[str],
    *,
    user_agent: str,
    throttle: HostThrottle,
    resolver: Resolver = resolve_host,
    is_allowed: Callable[[str], bool] = is_public_address,
    ports: dict[str, int] = DEFAULT_PORTS,
    timeout_seconds: float = TOTAL_TIMEOUT_SECONDS,  # for all targets together
    results: dict[str, LinkStatus] | None = None,  # receives each result, by target, as soon as it is known
) -> tuple[LinkStatus, ...]:
    """Check whether each target URL answers, and return the results in the same order."""
    targets = list(targets)
    checker = LinkChecker(user_agent, throttle, resolver, is_allowed, ports, time.monotonic() + timeout_seconds)
    results = {} if results is None else results
    groups: dict[str, list[str]] = {}
    for target in targets:
        if status := throttle.cached_answer(target):
            results[target] = LinkStatus(target, "answers", ANSWERS, status)
        elif sum(map(len, groups.values())) < MAX_TARGETS:
            groups.setdefault(urlsplit(target).netloc, []).append(target)
    _run_in_threads([*groups.values()], lambda group: checker.check_host(group, results), deadline=checker.deadline)
    unasked = mark_text("not checked: too many destinations, or too little time; check again")
    return tuple(results.get(target) or LinkStatus(target, "unasked", unasked) for target in targets)


def _run_in_threads(groups: list[list[str]], check_group: Callable[[list[str]], None], *, deadline: float) -> None:
    waiting: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    for group in groups:
        waiting.put(group)

    def work() -> None:
        while time.monotonic() < deadline:
            try:
                group = waiting.get_nowait()
            except queue.Empty:
                return
            check_group(group)

    threads = [
        threading.Thread(target=work, name="link-check", daemon=True) for _ in range(min(MAX_THREADS, len(groups)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        # A thread that hangs is abandoned.
        thread.join(max(0.0, deadline + JOIN_GRACE_SECONDS - time.monotonic()))


class LinkChecker(Struct, frozen=True):
    """Checks until ``deadline`` (monotonic seconds) whether target URLs answer."""

    user_agent: str
    throttle: HostThrottle
    resolver: Resolver
    is_allowed: Callable[[str], bool]
    ports: dict[str, int]
    deadline: float

    def check_host(self, targets: list[str], results: dict[str, LinkStatus]) -> None:
        """Check the targets on one host, one after the other, and add each result to ``results``, by target."""
        for target in targets:
            try:
                results[target] = self.check(target)
            except SlotTimeout:
                return

    def check(self, target: str) -> LinkStatus:
        """Check one target, and follow redirects to allowed addresses. Raises SlotTimeout at the deadline."""
        url, remaining = target, TARGET_TIMEOUT_SECONDS
        try:
            for _ in range(MAX_REDIRECTS + 1):
                host, address = self._resolve_allowed(url)
                # Many host names may share one machine, so the address is throttled as well.
                with (
                    self.throttle.slot(f"name {host}", deadline=self.deadline),
                    self.throttle.slot(f"address {address}", deadline=self.deadline),
                ):
                    started = time.monotonic()
                    status, location = self._send_request(url, address, min(self.deadline, started + remaining))
                    remaining -= time.monotonic() - started
                if status in {301, 302, 303, 307, 308} and location:
                    url = canonicalize_target(urljoin(url, location))
                    continue
                return self._classify_status(target, status)
        except (AddressRefused, TargetRefused):
            text = mark_text("not checked: it leads to an address that is not public")
            return LinkStatus(target, "refused", text)
        except ssl.SSLError:
            return LinkStatus(target, "trouble", mark_text("its certificate cannot be verified"))
        except (OSError, HTTPException, ValueError):
            return LinkStatus(target, "trouble", NO_ANSWER)
        return LinkStatus(target, "trouble", mark_text("more than {number} redirects"), MAX_REDIRECTS)

    def _classify_status(self, target: str, status: int) -> LinkStatus:
        if status < 400:
            # So the target is not requested again soon.
            self.throttle.cache_answer(target, status)
            return LinkStatus(target, "answers", ANSWERS, status)
        # Many sites refuse every program with one of these (999: LinkedIn), although the page is there for readers.
        if status in {401, 403, 405, 429, 999}:
            text = mark_text("answers programs with {number}; check it in a browser")
            return LinkStatus(target, "answers", text, status)
        return LinkStatus(target, "trouble", mark_text("answers with {number}"), status)

    def _resolve_allowed(self, url: str) -> tuple[str, str]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        if DEFAULT_PORTS.get(parts.scheme) != port:
            raise AddressRefused
        return host, resolve_allowed(host, port, resolver=self.resolver, is_allowed=self.is_allowed)

    def _send_request(self, url: str, address: str, deadline: float) -> tuple[int, str]:
        response = send_request(
            url,
            address=address,
            port=self.ports[urlsplit(url).scheme],
            headers={"User-Agent": self.user_agent, "Accept": "text/html,*/*;q=0.5"},
            deadline=deadline,
            socket_timeout_seconds=SOCKET_TIMEOUT_SECONDS,
        )
        return response.status, response.headers.get("location", "")
