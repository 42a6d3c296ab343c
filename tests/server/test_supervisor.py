"""``shortener serve`` as a process: start, responses, restarts of children, stop, and refusals."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from shortener.config import Config, Storage
from shortener.server.supervisor import announce_first_admin
from shortener.services.settings import put_settings
from shortener.shared_memory import CHILD_KINDS, read_restarts
from shortener.store import links, open_store
from tests.faults.serving import freeze
from tests.ports import free_port

START_SECONDS = 60.0


class Serve:
    """A running ``shortener serve`` with its data directory; ``program`` replaces ``python -m shortener``."""

    def __init__(self, data: Path, *, port: int, workers: int = 1, program: str = "") -> None:
        self.data = data
        self.port = port
        start = ["-c", program] if program else ["-m", "shortener"]
        command = [sys.executable, *start, "serve", "--port", str(port), "--workers", str(workers)]
        environment = os.environ | {"SHORTENER_STORAGE__DATA": str(data)}
        self.process = subprocess.Popen(
            command,
            env=environment,
            cwd=data.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> str:
        """Wait for the line that the server prints when it is ready, and return it."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def get(self, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
        """Send a request on a connection of its own."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            response.body = response.read()  # type: ignore[attr-defined]
        return response

    def is_healthy(self) -> bool:
        """Return whether workers and pages respond."""
        with contextlib.suppress(OSError):
            return self.get("/-/health").status == 200
        return False

    def listening_workers(self) -> int:
        """Return how many sockets listen on the port, one for each worker."""
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[1].endswith(f":{self.port:04X}") and row[3] == "0A" for row in rows)

    @staticmethod
    def parent(pid: int) -> int:
        """Return the id of a process's parent."""
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    def children(self, kind: str) -> list[int]:
        """Return the process ids of one kind; ``granian`` is the parent of a ``worker``."""
        direct = self._below(self.process.pid, "worker" if kind == "granian" else kind)
        return [pid for parent in direct for pid in self._below(parent, kind)] if kind == "worker" else direct

    @staticmethod
    def _below(parent: int, kind: str) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                if words[-2:-1] == [kind.encode()] and parent == int(
                    (path / "stat").read_text().rpartition(")")[2].split()[1]
                ):
                    found.append(int(path.name))
        return found

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM; return the exit status and the output on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def clicks(self) -> list[str]:
        """Return the referrers of the stored clicks."""
        with contextlib.closing(sqlite3.connect(self.data / "store.db")) as db:
            return [row[0] or "" for row in db.execute("select referrer from clicks order by referrer")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The path of a data directory."""
    return tmp_path / "data"


@pytest.fixture
def serve(data: Path) -> Iterator[Callable[..., Serve]]:
    """A function that starts servers with the link ``abcde``; they are killed after the test."""
    started: list[Serve] = []
    port = free_port()
    store = open_store(data)
    with store.transaction():
        links.add(store, f"127.0.0.1:{port}", "abcde", target="https://example.com/a", now=0)
    store.close()

    def start(*, port: int = port, **options: Any) -> Serve:
        server = Serve(data, port=port, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def wait(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until the condition is true; fail after ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the condition did not become true"
        time.sleep(0.02)


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux' /proc")


def test_start_requests_and_stop(serve: Callable[..., Serve], data: Path) -> None:
    """A server with two workers and pages, from its start to its stop, with edits of other processes meanwhile."""
    server = serve(workers=2)
    the_first_admin_gets_an_address(server)
    wait(lambda: server.listening_workers() == 2)
    requests_are_answered(server)
    an_edit_is_seen_at_the_next_click(server, data)
    a_changed_setting_is_on_every_page(server, data)
    a_stop_waits_for_accepted_requests_and_not_for_idle_connections(server)
    tags = [tag for tag in server.clicks() if tag]
    assert tags == sorted([*(f"https://mail.example/{number}" for number in range(10)), HEAD, LAST])
    assert len(server.clicks()) == len(tags) + 20 * 4 + 10, "those of the edits and of connections that were idle then"
    assert server.children("worker") == []


HEAD = "https://mail.example/head"
LAST = "https://mail.example/last"


def the_first_admin_gets_an_address(server: Serve) -> None:
    """The first line of output says that the server is ready; without users, the second is the first admin's link."""
    assert server.ready() == f"Ready: http://127.0.0.1:{server.port}\n"
    path = (
        server.ready()
        .strip()
        .removeprefix("There is no account yet; create the first one, of an admin, at this invite link: ")
    )
    assert path.startswith(f"http://127.0.0.1:{server.port}/-/welcome/")
    assert server.get("/-/welcome/" + path.rpartition("/")[2]).status == 200


def requests_are_answered(server: Serve) -> None:
    """The server redirects, and shows pages."""
    for number in range(10):
        response = server.get("/abcde/2", Referer=f"https://mail.example/{number}")
        assert (response.status, response.headers["Location"]) == (302, "https://example.com/a")
    assert server.get("/abcde", "HEAD", Referer=HEAD).status == 302
    assert server.get("/abcde", "POST").status == 405
    for path, status in {
        "/nosuch": 404,
        "/": 200,
        "/abcde+": 200,
        "/robots.txt": 200,
        "/-/nosuch": 404,
    }.items():
        assert server.get(path).status == status, path
    health = server.get("/-/health")
    assert health.headers["Content-Type"] == "application/health+json"
    assert json.loads(health.body)["unrecorded"] == 0  # type: ignore[attr-defined]


def an_edit_is_seen_at_the_next_click(server: Serve, data: Path) -> None:
    """Every worker redirects to a new target at once, also while the collector is stopped."""
    (collector,) = server.children("collector")
    store = open_store(data)
    with store.transaction():  # so that the collector is paused without a lock on the store
        store.execute("update links set target = target")
        freeze(collector)
    for number in range(20):
        url = f"https://example.com/{number}"
        with store.transaction():
            store.execute("update links set target = ?", (url,))
        assert [server.get("/abcde").headers["Location"] for _ in range(4)] == [url] * 4
    store.close()
    os.kill(collector, signal.SIGCONT)


def a_changed_setting_is_on_every_page(server: Serve, data: Path) -> None:
    """Pages and the misses of every worker have a changed name once a page was asked for."""
    wait(lambda: b"Newsletter links" in body_of(server.get("/unknown")))
    with contextlib.closing(open_store(data)) as store, store.transaction():
        put_settings(store, {"site.name": "Spring Tide"})
    assert b"Spring Tide" in body_of(server.get("/-/sign-in"))
    assert all(b"Spring Tide" in body_of(server.get("/unknown")) for _ in range(6))


def body_of(response: HTTPResponse) -> bytes:
    """Return the body of a response of Serve.get."""
    body: bytes = response.body  # type: ignore[attr-defined]
    return body


def a_stop_waits_for_accepted_requests_and_not_for_idle_connections(server: Serve) -> None:
    """At SIGTERM a request that was accepted is answered, and connections without one are closed.

    The stop is not delayed until children are killed, which would be logged.
    """
    request = f"GET /abcde HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for connection in idle[:10]:
        connection.sendall(f"{request}\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 302")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as reader:
        reader.sendall(request.encode())
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.03)
        reader.sendall(f"Referer: {LAST}\r\nConnection: close\r\n\r\n".encode())
        assert reader.recv(4096).startswith(b"HTTP/1.1 302")
    assert server.stop() == (0, ""), "no child had to be killed"
    for connection in idle:
        connection.close()


