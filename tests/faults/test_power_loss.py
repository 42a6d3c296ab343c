"""A power cut: ext4 on a loop device is shut down without its journal, mounted again, and the server started anew."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.mounts import mount, unmount
from tests.faults.serving import Server, needs_proc, wait

pytestmark = needs_proc
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
"""What was not synced is gone, as when the current fails."""
CLICKS = 100
"""Before, and again after, the pause in which the syncing thread has time for its work."""
PAUSE_SECONDS = 3.0


class Disk:
    """An ext4 file system in a file."""

    def __init__(self, directory: Path) -> None:
        self._image = directory / "disk.img"
        self.path = directory / "disk"
        self.path.mkdir()
        mkfs = shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if mkfs is None:
            pytest.skip("mkfs.ext4 is not installed")
        with self._image.open("wb") as file:
            file.truncate(96 << 20)
        subprocess.run([mkfs, "-q", str(self._image)], check=True, capture_output=True)
        self.mount()

    def mount(self) -> None:
        """Mount it; the test is skipped where that may not be."""
        mount("-o", "loop", str(self._image), str(self.path))

    def cut_power(self) -> None:
        """From now on nothing reaches the disk, and what had not reached it is lost."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        except OSError as error:
            pytest.skip(f"this kernel does not shut a file system down: {error}")
        finally:
            os.close(fd)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of its own."""
    made = Disk(tmp_path)
    yield made
    with contextlib.suppress(subprocess.CalledProcessError):
        unmount(made.path)


@pytest.mark.parametrize("sync", [0.0, 0.5])
def test_a_power_cut_costs_the_last_interval_at_most(tmp_path: Path, disk: Disk, sync: float) -> None:
    """With ``sync = 0`` nothing that was answered is lost, else the last interval's clicks; the store is sound."""
    server = Server(tmp_path, tables=f"[clicklog]\nsync = {sync}\n", data=disk.path / "data")
    early, late = ([f"{when}{number}" for number in range(CLICKS)] for when in ("early", "late"))
    try:
        server.start()
        for tag in early:
            server.click(tag)
        time.sleep(PAUSE_SECONDS if sync else 0)
        for tag in late:
            server.click(tag)
        disk.cut_power()
    finally:
        server.kill_tree()
        wait(lambda: not server.members())
    unmount(disk.path)
    wait(lambda: not os.path.ismount(disk.path))
    disk.mount()
    log = sum(path.stat().st_size for path in server.segments())
    assert log > 0
    before = len(server.said())
    try:
        server.start()
        server.click("after")
        server.stop()
        stored = server.tags()
        server.check()
        assert "Traceback" not in server.said()[before:], server.said()[before:]
    finally:
        server.end()
    assert len(stored) == len(set(stored))
    lost = [tag for tag in (*early, *late) if tag not in stored]
    if not sync:
        assert not lost
    assert lost == late[len(late) - len(lost) :], "only the last clicks can be lost"
    # What the collector had read before it was synced may be in the store and not in the file any more; the
    # position then lies behind the file's end, which costs nothing, because nobody appends to a dead process's file.
    assert "after" in stored
