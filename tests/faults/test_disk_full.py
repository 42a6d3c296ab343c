"""Full, inode-less and read-only disks for the click log and the store of a running server."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.clicklog import writer
from shortener.clicklog.reader import ClickLog
from shortener.clicklog.writer import SegmentWriter
from shortener.shared_memory import read_totals
from tests.faults.mounts import fill, memory_disk, mount
from tests.faults.serving import Server, needs_proc, serving, wait


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
    """Return the number of unrecorded clicks that ``/-/health`` reports."""
    return int(str(server.health()["unrecorded"]))


def click_until(server: Server, prefix: str, *, recorded: bool) -> int:
    """Click until one is recorded, or is not; return the number of unrecorded clicks. Fails after half a minute."""
    until, before = time.monotonic() + 30, unrecorded(server)
    for number in range(100_000):
        last = unrecorded(server)
        server.click(f"{prefix}{number}")
        if (unrecorded(server) == last) == recorded:
            return unrecorded(server) - before
        assert time.monotonic() < until
    raise AssertionError


def account_for(server: Server) -> None:
    """Assert that every redirect is stored once or counted as unrecorded, and no line is damaged."""
    counted = read_totals(server.data)
    server.stop()
    server.check()
    tags = server.tags()
    assert len(tags) == len(set(tags)) == counted["redirects"] - counted["unrecorded"]
    assert server.value("select coalesce(sum(skipped), 0) from segments") == server.value(
        "select count(*) from skips where reason = 'torn'"
    )


@needs_proc
@pytest.mark.parametrize("options", ["size=64k", "nr_inodes=4,size=1m"], ids=["no space", "no inodes"])
def test_readers_go_on_while_the_log_has_no_room(tmp_path: Path, options: str) -> None:
    """While the log's disk has no free bytes or inodes, readers are redirected and unrecorded clicks counted."""
    server = Server(tmp_path, tables="[clicklog]\nsync = 0.05\n")
    with memory_disk(server.data / "clicklog", options) as disk, serving(server, pages=True):
        server.click("before")
        hindrances = [disk / f"ballast{number}" for number in range(4)]
        for round_number in range(1 if "nr_inodes" in options else 2):
            for path in hindrances:
                try:
                    path.touch()
                except OSError:
                    break
            if "nr_inodes" in options:
                # The worker's own segment is open still; a new one cannot be made.
                (worker,) = server.children("worker")
                os.kill(worker, 9)
                wait(lambda worker=worker: server.children("worker") not in ([], [worker]))  # type: ignore[misc]
            else:
                fill(hindrances[0])
            click_until(server, f"full{round_number}-", recorded=False)
            server.click(f"lost{round_number}")
            for path in hindrances:
                path.unlink(missing_ok=True)
            click_until(server, f"room{round_number}-", recorded=True)
            server.click(f"good{round_number}")
        assert "cannot" in server.said() or "No space" in server.said()
        account_for(server)
        assert {"before", "good0"} <= set(server.tags())


@needs_proc
def test_a_full_store_only_delays(tmp_path: Path) -> None:
    """While the disk is full for the store only, the collector retries and no click is lost."""
    data = tmp_path / "data"
    with (
        memory_disk(data, "size=6m") as disk,
        memory_disk(data / "clicklog", "size=4m"),
        serving(Server(tmp_path), pages=True) as server,
    ):
        server.click("before")
        wait(server.stored)
        server.wait_for_start()
        fill(disk / "ballast")
        for number in range(300):
            server.click(f"full{number}")
        wait(lambda: "retrying" in server.said() or "full" in server.said(), what="the collector's word")
        assert unrecorded(server) == 0
        (disk / "ballast").unlink()
        wait(lambda: server.stored() == 301, seconds=20, what="the backlog's way into the store")
        assert "Traceback" not in server.said()
        server.stop()
        server.check()


@needs_proc
def test_a_read_only_log_is_a_full_one(tmp_path: Path) -> None:
    """While the log's file system is read-only, readers are redirected; afterwards clicks are recorded again."""
    server = Server(tmp_path, tables="[clicklog]\nsync = 0.05\n")
    with memory_disk(server.data / "clicklog", "size=4m") as disk, serving(server, pages=True):
        server.click("before")
        (worker,) = server.children("worker")
        os.kill(worker, 9)  # it holds a file open for writing, and so the mount
        wait(lambda: server.children("worker") not in ([], [worker]))
        mount("-o", "remount,ro", str(disk))
        click_until(server, "ro", recorded=False)
        mount("-o", "remount,rw", str(disk))
        click_until(server, "rw", recorded=True)
        server.click("after")
        account_for(server)
        assert {"before", "after"} <= set(server.tags())


@needs_proc
def test_a_read_only_data_directory_is_refused(tmp_path: Path) -> None:
    """A server that cannot write at its start ends with one line of error."""
    data = tmp_path / "data"
    with memory_disk(data, "size=4m") as disk:
        server = Server(tmp_path)
        mount("-o", "remount,ro", str(disk))
        said = server.run("serve", status=1)
        assert "Error:" in said
        assert str(data) in said
        assert "Traceback" not in said
        errors = [line for line in said.splitlines() if line.startswith("Error:")]
        assert len(errors) == 1
