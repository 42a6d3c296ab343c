"""The sender of webhooks: attempts, retries, refused addresses, and endpoints that do not answer."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shortener.config import Config, Domain, Storage, Webhooks
from shortener.messages import Message
from shortener.services import webhooks as service
from shortener.services.public_http import is_public_address
from shortener.services.webhook_sender import (
    KEEP_EVENTS_SECONDS,
    RETRY_SECONDS,
    Attempt,
    WebhookSender,
    store_attempt,
)
from shortener.services.webhooks import add_webhook
from shortener.store import Store, links, open_store, webhooks
from shortener.store.webhooks import Delivery, Webhook

NOW = 1_764_316_800
DEADLINE_SECONDS = 30.0


class Endpoint:
    """A local server that stands for an endpoint on the public internet; it answers with ``answers`` in turn."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.released = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.messages.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if self.path == "/hang":
                    endpoint.released.wait(60)
                status, headers = endpoint.answers.pop(0) if endpoint.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port: int = self.server.server_address[1]

    def close(self) -> None:
        """Stop the server and release requests that hang."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


class Installation:
    """A store with one endpoint, and a sender whose steps tests take."""

    def __init__(self, directory: Path, endpoint: Endpoint) -> None:
        self.port = endpoint.port
        self.config = Config(
            domain=(Domain(host="go.example"),),
            storage=Storage(data=str(directory)),
            webhooks=Webhooks(allow_http=True, ports=(endpoint.port,)),
        )
        self.store: Store = open_store(self.config.data_directory)
        self.clock = Clock()
        self.addresses: dict[str, list[str]] = {}
        self.sender = self.new_sender()
        self.webhook = self.add()

    def new_sender(self, **options: Any) -> WebhookSender:
        """Return a sender for which the local endpoint has a public address."""
        return WebhookSender(
            self.config,
            resolver=lambda host, _port: self.addresses.get(host, ["127.0.0.1"]),
            is_allowed=lambda address: address == "127.0.0.1" or is_public_address(address),
            clock=self.clock,
            **options,
        )

    def add(self, path: str = "/in", host: str = "hooks.example.com") -> Webhook:
        """Add an endpoint."""
        return add_webhook(self.store, f"http://{host}:{self.port}{path}", config=self.config, now=NOW)

    def send(self, delivery_id: int) -> Delivery:
        """Take steps until an attempt of the delivery has ended, and return the delivery."""
        attempts = self.delivery(delivery_id).attempts
        self.step_until(lambda: self.delivery(delivery_id).attempts > attempts)
        return self.delivery(delivery_id)

    def delivery(self, delivery_id: int, webhook: Webhook | None = None) -> Delivery:
        """Return a delivery as it is stored now."""
        return webhooks.get_delivery(self.store, (webhook or self.webhook).id, delivery_id).delivery

    def step_until(self, done: Callable[[], bool]) -> None:
        """Take steps until ``done()`` is true."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not done():
            assert time.monotonic() < deadline
            self.sender.step(self.store)
            time.sleep(0.01)


@pytest.fixture
def site(tmp_path: Path, endpoint: Endpoint) -> Iterator[Installation]:
    site = Installation(tmp_path, endpoint)
    yield site
    site.store.close()


def test_retries_have_one_id_and_new_signatures(site: Installation, endpoint: Endpoint) -> None:
    """An endpoint that fails twice gets one message three times: equal id and body, new time and signature."""
    endpoint.answers = [(500, {}), (500, {}), (200, {})]
    delivery_id = service.send_test(site.store, site.webhook.id, now=NOW)
    for attempt, state in enumerate(("waiting", "waiting", "sent"), start=1):
        delivery = site.send(delivery_id)
        assert (delivery.state, delivery.attempts, delivery.tried_at) == (state, attempt, int(site.clock.now))
        site.clock.now = delivery.next_at + 1
    headers = [message[0] for message in endpoint.messages]
    assert len({each["webhook-id"] for each in headers}) == 1
    assert len({each["webhook-timestamp"] for each in headers}) == 3
    assert len({each["webhook-signature"] for each in headers}) == 3
    assert len({body for _, body in endpoint.messages}) == 1
    for each, body in endpoint.messages:
        signed = service.sign(site.webhook, each["webhook-id"], body, now=int(each["webhook-timestamp"]))
        assert each["webhook-signature"] == signed["webhook-signature"]
        assert each["content-type"] == "application/json"


