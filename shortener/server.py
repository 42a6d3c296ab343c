"""``shortener serve``: redirect workers, the pages and the collector under one command.

The supervisor opens the port, starts the children, starts again whichever dies, and at SIGTERM stops the workers
first and the collector last, so that what was answered is drained. Because the port is the supervisor's, a dead
worker refuses nobody: who connects meanwhile waits for the next one.
"""

import contextlib
import ctypes
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec
from msgspec import Struct

from shortener.config import Config
from shortener.errors import AlreadyRunning
from shortener.files import STORE_FILE_NAME, open_locked
from shortener.shared_memory import CHILD_KINDS, SharedCounters, restart_counters
from shortener.sockets import LISTEN_BACKLOG, pages_socket_path, short_socket_path

LOCK_FILE = "serve.lock"
STOP_SECONDS = 10.0
"""How long open requests, and then the collector, may take after SIGTERM."""
PAGES_SECONDS = 1.0
"""How long after that the pages take new requests from the workers."""
BIND_SECONDS = 2.0
"""How long the port may still be held by the workers of a supervisor that was killed."""
LOOK_SECONDS = 0.1
RESTART_SECONDS = (0.1, 1.0)
"""The wait before a dead child is started again: when it died twice in a row, and at the most."""
QUEUE_SECONDS = 3.0
"""How long the workers get, at the stop, to accept who stands in the queue already."""
CLEAR_SECONDS = 0.05
"""How long after that the last one who was accepted may take to send his request."""
SO_ATTACH_FILTER = 26
HEALTHY_SECONDS = 5.0
"""A child that lived this long did not die of how it was started."""

log = logging.getLogger(__name__)


class Task(Struct):
    """What a child is told: the whole configuration, its parent, and the descriptor to listen on (-1: none)."""

    config: Config
    parent: int
    listening: int = -1


class Child:
    """One child process that is started again when it dies."""

    def __init__(
        self,
        name: str,
        kind: str,
        *,
        config: Config,
        restarts: SharedCounters,
        listening: socket.socket | None = None,
    ) -> None:
        self.name = name
        self._kind = kind
        self._restarts = restarts
        self._command = [sys.executable, "-m", "shortener.children", kind]
        self._descriptors = [listening.fileno()] if listening else []
        self._task = msgspec.json.encode(Task(config, os.getpid(), *self._descriptors))
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
            self._restarts.values[CHILD_KINDS.index(self._kind)] += 1
            self._deaths = 0 if now - self._started_at > HEALTHY_SECONDS else self._deaths + 1
            first, most = RESTART_SECONDS
            self._start_at = now + (min(first * 2 ** (self._deaths - 2), most) if self._deaths > 1 else 0.0)
            log.error("%s ended with status %s; starting it again", self.name, status)
        if now >= self._start_at:
            self._start()

    def _start(self) -> None:
        """Start it, out of reach of a terminal's Ctrl-C, which is for the supervisor.

        The configuration goes through a pipe, as every user of the machine can read command lines.
        """
        self._started_at = time.monotonic()
        with _sigterm_held_back():
            self._process = subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.PIPE, pass_fds=self._descriptors, process_group=0
            )
        with contextlib.suppress(OSError):  # it died at once: the next look finds out
            assert self._process.stdin is not None  # noqa: S101
            self._process.stdin.write(self._task)
            self._process.stdin.close()

    def terminate(self) -> None:
        """Ask the child to finish what it has begun and then to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float, *, kill: bool) -> None:
        """Until the child has ended, or the time is over; then it may be killed."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            if kill:
                log.error("%s did not end in time; killing it", self.name)
                self._process.kill()
                self._process.wait()


