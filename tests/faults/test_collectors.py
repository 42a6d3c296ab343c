"""Several collectors: paused ones that continue, stale lock files, two servers on one data directory."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.serving import Server, needs_proc, serving, wait

pytestmark = needs_proc


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with one stored click."""
    with serving(Server(tmp_path)) as running:
        running.click("first")
        wait(running.stored, what="the first click's way into the store")
        yield running


def test_a_frozen_collector_comes_back_as_a_stranger(server: Server) -> None:
    """A paused collector whose lock file was deleted counts nothing twice after another one drained."""
    (frozen,) = server.children("collector")
    os.kill(frozen, signal.SIGSTOP)
    for number in range(50):
        server.click(f"c{number}")
    # The lock is the file's: whoever deletes it lets a second collector in, which is the worst that can be done.
    (server.data / "collector.lock").unlink()
    server.run("collect", "--once")
    assert server.stored() == 51
    for number in range(50, 80):
        server.click(f"c{number}")
    os.kill(frozen, signal.SIGCONT)
    wait(lambda: server.stored() == 81, what="the rest's way into the store")
    server.stop()
    server.check()
    assert server.tags() == sorted(["first", *(f"c{number}" for number in range(80))])


def test_who_waits_for_a_frozen_collector_gets_its_turn(server: Server) -> None:
    """``collect --once`` waits for the collector that has the lock, and returns when all lines are stored."""
    (frozen,) = server.children("collector")
    os.kill(frozen, signal.SIGSTOP)
    server.click("one")
    waiting = subprocess.Popen(server.command("collect", "--once"), stdout=subprocess.PIPE, text=True)
    time.sleep(1.0)
    assert waiting.poll() is None
    os.kill(frozen, signal.SIGCONT)
    output, _ = waiting.communicate(timeout=20)
    assert "The click log is in the store" in output
    assert server.stored() == 2


def test_four_collectors_count_each_click_once(server: Server) -> None:
    """Further collectors report that they wait, take over one by one, and end at SIGTERM."""
    others = [
        subprocess.Popen(server.command("collect", "--follow"), stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for other in others:
        assert other.stderr is not None
        assert "waiting for it to end" in other.stderr.readline()
    try:
        for number in range(150):
            server.click(f"c{number}")
            if number == 75:
                (victim,) = server.children("collector")
                os.kill(victim, signal.SIGKILL)
        wait(lambda: server.stored() == 151, what="the clicks' way into the store")
    finally:
        for other in others:
            other.terminate()
        for other in others:
            other.communicate(timeout=20)
    assert [other.returncode for other in others] == [0, 0, 0]
    server.stop()
    server.check()
    assert server.tags() == sorted(["first", *(f"c{number}" for number in range(150))])


def test_stale_locks_keep_nobody_out(tmp_path: Path) -> None:
    """Lock files of a killed server have no effect, even with the id of a running process in them."""
    server = Server(tmp_path)
    server.start()
    server.click("one")
    wait(server.stored, what="the first click's way into the store")
    server.kill_tree()
    for name in ("serve.lock", "collector.lock"):
        assert (server.data / name).exists()
        (server.data / name).write_text(f"{os.getpid()}\n")
    server.start()
    server.click("two")
    wait(lambda: server.stored() == 2, what="the clicks' way into the store")
    server.stop()


def test_a_second_server_on_the_same_data_is_refused(server: Server, tmp_path: Path) -> None:
    """A second server on one data directory ends with a message, and the first one continues to work."""
    said = server.run("serve", "--port", str(server.port + 1), status=1)
    assert "another server is already running for this data directory" in said
    assert len(said.splitlines()) == 1
    server.click("one")
    wait(lambda: server.stored() == 2)
