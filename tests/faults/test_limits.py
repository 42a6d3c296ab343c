"""Limits on open files and memory, invalid configurations, and a lost secret."""

import contextlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crowds import crowd, open_files
from tests.faults.serving import Server, needs_proc, serving, wait

pytestmark = needs_proc


@pytest.fixture
def prlimit() -> str:
    """The command that starts another one with limits."""
    path = shutil.which("prlimit")
    if path is None:
        pytest.skip("prlimit is not installed")
    return path


def test_few_open_files(tmp_path: Path, prlimit: str) -> None:
    """With 64 open files for each process many connections use them up; once they end, requests are served again."""
    server = Server(tmp_path, prefix=[prlimit, "--nofile=64:64"])
    with serving(server):
        server.click("before")
        (worker,) = server.children("worker")
        with crowd(server, 200, begin=b"GET /abcde HTTP/1.1\r\nX-A: "):
            time.sleep(1.0)
            assert open_files(worker) <= 64
        wait(lambda: server.send(server.request(), silence=1).startswith(b"HTTP/1.1 302"), what="recovery")
        server.click("after")
        wait(lambda: server.stored() >= 2)
        wait(lambda: server.health()["unrecorded"] == 0)
        server.stop()
        assert {"before", "after"} <= set(server.tags())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server."""
    with serving(Server(tmp_path)) as running:
        yield running


def test_a_worker_that_may_use_no_more_memory_is_started_again(server: Server) -> None:
    """A worker without free memory responds, or ends and is replaced; no answered click is lost."""
    (worker,) = server.children("worker")
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
    server.click("after")
    server.stop()
    assert set(server.tags()) >= {*answered, "after"}


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
    """If the generated secret is lost, the next start generates another; clicks and links are unchanged."""
    server = Server(tmp_path)
    server.start()
    server.click("before")
    wait(server.is_healthy)
    server.stop()
    secrets = [path for path in server.data.iterdir() if "secret" in path.name]
    assert secrets
    for path in secrets:
        path.unlink()
    server.start()
    server.click("after")
    wait(server.is_healthy)
    server.stop()
    server.check()
    assert server.tags() == ["after", "before"]
    assert secrets[0].stat().st_mode & 0o077 == 0
