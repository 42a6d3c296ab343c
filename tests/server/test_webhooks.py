"""Webhooks of a running server: its pages' process sends what changes record, also after it was killed."""

import os
import signal
from pathlib import Path

from shortener.config import Config
from shortener.services.webhooks import add_webhook
from shortener.store import Store, links, open_store, webhooks
from shortener.store.webhooks import Delivery
from tests.faults.serving import Server, wait


def deliveries(store: Store, webhook_id: int) -> list[Delivery]:
    """Return the deliveries of an endpoint, the newest first."""
    return [item.delivery for item in webhooks.list_deliveries(store, webhook_id, limit=10)]


def test_a_running_server_sends_events(tmp_path: Path) -> None:
    """An event is sent soon after its commit. If the server was killed before, the next one sends it."""
    server = Server(tmp_path)
    store = open_store(server.data)
    # The name has no address, so each attempt fails: that it was made is what counts here.
    webhook = add_webhook(store, "https://hooks.example.invalid/", events=["link.created"], config=Config(), now=1)
    server.start()
    try:
        with store.transaction():
            links.add(store, server.host, "one", target=None, now=1)
        wait(lambda: deliveries(store, webhook.id)[0].attempts, seconds=60, what="the attempt of a running server")
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(30)
        with store.transaction():
            links.add(store, server.host, "two", target=None, now=1)
        assert deliveries(store, webhook.id)[0].attempts == 0
        server.start()
        wait(lambda: deliveries(store, webhook.id)[0].attempts, seconds=60, what="the attempt after a restart")
        assert deliveries(store, webhook.id)[0].state == "waiting"
        assert deliveries(store, webhook.id)[0].message == "no answer"
    finally:
        server.stop()
        store.close()
