"""The sockets that the processes of ``shortener serve`` share."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from shortener.shared_memory import RUN_DIRECTORY

LISTEN_BACKLOG = 4096
"""Connections that wait to be accepted; the kernel keeps them also while a dead worker is replaced."""


def pages_socket_path(data_directory: Path) -> Path:
    """Where the pages' process listens for the redirect workers of its data directory."""
    return data_directory / RUN_DIRECTORY / "pages.sock"


@contextlib.contextmanager
def short_socket_path(path: Path) -> Iterator[str]:
    """A name for a socket's path that fits into its 107 bytes however deep the directory is (Linux)."""
    if len(os.fsencode(path)) < 100 or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
