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
    """A running server without pages, with one stored click."""
    with serving(Server(tmp_path, pages=False)) as running:
        running.click("first")
        wait(running.stored, what="the first click's way into the store")
        yield running


def test_several_collectors(server: Server) -> None:
    """Of several collectors, and of several servers, one works at a time, whatever happens to it."""
    a_second_server_on_the_same_data_is_refused(server)
    who_waits_for_a_frozen_collector_gets_its_turn(server)
    four_collectors_count_each_click_once(server)
    a_frozen_collector_comes_back_as_a_stranger(server)
    stale_locks_keep_nobody_out(server)


def a_second_server_on_the_same_data_is_refused(server: Server) -> None:
    """A second server on one data directory ends with a message, and the first one continues to work."""
    said = server.run("serve", "--port", str(server.port + 1), status=1)
    assert "another server is already running for this data directory" in said
    assert len(said.splitlines()) == 1
    assert server.stored_after("beside-the-second-server") == 2


def who_waits_for_a_frozen_collector_gets_its_turn(server: Server) -> None:
    """``collect --once`` waits for the collector that has the lock, and returns when all lines are stored."""
    frozen = server.freeze_collector()
    before = server.stored()
    server.click("frozen")
    waiting = subprocess.Popen(server.command("collect", "--once"), stdout=subprocess.PIPE, text=True)
    time.sleep(1.0)
    assert waiting.poll() is None
    os.kill(frozen, signal.SIGCONT)
    output, _ = waiting.communicate(timeout=20)
    assert "The click log is in the store" in output
    assert server.stored() == before + 1


def four_collectors_count_each_click_once(server: Server) -> None:
    """Further collectors report that they wait, take over one by one, and end at SIGTERM."""
    before = server.tags()
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
                victim = server.child("collector")
                os.kill(victim, signal.SIGKILL)
        wait(lambda: server.stored() == len(before) + 150, what="the clicks' way into the store")
    finally:
        for other in others:
            other.terminate()
        for other in others:
            other.communicate(timeout=20)
    assert [other.returncode for other in others] == [0, 0, 0]
    server.check()
    assert server.tags() == sorted([*before, *(f"c{number}" for number in range(150))])


def a_frozen_collector_comes_back_as_a_stranger(server: Server) -> None:
    """A paused collector whose lock file was deleted counts nothing twice after another one drained."""
    before = server.tags()
    frozen = server.freeze_collector()
    for number in range(50):
        server.click(f"stranger-{number}")
    # The lock is the file's: whoever deletes it lets a second collector in, which is the worst that can be done.
    (server.data / "collector.lock").unlink()
    server.call("collect", "--once")
    assert server.stored() == len(before) + 50
    for number in range(50, 80):
        server.click(f"stranger-{number}")
    os.kill(frozen, signal.SIGCONT)
    wait(lambda: server.stored() == len(before) + 80, what="the rest's way into the store")
    server.check()
    assert server.tags() == sorted([*before, *(f"stranger-{number}" for number in range(80))])


def stale_locks_keep_nobody_out(server: Server) -> None:
    """Lock files of a killed server have no effect, even with the id of a running process in them."""
    before = server.stored_after("before-the-kill")
    server.kill_tree()
    for name in ("serve.lock", "collector.lock"):
        assert (server.data / name).exists()
        (server.data / name).write_text(f"{os.getpid()}\n")
    server.start()
    assert server.stored_after("after-the-kill") == before + 1
    server.stop()
    server.check()
    tags = server.tags()
    assert len(tags) == len(set(tags))
