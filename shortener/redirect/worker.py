"""A redirect worker: one event loop that accepts connections, ends those that take too long, and stops in order."""

import asyncio
import contextlib
import logging
import resource
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from shortener.redirect.connection import Connection
from shortener.redirect.redirector import Redirector
from shortener.redirect.service import Service
from shortener.sockets import LISTEN_BACKLOG

CONNECTIONS = 16_384
"""Connections that one worker keeps open at a time (the limit of open files permitting)."""
SPARE_FILES = 48
"""Open files that are not connections: the click log, the store, what is asked of the pages."""
FEWEST = 16
DROPPED = 64
"""Idle connections that make room at a time."""
SETTLE_SECONDS = 0.02
NO_FILES_SECONDS = 0.01
"""How long a worker waits when there is no open file left for a connection."""
FRESH_SECONDS = 1.0
"""At the stop, how long who has connected already may take to ask."""
STOP_SECONDS = 9.0
"""At the stop, how long the answers that are being made may take."""
HOUSEKEEPING_SECONDS = 3600

log = logging.getLogger(__name__)


class Worker:
    """Serves a listening socket, which it takes over as a descriptor, until it is told to stop."""

    def __init__(
        self,
        redirects: Redirector,
        *,
        pages: Path,
        listening: int,
        threaded: bool = False,
        alone: bool = True,
    ) -> None:
        """``threaded`` finds answers in threads, as they wait for the disk; ``alone`` shares the socket with nobody."""
        self.service = Service(redirects, pages=pages, threaded=threaded)
        self.connections: set[Connection] = set()
        self._redirects = redirects
        self._listening = socket.socket(fileno=listening)
        self._alone = alone
        self._arriving: set[asyncio.Task[object]] = set()
        self._most = max(FEWEST, min(CONNECTIONS, _open_files() - SPARE_FILES))

    async def run(self, *, on_stop: Callable[[Callable[[], object]], None]) -> None:
        """Until what ``on_stop`` was given is called; then answer what was accepted, and return."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        on_stop(partial(_tell, loop, stop))
        self._keep_time()
        end_accepting = await self._accept_all()
        standing = loop.create_task(self.service.pages.keep_ready())
        await stop.wait()
        await asyncio.sleep(SETTLE_SECONDS)
        end_accepting()
        self.service.stop()
        await self._end_connections()
        self._listening.close()
        standing.cancel()
        await asyncio.wait([standing])

    async def _accept_all(self) -> Callable[[], object]:
        """Accept connections from now on; what ends it.

        The loop's own way takes all that wait at once, which is the cheapest. Of several workers the first would then
        have all the connections that a proxy keeps, so they take one at a time.
        """
        loop = asyncio.get_running_loop()
        if self._alone:
            server = await loop.create_server(self._admit, sock=self._listening, backlog=LISTEN_BACKLOG)
            return server.close
        loop.add_reader(self._listening, self._accept_one)
        return partial(loop.remove_reader, self._listening)

    def _accept_one(self) -> None:
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, ConnectionError):  # another worker was first, or the client went away
            return
        except OSError as error:
            log.error("a connection could not be accepted: %s", error)
            time.sleep(NO_FILES_SECONDS)
            return
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._admit, client))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _admit(self) -> Connection:
        """A new connection; where there are too many, those that have been idle longest make room."""
        if len(self.connections) >= self._most:
            for other in sorted(self.connections, key=Connection.idle_since)[:DROPPED]:
                other.end(now=True)
        return Connection(self.service, self.connections)

    def _keep_time(self) -> None:
        """Once a second: what the time is, and who has kept us waiting for too long."""
        self.service.keep_time()
        tick = self.service.tick
        for connection in [each for each in self.connections if each.overdue(tick)]:
            connection.abort()
        if tick % HOUSEKEEPING_SECONDS == 0:
            self._redirects.discard_expired()
        asyncio.get_running_loop().call_later(1.0, self._keep_time)

    async def _end_connections(self) -> None:
        """End the idle ones, wait for the answers that are being made, and a moment for who has not asked yet."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(SETTLE_SECONDS)
        while (self.connections or self._arriving) and (waited := loop.time() - begun) < STOP_SECONDS:
            for connection in list(self.connections):
                connection.end(now=waited > FRESH_SECONDS)
            await asyncio.sleep(SETTLE_SECONDS)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)


def _tell(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # it has ended already, and is told a second time
        loop.call_soon_threadsafe(stop.set)


def _open_files() -> int:
    """How many files this process may open, after it was allowed as many as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_FILES
    if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
