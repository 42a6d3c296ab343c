"""Small file systems for tests, which are skipped if mounting is not permitted."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def mount(*words: str) -> None:
    """Run ``mount``; skip the test if that is not permitted."""
    path = shutil.which("mount")
    if path is None:
        pytest.skip("there is no mount command")
    done = subprocess.run([path, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")


def remount(path: Path, options: str) -> None:
    """Change the options of a mounted file system; in contrast to ``mount``, a failure fails the test."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


def unmount(path: Path) -> None:
    """Unmount a file system, also while files on it are open."""
    subprocess.run(["umount", "-l", str(path)], check=True)


@contextlib.contextmanager
def memory_disk(path: Path, options: str) -> Iterator[Path]:
    """Mount a tmpfs at ``path``, with options such as ``size=1m``."""
    path.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", options, "tmpfs", str(path))
    try:
        yield path
    finally:
        unmount(path)


def fill(path: Path) -> None:
    """Write a file until the file system is full."""
    with path.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)) == 1 << 16:
                pass
        with contextlib.suppress(OSError):
            while file.write(b"x"):
                pass
