"""A redirect worker: the server library granian listens on the port and runs the redirector as an RSGI application."""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels

from shortener.clicklog.pseudonyms import KEY_CHECK_SECONDS
from shortener.redirect.reader_pages import ReaderPages
from shortener.redirect.redirector import Redirector
from shortener.redirect.request import Request, encode_query
from shortener.redirect.responses import Response
from shortener.server.listening import close_idle_connections, empty_accept_queues, limit_unread_output
from shortener.server.memory import CONNECTION_BYTES, LINK_BYTES, MemoryWatch, open_files, resident_bytes
from shortener.server.process import STOP_SECONDS, Task, accept_sigterm, block_sigterm, end_with_parent
from shortener.server.relay import Relay
from shortener.server.sockets import LISTEN_BACKLOG

MAX_HEAD_BYTES = 32 * 1024
"""Longest request line and headers, as in nginx's default."""
HEADER_SECONDS = 15
"""Time in which a client must send the head of a request; an idle connection is closed after it."""
MAX_CONNECTIONS = 16_384
"""Connections that a worker keeps open at the same time, if the limit of open files permits."""
MAX_STREAMS = 64
"""Requests that a connection of HTTP/2 may have at the same time."""
MAX_WINDOW_BYTES = 128 * 1024
"""Bytes that a connection of HTTP/2 may have on their way, in each direction."""
SPARE_FILES = 48
"""Open files that are not connections of clients: click log, store, connections to the pages."""
MIN_CONNECTIONS = 8
RESPAWN_SECONDS = 5.0
"""At SIGHUP, time that the next process has to start before the previous one is stopped."""
SYNC_THREADS = 12
"""Threads that wait for the disk if every click is synced before its response; they share one sync."""
ACCEPT_SECONDS = 1.0
"""Time in which granian accepts the connections that were established before it was seen to listen."""
LISTEN_SECONDS = 0.05
"""Pause before the worker looks again whether granian listens."""
WARM_UP_SECONDS = 1.0
"""Pause before the worker loads what relays pages, so that the first page need not wait for it."""
IDLE_CHECK_SECONDS = 15.0
"""Time between two searches for idle connections over TLS."""
MEMORY_CHECK_SECONDS = 5.0
"""Time between two measurements of this process's memory."""
log = logging.getLogger(__name__)

_LOGGING = {"loggers": {"_granian": {"handlers": [], "propagate": True}}}


def run(task: Task) -> None:
    """Serve short links, and relay other requests, until SIGTERM."""
    accept_sigterm()
    # Granian forks the second process. Until that process has its own handler of SIGTERM, it has the handler of this
    # one, which would ignore the signal there. So the signal waits.
    os.register_at_fork(before=block_sigterm, after_in_parent=accept_sigterm)
    logging.getLogger("_granian").addFilter(is_worth_logging)
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
        backpressure=_raise_connection_limit(),
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=MAX_HEAD_BYTES),
        http2_settings=HTTP2Settings(
            initial_connection_window_size=MAX_WINDOW_BYTES,
            initial_stream_window_size=MAX_WINDOW_BYTES,
            max_concurrent_streams=MAX_STREAMS,
            max_headers_size=MAX_HEAD_BYTES,
            max_send_buffer_size=MAX_WINDOW_BYTES,
        ),
        log_level=LogLevels.warning,
        log_dictconfig=_LOGGING,
        ssl_cert=Path(server.certificate) if secure else None,
        ssl_key=Path(server.key) if secure else None,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=False,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
    ).serve(target_loader=partial(_load_application, task, os.getpid()), wrap_loader=False)


def is_worth_logging(record: logging.LogRecord) -> bool:
    """Filter out one misleading log message: return False for granian's "Killing worker" if no worker is left.

    Return True for every other message.
    """
    # Two threads of granian wait for the worker, and only one of them receives its exit status. The other logs the
    # message.
    if not record.getMessage().startswith("Killing worker") or sys.platform == "darwin":  # has no waitid
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _load_application(task: Task, parent: int) -> Any:
    # Granian calls this in a second process; ``parent`` is the id of the first.
    end_with_parent(parent)
    return Worker(task)


