"""Sending of recorded events to webhooks, with retries.

Only one sender of a data directory sends at a time.
"""

import contextlib
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from msgspec import Struct

from shortener import __version__
from shortener.config import Config
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.errors import StoreError
from shortener.files import holder_name, open_locked
from shortener.services.public_http import (
    AddressRefused,
    HTTPResponse,
    Resolver,
    is_public_address,
    resolve_allowed,
    resolve_host,
    send_request,
)
from shortener.services.settings import current_config
from shortener.services.webhook_events import record_due_events
from shortener.services.webhooks import (
    ADDRESS_NOT_ALLOWED,
    CERTIFICATE_NOT_VERIFIED,
    ENDPOINT_GONE,
    NO_ANSWER,
    REDIRECT_NOT_FOLLOWED,
    allowed_ports,
    attempts_failed,
    build_body,
    disable,
    no_answer_within,
    port_of,
    sign,
)
from shortener.store import Store, open_store, webhooks
from shortener.store.leases import Lease
from shortener.store.webhooks import Delivery, DeliveryItem, Webhook

RETRY_SECONDS = (
    5,
    5 * 60,
    30 * 60,
    2 * HOUR_SECONDS,
    5 * HOUR_SECONDS,
    10 * HOUR_SECONDS,
    14 * HOUR_SECONDS,
    20 * HOUR_SECONDS,
    24 * HOUR_SECONDS,
)
"""Waiting times after each failed attempt, as Standard Webhooks proposes: ten attempts in about three days."""
MAX_ATTEMPTS = len(RETRY_SECONDS) + 1
JITTER_FRACTION = 0.1
"""Largest random share by which a waiting time is longer, so that retries do not come all at once."""
MAX_RETRY_AFTER_SECONDS = DAY_SECONDS
"""Longest time for which an endpoint can ask to wait."""
OVERLOAD_STATUSES = frozenset({429, 502, 503, 504})
ATTEMPT_SECONDS = 15.0
MAX_CONCURRENT = 4
MAX_ANSWER_BYTES = 1_000
"""Length of the beginning of an answer that is kept, for admins only."""
KEEP_EVENTS_SECONDS = 30 * DAY_SECONDS
EVENTS_INTERVAL_SECONDS = 5
POLL_SECONDS = 0.5
RETRY_LOCK_SECONDS = 10.0
LOCK_FILE = "webhooks.lock"
LEASE = "sender of webhooks"
"""Name of the lease that the sender of a store on PostgreSQL holds, one of all machines."""

log = logging.getLogger(__name__)


