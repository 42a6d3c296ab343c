"""The segment writer: which lines are in the files after failed writes, failed syncs and rotations."""

import errno
import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from shortener.clicklog.reader import ClickLog
from shortener.clicklog.writer import SegmentWriter
from shortener.durations import HOUR_SECONDS


def line(number: int) -> bytes:
    """Return a click line with the id ``c<number>``."""
    click = {"v": 1, "id": f"c{number}", "ts": 1.0, "host": "go.example", "code": "abcde"}
    return json.dumps(click).encode() + b"\n"


def read_ids(data: Path) -> list[str]:
    """Return the ids of the clicks that the collector would read, in order."""
    log = ClickLog(data)
    ids: list[str] = []
    for segment in log.segments():
        lines, _ = log.read(segment, position=0, skipping=False)
        ids += [click.id for click in lines]
    return ids


class SystemCalls:
    """The system calls of the writer, counted, with errors injected into some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures: dict[str, dict[int, Any]] = {"write": {}, "fdatasync": {}, "open": {}}
        self.calls: list[tuple[str, int]] = []
        self._originals = {name: getattr(os, name) for name in self.failures}
        for name in self.failures:
            monkeypatch.setattr(os, name, self._wrap(name))

    def fail(self, name: str, call: int, failure: OSError | int) -> None:
        """Make the ``call``-th call (from 1) raise an error, or write only so many bytes."""
        self.failures[name][call] = failure

    def count(self, name: str) -> int:
        """Return the number of calls of a function."""
        return sum(1 for called, _ in self.calls if called == name)

    def _wrap(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls.append((name, arguments[0] if isinstance(arguments[0], int) else -1))
            failure = self.failures[name].get(self.count(name))
            if isinstance(failure, OSError):
                raise failure
            if failure is not None:
                return self._originals[name](arguments[0], arguments[1][:failure])
            return self._originals[name](*arguments)

        return call


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> SystemCalls:
    """Count the writer's system calls, and let a test inject errors."""
    return SystemCalls(monkeypatch)


def writer(data: Path, **options: Any) -> SegmentWriter:
    """Return a writer whose background sync does not run, and whose clock advances a second for each segment."""
    seconds = count(1)
    defaults: dict[str, Any] = {"rotate_bytes": 1 << 20, "sync_seconds": float(HOUR_SECONDS)}
    return SegmentWriter(data / "clicklog", node="one", **defaults | options, clock=lambda: float(next(seconds)))


def test_a_line_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    """After ``write`` returned, the segment contains a header and the line."""
    log = writer(tmp_path)
    assert log.write(line(1))
    (path,) = (tmp_path / "clicklog").iterdir()
    header, click = path.read_bytes().splitlines(keepends=True)
    assert click == line(1)
    assert set(json.loads(header)) == {"v", "segment", "node", "started"}


def test_files_are_private(tmp_path: Path) -> None:
    """Only the owner can read the segments and their directory."""
    writer(tmp_path).write(line(1))
    directory = tmp_path / "clicklog"
    (path,) = directory.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_line_is_one_write(tmp_path: Path, system: SystemCalls) -> None:
    """Five lines are five calls of ``write``, so that a killed process leaves at most one incomplete line."""
    log = writer(tmp_path)
    log.write(line(1))
    before = system.count("write")
    for number in range(2, 7):
        log.write(line(number))
    assert system.count("write") - before == 5


def test_two_writers_never_share_a_segment(tmp_path: Path) -> None:
    """A second writer begins a file of its own, because the last line of the first one may be incomplete."""
    first = writer(tmp_path)
    first.write(line(1))
    first.close()
    writer(tmp_path).write(line(2))
    assert len(list((tmp_path / "clicklog").iterdir())) == 2
    assert sorted(read_ids(tmp_path)) == ["c1", "c2"]


def test_a_segment_is_locked_while_its_writer_lives(tmp_path: Path) -> None:
    """A segment has an exclusive lock until its writer closes it."""
    log = writer(tmp_path)
    log.write(line(1))
    (path,) = (tmp_path / "clicklog").iterdir()
    with path.open() as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        log.close()
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_segments_rotate_by_size(tmp_path: Path) -> None:
    """A full segment is followed by a new one, and file names sort by start time."""
    log = writer(tmp_path, rotate_bytes=400)
    for number in range(20):
        assert log.write(line(number))
    names = sorted(path.name for path in (tmp_path / "clicklog").iterdir())
    assert len(names) > 3
    assert [name[:14] for name in names] == [f"{1000 * number:014d}" for number in range(1, len(names) + 1)]
    assert read_ids(tmp_path) == [f"c{number}" for number in range(20)]


