"""Edits and new links while the server runs, and processes started in any order."""

import os
import signal
import subprocess
from pathlib import Path

from shortener.store import links, open_store
from tests.faults.serving import CODE, Server, needs_proc, wait

pytestmark = needs_proc


def test_new_links_and_any_order_of_starting(tmp_path: Path) -> None:
    """A server whose collector starts before and after it, and links that are added while it runs."""
    server = Server(tmp_path, workers=2, pages=False)
    try:
        processes_start_in_any_order(server)
        a_new_link_is_known_to_every_worker_at_once(server)
    finally:
        server.end()


def processes_start_in_any_order(server: Server) -> None:
    """A collector without a store ends with a message; one started before the server works while the server's waits."""
    away = server.directory / "store.db"
    (server.data / "store.db").rename(away)
    for path in server.data.glob("store.db-*"):
        path.unlink()
    said = server.run("collect", "--follow", status=1)
    assert "there is no store here" in said
    away.rename(server.data / "store.db")
    with subprocess.Popen(server.command("collect", "--follow"), stderr=subprocess.DEVNULL) as first:
        server.start()
        server.click("one", f"/{CODE}/1")
        wait(lambda: server.stored() == 1, what="the click's way into the store")
        first.terminate()
    server.click("two")
    wait(lambda: server.stored() == 2, what="the next click's way into the store")
    server.check()


def a_new_link_is_known_to_every_worker_at_once(server: Server) -> None:
    """The first click after the commit of a new link is redirected by any worker, a hundred times."""
    collector = server.freeze_collector()
    store = open_store(server.data)
    for number in range(100):
        assert server.get(f"/new{number}").startswith(b"HTTP/1.1 404")
        with store.transaction():
            target = f"https://example.com/{number}"
            links.add(store, server.host, f"new{number}", target=target, now=0)
        answer = server.get(f"/new{number}")
        assert f"location: {target}\r\n".encode() in answer.lower()
    store.close()
    os.kill(collector, signal.SIGCONT)
