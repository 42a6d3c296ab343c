"""Limits on open files and memory, invalid configurations, and a lost secret."""

import contextlib
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from shortener.shared_memory import read_totals
from tests.faults.crowds import crowd, open_files
from tests.faults.serving import Server, needs_proc, serving, wait

pytestmark = needs_proc


def test_few_open_files_and_little_memory(tmp_path: Path) -> None:
    """A server whose processes may open 64 files each, and whose worker then gets no more memory."""
    with serving(Server(tmp_path, prefix=["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh"])) as server:
        few_open_files(server)
        a_worker_that_may_use_no_more_memory_is_started_again(server)


def few_open_files(server: Server) -> None:
    """Many connections use up the 64 open files of a worker; once they end, requests are served again."""
    server.click("before")
    worker = server.child("worker")
    with crowd(server, 200, begin=b"GET /abcde HTTP/1.1\r\nX-A: "):
        time.sleep(1.0)
        assert open_files(worker) <= 64
    wait(lambda: server.send(server.request(), silence=1).startswith(b"HTTP/1.1 302"), what="recovery")
    wait(server.is_healthy, what="a page")
    server.stored_after("after")
    assert read_totals(server.data)["unrecorded"] == 0
    assert {"before", "after"} <= set(server.tags())


def a_worker_that_may_use_no_more_memory_is_started_again(server: Server) -> None:
    """A worker without free memory responds, or ends and is replaced; no answered click is lost."""
    worker = server.child("worker")
    used = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(worker, resource.RLIMIT_AS, (used + (1 << 20),) * 2)
    answered = []
    for number in range(50):
        with contextlib.suppress(ConnectionError):  # refused until the next worker listens
            answer = server.get(more=f"Referer: https://mail.example/c{number}\r\nX-Big: {'x' * 20_000}\r\n")
            if answer.startswith(b"HTTP/1.1 302"):
                answered.append(f"c{number}")
    if worker in server.children("worker"):
        os.kill(worker, signal.SIGKILL)  # as the out-of-memory killer does
    wait(lambda: worker not in server.children("worker") and server.answers())
    server.click("last")
    server.stop()
    assert set(server.tags()) >= {*answered, "last"}


BROKEN = {
    "no TOML": ("[server", "config.toml"),
    "an unknown key": ("[server]\nprot = 8000\n", "prot"),
    "a bad value": ('[server]\nport = "eighty"\n', "port"),
    "an unknown table": ("[sever]\nport = 8000\n", "sever"),
    "bytes that are no text": ("\udcff\udcfe", "config.toml"),
}


@pytest.mark.parametrize(("text", "named"), BROKEN.values(), ids=BROKEN)
def test_a_broken_configuration_is_named(tmp_path: Path, text: str, named: str) -> None:
    """A server with an invalid configuration ends with one line that names the error."""
    server = Server(tmp_path)
    server.config.write_text(text, encoding="utf-8", errors="surrogateescape")
    said = server.run("serve", status=1)
    assert said.startswith("Error: ")
    assert named in said
    assert len(said.splitlines()) == 1


def test_a_lost_secret_costs_sessions_and_no_click(tmp_path: Path) -> None:
    """If the generated secret is lost, the next start of the pages generates another; clicks are unchanged."""
    with serving(Server(tmp_path), pages=True) as server:
        server.click("before")
        secrets = {path: path.read_bytes() for path in server.data.iterdir() if "secret" in path.name}
        assert secrets
        for path in secrets:
            path.unlink()
        pages = server.child("pages")
        os.kill(pages, signal.SIGKILL)
        wait(lambda: server.children("pages") not in ([], [pages]) and server.is_healthy(), what="the pages' return")
        for path, content in secrets.items():
            assert path.read_bytes() != content
            assert path.stat().st_mode & 0o077 == 0
        server.click("after")
        server.stop()
        server.check()
        assert server.tags() == ["after", "before"]
