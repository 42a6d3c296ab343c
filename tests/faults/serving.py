"""A running ``shortener serve`` with its data directory, for fault injection."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from shortener.cli import main
from shortener.store import links, open_store
from tests.ports import free_port

CODE = "abcde"
TARGET = "https://example.com/a"
START_SECONDS = 120.0
KINDS = ("worker", "granian", "pages", "collector")
"""Kinds of child processes: ``worker`` is the one that answers redirects, ``granian`` is its parent."""

WITHOUT_PAGES = """
import os, sys
from shortener.cli import main
from shortener.server import supervisor

IDLE = '''
import os, signal, sys
while os.getppid() == int(sys.argv[3]) and not signal.sigtimedwait({signal.SIGTERM}, 1):
    pass
'''

class CheapChild(supervisor.Child):
    def __init__(self, name, kind, **options):
        super().__init__(name, kind, **options)
        if kind == "pages":
            self._command = [sys.executable, "-I", "-S", "-c", IDLE, "shortener.server", kind, str(os.getpid())]

supervisor.Child = CheapChild
assert hasattr(supervisor.Supervisor, "_announce_when_ready")
supervisor.Supervisor._announce_when_ready = lambda self: None  # it would ask the pages
main()
"""
"""A ``shortener`` whose server has an idle process in place of the pages, which take half the work of a start."""

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux' /proc")


def wait(condition: Callable[[], object], *, seconds: float = 60.0, what: str = "it") -> float:
    """Wait until the condition is true; return the seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, f"{what} never happened"
        time.sleep(0.02)
    return time.monotonic() - begun


