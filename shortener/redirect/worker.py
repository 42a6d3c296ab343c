"""A redirect worker: one event loop that accepts connections, keeps their time, and ends in order."""

import asyncio
import logging
import resource
import socket
from asyncio import Future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

from shortener.redirect.answer import Answer
from shortener.redirect.connection import MAX_BODY, PLAIN, Connection
from shortener.redirect.handler import Environ, Redirects, Sender
from shortener.redirect.pages import Pages
from shortener.sockets import BACKLOG

BUFFER_BYTES = 16 * 1024
"""What is read of a connection at once."""
HELD_BYTES = 4 * MAX_BODY
"""Bodies of requests that are kept in memory until they are whole, all together."""
CONNECTIONS = 16_384
"""Connections that one worker keeps open at a time (the limit of open files permitting)."""
SPARE_FILES = 48
"""Open files that are not connections: the click log, the store, what is asked of the pages."""
FEWEST = 16
MOST_DROPPED = 64
MOST_KNOWN = 2048
"""Headers that a worker knows again (2 kB each at most); when there are more it begins anew."""
MOST_KNOWN_BYTES = 1024
MOST_MET = 20_000
THREADS = 12
"""Where an answer waits for the disk (``clicklog.sync`` of 0): threads that share one sync."""
FRESH_SECONDS = 1.0
"""At the stop, how long who has connected already may take to ask."""
SETTLE_SECONDS = 0.02
STOP_SECONDS = 9.0
"""At the stop, how long the answers that are being made may take."""
HOUSEKEEPING_SECONDS = 3600

log = logging.getLogger(__name__)


class Worker:
    """Serves an inherited listening socket until it is told to stop."""

    def __init__(self, redirects: Redirects, *, pages: Path, listening: int, threaded: bool) -> None:
        self.answer = redirects.answer
        self.answer_known = redirects.answer_known
        self.known: dict[bytes, tuple[Sender, bool]] = {}
        """What headers mean, byte for byte, and whether they keep the connection."""
        self._met: set[int] = set()
        self.pages = Pages(pages)
        self.threaded = threaded
        self.connections: set[Connection] = set()
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.tick = 0
        self.date = b""
        """The ``Date`` header and the empty line, made once a second."""
        self.stopping = False
        self._redirects = redirects
        self._held = 0
        self._listening = socket.socket(fileno=listening)
        self._most = max(FEWEST, min(CONNECTIONS, _open_files() - SPARE_FILES))
        self._threads = ThreadPoolExecutor(THREADS) if threaded else None

    async def run(self, *, on_stop: Callable[[Callable[[], object]], None]) -> None:
        """Until what ``on_stop`` was given is called; then answer what was accepted, and return."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        on_stop(lambda: loop.call_soon_threadsafe(stop.set))
        self._keep_time()
        server = await loop.create_server(lambda: Connection(self), sock=self._listening, backlog=BACKLOG)
        standing = loop.create_task(self.pages.keep_ready())
        await stop.wait()
        await asyncio.sleep(SETTLE_SECONDS)
        server.close()
        self.stopping = True
        self.known.clear()
        await self._end_connections()
        standing.cancel()
        await asyncio.wait([standing])

    def admit(self, connection: Connection) -> None:
        """Take a new connection; where there are too many, those that have been idle longest make room."""
        if len(self.connections) >= self._most:
            for other in sorted(self.connections, key=Connection.idle_since)[:MOST_DROPPED]:
                other.end(now=True)
        self.connections.add(connection)

    def hold(self, size: int) -> bool:
        """Count bytes of unfinished bodies; whether there is room for them."""
        self._held += size
        return self._held <= HELD_BYTES

    def remember(self, request: bytes, sender: Sender, *, keep: bool) -> None:
        """Know these headers again once they came twice: browsers of one kind send the same ones.

        So most clicks need no parsing. What says who somebody is, a cookie or a forwarded address, is not kept.
        """
        line, _, headers = request.partition(b"\r\n")
        trace = hash(headers)
        if trace not in self._met:
            if len(self._met) >= MOST_MET:
                self._met.clear()
            self._met.add(trace)
        elif not (
            self.stopping
            or sender.traits.forwarded
            or len(headers) > MOST_KNOWN_BYTES
            or PLAIN.fullmatch(line) is None
            or b"\r\ncookie:" in headers.lower()
        ):
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            self.known[headers] = sender, keep

    def answer_in_thread(self, environ: Environ, done: "Callable[[Future[Answer | None]], None]") -> None:
        """Find the answer where waiting for the disk holds nobody else up."""
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._threads, self.answer, environ).add_done_callback(done)

    def _keep_time(self) -> None:
        """Once a second: what the time is, and who has kept us waiting for too long."""
        self.date = f"Date: {formatdate(usegmt=True)}\r\n\r\n".encode()
        self.tick += 1
        for connection in [each for each in self.connections if each.overdue(self.tick)]:
            connection.abort()
        if self.tick % HOUSEKEEPING_SECONDS == 0:
            self._redirects.forget_old()
        asyncio.get_running_loop().call_later(1.0, self._keep_time)

    async def _end_connections(self) -> None:
        """End the idle ones, wait for the answers that are being made, and a moment for who has not asked yet."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(SETTLE_SECONDS)
        while self.connections and (waited := loop.time() - begun) < STOP_SECONDS:
            for connection in list(self.connections):
                connection.end(now=waited > FRESH_SECONDS)
            await asyncio.sleep(SETTLE_SECONDS)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)


def _open_files() -> int:
    """How many files this process may open; as many as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_FILES
    if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