def test_the_result_of_a_deleted_endpoint_does_not_concern_the_next_one(site: Installation) -> None:
    """A new endpoint can get the id of one that was deleted during an attempt; the attempt does not count for it."""
    old = site.delivery(service.send_test(site.store, site.webhook.id, now=NOW))
    service.delete_webhook(site.store, site.webhook.id)
    webhook = add_webhook(site.store, site.webhook.url, config=site.config, now=NOW)
    new = site.delivery(service.send_test(site.store, webhook.id, now=NOW))
    assert (new.id, new.webhook_id) == (old.id, old.webhook_id)
    for attempt in (Attempt(410, "gone"), Attempt(200, "ok")):
        with site.store.transaction():
            store_attempt(site.store, old, attempt, now=NOW)
    assert site.delivery(new.id) == new
    assert webhooks.get(site.store, webhook.id).disabled_at is None


def test_waiting_times_grow_until_the_endpoint_is_disabled(site: Installation) -> None:
    """Ten failed attempts take the proposed times; after the last one the endpoint is disabled, with the reason."""
    delivery_id = service.send_test(site.store, site.webhook.id, now=NOW)
    now = NOW
    for delay in RETRY_SECONDS:
        with site.store.transaction():
            store_attempt(site.store, site.delivery(delivery_id), Attempt(500, "no"), now=now)
        wait = site.delivery(delivery_id).next_at - now
        assert delay <= wait <= delay * 1.1
        now += wait
    assert 75.5 * 3_600 <= now - NOW <= 84 * 3_600
    assert webhooks.get(site.store, site.webhook.id).disabled_at is None
    with site.store.transaction():
        store_attempt(site.store, site.delivery(delivery_id), Attempt(None, "no answer"), now=now)
    assert site.delivery(delivery_id).state == "failed"
    webhook = webhooks.get(site.store, site.webhook.id)
    assert webhook.disabled_at == now
    assert "10 attempts" in webhook.disabled_reason


def test_a_redirect_is_a_failure(site: Installation, endpoint: Endpoint) -> None:
    """A redirect is not followed; the delivery waits for its next attempt."""
    endpoint.answers = [(301, {"Location": f"http://hooks.example.com:{endpoint.port}/other"})]
    delivery = site.send(service.send_test(site.store, site.webhook.id, now=NOW))
    assert (delivery.state, delivery.http_status) == ("waiting", 301)
    assert "redirect" in delivery.message
    assert len(endpoint.messages) == 1


def test_a_gone_endpoint_is_disabled_at_once(site: Installation, endpoint: Endpoint) -> None:
    """A 410 disables the endpoint, and its other deliveries fail."""
    endpoint.answers = [(410, {})]
    first = service.send_test(site.store, site.webhook.id, now=NOW)
    second = service.send_test(site.store, site.webhook.id, now=NOW)
    assert site.send(first).state == "failed"
    webhook = webhooks.get(site.store, site.webhook.id)
    assert webhook.disabled_at == NOW
    assert "410" in webhook.disabled_reason
    assert site.delivery(second).state == "failed"
    assert len(endpoint.messages) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_overloaded_endpoint_is_left_alone(site: Installation, endpoint: Endpoint, status: int) -> None:
    """All deliveries of an endpoint wait as long as its answer asks; a day is the longest wait."""
    endpoint.answers = [(status, {"Retry-After": "900"})]
    first = service.send_test(site.store, site.webhook.id, now=NOW)
    second = service.send_test(site.store, site.webhook.id, now=NOW)
    site.send(first)
    assert site.delivery(first).next_at == NOW + 900
    assert site.delivery(second).next_at == NOW + 900
    endpoint.answers = [(status, {"Retry-After": "99999999"})]
    site.clock.now = NOW + 901
    assert site.send(first).next_at == NOW + 901 + 86_400


REFUSED = {
    "one private address": ["93.184.215.14", "10.0.0.1"],
    "private": ["192.168.1.1"],
    "IPv6 loopback": ["::1"],
    "no address": [],
}


