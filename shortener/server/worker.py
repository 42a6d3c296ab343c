"""A redirect worker: granian serves the port, and its process runs the redirect handler as an RSGI application.

Granian starts a second process for the application. That process ends with granian's own, however this one ends.
"""

import asyncio
import gc
import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels

from shortener.redirect.reader_pages import ReaderPages
from shortener.redirect.redirector import Redirector
from shortener.redirect.request import Request, encode_query
from shortener.redirect.responses import Response
from shortener.server.listening import empty_accept_queues, limit_unread_output
from shortener.server.process import STOP_SECONDS, Task, accept_sigterm, block_sigterm, end_with_parent
from shortener.server.relay import Relay
from shortener.server.sockets import LISTEN_BACKLOG

MAX_HEAD_BYTES = 32 * 1024
"""Longest request line and headers, as in nginx's default."""
HEADER_SECONDS = 15
"""Time in which a client must send the head of a request; an idle connection is closed after it."""
MAX_CONNECTIONS = 16_384
"""Connections that a worker keeps open at the same time, if the limit of open files permits."""
SPARE_FILES = 48
"""Open files that are not connections of clients: click log, store, connections to the pages."""
MIN_CONNECTIONS = 8
RESPAWN_SECONDS = 5.0
"""At SIGHUP, time that the next process has to start before the previous one is stopped."""
SYNC_THREADS = 12
"""Threads that wait for the disk if every click is synced before its response; they share one sync."""
LISTEN_SECONDS = 0.05
"""Pause before the worker looks again whether granian listens."""
HOUSEKEEPING_SECONDS = 3600
_LOGGING = {"loggers": {"_granian": {"handlers": [], "propagate": True}}}


def run(task: Task) -> None:
    """Serve until SIGTERM."""
    accept_sigterm()
    # Granian forks the second process. Until that process has its own handler of SIGTERM, it has the handler of this
    # one, which would ignore the signal there. So the signal waits.
    os.register_at_fork(before=block_sigterm, after_in_parent=accept_sigterm)
    server = task.config.server
    secure = bool(server.certificate)
    Granian(
        "shortener",
        address=server.host,
        port=server.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.auto if secure else HTTPModes.http1,
        websockets=False,
        backlog=LISTEN_BACKLOG,
        backpressure=_connection_limit(),
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=MAX_HEAD_BYTES),
        log_level=LogLevels.warning,
        log_dictconfig=_LOGGING,
        ssl_cert=Path(server.certificate) if secure else None,
        ssl_key=Path(server.key) if secure else None,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=False,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
    ).serve(target_loader=partial(_load, task, os.getpid()), wrap_loader=False)


def _load(task: Task, parent: int) -> Any:
    """Return the application, in granian's second process."""
    end_with_parent(parent)
    return Worker(task)


class Worker:
    """The RSGI application: answers short links and misses, and relays all other requests to the pages."""

    def __init__(self, task: Task) -> None:
        config = task.config
        self._redirector = Redirector(config)
        self._respond = self._redirector.respond
        self._reader_pages = ReaderPages(config.data_directory)
        self._relay = Relay(config)
        self._threads = None if config.clicklog.sync else ThreadPoolExecutor(SYNC_THREADS)
        self._draining: asyncio.Task[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare the process for requests."""
        loop.add_signal_handler(signal.SIGTERM, self._start_drain, loop)
        loop.call_soon(accept_sigterm)  # uvloop would miss a signal that arrives before the loop runs
        loop.call_soon(self._limit_unread_output, loop)
        self._keep_house(loop)
        gc.freeze()  # objects that live as long as the process need not be traversed in each collection
        gc.set_threshold(20_000)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the redirector at the end of the process."""
        self._redirector.close()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        request = parse_scope(scope)
        if self._threads is None:
            response = self._respond(request)
        else:
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(self._threads, self._respond, request)
        if response is None:
            response = await self._relay.respond(request, protocol, close=self._draining is not None)
            if response is None:
                return
        else:
            if not isinstance(response, Response):
                response = self._reader_pages.get(response)
            if response.status >= HTTPStatus.BAD_REQUEST and "content-length" in request.headers:
                await self._relay.discard_body(request, protocol)
        headers = response.headers if self._draining is None else [*response.headers, ("Connection", "close")]
        if response.body and request.method != "HEAD":
            protocol.response_bytes(response.status, headers, response.body)
        else:
            protocol.response_empty(response.status, headers)

    def _limit_unread_output(self, loop: asyncio.AbstractEventLoop) -> None:
        if not limit_unread_output():
            loop.call_later(LISTEN_SECONDS, self._limit_unread_output, loop)

    def _start_drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._draining is None:
            self._draining = loop.create_task(self._drain())

    async def _drain(self) -> None:
        """Accept what the kernel has queued, close connections with their next response, then let granian stop."""
        signal.alarm(STOP_SECONDS)  # ends the process if open requests last longer
        await empty_accept_queues()
        os.kill(os.getpid(), signal.SIGINT)

    def _keep_house(self, loop: asyncio.AbstractEventLoop) -> None:
        self._redirector.discard_expired()
        loop.call_later(HOUSEKEEPING_SECONDS, self._keep_house, loop)


def parse_scope(scope: Any) -> Request:
    """Return the request of an RSGI scope."""
    headers = scope.headers
    hosts = headers.get_all("host")
    host = None
    if len(hosts) == 1 or (not hosts and scope.http_version != "1.1"):
        # The authority is that of a target in absolute form, and of HTTP/2. HTTP/1.0 requires no host at all.
        host = scope.authority
        if host is None:
            host = hosts[0] if hosts else ""
    peer = scope.client.rpartition(":")[0]
    if peer[:1] == "[":
        peer = peer[1:-1]
    return Request(scope.method, host, scope.path, encode_query(scope.query_string), headers, peer)


def _connection_limit() -> int:
    """Return how many connections this process may keep open, after raising its limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_FILES
    if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, soft - SPARE_FILES))
