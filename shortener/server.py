"""``shortener serve``: redirect workers and the collector under one command.

The supervisor starts two children, the web server (granian with its workers) and the collector, starts again
whichever dies, and at SIGTERM stops the web server first and the collector last, so that what was answered is drained.
"""

import contextlib
import ctypes
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server as Granian

from shortener.config import Config
from shortener.errors import AlreadyRunning
from shortener.store import open_store, prepare_directory

LOCK_FILE = "serve.lock"
STOP_SECONDS = 10.0
"""How long open requests may take after SIGTERM."""
RESTART_SECONDS = (0.1, 5.0)
"""The wait before a dead child is started again: at first, and at the most when it keeps dying."""
HEADER_SECONDS = 15
"""How long a client may take to send a request's headers, and an idle connection is kept."""
PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


class Child:
    """One child process that is started again when it dies."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._deaths = 0

    def keep_running(self) -> None:
        """Start the child if it does not run; after deaths in a row, a little later each time."""
        now = time.monotonic()
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._process = None
            self._deaths = 0 if now - self._started_at > 30 else self._deaths + 1
            wait = min(RESTART_SECONDS[0] * 2 ** max(0, self._deaths - 3), RESTART_SECONDS[1])
            self._start_at = now + wait
            log.error("%s ended with status %s; starting it again", self.name, status)
        if now >= self._start_at:
            self._process = subprocess.Popen(self._command)  # noqa: S603
            self._started_at = now

    def stop(self, *, seconds: float) -> None:
        """SIGTERM, then a wait, then SIGKILL."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.error("%s did not end within %.0f s; killing it", self.name, seconds)
            self._process.kill()
            self._process.wait()


def serve(config: Config, *, config_path: Path | None, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises AlreadyRunning when the port is taken or another server works on the data directory, StoreError when the
    data directory cannot be used.
    """
    prepare_directory(config.data)
    lock = _lock(config.data / LOCK_FILE)
    _check_port(config.server.host, config.server.port)
    open_store(config.data).close()
    stopping = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda _signum, _frame: stopping.set())
    options = ["--config", str(config_path)] if config_path else []
    python = [sys.executable, "-m", "shortener"]
    web = Child(
        "web server",
        [*python, "serve", "--as-child", "--host", config.server.host, "--port", str(config.server.port)]
        + ["--workers", str(config.server.workers), *options],
    )
    collector = Child("collector", [*python, "collect", "--follow", *options])
    threading.Thread(
        target=_announce_ready, args=(config, announce, stopping), name="ready", daemon=True
    ).start()
    try:
        while not stopping.is_set():
            web.keep_running()
            collector.keep_running()
            stopping.wait(0.1)
    finally:
        web.stop(seconds=STOP_SECONDS)
        collector.stop(seconds=STOP_SECONDS)
        os.close(lock)


def serve_workers(config: Config) -> None:
    """The web server itself: granian with its workers, ended when the supervisor ends."""
    end_with_parent()
    server = Granian(
        "shortener.app:create_app",
        factory=True,
        address=config.server.host,
        port=config.server.port,
        interface=Interfaces.WSGI,
        workers=config.server.workers,
        backlog=4096,
        backpressure=1024,
        blocking_threads=4,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=int(STOP_SECONDS) - 2,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, keep_alive=True),
        log_level=LogLevels.warning,
    )
    server.serve()


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies, however it dies (Linux; elsewhere this does nothing)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def stop_flag() -> Callable[[], bool]:
    """A function that turns true at SIGTERM or SIGINT."""
    stopping = threading.Event()

    def stop(_signum: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping.is_set


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise AlreadyRunning(
            f"{path.parent}: another `shortener serve` works on this data directory; stop it first"
        ) from None
    return fd


def _check_port(host: str, port: int) -> None:
    """Workers share the port among themselves, so a foreign listener would go unnoticed without this look."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AlreadyRunning(
                f"{host}:{port} cannot be listened on: {error.strerror}; choose another with --port or --host"
            ) from None


def _announce_ready(config: Config, announce: Callable[[str], None], stopping: threading.Event) -> None:
    """Say that the server answers, once it does."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.server.host, config.server.host)  # noqa: S104
    while not stopping.wait(0.05):
        with contextlib.suppress(OSError), socket.create_connection((host, config.server.port), timeout=1):
            announce(f"Ready: {config.base_url}")
            return