def freeze(pid: int) -> None:
    """Pause a process, and wait until it is paused."""
    os.kill(pid, signal.SIGSTOP)
    wait(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", what="a pause")


def isolated_runner() -> CliRunner:
    """Return a runner of commands without the ``SHORTENER_`` variables of the test's environment."""
    return CliRunner(env={name: None for name in os.environ if name.startswith("SHORTENER_")})


class Server:
    """A ``shortener serve`` process; ``prefix`` is put before the command, for example that of a tracer.

    ``role`` is another command that serves. A server without ``pages`` has an idle process in their place: it starts in
    half the processor time, and answers nothing but redirects and misses.
    """

    role = "serve"
    has_pages = True

    def __init__(
        self,
        directory: Path,
        *,
        workers: int = 1,
        tables: str = "",
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        codes: Iterable[str] = (CODE,),
        data: Path | None = None,
        url: str = "",
        pages: bool = True,
    ) -> None:
        self.url = url
        self.has_pages = pages
        self.directory = directory
        self.data = data or directory / "data"
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.config = directory / "config.toml"
        self.messages = directory / "messages"
        self.prefix = list(prefix)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("SHORTENER_")}
        self.environment |= environment or {}
        self.process: subprocess.Popen[str] | None = None
        head = "" if "[server]" in tables else "[server]\n"
        head, tables = (head, tables) if head else ("", tables)
        self.config.write_text(
            f'[[domain]]\nhost = "{self.host}"\nscheme = "http"\n'
            f'[storage]\ndata = "{self.data}"\nurl = "{url}"\n{tables}\n'
            f"{head}port = {self.port}\nworkers = {workers}\n",
            encoding="utf-8",
        )
        store = open_store(self.data, url=url)
        with store.transaction():
            for code in codes:
                links.add(store, self.host, code, target=TARGET, now=0)
        store.close()

    def start(self, *, ready: bool = True) -> "Server":
        """Start the server; with ``ready``, return when a redirect worker responds, perhaps before the pages do."""
        with self.messages.open("ab") as messages:
            self.process = subprocess.Popen(
                [*self.prefix, *self.command(self.role, program="" if self.has_pages else WITHOUT_PAGES)],
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                text=True,
            )
        if ready:
            wait(self.answers, seconds=START_SECONDS, what=f"a start ({self.said()[-500:]})")
        return self

    def command(self, *words: str, program: str = "") -> list[str]:
        """Return the arguments of a ``shortener`` command, or of a ``program`` like it, for this data directory."""
        start = ["-c", program] if program else ["-m", "shortener"]
        return [sys.executable, *start, "--config", str(self.config), *words]

    def run(self, *words: str, status: int = 0, seconds: float = 120.0) -> str:
        """Run a command, check its exit status, and return its output."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, timeout=seconds,
            env=self.environment, cwd=self.directory,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    def call(self, *words: str) -> str:
        """Run a command that succeeds in the process of the test, which costs less, and return its output."""
        done = isolated_runner().invoke(main, ["--config", str(self.config), *words])
        assert done.exit_code == 0, done.output
        return done.output

    def said(self) -> str:
        """Return the server's messages up to now."""
        return self.messages.read_text(encoding="utf-8") if self.messages.exists() else ""

    def connect(self, *, timeout: float = 10.0) -> socket.socket:
        """Open a connection to the server."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def request(
        self, path: str = f"/{CODE}", *, more: bytes | str = b"", method: str = "GET", host: str | None = None
    ) -> bytes:
        """Return the bytes of a request; ``more`` are complete header lines."""
        lines = f"{method} {path} HTTP/1.1\r\nHost: {self.host if host is None else host}\r\n"
        return lines.encode() + (more.encode() if isinstance(more, str) else more) + b"\r\n"

    def send(self, content: bytes, *, silence: float = 3.0) -> bytes:
        """Send bytes on a new connection; return what arrives until its end, or ``silence`` seconds without a byte."""
        answer = b""
        with self.connect() as client:
            client.settimeout(silence)
            with contextlib.suppress(OSError):
                client.sendall(content)
            with contextlib.suppress(OSError):
                while piece := client.recv(1 << 16):
                    answer += piece
        return answer

    def get(self, path: str = f"/{CODE}", *, more: bytes | str = b"", method: str = "GET") -> bytes:
        """Send a request that closes its connection; return the complete response."""
        head = more.encode() if isinstance(more, str) else more
        return self.send(self.request(path, more=head + b"Connection: close\r\n", method=method), silence=20)

    def click(self, tag: str, path: str = f"/{CODE}") -> None:
        """Click the link once, with a unique referrer."""
        answer = self.get(path, more=f"Referer: https://mail.example/{tag}\r\n")
        assert answer.startswith(b"HTTP/1.1 302"), answer[:300]

    def answers(self) -> bool:
        """Return whether a redirect worker responds, tested with a request that is no click."""
        with contextlib.suppress(OSError):
            return self.get(method="POST").startswith(b"HTTP/1.1 405")
        return False

    def wait_for_start(self, *, number: int = 1) -> None:
        """Return when the start of this number is over: the last step of each start invites the first admin."""
        wait(
            lambda: self.value("select count(*) from invitations") == number,
            seconds=START_SECONDS,
            what="the end of the start",
        )

    def is_healthy(self) -> bool:
        """Return whether a redirect worker and the pages respond."""
        with contextlib.suppress(OSError):
            return b"application/health+json" in self.get("/-/health")
        return False

    def is_whole(self) -> bool:
        """Return whether a redirect worker responds, and the pages if the server has them."""
        return self.is_healthy() if self.has_pages else self.answers()

    def health(self) -> dict[str, object]:
        """Return the content of ``/-/health``, as soon as the pages respond."""
        wait(self.is_healthy, what="a page")
        found: dict[str, object] = json.loads(self.get("/-/health").partition(b"\r\n\r\n")[2])
        return found

    def members(self) -> dict[int, str]:
        """Return the running processes: the supervisor (``serve``) and its descendants, by kind."""
        words: dict[int, list[str]] = {}
        parents: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                state, above = (path / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    words[int(path.name)] = (path / "cmdline").read_bytes().decode().split("\0")
                    parents[int(path.name)] = int(above)
        found = {
            pid: "serve"
            for pid, line in words.items()
            if str(self.config) in line and self.role in line and sys.executable == line[0]
        }
        for pid, line in words.items():
            if "shortener.server" not in line:
                continue
            kind = line[line.index("shortener.server") + 1]
            parent = parents[pid]
            if found.get(parent) == "serve":
                found[pid] = "granian" if kind == "worker" else kind
            elif kind == "worker" and found.get(parents.get(parent, 0)) == "serve":
                found[pid] = "worker"
        return found

    def children(self, kind: str) -> list[int]:
        """Return the process ids of one kind."""
        return [pid for pid, each in self.members().items() if each == kind]

    def child(self, kind: str) -> int:
        """Return the id of the only process of one kind, as soon as it runs."""
        wait(lambda: len(self.children(kind)) == 1, what=f"one {kind}")
        return self.children(kind)[0]

    def freeze_collector(self) -> int:
        """Pause the collector while it has no transaction, which would lock the store; return its process id."""
        collector = self.child("collector")
        with contextlib.closing(sqlite3.connect(self.data / "store.db", timeout=20, isolation_level=None)) as db:
            db.execute("begin immediate")
            freeze(collector)
        return collector

    def kill_tree(self) -> None:
        """Kill all processes at one instant; they are stopped first, so that the supervisor restarts none meanwhile."""
        frozen: set[int] = set()
        while new := set(self.members()) - frozen:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            frozen |= new
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self, *, seconds: float = 25.0) -> float:
        """Send SIGTERM, check that the server ends with status 0, and return the seconds that it took."""
        assert self.process is not None
        begun = time.monotonic()
        pid = next((pid for pid, kind in self.members().items() if kind == "serve"), self.process.pid)
        os.kill(pid, signal.SIGTERM)
        assert self.process.wait(seconds) == 0, self.said()[-2000:]
        return time.monotonic() - begun

    def end(self) -> None:
        """Kill the server in any state, at the end of a test."""
        if self.process is not None and self.process.poll() is None:
            for pid in self.members():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            try:
                self.stop()
            except (AssertionError, subprocess.TimeoutExpired, ProcessLookupError):
                self.kill_tree()

    def value(self, sql: str) -> object:
        """Return the first column of the first row of a query."""
        if self.url:
            with contextlib.closing(open_store(self.data, url=self.url)) as store:
                return store.value(sql)
        with contextlib.closing(sqlite3.connect(self.data / "store.db", timeout=20)) as db:
            return db.execute(sql).fetchone()[0]

    def stored(self) -> int:
        """Return the number of stored clicks."""
        return int(str(self.value("select count(*) from clicks")))

    def stored_after(self, tag: str) -> int:
        """Click once more, wait until that click is stored, and return the number of stored clicks."""
        self.click(tag)
        wait(lambda: self.value(f"select count(*) from clicks where referrer like '%/{tag}'"), what=tag)
        return self.stored()

    def tags(self, *, in_process: bool = True) -> list[str]:
        """Return the tags given to ``click`` of all exported clicks.

        An export ``in_process`` costs less, but keeps the store open in the process of the test, and so its disk.
        """
        export = self.call if in_process else self.run
        lines = export("clicks", "export").splitlines()
        return sorted(json.loads(line)["referrer"].rpartition("/")[2] for line in lines if line[:1] == "{")

    def check(self) -> None:
        """Assert that the store passes its integrity check, and that its sums equal those of its clicks."""
        assert self.value("pragma integrity_check") == "ok"
        with contextlib.closing(sqlite3.connect(self.data / "store.db")) as db:
            assert db.execute("pragma foreign_key_check").fetchall() == []
        assert (
            self.value("select coalesce(sum(human + bot + scanner + preview + prefetch), 0) from clicks_by_link")
            == self.stored()
        )

    def segments(self) -> list[Path]:
        """Return the files of the click log, the oldest first."""
        return sorted((self.data / "clicklog").glob("*.jsonl"))


@contextlib.contextmanager
def serving(server: Server, *, pages: bool = False) -> Iterator[Server]:
    """Start and stop a server around a test; with ``pages``, wait until the pages respond as well."""
    try:
        server.start()
        if pages:
            wait(server.is_healthy, seconds=START_SECONDS, what="the pages' start")
        yield server
    finally:
        server.end()
