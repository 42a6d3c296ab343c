"""Of several machines with a collector, one collects at a time, also if its process was stopped and continued (D6)."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from shortener.collector.collector import LEASE, Collector
from shortener.collector.other_collector import drain_once
from shortener.errors import AlreadyRunning, LeaseLost
from shortener.store import Store, leases, open_store
from tests.scale.conftest import Centre


def end_lease(store: Store) -> None:
    """Let the time of the lease pass."""
    store.execute("update leases set until_ms = 0")


def test_a_paused_collector_commits_nothing(centre: Centre, tmp_path: Path) -> None:
    """A second machine waits for the lease, takes it when it has ended, and the first one stores nothing more."""
    store, config = centre.other_machine(tmp_path / "other")
    first = Collector(centre.store, config=centre.config, own_log=False)
    with pytest.raises(AlreadyRunning, match="is already running for this store"):
        Collector(store, config=config, own_log=False)
    centre.click("one")
    centre.send("paris")
    end_lease(store)
    with closing(store), closing(Collector(store, config=config, own_log=False)) as second:
        with pytest.raises(LeaseLost):
            first.drain()
        first.close()
        assert centre.ids() == []
        assert second.drain() == 1
        assert centre.ids() == ["click-000001"]
        assert leases.current_holder(store, LEASE) is not None
    assert leases.current_holder(centre.store, LEASE) is None
    assert centre.collect() == 0


def test_a_killed_collector_does_not_block_its_machine(centre: Centre) -> None:
    """The next process of the same machine takes the lease at once; what the killed one held is void."""
    killed = Collector(centre.store, config=centre.config, own_log=False)
    os.close(killed._lock_fd)
    centre.click("one")
    centre.send("paris")
    with closing(open_store(centre.directory / "data", url=centre.config.storage.url)) as store:
        next_one = Collector(store, config=centre.config, own_log=False)
        with pytest.raises(LeaseLost):
            killed.drain()
        centre.store.check_transaction = None
        assert next_one.drain() == 1
        next_one.close()


def test_collect_once_waits_for_the_leader(centre: Centre, tmp_path: Path) -> None:
    """A command on another machine returns when its click log was stored, whichever machine stored it."""
    store, config = centre.other_machine(tmp_path / "other")
    centre.click("one")
    centre.record("paris")
    log = config.data_directory / "clicklog"
    log.mkdir()
    (log / "segment-paris.jsonl").write_bytes(centre.content["paris"])
    with closing(store), closing(Collector(centre.store, config=centre.config, own_log=False)) as leader:
        centre.send("paris")
        leader.drain()
        assert drain_once(store, config=config) == 0
    assert centre.ids() == ["click-000001"]


PROGRAM = """
import sys
from shortener.store import leases
leases.LEASE_SECONDS, leases.RENEWAL_SECONDS, leases.PAUSE_SECONDS = 4.0, 0.5, 4.0
from shortener.cli import main
main()
"""


def test_a_stopped_process_does_not_lead(centre: Centre, tmp_path: Path) -> None:
    """While the process of the leader is stopped, another machine collects, and the counts are exact afterwards."""
    processes = {}
    for name in ("first", "second"):
        path = tmp_path / f"{name}.toml"
        path.write_text(
            f'[storage]\ndata = "{tmp_path / name}"\nurl = "{centre.config.storage.url}"\n'
            '[[domain]]\nhost = "go.example"\n',
            encoding="utf-8",
        )
        command = [sys.executable, "-c", PROGRAM, "--config", str(path), "collect", "--follow"]
        processes[name] = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        wait_for(lambda name=name: name == "second" or leader(centre) is not None)
    try:
        first, second = processes.values()
        before = leader(centre)
        send_and_wait(centre)
        first.send_signal(signal.SIGSTOP)
        wait_for(lambda: leader(centre) not in {None, before})
        send_and_wait(centre)
        first.send_signal(signal.SIGCONT)
        send_and_wait(centre)
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
        wait_for(lambda: leader(centre) is not None)
        send_and_wait(centre)
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0
    finally:
        for process in processes.values():
            process.kill()
        output, _ = (process.communicate()[1] for process in processes.values())
    assert "another process has become the collector" in output
    assert centre.store.value("select sum(human) from clicks_by_link") == centre.written


def leader(centre: Centre) -> str | None:
    """Return the holder of the lease."""
    return leases.current_holder(centre.store, LEASE)


def send_and_wait(centre: Centre) -> None:
    """Send clicks from two nodes, and wait until they are stored."""
    for node in ("paris", "berlin"):
        centre.click("one", visitor=str(centre.written), ts=time.time())  # older clicks would be deleted at once
        centre.send(node)
    wait_for(lambda: len(centre.ids()) == centre.written)


def wait_for(condition: object) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
