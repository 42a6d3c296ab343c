"""Handing a request on to the pages' own process, so that no slow page holds a reader up.

A redirect worker answers short links itself. Editor pages, previews and exports are computed by a process of their
own behind a Unix socket; what a worker gives to it is a thread that waits, and never more than a few of those.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shortener.redirect.handler import MISS, Application, Environ, Headers, StartResponse

Page = tuple[int, Headers, bytes]

SOCKET = "pages.sock"
PEER = "HTTP_X_SHORTENER_PEER"
SCHEME = "HTTP_X_SHORTENER_SCHEME"
WHY = "HTTP_X_SHORTENER_MISS"
"""What the worker adds to a request; the same headers from a client are dropped."""
WAIT_SECONDS = 60.0
"""How long a page may take until its first byte."""
REMEMBER_SECONDS = 60.0
"""How long the page for a miss, which is the same for everybody, is kept."""
STREAMED_BYTES = 1 << 20
"""An answer longer than this is passed on in pieces."""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "server", "date", "te", "upgrade"})
_PATH_SAFE = "/:@!$&'()*+,;=-._~"

log = logging.getLogger(__name__)


class PagesConnection(HTTPConnection):
    """HTTP over the pages' Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("pages", timeout=WAIT_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect; through the directory's descriptor, because a socket's own path may have 107 bytes only."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with short_name(self._path) as name:
            self.sock.connect(name)


class Pages:
    """A WSGI application that asks the pages' process; at most ``at_once`` requests wait for it at a time."""

    def __init__(self, path: Path, *, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._free = threading.BoundedSemaphore(at_once)
        self._misses: dict[int, tuple[float, Page]] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        why = environ.get(MISS)
        if why is not None:
            return _start(start_response, self._miss(why))
        if not self._free.acquire(blocking=False):
            return _start(
                start_response, _plain(503, "Too many pages are being made; try again in a moment.")
            )
        try:
            return self._ask(environ, start_response)
        finally:
            self._free.release()

    def _ask(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        connection = PagesConnection(self._path)
        try:
            # What refuses a body answers before it has read all of it.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    environ["REQUEST_METHOD"],
                    _target(environ),
                    body=_body(environ),
                    headers=_headers(environ),
                )
            response = connection.getresponse()
            length = response.length
            streamed = length is None or length > STREAMED_BYTES
            body: Iterable[bytes] = _pieces(response, connection) if streamed else [response.read()]
        except (OSError, HTTPException) as error:
            connection.close()
            log.error("pages: %s", error)
            return _start(start_response, _plain(503, "The pages are starting; try again in a moment."))
        if not streamed:
            connection.close()
        start_response(f"{response.status} {response.reason}", _kept(response))
        return body

    def _miss(self, why: int) -> Page:
        """The page of a miss: from memory, because a flood of unknown codes must cost next to nothing."""
        until, page = self._misses.get(why, (0.0, None))
        if page is None or self._clock() >= until:
            page = self._read_miss(why) or page or _plain(why, HTTPStatus(why).phrase)
            self._misses[why] = (self._clock() + REMEMBER_SECONDS, page)
        return page

    def _read_miss(self, why: int) -> Page | None:
        if not self._free.acquire(blocking=False):
            return None
        connection = PagesConnection(self._path)
        try:
            connection.request("GET", "/nowhere", headers={"Host": "localhost", _header(WHY): str(why)})
            response = connection.getresponse()
            headers = [(name, value) for name, value in _kept(response) if name.lower() != "set-cookie"]
            if why == 503:
                headers.append(("Retry-After", "5"))
            return why, headers, response.read()
        except (OSError, HTTPException) as error:
            log.error("pages: %s", error)
            return None
        finally:
            connection.close()
            self._free.release()


class Behind:
    """Around the pages' app in its own process: makes a request look as if it had come from the client directly."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = environ.pop(PEER, "")
        environ["wsgi.url_scheme"] = environ.pop(SCHEME, "http")
        host, _, port = environ.get("HTTP_HOST", "").rpartition(":")
        environ["SERVER_NAME"] = (host if port.isdigit() else port) or "localhost"
        environ["SERVER_PORT"] = port if host and port.isdigit() else "80"
        why = environ.pop(WHY, None)
        if why is not None:
            environ[MISS] = int(why)
        return self._app(environ, start_response)


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name for a socket's path that fits into its 107 bytes however deep the directory is (Linux)."""
    if len(os.fsencode(path)) < 100 or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _target(environ: Environ) -> str:
    path = quote(environ["PATH_INFO"].encode("utf-8", "surrogateescape"), safe=_PATH_SAFE)
    query = environ["QUERY_STRING"]
    return f"{path}?{query}" if query else path


def _body(environ: Environ) -> Any:
    """The request's body, as it comes in; None where there is none."""
    if environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ:
        return environ["wsgi.input"]
    return None


def _headers(environ: Environ) -> dict[str, str]:
    headers = {
        _header(key): value
        for key, value in environ.items()
        if key.startswith("HTTP_") and _header(key).lower() not in _HOP_BY_HOP and value.isascii()
    }
    headers |= {
        _header("HTTP_" + key): environ[key] for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)
    }
    headers.pop(_header(WHY), None)
    headers[_header(PEER)] = environ.get("REMOTE_ADDR", "")
    headers[_header(SCHEME)] = environ.get("wsgi.url_scheme", "http")
    return headers


def _header(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()


def _kept(response: HTTPResponse) -> Headers:
    return [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]


def _pieces(response: HTTPResponse, connection: HTTPConnection) -> Iterator[bytes]:
    try:
        while piece := response.read(1 << 16):
            yield piece
    finally:
        connection.close()


def _plain(status: int, text: str) -> Page:
    body = f"{text}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Length", str(len(body))),
    ]
    return status, [*headers, ("Retry-After", "1")] if status == 503 else headers, body


def _start(start_response: StartResponse, page: Page) -> Iterable[bytes]:
    status, headers, body = page
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
