"""The process that computes editor pages, previews and exports.

Redirect workers relay the requests of browsers to it through a Unix socket.
"""

import logging
import socket
import sys
from collections.abc import Iterable
from functools import partial

import waitress
from flask import Flask

from shortener.app import build_pages_app
from shortener.redirect.redirector import StartResponse, WSGIApplication
from shortener.redirect.request import Environ, environ_key
from shortener.server.process import Task, on_stop
from shortener.server.relay import CLIENT_HEADER, FORWARDED_HEADER, SCHEME_HEADER
from shortener.services.webhook_sender import start_sender
from shortener.web.published_pages import publish_reader_pages
from shortener.web.security import MAX_REQUEST_BYTES

THREADS = 12
"""Pages that are computed at the same time."""
CONNECTIONS = 4096

log = logging.getLogger(__name__)


class RelayedRequests:
    """WSGI middleware that restores the client's address and scheme from headers that the worker has set."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = environ.pop(environ_key(CLIENT_HEADER), "")
        environ["wsgi.url_scheme"] = environ.pop(environ_key(SCHEME_HEADER), "http")
        if environ.pop(environ_key(FORWARDED_HEADER), None) is not None:
            environ["HTTP_X_FORWARDED_FOR"] = "unknown"
        return self._app(environ, start_response)


def publish_again(app: Flask) -> None:
    """Write the error pages for readers again after a change of settings. A disk error is only logged."""
    try:
        publish_reader_pages(app)
    except OSError as error:
        log.error("the pages for readers keep their former settings: %s", error)


def run(task: Task) -> None:
    """Serve the pages until SIGTERM."""
    app = build_pages_app(task.config)
    publish_reader_pages(app)
    app.extensions["config"].on_change = partial(publish_again, app)
    start_sender(task.config)
    serve_app(app, task)


def serve_app(app: Flask, task: Task) -> None:
    """Serve a Flask application until SIGTERM, on the socket to which the workers relay requests."""
    logging.getLogger("waitress").setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # requests wait for a thread, which is no error
    on_stop(lambda: sys.exit(0))
    waitress.serve(
        RelayedRequests(app),
        sockets=[socket.socket(fileno=task.listening)],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        max_request_body_size=MAX_REQUEST_BYTES + 1,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=False,
        ident=None,
    )
