"""Sockets of ``shortener serve``: the public port of all workers, and the Unix socket of the pages."""

import os
import socket
import time
from pathlib import Path

from shortener.errors import AlreadyRunning
from shortener.shared_memory import RUN_DIRECTORY

LISTEN_BACKLOG = 4096
"""Largest number of connections that wait to be accepted."""
BIND_SECONDS = 2.0
"""Time that the workers of a supervisor that was killed have to release the port."""
POLL_SECONDS = 0.01


def reserve_port(host: str, port: int) -> socket.socket:
    """Return a socket bound to a port on which several workers will listen.

    Raises AlreadyRunning if another program listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reserved = socket.socket(family, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    until = time.monotonic() + BIND_SECONDS
    while True:
        try:
            reserved.bind((host, port))
            break
        except OSError as error:
            if time.monotonic() < until:
                time.sleep(POLL_SECONDS)
                continue
            reserved.close()
            raise AlreadyRunning(f"{host}:{port} cannot be listened on: {error.strerror}", kind="port_taken") from None
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return reserved


def listen_unix(path: Path) -> socket.socket:
    """Return a listening Unix socket of mode 0600 at ``path``. The caller must hold the lock on the data directory."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listening.bind(short_path(path))
    finally:
        os.umask(mask)
    listening.listen(LISTEN_BACKLOG)
    listening.setblocking(False)
    return listening


def pages_socket_path(data_directory: Path) -> Path:
    """Return the path of the Unix socket by which redirect workers send requests to the pages process."""
    return data_directory / RUN_DIRECTORY / "pages.sock"


def short_path(path: Path) -> str:
    """Return ``path`` or, if it is too long for a Unix socket, a shorter path to the same file."""
    if len(os.fsencode(path)) < 100 or not Path("/proc/self/fd").is_dir():
        return str(path)
    # This descriptor stays open until the process ends. Linux allows 107 bytes for the path of a socket.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{directory}/{path.name}"