def test_segments_rotate_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment whose rotation time has passed is followed by a new one."""
    log = writer(tmp_path)
    log.write(line(1))
    assert log._segment is not None
    monkeypatch.setattr(log._segment, "rotate_at", 0.0)
    log.write(line(2))
    assert len(list((tmp_path / "clicklog").iterdir())) == 2


WRITE_FAILURES: dict[str, OSError | int] = {
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "input/output error": OSError(errno.EIO, "Input/output error"),
    "read-only": OSError(errno.EROFS, "Read-only file system"),
    "file too large": OSError(errno.EFBIG, "File too large"),
    "short write": 9,
    "nothing written": 0,
}


@pytest.mark.parametrize("failure", WRITE_FAILURES.values(), ids=WRITE_FAILURES)
def test_a_failed_write_is_repeated_in_a_new_segment(
    tmp_path: Path, system: SystemCalls, failure: OSError | int
) -> None:
    """After a failed or short write the line is in a new segment, and no click is lost."""
    log = writer(tmp_path)
    assert log.write(line(1))
    system.fail("write", 3, failure)
    assert log.write(line(2))
    assert log.write(line(3))
    assert len(list((tmp_path / "clicklog").iterdir())) == 2
    log.close()
    assert read_ids(tmp_path) == ["c1", "c2", "c3"]


def test_clicks_are_recorded_again_after_a_full_disk(
    tmp_path: Path, system: SystemCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full ``write`` returns False, and afterwards clicks are recorded again."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    log = writer(tmp_path)
    assert log.write(line(1))
    for call in range(3, 9):
        system.fail("write", call, OSError(errno.ENOSPC, "No space left on device"))
    outcomes = []
    for number in range(2, 10):
        now[0] += 1.5
        outcomes.append(log.write(line(number)))
    assert outcomes == [False] * 5 + [True] * 3
    log.close()
    assert read_ids(tmp_path) == ["c1", "c7", "c8", "c9"]


def test_a_broken_directory_is_not_tried_for_every_click(tmp_path: Path, system: SystemCalls) -> None:
    """If no segment can be opened, fifty clicks are not recorded and cause no further attempt."""
    (tmp_path / "clicklog").write_text("in the way")
    log = writer(tmp_path)
    assert [log.write(line(number)) for number in range(50)] == [False] * 50
    assert system.count("open") == 0


def test_a_segment_with_an_incomplete_header_is_removed(tmp_path: Path, system: SystemCalls) -> None:
    """A file whose header could not be written is deleted, because it would be read as another program's log."""
    system.fail("write", 1, 10)
    assert not writer(tmp_path).write(line(1))
    assert list((tmp_path / "clicklog").iterdir()) == []


def test_a_click_that_waits_for_the_disk_is_not_lost_with_its_file(tmp_path: Path) -> None:
    """If the file was deleted before the sync, the click is written to another one."""
    log = writer(tmp_path, sync_seconds=0)
    assert log.write(line(1))
    for path in (tmp_path / "clicklog").iterdir():
        path.unlink()
    assert log.write(line(2))
    assert read_ids(tmp_path) == ["c2"]


def test_one_sync_covers_many_lines(tmp_path: Path, system: SystemCalls) -> None:
    """A hundred lines need one ``fdatasync``, and a second sync without new lines needs none."""
    log = writer(tmp_path)
    for number in range(100):
        log.write(line(number))
    assert system.count("fdatasync") == 0
    log.sync()
    log.sync()
    assert system.count("fdatasync") == 1


def test_a_failed_sync_is_not_repeated_on_the_same_file(tmp_path: Path, system: SystemCalls) -> None:
    """After a failed sync the file is not synced again, and the next line is written to a new one."""
    log = writer(tmp_path)
    log.write(line(1))
    system.fail("fdatasync", 1, OSError(errno.EIO, "Input/output error"))
    log.sync()
    (failed,) = [fd for name, fd in system.calls if name == "fdatasync"]
    log.write(line(2))
    log.sync()
    log.close()
    synced = [fd for name, fd in system.calls if name == "fdatasync"]
    assert failed not in synced[1:]
    assert read_ids(tmp_path) == ["c1", "c2"]


def test_sync_zero_syncs_each_line_before_returning(tmp_path: Path, system: SystemCalls) -> None:
    """With a sync interval of 0 every ``write`` calls ``fdatasync`` before it returns."""
    log = writer(tmp_path, sync_seconds=0)
    for number in range(1, 4):
        assert log.write(line(number))
        assert system.count("fdatasync") == number


def test_sync_zero_repeats_the_line_after_a_failed_sync(tmp_path: Path, system: SystemCalls) -> None:
    """With a sync interval of 0 a line whose sync failed is written again, to a new segment."""
    log = writer(tmp_path, sync_seconds=0)
    log.write(line(1))
    system.fail("fdatasync", 2, OSError(errno.EIO, "Input/output error"))
    assert log.write(line(2))
    assert read_ids(tmp_path) == ["c1", "c2", "c2"]


def test_sync_zero_is_shared_by_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that eight threads write during one slow sync are all synced by the next one."""
    log = writer(tmp_path, sync_seconds=0)
    log.write(line(0))
    released, syncs = threading.Event(), []

    def fdatasync(fd: int) -> None:
        syncs.append(fd)
        if len(syncs) == 1:
            released.wait(60)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda number=number: results.append(log.write(line(number)))) for number in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    segment = log._segment
    assert segment is not None
    while segment.written_lines < 9:
        pass
    assert results == []
    released.set()
    for thread in threads:
        thread.join(60)
    assert results == [True] * 8
    assert len(syncs) == 2


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Lines that four threads write through rotations are all complete."""
    log = writer(tmp_path, rotate_bytes=5000)

    def write(first: int) -> None:
        for number in range(first, first + 200):
            assert log.write(line(number))

    threads = [threading.Thread(target=write, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    log.close()
    assert sorted(read_ids(tmp_path)) == sorted(
        f"c{1000 * thread + number}" for thread in range(4) for number in range(200)
    )