@pytest.mark.parametrize("addresses", REFUSED.values(), ids=REFUSED.keys())
def test_addresses_are_checked_at_delivery(site: Installation, endpoint: Endpoint, addresses: list[str]) -> None:
    """A name that has a private address by the time of delivery gets nothing."""
    site.addresses["hooks.example.com"] = addresses
    delivery = site.send(service.send_test(site.store, site.webhook.id, now=NOW))
    assert (delivery.state, delivery.http_status) == ("waiting", None)
    assert "not allowed" in delivery.message
    assert endpoint.messages == []


def test_the_connection_goes_to_the_checked_address(site: Installation, endpoint: Endpoint) -> None:
    """A name whose address changes after the check is resolved once only: the message goes where the check was."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    site.sender = WebhookSender(
        site.config,
        resolver=lambda *_: next(answers),
        is_allowed=lambda address: address == "127.0.0.1",
        clock=site.clock,
    )
    assert site.send(service.send_test(site.store, site.webhook.id, now=NOW)).state == "sent"
    assert next(answers) == ["10.0.0.1"]
    assert endpoint.messages[0][0]["host"] == f"hooks.example.com:{endpoint.port}"


def test_an_endpoint_that_hangs_does_not_delay_others(site: Installation, endpoint: Endpoint) -> None:
    """Other endpoints get their messages while one hangs; that attempt ends at the time limit as a failure."""
    slow = site.add("/hang")
    hanging = service.send_test(site.store, slow.id, now=NOW)
    queued = service.send_test(site.store, slow.id, now=NOW)
    site.step_until(lambda: len(endpoint.messages) == 1)
    for _ in range(3):
        assert site.send(service.send_test(site.store, site.webhook.id, now=NOW)).state == "sent"
    assert site.delivery(hanging, slow).attempts == 0
    assert site.delivery(queued, slow).attempts == 0
    site.sender = site.new_sender(attempt_seconds=0.5)
    site.step_until(lambda: site.delivery(hanging, slow).attempts == 1)
    message = service.summarize_delivery(webhooks.get_delivery(site.store, slow.id, hanging)).message
    assert message == "no answer within 0.5 seconds"
    assert isinstance(message, Message), "pages can translate it"


def test_a_message_is_sent_again_after_a_crash(site: Installation, endpoint: Endpoint) -> None:
    """A sender that ends before it has stored the result is followed by one that sends the message again."""
    delivery_id = service.send_test(site.store, site.webhook.id, now=NOW)
    site.sender.step(site.store)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not endpoint.messages:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    site.sender = site.new_sender()
    assert site.send(delivery_id).state == "sent"
    assert len(endpoint.messages) == 2
    assert endpoint.messages[0][0]["webhook-id"] == endpoint.messages[1][0]["webhook-id"]


def test_old_events_are_deleted(site: Installation) -> None:
    """Events are kept for 30 days, and longer while one of their deliveries waits."""
    sent = service.send_test(site.store, site.webhook.id, now=NOW)
    assert site.send(sent).state == "sent"
    waiting = service.send_test(site.store, site.webhook.id, now=NOW)
    with site.store.transaction():
        webhooks.update_delivery(site.store, waiting, next_at=NOW + 2 * KEEP_EVENTS_SECONDS)
    site.clock.now = NOW + KEEP_EVENTS_SECONDS + 1
    site.sender.step(site.store)
    left = [item.delivery.id for item in webhooks.list_deliveries(site.store, site.webhook.id, limit=10)]
    assert left == [waiting]


def test_one_process_sends_at_a_time(site: Installation, endpoint: Endpoint) -> None:
    """Two running senders deliver each message once, and both end when they are told to."""
    stopped = threading.Event()
    senders = [threading.Thread(target=site.new_sender().run, args=(stopped.is_set,)) for _ in range(2)]
    for thread in senders:
        thread.start()
    with site.store.transaction():
        for number in range(5):
            links.add(site.store, "go.example", f"abc{number}", target=None, now=NOW)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(endpoint.messages) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stopped.set()
    for thread in senders:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
    assert len({headers["webhook-id"] for headers, _ in endpoint.messages}) == len(endpoint.messages) == 5