def test_dead_children_are_started_again(serve: Callable[..., Serve]) -> None:
    """After any process is killed, readers are redirected, pages come back, and every click is stored."""
    server = serve(workers=2)
    server.ready()
    wait(lambda: server.listening_workers() == 2)
    kinds = ("worker", "granian", "pages", "collector")
    tags = [f"https://mail.example/{kind}{round_number}" for kind in kinds for round_number in range(2)]
    for tag in tags:
        a_dead_child_is_started_again(server, tag.rpartition("/")[2][:-1])
        assert server.get("/abcde", Referer=tag).status == 302
        wait(server.is_healthy)
    assert read_restarts(server.data) == dict.fromkeys(CHILD_KINDS, 0) | {"worker": 4, "pages": 2, "collector": 2}
    status, errors = server.stop()
    assert status == 0
    assert len(re.findall("ended with status .*; starting it again", errors)) == 8
    assert [tag for tag in server.clicks() if tag] == sorted(tags)


def a_dead_child_is_started_again(server: Serve, kind: str) -> None:
    """Kill a process of this kind and wait for the next one; meanwhile new connections reach the other worker."""
    victim, *others = server.children(kind)
    workers = server.children("worker") if kind == "granian" else [victim]
    ending = next(pid for pid in workers if victim in (pid, server.parent(pid)))
    os.kill(victim, signal.SIGKILL)
    # A connection that is queued at a worker that ends may be reset, so the clicks wait for its end.
    wait(lambda: not Path(f"/proc/{ending}").exists())
    while server.listening_workers() < 2:
        assert server.get("/abcde").status == 302
    wait(lambda: victim not in server.children(kind) and len(server.children(kind)) == len(others) + 1)
    wait(lambda: len(server.children("worker")) == server.listening_workers() == 2)


