"""The processes of ``shortener serve``: a redirect worker, the pages, the collector.

Run as ``python -m shortener.children KIND``, with the configuration as JSON on standard input and the listening
socket, where there is one, as an inherited descriptor.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import granian._futures
import granian._granian
import msgspec
from granian.constants import HTTPModes
from granian.http import HTTP1Settings

from shortener.counters import DIRECTORY as RUN_DIRECTORY
from shortener.server import BACKLOG, Task, on_stop, stop_flag

HEADER_SECONDS = 15
"""How long a client may take to send a request's headers, and an idle connection is kept."""
CONNECTIONS = 16_384
"""Connections that one worker keeps open at a time (the limit of open files permitting)."""
THREADS = 12
PAGES_AT_ONCE = 8
"""Of a worker's threads, how many may wait for a page; the others are for readers."""
HOUSEKEEPING_SECONDS = 3600.0
PR_SET_PDEATHSIG = 1

_rust: Any = granian._granian
_futures: Any = granian._futures

log = logging.getLogger(__name__)


def main(kind: str) -> None:
    """Be a child of this kind until SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("_granian").setLevel(logging.WARNING)  # it announces its start as worker 1 every time
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    end_with_parent(task.parent)
    {"worker": work, "pages": make_pages, "collector": collect}[kind](task)


def work(task: Task) -> None:
    """Answer short links, and hand everything else on to the pages."""
    from shortener.redirect.handler import RedirectHandler
    from shortener.redirect.pages import SOCKET, Pages

    pages = Pages(task.config.data / RUN_DIRECTORY / SOCKET, at_once=PAGES_AT_ONCE)
    handler = RedirectHandler(pages, config=task.config)
    run_server(_redirecting(handler), task.listening, threads=THREADS, meanwhile=handler.forget_old)
    handler.close()


def make_pages(task: Task) -> None:
    """Answer everything that is not a short link, on a Unix socket."""
    from granian.wsgi import _callback_wrapper

    from shortener.app import create_pages
    from shortener.redirect.pages import Behind

    app = Behind(create_pages(task.config))
    run_server(_callback_wrapper(app, {}), task.listening, threads=THREADS, unix=True)


def collect(task: Task) -> None:
    """Drain the click log into the store."""
    from shortener.clicks.collector import await_turn
    from shortener.errors import ShortenerError
    from shortener.store import open_store

    stop = stop_flag()
    try:
        store = open_store(task.config.data, create=False)
        collector = await_turn(store, config=task.config, stop=stop)
        if collector is not None:
            collector.follow(stop=stop)
    except ShortenerError as error:
        log.error("collector: %s", error)
        sys.exit(1)


def run_server(
    callback: Callable[[Any, dict[str, Any]], int],
    listening: int,
    *,
    threads: int,
    unix: bool = False,
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Serve HTTP/1 on an inherited socket until SIGTERM; then answer what was accepted, and return.

    This is granian's worker without its master process: the master gives up when workers die twice within
    5.5 seconds, and a worker outlives it.
    """
    stopping = threading.Event()
    stop = _rust.WorkerSignal()
    stop.add_cb(stopping.set)
    worker = _rust.WSGIWorker(
        1,
        (None, _rust.SocketHolder(listening, unix, BACKLOG)),
        None,
        1,
        512,
        threads,
        30,
        CONNECTIONS,
        HTTPModes.http1,
        HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, keep_alive=True),
        None,
        None,
        *(False, None, None, None, "tls1.3", None, [], False),
        (None, None),
    )
    scheduler = _futures._new_cbscheduler(asyncio.new_event_loop(), callback, impl_asyncio=True)
    (worker.serve_mtr_uds if unix else worker.serve_mtr)(scheduler, None, stop)
    on_stop(stop.set)
    while not stopping.wait(HOUSEKEEPING_SECONDS):
        if meanwhile is not None:
            meanwhile()


def _redirecting(handler: Any) -> Callable[[Any, dict[str, Any]], int]:
    """What granian calls for each request: the handler's own answer goes out without a detour through WSGI."""
    answer, application = handler.answer, handler.pages

    def respond(proto: Any, environ: dict[str, Any]) -> int:
        found = answer(environ)
        if found is not None:
            status, headers = found
            proto.response_bytes(status, headers, b"")
            return int(status)
        return _respond_with_page(application, proto, environ)

    return respond


def _respond_with_page(application: Any, proto: Any, environ: dict[str, Any]) -> int:
    started: list[Any] = []
    body: Iterable[bytes] = application(environ, lambda *start: started.extend(start))
    status = int(started[0].partition(" ")[0])
    if isinstance(body, list):
        proto.response_bytes(status, started[1], b"".join(body))
    else:
        proto.response_iter(status, started[1], body)
    return status


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent dies, however it dies (Linux; elsewhere this does nothing)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)  # it died before we asked


if __name__ == "__main__":
    main(sys.argv[1])
