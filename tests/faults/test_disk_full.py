"""A really full disk: a small tmpfs that is filled and emptied while clicks are written."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.clicks import segment
from shortener.clicks.log import ClickLog
from shortener.clicks.segment import SegmentWriter


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte; the test is skipped where it may not be mounted."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    path = tmp_path / "disk"
    path.mkdir()
    if mount is None or umount is None:
        pytest.skip("there is no mount command")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a tmpfs may not be mounted here")
    yield path
    subprocess.run([umount, "-l", str(path)], check=True)


def fill(path: Path) -> None:
    """Leave no byte free."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 1000) == 1000:
                pass
        except OSError:
            pass


def test_every_click_is_either_recorded_or_reported(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through three full disks, what ``write`` promised is there once, what it refused is not, and nothing is glued."""
    monkeypatch.setattr(segment, "RETRY_SECONDS", 0.05)
    log = SegmentWriter(small_disk / "clicklog", rotate_bytes=1 << 26, sync_seconds=0.1)
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
