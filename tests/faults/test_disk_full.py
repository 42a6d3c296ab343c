"""Full, inode-less and read-only disks for the click log and the store of a running server."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.clicklog import writer
from shortener.clicklog.reader import ClickLog
from shortener.clicklog.writer import SegmentWriter
from shortener.shared_memory import read_totals
from tests.faults.mounts import fill, memory_disk, remount
from tests.faults.serving import Server, needs_proc, serving, wait

SPARE_INODES = 100
"""Inodes beyond those in use that the log's disk has while it may run out of them."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte; the test is skipped if it cannot be mounted."""
    with memory_disk(tmp_path / "disk", "size=1m") as path:
        yield path


def test_every_click_is_either_recorded_or_reported(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over three full disks, each line that ``write`` confirmed is in the log once, no other is, and none is joined."""
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.05)
    log = SegmentWriter(small_disk / "clicklog", node="one", rotate_bytes=1 << 26, sync_seconds=0.1)
    promised: set[str] = set()
    refused: set[str] = set()
    ballast = small_disk / "ballast"
    for number in range(3000):
        if number % 1000 == 300:
            fill(ballast)
        if number % 1000 == 600:
            ballast.unlink()
            time.sleep(0.1)
        click = {
            "v": 1,
            "id": f"c{number}",
            "ts": 1.0,
            "host": "go.example",
            "code": "abcde",
            "ua": "x" * (number % 90),
        }
        recorded = log.write(json.dumps(click).encode() + b"\n")
        (promised if recorded else refused).add(f"c{number}")
    log.close()
    reader, found = ClickLog(small_disk), []
    for each in reader.segments():
        lines, progress = reader.read(each, position=0, skipping=False)
        found += [line.id for line in lines]
        assert progress.finished
        assert {skip.reason for skip in progress.skips} <= {"torn"}
    assert refused
    assert len(promised) > 2000
    assert sorted(found) == sorted(promised)


def unrecorded(server: Server) -> int:
    """Return the number of unrecorded clicks that the workers have counted for ``/-/health``."""
    return read_totals(server.data)["unrecorded"]


def click_until(server: Server, prefix: str, *, recorded: bool) -> None:
    """Click until one is recorded, or is not. Fails after half a minute."""
    until = time.monotonic() + 30
    for number in range(100_000):
        last = unrecorded(server)
        server.click(f"{prefix}{number}")
        if (unrecorded(server) == last) == recorded:
            return
        assert time.monotonic() < until
        time.sleep(0.005)
    raise AssertionError


def account_for(server: Server) -> list[str]:
    """Assert that every redirect is stored once or counted as unrecorded, and no line is damaged; return the tags."""
    counted = read_totals(server.data)
    assert server.health()["unrecorded"] == counted["unrecorded"] > 0
    server.stop()
    server.check()
    tags = server.tags(in_process=False)
    assert len(tags) == len(set(tags)) == counted["redirects"] - counted["unrecorded"]
    assert server.value("select coalesce(sum(skipped), 0) from segments") == server.value(
        "select count(*) from skips where reason = 'torn'"
    )
    return tags


@needs_proc
def test_disks_without_room(tmp_path: Path) -> None:
    """Disks of the click log and of the store that have no room for a while, one after the other."""
    data = tmp_path / "data"
    with (
        memory_disk(data, "size=6m") as disk,
        memory_disk(data / "clicklog", "size=64k") as log_disk,
        serving(Server(tmp_path, tables="[clicklog]\nsync = 0.05\n"), pages=True) as server,
    ):
        server.click("before")
        wait(server.stored)
        server.wait_for_start()
        readers_go_on_while_the_log_has_no_space(server, log_disk)
        remount(log_disk, "size=4m")
        readers_go_on_while_the_log_has_no_inodes(server, log_disk)
        a_read_only_log_is_a_full_one(server, log_disk)
        a_full_store_only_delays(server, disk)
        tags = account_for(server)
        assert {"before", "after-space", "after-inodes", "after-read-only", "full0"} <= set(tags)


def readers_go_on_while_the_log_has_no_space(server: Server, disk: Path) -> None:
    """While the log's disk has no free bytes, twice, readers are redirected and unrecorded clicks counted."""
    for number in range(2):
        fill(disk / "ballast")
        click_until(server, f"no-space{number}-", recorded=False)
        (disk / "ballast").unlink()
        click_until(server, f"space{number}-", recorded=True)
    server.click("after-space")
    assert "No space" in server.said()


def readers_go_on_while_the_log_has_no_inodes(server: Server, disk: Path) -> None:
    """While the log's disk has no free inodes for a new worker's segment, unrecorded clicks are counted."""
    replace_worker(server)  # the previous one has a segment; this one makes its own at its first click
    said = len(server.said())
    status = os.statvfs(disk)
    remount(disk, f"nr_inodes={status.f_files - status.f_ffree + SPARE_INODES}")
    ballast = use_up_inodes(disk)
    click_until(server, "no-inodes", recorded=False)
    assert "No space" in server.said()[said:]
    for path in ballast:
        path.unlink()
    click_until(server, "inodes", recorded=True)
    server.click("after-inodes")


def use_up_inodes(disk: Path) -> list[Path]:
    """Create empty files until the file system has no inode left, and return them."""
    made: list[Path] = []
    with contextlib.suppress(OSError):
        for number in range(2 * SPARE_INODES):
            path = disk / f"ballast{number}"
            path.touch()
            made.append(path)
    assert len(made) < 2 * SPARE_INODES, "there are inodes left"
    return made


def a_read_only_log_is_a_full_one(server: Server, disk: Path) -> None:
    """While the log's file system is read-only, readers are redirected; afterwards clicks are recorded again."""
    replace_worker(server)  # it holds a file open for writing, and so the mount
    remount(disk, "ro")
    click_until(server, "read-only", recorded=False)
    remount(disk, "rw")
    click_until(server, "writable", recorded=True)
    server.click("after-read-only")


def replace_worker(server: Server) -> None:
    """Kill the worker, and wait until the next one answers."""
    worker = server.child("worker")
    os.kill(worker, signal.SIGKILL)
    wait(lambda: server.children("worker") not in ([], [worker]) and server.answers())


def a_full_store_only_delays(server: Server, disk: Path) -> None:
    """While the disk is full for the store only, the collector retries and no click is lost."""
    missing = unrecorded(server)
    stored, said = server.stored_after("before-the-full-store"), len(server.said())
    fill(disk / "ballast")
    for number in range(300):
        server.click(f"full{number}")
    wait(lambda: any(word in server.said()[said:] for word in ("retrying", "full")), what="the collector's word")
    assert unrecorded(server) == missing
    (disk / "ballast").unlink()
    wait(lambda: server.stored() == stored + 300, seconds=20, what="the backlog's way into the store")
    assert "Traceback" not in server.said()


@needs_proc
def test_a_read_only_data_directory_is_refused(tmp_path: Path) -> None:
    """A server that cannot write at its start ends with one line of error."""
    data = tmp_path / "data"
    with memory_disk(data, "size=4m") as disk:
        server = Server(tmp_path)
        remount(disk, "ro")
        said = server.run("serve", status=1)
        assert "Error:" in said
        assert str(data) in said
        assert "Traceback" not in said
        errors = [line for line in said.splitlines() if line.startswith("Error:")]
        assert len(errors) == 1
