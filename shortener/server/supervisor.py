"""The supervisor of ``shortener serve``, ``centre`` and ``node``, which runs redirect workers and other processes."""

import contextlib
import logging
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from shortener.config import Config, Server
from shortener.errors import AlreadyRunning, ConfigError, StoreUnavailable
from shortener.files import open_locked
from shortener.remedies import REPORTED_ERRORS, error_message
from shortener.server.process import STOP_SECONDS, MachineRole, Stop, Task, accept_sigterm, block_sigterm
from shortener.server.sockets import listen_unix, pages_socket_path, reserve_port
from shortener.shared_memory import CHILD_KINDS, SharedCounters, restart_counters

LOCK_FILE = "serve.lock"
OTHER_KINDS: dict[MachineRole, tuple[str, ...]] = {
    "serve": ("pages", "collector"),
    "centre": ("pages", "sender", "collector"),
    "node": ("node_pages", "sender"),
}
"""Processes beside the workers, in the order in which they stop: clicks pass through them in this order."""
POLL_SECONDS = 0.05
RESTART_SECONDS = (0.1, 1.0)
"""Shortest and longest pause before a child that ended twice in a row is restarted."""
HEALTHY_SECONDS = 5.0
"""A child that ran for so long did not end because of how it was started."""
KILL_SECONDS = STOP_SECONDS + 2.0
"""Time after which a child that does not stop is killed; workers end themselves before."""

log = logging.getLogger(__name__)


class Child:
    """One child process of the server. It is restarted when it ends."""

    def __init__(
        self,
        name: str,
        kind: str,
        *,
        config: Config,
        role: MachineRole,
        restart_counts: SharedCounters,
        listening: socket.socket | None = None,
    ) -> None:
        self.name = name
        self._kind = kind
        self._restart_counts = restart_counts
        self._command = [sys.executable, "-m", "shortener.server", kind]
        self._descriptors = [listening.fileno()] if listening else []
        number = listening.fileno() if listening else -1
        self._task = msgspec.json.encode(Task(config, os.getpid(), listening=number, role=role))
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._failures = 0

    def keep_running(self) -> None:
        """Start the child process unless it runs. After several failures it is started with a growing delay."""
        now = time.monotonic()
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._process = None
            self._restart_counts.values[CHILD_KINDS.index(self._kind)] += 1
            self._failures = 0 if now - self._started_at > HEALTHY_SECONDS else self._failures + 1
            first, most = RESTART_SECONDS
            self._start_at = now + (min(first * 2 ** (self._failures - 2), most) if self._failures > 1 else 0.0)
            log.error("%s ended with status %s; starting it again", self.name, status)
        if now >= self._start_at:
            self._start()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        block_sigterm()  # the child inherits this until it can stop in order
        try:
            self._process = subprocess.Popen(  # noqa: S603
                # A process group of its own, so that Ctrl-C in a terminal reaches the supervisor only. The task goes
                # through a pipe, because every user of the machine can read command lines.
                self._command,
                stdin=subprocess.PIPE,
                pass_fds=self._descriptors,
                process_group=0,
            )
        finally:
            accept_sigterm()
        with contextlib.suppress(OSError):  # it ended at once, which the next round notices
            assert self._process.stdin is not None  # noqa: S101
            self._process.stdin.write(self._task)
            self._process.stdin.close()

    def send(self, signum: int) -> None:
        """Send a signal to the child if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signum)

    def wait(self, seconds: float) -> None:
        """Wait until the child has ended; kill it if this takes more than ``seconds``."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.error("%s did not end in time; killing it", self.name)
            self._process.kill()
            self._process.wait()


