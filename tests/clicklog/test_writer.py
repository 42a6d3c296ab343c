"""The segment writer: what stands in the files after every way in which a write can fail."""

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

Line = bytes


def line(number: int) -> Line:
    """A click line with an id of its own."""
    click = {"v": 1, "id": f"c{number}", "ts": 1.0, "host": "go.example", "code": "abcde"}
    return json.dumps(click).encode() + b"\n"


def read_ids(data: Path) -> list[str]:
    """The ids of the clicks that a collector would find, in order."""
    log = ClickLog(data)
    found: list[str] = []
    for segment in log.segments():
        lines, _ = log.read(segment, position=0, skipping=False)
        found += [click.id for click in lines]
    return found


class System:
    """The system calls of the writer, of which some fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plan: dict[str, dict[int, Any]] = {"write": {}, "fdatasync": {}, "open": {}}
        self.calls: list[tuple[str, int]] = []
        self._real = {name: getattr(os, name) for name in ("write", "fdatasync", "open")}
        for name in self.plan:
            monkeypatch.setattr(os, name, self._call(name))

    def fail(self, name: str, call: int, how: Any) -> None:
        """Let the ``call``-th call (from 1) raise an error, or write only so many bytes."""
        self.plan[name][call] = how

    def count(self, name: str) -> int:
        """How often the function was called."""
        return sum(1 for called, _ in self.calls if called == name)

    def _call(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls.append((name, arguments[0] if isinstance(arguments[0], int) else -1))
            how = self.plan[name].get(self.count(name))
            if isinstance(how, OSError):
                raise how
            if how is not None:
                return self._real[name](arguments[0], arguments[1][:how])
            return self._real[name](*arguments)

        return call


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """System calls that fail as planned."""
    return System(monkeypatch)


def writer(data: Path, **options: Any) -> SegmentWriter:
    """A writer that syncs when it is told to, and whose clock ticks at every new segment."""
    seconds = count(1)
    usual: dict[str, Any] = {"rotate_bytes": 1 << 20, "sync_seconds": 3600.0}
    return SegmentWriter(data / "clicklog", **usual | options, clock=lambda: float(next(seconds)))


def test_a_line_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    """A click is in the operating system's hands as soon as ``write`` says so, whatever kills the process then."""
    log = writer(tmp_path)
    assert log.write(line(1))
    (path,) = (tmp_path / "clicklog").iterdir()
    header, click = path.read_bytes().splitlines(keepends=True)
    assert click == line(1)
    assert set(json.loads(header)) == {"v", "segment", "node", "started"}


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Nobody else on the machine can read who clicked."""
    writer(tmp_path).write(line(1))
    directory = tmp_path / "clicklog"
    (path,) = directory.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_line_is_one_write(tmp_path: Path, system: System) -> None:
    """Two workers cannot mix their lines, and a kill tears at most the last one."""
    log = writer(tmp_path)
    log.write(line(1))
    before = system.count("write")
    for number in range(2, 7):
        log.write(line(number))
    assert system.count("write") - before == 5


def test_two_writers_never_share_a_segment(tmp_path: Path) -> None:
    """A new process begins a file of its own: the dead one's last line may be torn."""
    first = writer(tmp_path)
    first.write(line(1))
    first.close()
    writer(tmp_path).write(line(2))
    assert len(list((tmp_path / "clicklog").iterdir())) == 2
    assert sorted(read_ids(tmp_path)) == ["c1", "c2"]


def test_a_segment_is_locked_while_its_writer_lives(tmp_path: Path) -> None:
    """The collector can tell a torn line from one that is being written."""
    log = writer(tmp_path)
    log.write(line(1))
    (path,) = (tmp_path / "clicklog").iterdir()
    with path.open() as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        log.close()
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_segments_rotate_by_size(tmp_path: Path) -> None:
    """A segment ends where it is full, and names sort by their start."""
    log = writer(tmp_path, rotate_bytes=400)
    for number in range(20):
        assert log.write(line(number))
    names = sorted(path.name for path in (tmp_path / "clicklog").iterdir())
    assert len(names) > 3
    assert [name[:14] for name in names] == [f"{1000 * number:014d}" for number in range(1, len(names) + 1)]
    assert read_ids(tmp_path) == [f"c{number}" for number in range(20)]