def serve(config: Config, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises AlreadyRunning when the port is taken or another server works on the data directory, StoreError when the
    data directory cannot be used.
    """
    started_before = (config.data_directory / STORE_FILE_NAME).exists()
    if not started_before:
        _prepare_store(config)
    with contextlib.ExitStack() as held:
        held.callback(os.close, _lock(config.data_directory / LOCK_FILE))
        listening = held.enter_context(_listen(config.server.host, config.server.port))
        behind = held.enter_context(_listen_unix(pages_socket_path(config.data_directory)))
        stop = Stop()
        counted = restart_counters(config.data_directory)
        workers = [
            Child(f"worker {number}", "worker", config=config, restarts=counted, listening=listening)
            for number in range(1, config.server.workers + 1)
        ]
        pages = Child("pages", "pages", config=config, restarts=counted, listening=behind)
        collector = Child("collector", "collector", config=config, restarts=counted)
        try:
            _keep_running(workers)
            if started_before:
                _prepare_store(config)  # a new version's migrations; readers do not wait for them
            threading.Thread(
                target=_announce_ready, args=(config, announce, stop), name="ready", daemon=True
            ).start()
            while not stop():
                _keep_running([*workers, pages, collector])
                stop.wait(LOOK_SECONDS)
            # Told to stop before there was a collector, or just after it died: what was answered is drained.
            collector.keep_running()
        finally:
            _admit_nobody(listening)
            _stop(workers, seconds=PAGES_SECONDS, kill=False)
            # Whoever still waits for a page that is being made gets it; for one that is not, nobody will come.
            behind.close()
            pages.terminate()
            _stop([*workers, pages], seconds=STOP_SECONDS)
            _stop([collector], seconds=STOP_SECONDS)


@contextlib.contextmanager
def _sigterm_held_back() -> Iterator[None]:
    """A child inherits that SIGTERM waits, and takes it when it can: one that only just starts stops in order, too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _prepare_store(config: Config) -> None:
    """Make the store, or bring it up to date."""
    from shortener.store import open_store, prepare_directory

    prepare_directory(config.data_directory)
    open_store(config.data_directory).close()


def _keep_running(children: Iterable[Child]) -> None:
    for child in children:
        child.keep_running()


def _admit_nobody(listening: socket.socket) -> None:
    """Drop new connections, and give the workers time to accept those that the kernel holds for them.

    Without this, who had connected but was not accepted yet would be reset when the last worker ends.
    Who is dropped tries again by himself within a second, and reaches the next server if there is one.
    (Linux; elsewhere this does nothing.)
    """
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0 bytes
    program = struct.pack("HP", 1, ctypes.addressof(nothing))
    until = time.monotonic() + QUEUE_SECONDS
    with contextlib.suppress(OSError, AttributeError, struct.error):
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        while _waiting_connections(listening) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(CLEAR_SECONDS)


def _waiting_connections(listening: socket.socket) -> int:
    """The length of the accept queue: ``tcpi_unacked`` of a listening socket's ``struct tcp_info``."""
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int(struct.unpack_from("I", info, 24)[0])


def _stop(children: Iterable[Child], *, seconds: float, kill: bool = True) -> None:
    """Tell the children to end, all at the same time, and wait for them."""
    children = list(children)
    for child in children:
        child.terminate()
    until = time.monotonic() + seconds
    for child in children:
        child.wait(max(0.0, until - time.monotonic()), kill=kill)


def log_to_stderr() -> None:
    """Have every process of the server say what happens in one way."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")


class Stop:
    """SIGTERM or SIGINT, heard or not yet.

    The handler may come in the middle of anything, also of a wait for it. So there is no lock in here, which an Event
    has, but a queue whose ``put`` the standard library promises to be fit for handlers.
    """

    def __init__(self) -> None:
        self._heard = False
        self._bell: SimpleQueue[None] = SimpleQueue()
        on_stop(self._hear)

    def _hear(self) -> None:
        self._heard = True
        self._bell.put(None)

    def __call__(self) -> bool:
        """Whether it was heard."""
        return self._heard

    def wait(self, seconds: float) -> bool:
        """Whether it was heard, after so long at the most."""
        if not self._heard:
            with contextlib.suppress(Empty):
                self._bell.get(timeout=seconds)
        return self._heard


def on_stop(stop: Callable[[], object]) -> None:
    """Have ``stop`` called at SIGTERM or SIGINT, also at a SIGTERM that came before and was held back."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda _signum, _frame: stop())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _lock(path: Path) -> int:
    fd = open_locked(path)
    if fd is None:
        raise AlreadyRunning(
            f"{path.parent}: another `shortener serve` is already running for this data directory; stop it first"
        )
    return fd


def _listen(host: str, port: int) -> socket.socket:
    """The open port, which the workers inherit. Raises AlreadyRunning."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    until = time.monotonic() + BIND_SECONDS
    while True:
        try:
            listening.bind((host, port))
            break
        except OSError as error:
            if time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
                continue
            listening.close()
            raise AlreadyRunning(
                f"{host}:{port} cannot be listened on: {error.strerror}; choose another with --port or --host"
            ) from None
    return _open(listening)


def _listen_unix(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)  # ours, because the lock is
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_socket_path(path) as name:
        listening.bind(name)
    path.chmod(0o600)
    return _open(listening)


def _open(listening: socket.socket) -> socket.socket:
    listening.listen(LISTEN_BACKLOG)
    listening.setblocking(False)
    return listening


def _announce_ready(config: Config, announce: Callable[[str], None], stop: Stop) -> None:
    """Say that the server answers, once it does: workers and pages."""
    from http.client import HTTPConnection, HTTPException

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.server.host, config.server.host)  # noqa: S104
    while not stop.wait(0.05):
        connection = HTTPConnection(host, config.server.port, timeout=5)
        with contextlib.suppress(OSError, HTTPException):
            connection.request("GET", "/-/health")
            if connection.getresponse().getheader("Content-Type") == "application/health+json":
                announce(f"Ready: {config.base_url}")
                _announce_first_admin(config, announce)
                return
        connection.close()


def _announce_first_admin(config: Config, announce: Callable[[str], None]) -> None:
    """Where there are no users, say where the first admin signs in."""
    from shortener.services.accounts import invite_first_admin
    from shortener.store import open_store

    store = open_store(config.data_directory, create=False)
    try:
        address = invite_first_admin(store, config=config, now=int(time.time()))
    finally:
        store.close()
    if address is not None:
        announce(f"Nobody can sign in yet; become the admin at this one-time address: {address}")
