"""Power failures: ext4 on a loop device is shut down without its journal and mounted again."""

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
"""The shutdown mode that discards everything not synced, as a power failure does."""
CLICKS = 100
"""Clicks before, and again after, the pause in which the syncing thread has time for its work."""
PAUSE_SECONDS = 3.0


class Disk:
    """An ext4 file system in an image file."""

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
        """Mount the file system; skip the test if that is not permitted."""
        mount("-o", "loop", str(self._image), str(self.path))

    def remount(self) -> None:
        """Mount the file system again, as after a restart of the machine.

        A process that was killed closes its files a moment after it became a zombie. Until then the old mount keeps
        the loop device, and a new mount would get the same file system, which is shut down.
        """
        unmount(self.path)
        wait(lambda: not self._has_loop_device(), what="the end of the old mount")
        self.mount()

    def sync(self) -> None:
        """Write everything to the disk. Stores that tests create do not wait for that."""
        subprocess.run(["sync", "--file-system", str(self.path)], check=True)

    def _has_loop_device(self) -> bool:
        for path in Path("/sys/block").glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):  # the device was detached a moment ago
                if Path(path.read_text().strip()) == self._image:
                    return True
        return False

    def cut_power(self) -> None:
        """Simulate a power failure: discard unsynced data, and let later writes fail."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        except OSError as error:
            pytest.skip(f"this kernel does not shut a file system down: {error}")
        finally:
            os.close(fd)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A file system for one test."""
    made = Disk(tmp_path)
    yield made
    with contextlib.suppress(subprocess.CalledProcessError):
        unmount(made.path)


@pytest.mark.parametrize("sync", [0.0, 0.5])
def test_a_power_cut_costs_the_last_interval_at_most(tmp_path: Path, disk: Disk, sync: float) -> None:
    """With ``sync = 0`` no answered click is lost, otherwise those of the last interval; the store is intact."""
    server = Server(tmp_path, tables=f"[clicklog]\nsync = {sync}\n", data=disk.path / "data", pages=False)
    disk.sync()
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
    disk.remount()
    log = sum(path.stat().st_size for path in server.segments())
    assert log > 0
    before = len(server.said())
    try:
        server.start()
        server.click("after")
        server.stop()
        stored = server.tags(in_process=False)
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
