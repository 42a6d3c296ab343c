"""A store that is locked, moved, damaged, replaced, read for long or backed up while the server runs."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.accounting import Readers, account
from tests.faults.crowds import ask_on_one_connection, cpu_seconds
from tests.faults.serving import Server, needs_proc, serving, wait

pytestmark = needs_proc
WAL_BYTES = 64 << 20
"""Bound on the write-ahead log: twice the bytes between two checkpoints."""
LOCKED_SECONDS = 3.0
"""Seconds for which the store is locked; ``tests.benchmarks.faults.locked`` locks it for minutes."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with one link and one stored click."""
    with serving(Server(tmp_path), pages=True) as running:
        running.click("first")
        wait(running.stored, what="the first click's way into the store")
        running.wait_for_start()
        yield running


def test_a_locked_store_only_delays(server: Server) -> None:
    """While another program locks the store, readers are redirected, the collector waits, and no click is lost."""
    (collector,) = server.children("collector")
    with contextlib.closing(sqlite3.connect(server.data / "store.db", isolation_level=None)) as db:
        db.execute("begin exclusive")
        begun, worked = time.monotonic(), cpu_seconds(collector)
        clicks = 0
        while time.monotonic() < begun + LOCKED_SECONDS:
            clicks += 1
            server.click(f"locked-{clicks}")
            time.sleep(0.02)
        assert server.stored() == 1
        waited = time.monotonic() - begun
        assert cpu_seconds(collector) - worked < waited / 4, "the collector sleeps between its tries"
        db.execute("rollback")
    wait(lambda: server.stored() == clicks + 1, what="the backlog's way into the store")
    assert server.children("collector") == [collector]
    server.stop()
    server.check()
    assert server.tags() == sorted(["first", *(f"locked-{number}" for number in range(1, clicks + 1))])


def move(server: Server, destination: Path) -> None:
    """Move the store with its write-ahead log and shared memory."""
    for suffix in ("", "-wal", "-shm"):
        path = server.data / f"store.db{suffix}"
        if path.exists():
            path.rename(destination / path.name)


def test_a_store_that_is_moved_away_is_missed_and_not_made_anew(server: Server, tmp_path: Path) -> None:
    """While the store is moved away, cached links redirect and no store is created; later all clicks are stored."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    move(server, elsewhere)
    for number in range(5):
        server.click(f"away-{number}")
    wait(lambda: "the store was moved away or replaced" in server.said(), what="the collector's word")
    wait(lambda: "there is no store here" in server.said(), what="the next collector's word")
    assert not (server.data / "store.db").exists()
    assert server.get("/-/health").startswith(b"HTTP/1.1 503")
    for path in elsewhere.iterdir():
        path.rename(server.data / path.name)
    wait(lambda: server.stored() == 6, what="the clicks' way into the store")
    wait(lambda: server.health()["status"] == "pass", what="health")
    assert "Traceback" not in server.said()
    server.stop()
    server.check()


def test_garbage_in_the_first_page_stops_the_collector_not_the_readers(server: Server, tmp_path: Path) -> None:
    """A damaged store is reported in one line and not changed; a backup in its place reaches the exact count."""
    server.run("backup", str(tmp_path / "backup.db"))
    server.click("after the backup".replace(" ", "-"))
    wait(lambda: server.stored() == 2)
    with contextlib.closing(sqlite3.connect(server.data / "store.db")) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    with (server.data / "store.db").open("r+b") as file:
        file.write(os.urandom(4096))
    for number in range(5):
        server.click(f"damaged-{number}")
    wait(lambda: "store.db" in server.said(), what="the collector's word")
    assert server.get().startswith(b"HTTP/1.1 302")
    server.end()
    assert "Traceback" not in server.said()
    for suffix in ("-wal", "-shm"):
        (server.data / f"store.db{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", server.data / "store.db")
    server.start()
    wait(lambda: server.stored() == 8, what="the replay")
    server.stop()
    server.check()
    assert [tag for tag in server.tags() if tag] == sorted(
        ["first", "after-the-backup", *(f"damaged-{number}" for number in range(5))]
    )


def test_an_old_backup_put_in_place_while_serving(server: Server, tmp_path: Path) -> None:
    """The collector does not write to a replaced store file; after a restart the click log is replayed."""
    backup = tmp_path / "backup.db"
    server.run("backup", str(backup))
    for number in range(3):
        server.click(f"after-{number}")
    wait(lambda: server.stored() == 4)
    backup.rename(server.data / "store.db")
    server.click("replaced")
    wait(lambda: "the store was moved away or replaced" in server.said(), what="the collector's word")
    server.click("later")
    time.sleep(1.0)
    server.end()
    server.start()
    wait(lambda: server.stored() == 6, what="the replay")
    server.stop()
    server.check()


LONG_READER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("begin")
db.execute("select count(*) from clicks").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""


def test_a_long_query_holds_nobody_up(server: Server) -> None:
    """While another program reads one snapshot, clicks are drained and the write-ahead log stays bounded."""
    wal = server.data / "store.db-wal"
    command = [sys.executable, "-c", LONG_READER, str(server.data / "store.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        for number in range(100):
            server.click(f"c{number}")
        wait(lambda: server.stored() == 101, what="the clicks' way into the store")
        assert wal.stat().st_size < WAL_BYTES
        reader.communicate("")
    ask_on_one_connection(server, 2000)
    wait(lambda: server.stored() == 2101, what="the clicks' way into the store")
    assert wal.stat().st_size < WAL_BYTES
    server.stop()
    assert not wal.exists()
    server.check()


def test_a_backup_under_load_and_the_log_make_the_exact_count(server: Server, tmp_path: Path) -> None:
    """A backup taken under load passes its check, and after replaying the log has the count of the live store."""
    readers = Readers(server)
    readers.start()
    try:
        time.sleep(0.7)
        server.run("backup", str(tmp_path / "backup.db"))
        time.sleep(0.7)
    finally:
        readers.stop()
    server.stop()
    live = server.tags()
    assert account(readers.outcomes, live).is_exact
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (server.data / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", server.data / "store.db")
    assert server.stored() < len(live)
    server.run("collect", "--once")
    server.check()
    assert server.tags() == live