class Attempt(Struct, frozen=True):
    """The result of one attempt to deliver a message.

    ``http_status`` is None without a response. ``retry_after`` is the wait in seconds that the endpoint asked for.
    """

    http_status: int | None
    message: str
    retry_after: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint has accepted the message."""
        return self.http_status is not None and 200 <= self.http_status < 300


class WebhookSender:
    """Sends the due messages of webhooks: at most MAX_CONCURRENT at once, and one at a time to each endpoint."""

    def __init__(
        self,
        config: Config,
        *,
        resolver: Resolver = resolve_host,
        is_allowed: Callable[[str], bool] = is_public_address,
        clock: Callable[[], float] = time.time,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._config = config
        self._resolver = resolver
        self._is_allowed = is_allowed
        self._clock = clock
        self._attempt_seconds = attempt_seconds
        self._busy_webhooks: set[int] = set()
        self._results: SimpleQueue[tuple[Delivery, Attempt]] = SimpleQueue()
        self._next_events_at = 0.0
        self._next_cleanup_at = 0.0

    def run(self, stop: Callable[[], bool]) -> None:
        """Send messages until ``stop()`` returns true. Wait while another process sends them."""
        while not stop():
            try:
                with _sender_lock(self._config) as lock_fd, contextlib.ExitStack() as stack:
                    if lock_fd is not None:
                        store = open_store(self._config.data_directory, url=self._config.storage.url, create=False)
                        stack.callback(store.close)
                        self._send_all(store, lock_fd, stop=stop)
            except (StoreError, OSError) as error:
                log.error("webhooks: %s; trying again", error)
            except Exception:
                log.exception("webhooks")
            _sleep(RETRY_LOCK_SECONDS, stop=stop)

    def _send_all(self, store: Store, lock_fd: int, *, stop: Callable[[], bool]) -> None:
        lease = None
        if self._config.storage.url:
            lease = Lease.take(store, LEASE, holder=holder_name(lock_fd, machine=self._config.machine_name))
            if lease is None:
                return  # a process on another machine sends the messages
        while not stop():
            if lease:
                lease.renew_if_due()
            store.check_not_replaced()
            self.step(store)
            time.sleep(POLL_SECONDS)

    def step(self, store: Store) -> None:
        """Store the results of finished attempts, record due events, and start due attempts."""
        self._store_results(store)
        now = int(self._clock())
        if now >= self._next_events_at:
            self._next_events_at = now + EVENTS_INTERVAL_SECONDS
            record_due_events(store, config=current_config(store, self._config), now=now)
        if now >= self._next_cleanup_at:
            self._next_cleanup_at = now + HOUR_SECONDS
            with store.transaction():
                webhooks.delete_events(store, before=now - KEEP_EVENTS_SECONDS)
        for item in webhooks.due_deliveries(store, now=now):
            webhook_id = item.delivery.webhook_id
            if len(self._busy_webhooks) < MAX_CONCURRENT and webhook_id not in self._busy_webhooks:
                webhook = webhooks.get(store, webhook_id)
                self._busy_webhooks.add(webhook_id)
                threading.Thread(target=self._run_attempt, args=(webhook, item), name="webhook", daemon=True).start()

    def _run_attempt(self, webhook: Webhook, item: DeliveryItem) -> None:
        attempt = Attempt(None, "internal error; see the server's log")
        try:
            attempt = self._attempt(webhook, item)
        except Exception:
            log.exception("webhook %d", webhook.id)
        finally:
            self._results.put((item.delivery, attempt))

    def _attempt(self, webhook: Webhook, item: DeliveryItem) -> Attempt:
        body = build_body(item.event, config=self._config)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"shortener/{__version__} (webhook; {self._config.base_url})",
            **sign(webhook, item.event.id, body, now=int(self._clock())),
        }
        deadline = time.monotonic() + self._attempt_seconds
        try:
            return _classify_response(
                send_request(
                    webhook.url,
                    address=self._resolve_allowed(webhook.url),
                    port=port_of(webhook.url),
                    headers=headers,
                    body=body,
                    deadline=deadline,
                    socket_timeout_seconds=self._attempt_seconds,
                    max_body_bytes=MAX_ANSWER_BYTES,
                )
            )
        except AddressRefused:
            return Attempt(None, str(ADDRESS_NOT_ALLOWED))
        except ssl.SSLError:
            return Attempt(None, str(CERTIFICATE_NOT_VERIFIED))
        except TimeoutError:
            return Attempt(None, str(no_answer_within(self._attempt_seconds)))
        except (OSError, HTTPException, ValueError):
            return Attempt(None, str(NO_ANSWER))

    def _resolve_allowed(self, url: str) -> str:
        port = port_of(url)
        if port not in allowed_ports(self._config):
            raise AddressRefused
        host = urlsplit(url).hostname or ""
        return resolve_allowed(host, port, resolver=self._resolver, is_allowed=self._is_allowed)

    def _store_results(self, store: Store) -> None:
        while True:
            try:
                delivery, attempt = self._results.get_nowait()
            except Empty:
                return
            try:
                with store.transaction():
                    store_attempt(store, delivery, attempt, now=int(self._clock()))
            except BaseException:
                self._results.put((delivery, attempt))  # the endpoint stays busy until the result is stored
                raise
            self._busy_webhooks.discard(delivery.webhook_id)


def start_sender(config: Config) -> None:
    """Start a thread that sends the messages of webhooks until the process ends."""
    sender = WebhookSender(config)
    threading.Thread(target=sender.run, args=(lambda: False,), name="webhooks", daemon=True).start()


def store_attempt(store: Store, delivery: Delivery, attempt: Attempt, *, now: int) -> None:
    """Store the result of an attempt: the delivery has succeeded, waits for its next attempt, or has failed.

    Call it inside a transaction.
    """
    if not webhooks.is_stored(store, delivery):
        return
    attempts = delivery.attempts + 1
    result = {"attempts": attempts, "tried_at": now, "http_status": attempt.http_status, "message": attempt.message}
    if attempt.succeeded:
        webhooks.update_delivery(store, delivery.id, state="sent", **result)
    elif attempt.http_status == 410 or attempts >= MAX_ATTEMPTS:
        webhooks.update_delivery(store, delivery.id, state="failed", **result)
        # The endpoint is gone, or all attempts of a delivery have failed.
        disable(
            store,
            delivery.webhook_id,
            reason=ENDPOINT_GONE if attempt.http_status == 410 else attempts_failed(attempts),
            now=now,
        )
    else:
        delay = RETRY_SECONDS[attempts - 1] * (1 + JITTER_FRACTION * random.random())  # noqa: S311 - need not be unpredictable
        next_at = now + max(int(delay), attempt.retry_after)
        webhooks.update_delivery(store, delivery.id, next_at=next_at, **result)
        if attempt.http_status in OVERLOAD_STATUSES:
            webhooks.delay_deliveries(store, delivery.webhook_id, until=now + (attempt.retry_after or int(delay)))


def _classify_response(response: HTTPResponse) -> Attempt:
    answer = " ".join(response.body.decode("utf-8", "replace").split())
    if 300 <= response.status < 400:
        return Attempt(response.status, str(REDIRECT_NOT_FOLLOWED))
    wait = response.headers.get("retry-after", "")
    retry_after = int(wait) if response.status in OVERLOAD_STATUSES and wait.isascii() and wait.isdigit() else 0
    return Attempt(response.status, answer, min(retry_after, MAX_RETRY_AFTER_SECONDS))


@contextlib.contextmanager
def _sender_lock(config: Config) -> Iterator[int | None]:
    fd = open_locked(config.data_directory / LOCK_FILE)  # None if another process sends
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def _sleep(seconds: float, *, stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop():
        time.sleep(POLL_SECONDS)