def test_segments_rotate_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet worker's segment ends after an hour, so that it can be forgotten in its time."""
    log = writer(tmp_path)
    log.write(line(1))
    assert log._segment is not None
    monkeypatch.setattr(log._segment, "rotate_at", 0.0)
    log.write(line(2))
    assert len(list((tmp_path / "clicklog").iterdir())) == 2


WRITE_FAULTS = {
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "input/output error": OSError(errno.EIO, "Input/output error"),
    "read-only": OSError(errno.EROFS, "Read-only file system"),
    "file too large": OSError(errno.EFBIG, "File too large"),
    "short write": 9,
    "nothing written": 0,
}


@pytest.mark.parametrize("fault", WRITE_FAULTS.values(), ids=WRITE_FAULTS)
def test_a_failed_write_is_done_again_in_a_new_segment(tmp_path: Path, system: System, fault: Any) -> None:
    """One failed write costs no click, and nothing is ever glued to what it left behind."""
    log = writer(tmp_path)
    assert log.write(line(1))
    system.fail("write", 3, fault)
    assert log.write(line(2))
    assert log.write(line(3))
    assert len(list((tmp_path / "clicklog").iterdir())) == 2
    log.close()
    assert read_ids(tmp_path) == ["c1", "c2", "c3"]


def test_a_full_disk_is_reported_and_left_behind(
    tmp_path: Path, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing can be written every click is reported as unrecorded; afterwards all is as before."""
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


def test_a_broken_directory_is_not_tried_for_every_click(tmp_path: Path, system: System) -> None:
    """While no segment can be opened a click costs next to nothing: one attempt a second."""
    (tmp_path / "clicklog").write_text("in the way")
    log = writer(tmp_path)
    assert [log.write(line(number)) for number in range(50)] == [False] * 50
    assert system.count("open") == 0


def test_a_segment_without_room_for_its_header_is_taken_away(tmp_path: Path, system: System) -> None:
    """A file that says nothing of itself would be read as a foreign one."""
    system.fail("write", 1, 10)
    assert not writer(tmp_path).write(line(1))
    assert list((tmp_path / "clicklog").iterdir()) == []


def test_sync_is_done_once_for_many_lines(tmp_path: Path, system: System) -> None:
    """By interval, a hundred clicks cost one sync; without clicks there is none."""
    log = writer(tmp_path)
    for number in range(100):
        log.write(line(number))
    assert system.count("fdatasync") == 0
    log.sync()
    log.sync()
    assert system.count("fdatasync") == 1


def test_a_failed_sync_is_not_tried_again_on_the_same_file(tmp_path: Path, system: System) -> None:
    """After a failed sync the kernel may have dropped the data: the next click goes to a new file."""
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


def test_sync_zero_means_on_the_disk_before_the_answer(tmp_path: Path, system: System) -> None:
    """With ``sync = 0`` no write returns before its line is synced, the file's name included."""
    log = writer(tmp_path, sync_seconds=0)
    for number in range(1, 4):
        assert log.write(line(number))
        assert system.count("fdatasync") == number


def test_sync_zero_writes_again_where_the_sync_failed(tmp_path: Path, system: System) -> None:
    """A click whose sync failed is on the disk in another file before its answer; it counts once by its id."""
    log = writer(tmp_path, sync_seconds=0)
    log.write(line(1))
    system.fail("fdatasync", 2, OSError(errno.EIO, "Input/output error"))
    assert log.write(line(2))
    assert read_ids(tmp_path) == ["c1", "c2", "c2"]


def test_sync_zero_is_shared_by_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread waits for the disk, the lines of the others gather and are synced together."""
    log = writer(tmp_path, sync_seconds=0)
    log.write(line(0))
    slow, syncs = threading.Event(), []

    def fdatasync(fd: int) -> None:
        syncs.append(fd)
        slow.wait(5 if len(syncs) == 1 else 0)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda number=number: results.append(log.write(line(number))))
        for number in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    segment = log._segment
    assert segment is not None
    while segment.written_lines < 9:
        pass
    assert results == []
    slow.set()
    for thread in threads:
        thread.join(5)
    assert results == [True] * 8
    assert len(syncs) == 2


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Every line of many threads is whole, through rotations."""
    log = writer(tmp_path, rotate_bytes=5000)

    def write(first: int) -> None:
        for number in range(first, first + 200):
            assert log.write(line(number))

    threads = [threading.Thread(target=write, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert sorted(read_ids(tmp_path)) == sorted(
        f"c{1000 * thread + number}" for thread in range(4) for number in range(200)
    )
