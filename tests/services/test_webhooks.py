"""Webhooks: signatures by Standard Webhooks, endpoints, and the events that changes record."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shortener.config import Config, Domain, Storage, Webhooks
from shortener.errors import Conflict, InputError, NotFound
from shortener.services import webhooks as service
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.services.edit import retarget
from shortener.services.webhooks import MAX_WEBHOOKS, ROTATION_SECONDS, add_webhook, build_body, sign, update_webhook
from shortener.store import Store, links, open_store, webhooks
from shortener.store.webhooks import Event, Webhook

NOW = 1_764_316_800
URL = "https://hooks.example.com/in"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(tmp_path)))


@pytest.fixture
def store(config: Config) -> Any:
    store = open_store(config.data_directory)
    yield store
    store.close()


def recorded(store: Store, config: Config) -> list[dict[str, Any]]:
    """Return the messages of all recorded events, oldest first."""
    rows = store.execute("select id, type, at, data from webhook_events order by rowid")
    return [msgspec.json.decode(build_body(Event(*row), config=config)) for row in rows]


def test_signature_of_the_specification() -> None:
    """The signature of a known message is the one that the reference library computes."""
    secret = "whsec_YW4gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXMhISE="
    body = b'{"type":"issue.report_ready","timestamp":"2025-11-28T08:00:00Z","data":{"slug":"low-tide-2026-11"}}'
    webhook = Webhook(1, URL, "", secret, "", 0, None, "", NOW, NOW)
    assert sign(webhook, "msg_7pj1e", body, now=1_764_316_800) == {
        "webhook-id": "msg_7pj1e",
        "webhook-timestamp": "1764316800",
        "webhook-signature": "v1,nPZniryIEACKkw7/NVoErCy4uQ9aYq2qQQ99GdRfUWg=",
    }


def test_rotation_signs_with_both_secrets_for_a_day(store: Store, config: Config) -> None:
    """For a day after a rotation the header has two signatures, of the new and of the previous secret."""
    before = add_webhook(store, URL, config=config, now=NOW)
    after = service.rotate_secret(store, before.id, now=NOW + 10)
    assert after.secret != before.secret

    def signatures(webhook: Webhook, now: int) -> list[str]:
        return sign(webhook, "msg_1", b"{}", now=now)["webhook-signature"].split(" ")

    soon, later = NOW + 20, NOW + 10 + ROTATION_SECONDS
    old = signatures(before, soon)
    assert len(old) == 1
    assert signatures(after, soon)[1:] == old
    assert len(signatures(after, soon)) == 2
    assert len(signatures(after, later)) == 1


REFUSED_URLS = {
    "http": "http://hooks.example.com/in",
    "loopback": "https://127.0.0.1/in",
    "loopback IPv6": "https://[::1]/in",
    "link-local": "https://169.254.169.254/latest/meta-data",
    "private": "https://10.0.0.1/in",
    "private as one number": "https://167772161/in",
    "local name": "https://localhost/in",
    "another port": "https://hooks.example.com:8080/in",
    "user name": "https://ann:secret@hooks.example.com/in",
    "no URL": "hooks",
}


@pytest.mark.parametrize("url", REFUSED_URLS.values(), ids=REFUSED_URLS.keys())
def test_urls_that_are_not_allowed_are_refused(store: Store, config: Config, url: str) -> None:
    """An endpoint has an https URL of a public host on an allowed port, when it is added and when it is changed."""
    with pytest.raises(InputError):
        add_webhook(store, url, config=config, now=NOW)
    webhook = add_webhook(store, URL, config=config, now=NOW)
    with pytest.raises(InputError):
        update_webhook(store, webhook.id, url=url, config=config, now=NOW)
    assert webhooks.list_all(store) == [webhook]


def test_the_configuration_allows_http_and_more_ports(store: Store, config: Config) -> None:
    """http and further ports are allowed by the configuration only."""
    open_config = msgspec.structs.replace(config, webhooks=Webhooks(allow_http=True, ports=(8080,)))
    for url in ("http://hooks.example.com/in", "https://hooks.example.com:8080/in"):
        assert add_webhook(store, url, config=open_config, now=NOW).url == url


def test_unknown_events_and_too_many_webhooks_are_refused(store: Store, config: Config) -> None:
    """An unknown type of event is named; the number of endpoints is bounded."""
    with pytest.raises(InputError, match=r"link\.clicked"):
        add_webhook(store, URL, events=["link.clicked"], config=config, now=NOW)
    for _ in range(MAX_WEBHOOKS):
        add_webhook(store, URL, config=config, now=NOW)
    with pytest.raises(Conflict):
        add_webhook(store, URL, config=config, now=NOW)


def test_edits_of_a_link_are_events(store: Store, config: Config) -> None:
    """Creating, changing and retiring a link is recorded with old and new values."""
    add_webhook(store, URL, config=config, now=NOW)
    with store.transaction():
        links.add(store, "go.example", "abc", target="https://a.example/", title="A", now=NOW)
    link = links.get(store, "go.example", "abc")
    retarget(store, link, "https://b.example/", config=config, who="ada", now=NOW + 1)
    links.update_field(store, links.get(store, "go.example", "abc"), "status", "retired", who="ada", now=NOW + 2)
    links.update_field(store, links.get(store, "go.example", "abc"), "status", "retired", who="ada", now=NOW + 3)
    key = {"short_url": "https://go.example/abc", "domain": "go.example", "code": "abc"}
    assert recorded(store, config) == [
        {
            "type": "link.created",
            "timestamp": "2025-11-28T08:00:00Z",
            "data": key | {"target": "https://a.example/", "title": "A"},
        },
        {
            "type": "link.updated",
            "timestamp": "2025-11-28T08:00:01Z",
            "data": key | {"by": "ada", "field": "target", "old": "https://a.example/", "new": "https://b.example/"},
        },
        {
            "type": "link.retired",
            "timestamp": "2025-11-28T08:00:02Z",
            "data": key | {"by": "ada", "target": "https://b.example/", "title": "A"},
        },
    ]


def test_an_added_issue_is_one_event(store: Store, config: Config) -> None:
    """Adding an issue is recorded once; adding the same file again is no event."""
    add_webhook(store, URL, events=["issue.added"], config=config, now=NOW)
    source = b"# May\n\n### [One](https://a.example/1)\n\n### [Two](https://a.example/2)\n"
    for _ in range(2):
        request = AddRequest(source=source, filename="may.md", recipients=20)
        add_or_update_issue(store, request, config=config, now=NOW)
    (message,) = recorded(store, config)
    assert message["type"] == "issue.added"
    assert message["data"] == {
        "slug": "may",
        "title": "May",
        "links": 2,
        "articles": 2,
        "sent_at": None,
        "recipients": 20,
    }


def test_only_subscribed_endpoints_receive_an_event(store: Store, config: Config) -> None:
    """An event has a delivery for each enabled endpoint that receives its type; without one it is not stored."""
    with store.transaction():
        links.add(store, "go.example", "none", target=None, now=NOW)
    assert recorded(store, config) == []
    everything = add_webhook(store, URL, config=config, now=NOW)
    links_only = add_webhook(store, URL, events=["link.created"], config=config, now=NOW)
    add_webhook(store, URL, events=["issue.added", "link.updated"], config=config, now=NOW)
    disabled = add_webhook(store, URL, config=config, now=NOW)
    update_webhook(store, disabled.id, enabled=False, config=config, now=NOW)
    with store.transaction():
        links.add(store, "go.example", "abc", target=None, now=NOW)
    receivers = [row[0] for row in store.execute("select webhook_id from webhook_deliveries order by 1")]
    assert receivers == [everything.id, links_only.id]


def test_an_event_is_rolled_back_with_its_change(store: Store, config: Config) -> None:
    """A change that is not committed leaves no event."""
    add_webhook(store, URL, config=config, now=NOW)

    def fail() -> None:
        with store.transaction():
            links.add(store, "go.example", "abc", target=None, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert recorded(store, config) == []


def test_an_event_survives_the_death_of_its_process(store: Store, config: Config) -> None:
    """A process that is killed right after its commit has stored link and event."""
    add_webhook(store, URL, config=config, now=NOW)
    program = """