def test_a_single_worker_and_a_supervisor_are_killed(serve: Callable[..., Serve], data: Path) -> None:
    """A server whose only worker is killed, then its supervisor, and a next start with a full store and a SIGHUP."""
    server = serve()
    server.ready()
    a_single_worker_is_replaced(server)
    with contextlib.closing(sqlite3.connect(data / "store.db")) as db:
        full = "select raise(abort, 'database or disk is full')"
        db.execute(f"create trigger full before insert on invitations begin {full}; end")
    restarted = children_end_with_their_supervisor(server, lambda: serve(program=SIGHUP_DURING_THE_START))
    an_error_of_the_store_at_the_end_of_the_start_is_one_line(restarted)


def a_single_worker_is_replaced(server: Serve) -> None:
    """The port is closed until the next worker listens, and no other program's port is taken meanwhile."""
    (victim,) = server.children("worker")
    os.kill(victim, signal.SIGKILL)
    wait(lambda: victim not in server.children("worker"))
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", server.port))
    wait(server.is_healthy)
    assert server.get("/abcde").status == 302


def children_end_with_their_supervisor(server: Serve, start_again: Callable[[], Serve]) -> Serve:
    """After the supervisor is killed its children end, and the next server gets the port at once."""
    kinds = ("worker", "granian", "pages", "collector")
    orphans = [pid for kind in kinds for pid in server.children(kind)]
    assert len(orphans) == 4
    server.process.kill()
    server.process.wait()
    restarted = start_again()
    assert restarted.ready().startswith("Ready")
    wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    assert restarted.get("/abcde").status == 302
    return restarted


SIGHUP_DURING_THE_START = (
    "import os, signal\n"
    "from shortener.cli import main\n"
    "from shortener.server import supervisor\n"
    "prepare = supervisor._prepare_store\n"
    "supervisor._prepare_store = lambda *task: (os.kill(os.getpid(), signal.SIGHUP), prepare(*task))\n"
    "main()"
)
"""A server that is told to load the certificate again during its start, which must not end it."""


def an_error_of_the_store_at_the_end_of_the_start_is_one_line(server: Serve) -> None:
    """If no address for the first admin can be stored, one line says so, and the server works."""
    assert server.process.stderr is not None
    message = server.process.stderr.readline()
    assert "no invite link for a first admin could be made; the next start tries again" in message
    assert message.endswith("the store: database or disk is full; see `shortener doctor`\n")
    assert server.stop() == (0, "")


def test_a_store_that_is_gone_at_the_end_of_the_start_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that is moved away during the start is not made again, and one line says what to check."""
    config = Config(storage=Storage(data=str(tmp_path)))
    announced: list[str] = []
    announce_first_admin(config, announced.append)
    (message,) = caplog.messages
    assert message.endswith(f"{tmp_path / 'store.db'}: there is no store here; check storage.data")
    assert announced == []
    assert list(tmp_path.iterdir()) == []


def refusal(server: Serve) -> str:
    """Return the only line of output of a server that refuses to start."""
    output, errors = server.process.communicate(timeout=START_SECONDS)
    assert server.process.returncode == 1
    assert output == ""
    (message,) = errors.splitlines()
    return str(message)


def test_a_taken_port_is_refused(serve: Callable[..., Serve]) -> None:
    """A port in use is refused with a message that names it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port} cannot be listened on" in refusal(serve(port=port))


def test_an_unusable_data_directory_is_refused(tmp_path: Path) -> None:
    """A file in place of the data directory is refused with its path."""
    (tmp_path / "data").write_text("")
    assert str(tmp_path / "data") in refusal(Serve(tmp_path / "data", port=free_port()))


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A data directory that cannot be created is refused with its path."""
    if os.geteuid() == 0:
        pytest.skip("root can write to every directory")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert str(tmp_path / "locked") in refusal(Serve(tmp_path / "locked" / "data", port=free_port()))


def test_a_damaged_store_is_refused(serve: Callable[..., Serve], data: Path) -> None:
    """A damaged store is refused, and no new store is created in its place."""
    (data / "store.db").write_bytes(b"\xde\xad" * 5000)
    assert "store.db" in refusal(serve())
    assert (data / "store.db").stat().st_size == 10_000
