"""Edits and new links while the server runs, and processes started in any order."""

import os
import signal
import subprocess
from pathlib import Path

from shortener.store import links, open_store
from tests.faults.serving import CODE, Server, needs_proc, serving, wait

pytestmark = needs_proc


def test_a_new_link_is_known_to_every_worker_at_once(tmp_path: Path) -> None:
    """The first click after the commit of a new link is redirected by any worker, five hundred times."""
    with serving(Server(tmp_path, workers=2)) as server:
        wait(lambda: server.children("collector"))
        (collector,) = server.children("collector")
        os.kill(collector, signal.SIGSTOP)
        store = open_store(server.data)
        for number in range(500):
            assert server.get(f"/new{number}").startswith(b"HTTP/1.1 404") or number % 50
            with store.transaction():
                target = f"https://example.com/{number}"
                links.add(store, server.host, f"new{number}", target=target, now=0)
            answer = server.get(f"/new{number}")
            assert f"location: {target}\r\n".encode() in answer.lower()
        store.close()
        os.kill(collector, signal.SIGCONT)


def test_any_order_of_starting(tmp_path: Path) -> None:
    """A collector without a store ends with a message; one started before the server works while the server's waits."""
    server = Server(tmp_path)
    (server.data / "store.db").rename(tmp_path / "store.db")
    for path in server.data.glob("store.db-*"):
        path.unlink()
    said = server.run("collect", "--follow", status=1)
    assert "there is no store here" in said
    (tmp_path / "store.db").rename(server.data / "store.db")
    with subprocess.Popen(server.command("collect", "--follow"), stderr=subprocess.DEVNULL) as first:
        server.start()
        server.click("one", f"/{CODE}/1")
        wait(lambda: server.stored() == 1, what="the click's way into the store")
        first.terminate()
    server.click("two")
    wait(lambda: server.stored() == 2, what="the next click's way into the store")
    server.stop()
    server.check()