import os, signal, sys
from pathlib import Path
from shortener.store import links, open_store
store = open_store(Path(sys.argv[1]))
with store.transaction():
    links.add(store, "go.example", "abc", target=None, now=1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, config.storage.data], check=False)
    assert done.returncode == -9
    assert [item.delivery.state for item in webhooks.due_deliveries(store, now=NOW)] == ["waiting"]


def test_deleting_disabling_and_enabling(store: Store, config: Config) -> None:
    """A disabled endpoint gives up what waits and refuses tests; enabled again it can retry; deleted it is gone."""
    webhook = add_webhook(store, URL, config=config, now=NOW)
    delivery = service.send_test(store, webhook.id, now=NOW)
    assert update_webhook(store, webhook.id, enabled=False, config=config, now=NOW).disabled_at == NOW
    assert webhooks.get_delivery(store, webhook.id, delivery).delivery.state == "failed"
    with pytest.raises(Conflict):
        service.send_test(store, webhook.id, now=NOW)
    with pytest.raises(Conflict):
        service.retry_delivery(store, webhook.id, delivery, now=NOW)
    assert update_webhook(store, webhook.id, enabled=True, config=config, now=NOW).disabled_at is None
    service.retry_delivery(store, webhook.id, delivery, now=NOW + 5)
    (item,) = webhooks.due_deliveries(store, now=NOW + 5)
    assert (item.delivery.id, item.event.type) == (delivery, "webhook.test")
    service.delete_webhook(store, webhook.id)
    assert webhooks.due_deliveries(store, now=NOW + 5) == []
    with pytest.raises(NotFound):
        service.delete_webhook(store, webhook.id)
