"""Signals to the server's processes, and paused processes."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.serving import Server, freeze, needs_proc, serving, wait

pytestmark = needs_proc
FROZEN_SECONDS = 1.5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with two workers and without pages, and one stored click."""
    with serving(Server(tmp_path, workers=2, pages=False)) as running:
        running.click("first")
        wait(running.stored, what="the first click's way into the store")
        yield running


def test_signals_to_a_running_server(server: Server) -> None:
    """Paused processes, signals without a meaning for us, and repeated wishes to stop."""
    connections_of_a_frozen_worker_wait(server)
    a_frozen_server_goes_on_where_it_was(server)
    signals_that_say_nothing_to_us_break_no_promise(server)
    asking_twice_to_stop_stops_once(server, signal.SIGINT)
    server.start()
    asking_twice_to_stop_stops_once(server, signal.SIGTERM)
    server.check()
    tags = server.tags()
    assert len(tags) == len(set(tags))


def connections_of_a_frozen_worker_wait(server: Server) -> None:
    """While one of two workers is paused the other responds; the first then serves the connections of its queue."""
    first, _ = server.children("worker")
    freeze(first)
    clients = [server.connect() for _ in range(40)]
    for number, client in enumerate(clients):
        client.sendall(server.request(more=f"Referer: https://mail.example/c{number}\r\n"))
    wait(lambda: server.stored() > 1, what="the clicks of the other worker")
    os.kill(first, signal.SIGCONT)
    for client in clients:
        assert client.recv(4096).startswith(b"HTTP/1.1 302")
        client.close()
    wait(lambda: server.stored() == len(clients) + 1, what="the clicks' way into the store")
    assert first in server.children("worker")


def a_frozen_server_goes_on_where_it_was(server: Server) -> None:
    """After all processes are paused and continued, pending requests are answered and stored once."""
    before = server.stored()
    members = list(server.members())
    with server.connect() as client:
        for pid in members:
            os.kill(pid, signal.SIGSTOP)
        client.sendall(server.request(more="Referer: https://mail.example/meanwhile\r\n"))
        time.sleep(FROZEN_SECONDS)
        for pid in members:
            os.kill(pid, signal.SIGCONT)
        assert client.recv(4096).startswith(b"HTTP/1.1 302")
    server.click("after-the-pause")
    wait(lambda: server.stored() == before + 2, what="the clicks' way into the store")
    assert server.tags().count("meanwhile") == 1


def signals_that_say_nothing_to_us_break_no_promise(server: Server) -> None:
    """After SIGHUP, SIGUSR1 and other signals, readers are redirected and clicks are stored."""
    before, tags = server.tags(), []
    for signum in (signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        for kind in ("worker", "granian"):
            victim, _ = server.children(kind)
            os.kill(victim, signum)
            time.sleep(0.1)
            for number in range(10):
                server.click(tag := f"{signum.name}-{kind}-{number}")
                tags.append(tag)
            wait(lambda: len(server.children("worker")) == 2, what="the workers' return")
            wait(server.answers)
    wait(lambda: server.stored() == len(before) + len(tags), what="the clicks' way into the store")
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGHUP)
    time.sleep(0.3)
    assert server.process.poll() is None
    server.stored_after("after-the-signals")
    assert server.tags() == sorted([*before, *tags, "after-the-signals"])


def asking_twice_to_stop_stops_once(server: Server, signum: signal.Signals) -> None:
    """A repeated SIGINT or SIGTERM neither interrupts draining nor causes a traceback."""
    before = server.stored()
    for number in range(30):
        server.click(f"{signum.name}-{number}")
    assert server.process is not None
    for _ in range(3):
        os.kill(server.process.pid, signum)
        time.sleep(0.05)
    assert server.process.wait(15) == 0
    assert "Traceback" not in server.said()
    assert len(server.tags()) == before + 30


def test_a_stop_before_there_is_a_collector_drains_what_was_answered(tmp_path: Path) -> None:
    """SIGTERM while the store is still being opened leaves no answered click undrained."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    calls = "chmod,fchmodat"  # what opening the store begins with
    tracing = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
    server = Server(tmp_path, prefix=[*tracing, "-e", f"inject={calls}:delay_enter=1000000"], pages=False)
    server.start()
    server.click("one")
    server.stop()
    assert server.tags() == ["one"]