class Worker:
    """The RSGI application: it answers requests for short links, and relays all others to the pages process."""

    def __init__(self, task: Task) -> None:
        config = task.config
        self._redirector = Redirector(config, shared_keys=task.role != "serve")
        self._respond = self._redirector.respond
        self._reader_pages = ReaderPages(config.data_directory)
        self._relay = Relay(config)
        self._threads = None if config.clicklog.sync else ThreadPoolExecutor(SYNC_THREADS)
        self._secure = bool(config.server.certificate)
        self._draining: asyncio.Task[None] | None = None
        self._warming_up: asyncio.Task[None] | None = None
        self._memory = MemoryWatch(now=time.monotonic())
        self._granian = os.getppid()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare the process for requests. Granian calls this once at the start of the process."""
        loop.add_signal_handler(signal.SIGTERM, self._start_drain, loop)
        loop.call_soon(accept_sigterm)  # uvloop would miss a signal that arrives before the loop runs
        if sys.platform == "linux":
            loop.call_soon(self._limit_unread_output, loop)
        self._discard_expired(loop)
        loop.call_later(WARM_UP_SECONDS, self._warm_up, loop)
        loop.call_later(2 * MEMORY_CHECK_SECONDS, self._check_memory, loop)
        if self._secure:
            self._close_idle_connections(loop)
        gc.freeze()  # objects that live as long as the process need not be traversed in each collection
        gc.set_threshold(20_000)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the click log and the store. Granian calls this at the end of the process."""
        self._redirector.close()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request. Granian calls this for each request."""
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
                accepted = ", ".join(request.headers.get_all("accept-language"))
                response = self._reader_pages.get(response, accept_language=accepted)
            if response.status >= HTTPStatus.BAD_REQUEST and "content-length" in request.headers:
                await self._relay.discard_body(request, protocol)
        headers = response.headers if self._draining is None else [*response.headers, ("Connection", "close")]
        if response.body and request.method != "HEAD":
            protocol.response_bytes(response.status, headers, response.body)
        else:
            protocol.response_empty(response.status, headers)

    def _limit_unread_output(self, loop: asyncio.AbstractEventLoop, times: int = 2) -> None:
        if limit_unread_output():
            times -= 1
        if times:
            # The limit cannot be set before granian listens. After ACCEPT_SECONDS more, granian has accepted the
            # connections that were waiting, so they get the limit when it is set again.
            loop.call_later(ACCEPT_SECONDS if times == 1 else LISTEN_SECONDS, self._limit_unread_output, loop, times)

    def _start_drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._draining is None:
            self._draining = loop.create_task(self._drain())

    async def _drain(self) -> None:
        signal.alarm(STOP_SECONDS)  # ends the process if open requests last longer
        await empty_accept_queues()
        os.kill(os.getpid(), signal.SIGINT)

    def _discard_expired(self, loop: asyncio.AbstractEventLoop) -> None:
        self._redirector.discard_expired()
        loop.call_later(KEY_CHECK_SECONDS, self._discard_expired, loop)

    def _warm_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self._warming_up = loop.create_task(self._relay.open_session())

    def _close_idle_connections(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_in_executor(None, close_idle_connections)
        loop.call_later(IDLE_CHECK_SECONDS, self._close_idle_connections, loop)

    def _check_memory(self, loop: asyncio.AbstractEventLoop) -> None:
        resident = resident_bytes()
        if self._memory.should_replace(resident, in_use=self._max_bytes_in_use, now=time.monotonic()):
            log.warning("%d MB of memory stay in use after a flood; another process takes over", resident // 1_000_000)
            os.kill(self._granian, signal.SIGHUP)  # it replaces this process by a new one
        else:
            loop.call_later(MEMORY_CHECK_SECONDS, self._check_memory, loop)

    def _max_bytes_in_use(self) -> int:
        links = self._redirector.cached_links() * LINK_BYTES
        connections = max(0, open_files() - SPARE_FILES)
        return connections * CONNECTION_BYTES + self._relay.held_bytes() + links


def parse_scope(scope: Any) -> Request:
    """Return the request that an RSGI scope (granian's form of a request) describes."""
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
    query = scope.query_string
    return Request(scope.method, host, scope.path, encode_query(query) if query else "", headers, peer)


def _raise_connection_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_FILES
    if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, soft - SPARE_FILES))
