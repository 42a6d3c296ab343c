"""Sockets between the processes of ``shortener serve``."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from shortener.shared_memory import RUN_DIRECTORY

LISTEN_BACKLOG = 4096
"""Largest number of connections that wait to be accepted, for example while a worker is replaced."""


def pages_socket_path(data_directory: Path) -> Path:
    """Return the path of the Unix socket on which the pages' process receives requests from the redirect workers."""
    return data_directory / RUN_DIRECTORY / "pages.sock"


@contextlib.contextmanager
def short_socket_path(path: Path) -> Iterator[str]:
    """Yield a path of the socket ``path`` that is short enough for the limit of 107 bytes on Linux."""
    if len(os.fsencode(path)) < 100 or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