class Supervisor:
    """Starts the child processes of ``shortener serve`` (workers, pages, collector), and restarts those that end."""

    def __init__(self, config: Config, *, announce: Callable[[str], None], role: MachineRole = "serve") -> None:
        self._config = config
        self._role = role
        self._announce = announce
        self._resources = contextlib.ExitStack()
        self._workers: list[Child] = []
        self._others: list[Child] = []
        self._stop = Stop()
        self._reload = False
        signal.signal(signal.SIGHUP, lambda _signum, _frame: setattr(self, "_reload", True))

    def serve(self) -> None:
        """Start the child processes, and keep them running until SIGTERM or SIGINT.

        Raises AlreadyRunning, ConfigError, StoreError.
        """
        with self._resources:
            try:
                self.start()
                self.run()
            finally:
                self.drain()

    def start(self) -> None:
        """Start the child processes, workers first."""
        config = self._config
        # 1. Check what a person can get wrong.
        check_certificate(config)
        has_links = config.links_file.exists()
        if not has_links:
            _prepare_store(config, self._role)
        # 2. Take the data directory, the port and the pages' socket.
        self._resources.callback(os.close, _lock(config.data_directory / LOCK_FILE))
        reserved = self._resources.enter_context(reserve_port(config.server.host, config.server.port))
        pages_socket = self._resources.enter_context(listen_unix(pages_socket_path(config.data_directory)))
        # 3. Start the workers, then bring the store up to date.
        config = _with_host(config, reserved.getsockname()[0])
        counts = restart_counters(config.data_directory)
        self._workers = [
            Child(f"worker {number}", "worker", config=config, role=self._role, restart_counts=counts)
            for number in range(1, config.server.workers + 1)
        ]
        _keep_running(self._workers)
        if has_links:
            _prepare_store(config, self._role)
        # 4. The other processes, of which the first has the pages, are started by the first round of ``run``.
        sockets = (pages_socket, None, None)
        self._others = [
            Child(kind, kind, config=config, role=self._role, restart_counts=counts, listening=listening)
            for kind, listening in zip(OTHER_KINDS[self._role], sockets, strict=False)
        ]
        threading.Thread(target=self._announce_when_ready, name="ready", daemon=True).start()

    def run(self) -> None:
        """Restart child processes that end, until SIGTERM. At SIGHUP, let the workers load a renewed certificate."""
        while not self._stop():
            _keep_running([*self._workers, *self._others])
            if self._reload:
                self._reload = False
                self._reload_certificate()
            self._stop.wait(POLL_SECONDS)

    def drain(self) -> None:
        """Stop the children, workers first and the collector last, so that all recorded clicks are stored."""
        # 1. A collector or sender that never started, or has just ended, must drain as well.
        for child in self._others[1:]:
            child.keep_running()
        # 2. Workers finish their requests, also those that wait for a page.
        _stop(self._workers)
        # 3. No worker waits for a page any more. Sender and collector pass on what the workers wrote.
        for child in self._others:
            _stop([child])

    def _reload_certificate(self) -> None:
        if not self._config.server.certificate:
            return
        try:
            check_certificate(self._config)
        except ConfigError as error:
            log.error("%s; the previous certificate stays in use", error)
            return
        log.info("SIGHUP: the workers load the certificate again")
        for worker in self._workers:
            # It replaces its process by a new one, which loads the certificate.
            worker.send(signal.SIGHUP)

    def _announce_when_ready(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            if _is_ready(self._config.server):
                url = self._config.listening_url if self._role == "node" else self._config.base_url
                with contextlib.suppress(OSError):  # no program reads the standard output any more
                    self._announce(f"Ready: {url}")
                if self._role != "node":
                    announce_first_admin(self._config, self._announce)
                return


def _is_ready(server: Server) -> bool:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    if server.certificate:
        # The certificate is for the public name, not for the address that is asked here.
        context = ssl._create_unverified_context()  # noqa: S323
        connection: HTTPConnection = HTTPSConnection(host, server.port, timeout=5, context=context)
    else:
        connection = HTTPConnection(host, server.port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
        # A worker relays this request to the pages, so both have to respond.
        connection.request("GET", "/-/health")
        return connection.getresponse().getheader("Content-Type") == "application/health+json"
    return False


def announce_first_admin(config: Config, announce: Callable[[str], None]) -> None:
    """If there are no users, pass the invite link for the first admin to ``announce``."""
    from shortener.services.accounts import invite_first_admin
    from shortener.store import open_store

    try:
        with contextlib.closing(open_store(config.data_directory, url=config.storage.url, create=False)) as store:
            address = invite_first_admin(store, config=config, now=int(time.time()))
        if address is not None:
            announce(f"There is no account yet; create the first one, of an admin, at this invite link: {address}")
            if config.base_url != config.listening_url:
                local_address = address.replace(config.base_url, config.listening_url, 1)
                announce(f"Until the domain leads to this server, the link is, on this machine: {local_address}")
    except REPORTED_ERRORS as error:
        log.error(
            "no invite link for a first admin could be made; the next start tries again if there are no users: %s",
            error_message(error),
        )


def check_certificate(config: Config) -> None:
    """Check the TLS certificate and its key.

    Raises ConfigError if they do not belong together, or if every user of the machine can read the key.
    """
    certificate, key = config.server.certificate, config.server.key
    if not certificate:
        return
    try:
        if stat.S_IMODE(Path(key).stat().st_mode) & 0o007:
            raise ConfigError(f"server.key = {key!r}: every user can read this file; run `chmod o= {key}`")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:
        name = error.filename or f"{certificate}, {key}"
        raise ConfigError(f"server.certificate: {name}: {error.strerror or error}") from None


def _with_host(config: Config, host: str) -> Config:
    return msgspec.structs.replace(
        config,
        site=msgspec.structs.replace(config.site, base_url=config.base_url),
        server=msgspec.structs.replace(config.server, host=host),
    )


def _prepare_store(config: Config, role: MachineRole) -> None:
    from shortener.clicklog.pseudonyms import DailyKeys
    from shortener.collector.key_sharing import share_keys
    from shortener.store import open_store, prepare_directory

    prepare_directory(config.data_directory)
    if role == "node":
        return
    try:
        with contextlib.closing(open_store(config.data_directory, url=config.storage.url)) as store:
            if role == "centre":  # so that its workers need no keys of their own at the first start
                share_keys(store, DailyKeys(config.data_directory), now=time.time())
    except StoreUnavailable as error:
        # Workers can redirect with a local copy of the links.
        if not (config.storage.url and config.links_file.exists()):
            raise
        log.error("%s; redirects use the local copy of the links until the store is back", error)


def _keep_running(children: Iterable[Child]) -> None:
    for child in children:
        child.keep_running()


def _stop(children: list[Child]) -> None:
    for child in children:
        child.send(signal.SIGTERM)
    until = time.monotonic() + KILL_SECONDS
    for child in children:
        child.wait(max(0.0, until - time.monotonic()))


def _lock(path: Path) -> int:
    fd = open_locked(path)
    if fd is None:
        raise AlreadyRunning(f"{path.parent}: another server is already running for this data directory; stop it first")
    return fd
