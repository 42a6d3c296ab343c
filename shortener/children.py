"""The processes of ``shortener serve``: a redirect worker, the pages, the collector.

Run as ``python -m shortener.children KIND``, with the configuration as JSON on standard input and the listening
socket, where there is one, as an inherited descriptor.
"""

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

import msgspec

from shortener.errors import ShortenerError
from shortener.server import Stop, Task, log_to_stderr, on_stop
from shortener.sockets import LISTEN_BACKLOG, pages_socket_path

HEADER_SECONDS = 15
"""How long a worker may take to send the pages' process a request's headers."""
CONNECTIONS = 1024
THREADS = 12
"""Pages that are made at once."""
PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


def main(kind: str) -> None:
    """Be a child of this kind until SIGTERM."""
    log_to_stderr()
    logging.getLogger("_granian").setLevel(logging.WARNING)  # it announces its start as worker 1 every time
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    end_with_parent(task.parent)
    try:
        {"worker": work, "pages": make_pages, "collector": collect}[kind](task)
    except (ShortenerError, OSError) as error:
        log.error("%s: %s", kind, error)
        sys.exit(1)


def work(task: Task) -> None:
    """Answer short links, and hand everything else on to the pages."""
    import uvloop

    from shortener.redirect.redirector import Redirector
    from shortener.redirect.worker import Worker

    redirects = Redirector(task.config)
    worker = Worker(
        redirects,
        pages=pages_socket_path(task.config.data_directory),
        listening=task.listening,
        threaded=not task.config.clicklog.sync,
        alone=task.config.server.workers == 1,
    )
    gc.freeze()  # what is there now stays; looking through it again and again costs a twentieth of a redirect
    gc.set_threshold(20_000)
    uvloop.run(worker.run(on_stop=on_stop))
    redirects.close()


def make_pages(task: Task) -> None:
    """Answer everything that is not a short link, on a Unix socket."""
    from granian.wsgi import _callback_wrapper

    from shortener.app import build_pages_app
    from shortener.redirect.pages import Behind

    app = Behind(build_pages_app(task.config))
    run_server(_callback_wrapper(app, {}), task.listening)


def collect(task: Task) -> None:
    """Drain the click log into the store."""
    from shortener.collector.collector import acquire_collector
    from shortener.store import open_store

    stop = Stop()
    store = open_store(task.config.data_directory, create=False)
    collector = acquire_collector(store, config=task.config, stop=stop)
    if collector is not None:
        collector.follow(stop=stop)


def run_server(callback: Callable[[Any, dict[str, Any]], int], listening: int) -> None:
    """Serve HTTP/1 on an inherited Unix socket until SIGTERM; then answer what was accepted, and return.

    This is granian's worker without its master process: the master gives up when workers die twice within
    5.5 seconds, and a worker outlives it.
    """
    import granian._futures
    import granian._granian
    from granian.constants import HTTPModes
    from granian.http import HTTP1Settings

    rust: Any = granian._granian
    ended: SimpleQueue[None] = SimpleQueue()
    stop = rust.WorkerSignal()
    stop.add_cb(partial(ended.put, None))
    worker = rust.WSGIWorker(
        1,
        (None, rust.SocketHolder(listening, True, LISTEN_BACKLOG)),
        None,
        1,
        512,
        THREADS,
        30,
        CONNECTIONS,
        HTTPModes.http1,
        HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, keep_alive=True),
        None,
        None,
        *(False, None, None, None, "tls1.3", None, [], False),
        (None, None),
    )
    futures: Any = granian._futures
    scheduler = futures._new_cbscheduler(asyncio.new_event_loop(), callback, impl_asyncio=True)
    worker.serve_mtr_uds(scheduler, None, stop)
    on_stop(stop.set)
    ended.get()


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent dies, however it dies (Linux; elsewhere this does nothing)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)  # it died before we asked


if __name__ == "__main__":
    main(sys.argv[1])
