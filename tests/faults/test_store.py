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
    """A running server without pages, with one link and one stored click."""
    with serving(Server(tmp_path, pages=False)) as running:
        store_first_click(running)
        yield running


def store_first_click(server: Server) -> None:
    """Click once, and wait until the click is stored."""
    server.click("first")
    wait(server.stored, what="the first click's way into the store")


def test_other_programs_use_the_store(server: Server, tmp_path: Path) -> None:
    """A program that locks the store, one that reads it for long, and a backup under load."""
    a_locked_store_only_delays(server)
    a_long_query_holds_nobody_up(server)
    a_backup_under_load_and_the_log_make_the_exact_count(server, tmp_path / "backup.db")


def a_locked_store_only_delays(server: Server) -> None:
    """While another program locks the store, readers are redirected, the collector waits, and no click is lost."""
    collector = server.child("collector")
    with contextlib.closing(sqlite3.connect(server.data / "store.db", isolation_level=None)) as db:
        db.execute("begin exclusive")
        begun, worked = time.monotonic(), cpu_seconds(collector)
        clicks = 0
        while time.monotonic() < begun + LOCKED_SECONDS:
            clicks += 1
            server.click(f"locked-{clicks}")
            time.sleep(0.05)
        assert server.stored() == 1
        waited = time.monotonic() - begun
        assert cpu_seconds(collector) - worked < waited / 4, "the collector sleeps between its tries"
        db.execute("rollback")
    wait(lambda: server.stored() == clicks + 1, what="the backlog's way into the store")
    assert server.children("collector") == [collector]
    server.check()
    assert server.tags() == sorted(["first", *(f"locked-{number}" for number in range(1, clicks + 1))])


LONG_READER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("begin")
db.execute("select count(*) from clicks").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""


def a_long_query_holds_nobody_up(server: Server) -> None:
    """While another program reads one snapshot, clicks are drained and the write-ahead log stays bounded."""
    wal, before = server.data / "store.db-wal", server.stored()
    command = [sys.executable, "-c", LONG_READER, str(server.data / "store.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        for number in range(100):
            server.click(f"c{number}")
        wait(lambda: server.stored() == before + 100, what="the clicks' way into the store")
        assert wal.stat().st_size < WAL_BYTES
        reader.communicate("")
    ask_on_one_connection(server, 1000)
    wait(lambda: server.stored() == before + 1100, what="the clicks' way into the store")
    assert wal.stat().st_size < WAL_BYTES
    server.check()


def a_backup_under_load_and_the_log_make_the_exact_count(server: Server, backup: Path) -> None:
    """A backup taken under load passes its check, and after replaying the log has the count of the live store."""
    readers = Readers(server, pause=0.01)
    readers.start()
    try:
        wait(lambda: len(readers.outcomes) > 100, what="the readers' clicks")
        server.call("backup", str(backup))
        asked = len(readers.outcomes)
        wait(lambda: len(readers.outcomes) > asked + 100, what="the readers' clicks")
    finally:
        readers.stop()
    server.stop()
    assert not (server.data / "store.db-wal").exists()
    live = server.tags()
    assert account(readers.outcomes, live).is_exact
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (server.data / name).unlink(missing_ok=True)
    shutil.copy(backup, server.data / "store.db")
    assert server.stored() < len(live)
    server.call("collect", "--once")
    server.check()
    assert server.tags() == live


def move(server: Server, destination: Path) -> None:
    """Move the store with its write-ahead log and shared memory."""
    for suffix in ("", "-wal", "-shm"):
        path = server.data / f"store.db{suffix}"
        if path.exists():
            path.rename(destination / path.name)


def test_a_store_that_is_moved_away_is_missed_and_not_made_anew(tmp_path: Path) -> None:
    """While the store is moved away, cached links redirect and no store is created; later all clicks are stored."""
    with serving(Server(tmp_path), pages=True) as server:
        store_first_click(server)
        server.wait_for_start()
        is_missed_and_not_made_anew(server, tmp_path / "elsewhere")


def is_missed_and_not_made_anew(server: Server, elsewhere: Path) -> None:
    """Move the store away and back."""
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


def test_the_store_is_replaced(tmp_path: Path) -> None:
    """A store file that is replaced or damaged while the server runs, and the server's next start."""
    with serving(Server(tmp_path), pages=True) as server:
        store_first_click(server)
        server.wait_for_start()
        an_old_backup_put_in_place_while_serving(server, tmp_path / "old.db")
        garbage_in_the_first_page_stops_the_collector_not_the_readers(server, tmp_path / "backup.db")


def an_old_backup_put_in_place_while_serving(server: Server, backup: Path) -> None:
    """The collector does not write to a replaced store file; after a restart the click log is replayed."""
    server.call("backup", str(backup))
    for number in range(3):
        server.click(f"after-{number}")
    wait(lambda: server.stored() == 4)
    backup.rename(server.data / "store.db")
    server.click("replaced")
    wait(lambda: "the store was moved away or replaced" in server.said(), what="the collector's word")
    server.click("later")
    server.end()
    server.start()
    wait(lambda: server.stored() == 6, what="the replay")
    server.wait_for_start(number=2)
    server.check()


def garbage_in_the_first_page_stops_the_collector_not_the_readers(server: Server, backup: Path) -> None:
    """A damaged store is reported in one line and not changed; a backup in its place reaches the exact count."""
    before = server.tags()
    server.call("backup", str(backup))
    server.click("after-the-backup")
    wait(lambda: server.stored() == len(before) + 1)
    with contextlib.closing(sqlite3.connect(server.data / "store.db")) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    said = len(server.said())
    with (server.data / "store.db").open("r+b") as file:
        file.write(os.urandom(4096))
    for number in range(5):
        server.click(f"damaged-{number}")
    wait(lambda: "store.db" in server.said()[said:], what="the collector's word")
    server.click("last")
    server.end()
    assert "Traceback" not in server.said()
    for suffix in ("-wal", "-shm"):
        (server.data / f"store.db{suffix}").unlink(missing_ok=True)
    shutil.copy(backup, server.data / "store.db")
    server.start()
    wait(lambda: server.stored() == len(before) + 7, what="the replay")
    server.stop()
    server.check()
    assert server.tags() == sorted([*before, "after-the-backup", *(f"damaged-{number}" for number in range(5)), "last"])
