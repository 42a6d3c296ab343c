"""Webhooks of a running pages process: it sends what changes record, also after it was killed."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from shortener.config import Config, Storage
from shortener.server.process import Task
from shortener.server.sockets import listen_unix, pages_socket_path
from shortener.services.webhooks import add_webhook
from shortener.store import Store, links, open_store, webhooks
from shortener.store.webhooks import Delivery
from tests.faults.serving import wait


def deliveries(store: Store, webhook_id: int) -> list[Delivery]:
    """Return the deliveries of an endpoint, the newest first."""
    return [item.delivery for item in webhooks.list_deliveries(store, webhook_id, limit=10)]


@contextlib.contextmanager
def running_pages(data: Path) -> Iterator[None]:
    """Run the pages process of a server, and kill it at the end of the block."""
    config = Config(storage=Storage(data=str(data)))
    command = [sys.executable, "-m", "shortener.server", "pages"]
    with closing(listen_unix(pages_socket_path(data))) as listening:
        task = Task(config, os.getpid(), listening=listening.fileno())
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
    try:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(task))
        process.stdin.close()
        yield
    finally:
        process.kill()
        process.wait()


def test_a_running_pages_process_sends_events(tmp_path: Path) -> None:
    """An event is sent soon after its commit. If the pages process was killed before, the next one sends it."""
    data = tmp_path / "data"
    with closing(open_store(data)) as store:
        # The name has no address, so each attempt fails: that it was made is what counts here.
        webhook = add_webhook(store, "https://hooks.example.invalid/", events=["link.created"], config=Config(), now=1)
        with running_pages(data):
            with store.transaction():
                links.add(store, "go.example", "one", target=None, now=1)
            wait(lambda: deliveries(store, webhook.id)[0].attempts, seconds=60, what="the attempt of a running process")
        with store.transaction():
            links.add(store, "go.example", "two", target=None, now=1)
        assert deliveries(store, webhook.id)[0].attempts == 0
        with running_pages(data):
            wait(lambda: deliveries(store, webhook.id)[0].attempts, seconds=60, what="the attempt after a restart")
        assert deliveries(store, webhook.id)[0].state == "waiting"
        assert deliveries(store, webhook.id)[0].message == "no answer"
