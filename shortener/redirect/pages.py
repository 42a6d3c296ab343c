"""Handing a request on to the pages' own process, so that no slow page holds a reader up.

A redirect worker answers short links itself. Editor pages, previews and exports are made by a process of their own
behind a Unix socket; a worker passes request and answer through and waits for neither.
"""

import asyncio
import contextlib
import io
import logging
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, cast

from httptools import HttpParserError, HttpResponseParser
from msgspec import Struct

from shortener.redirect.redirector import MISS_STATUS_KEY, Environ, StartResponse, WSGIApplication
from shortener.sockets import short_socket_path
from shortener.urls import strip_port

Fields = list[tuple[bytes, bytes]]
"""Header names and values, as they go over the wire."""

PEER, SCHEME, WHY = b"X-Shortener-Peer", b"X-Shortener-Scheme", b"X-Shortener-Miss"
"""What the worker adds to a request; the same headers from a client are dropped."""
WAIT_SECONDS = 60.0
"""How long a page may take until its first byte."""
AT_ONCE = 64
"""Requests that one worker has before the pages' process at a time."""
REFRESH_SECONDS = 60.0
"""How often the pages for misses, which are the same for everybody, are read again."""
RETRY_SECONDS = 0.5
READY = (404, 410, 413, 503)
"""The statuses whose pages stand ready: misses, and what is too large."""
CROWDED = 429
"""What stands for too many pages at once, which is answered 503."""

_NOT_PASSED_ON = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"upgrade", b"expect", b"content-length"}
    | {name.lower() for name in (PEER, SCHEME, WHY)}
)
_ANSWERED_ANEW = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"server", b"date"})
_WITHOUT_BODY = frozenset({204, 304})

log = logging.getLogger(__name__)


class Request(Struct):
    """A request that could not be answered at once."""

    environ: Environ
    target: bytes
    headers: Fields
    body: bytes = b""
    keep: bool = True
    """Whether the connection stays open afterwards."""
    chunks: bool = True
    """Whether the client understands an answer in chunks (HTTP/1.1)."""


class Page(Struct):
    """A page that stands ready."""

    status: int
    headers: Fields
    body: bytes


class Client(Protocol):
    """Who gets a page."""

    def begin(self, source: asyncio.Transport) -> None:
        """The page will come from there."""

    def start(self, status: int, headers: Fields, *, keep: bool) -> None:
        """Its head."""

    def write(self, piece: bytes) -> None:
        """Some of its body."""

    def flush(self) -> None:
        """Nothing more for the moment."""

    def finish(self) -> None:
        """It is whole."""

    def abort(self) -> None:
        """It will never be whole."""


class Pages:
    """Asks the pages' process; what is shown for a miss stands ready in memory, because misses come in floods."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asking: set[asyncio.Task[None]] = set()
        self._standing = {why: _plain(why, HTTPStatus(why).phrase) for why in READY}

    def ask(self, request: Request, client: Client) -> bool:
        """Begin to pass a request on; False when too many wait already."""
        if len(self._asking) >= AT_ONCE:
            return False
        task = asyncio.get_running_loop().create_task(self._ask(request, client))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return True

    async def _ask(self, request: Request, client: Client) -> None:
        asking = Asking(request, client)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                with short_socket_path(self._path) as name:
                    await asyncio.get_running_loop().create_unix_connection(lambda: asking, name)
                await asking.begun.wait()
            await asking.ended.wait()
        except (OSError, TimeoutError) as error:
            log.error("pages: %s", error or "no answer in time")
        finally:
            asking.give_up()

    def standing(self, why: int) -> Page:
        """The page for a miss, for what is refused, or for too many pages at once (``CROWDED``)."""
        return _CROWDED if why == CROWDED else self._standing.get(why) or _plain(why, HTTPStatus(why).phrase)

    async def keep_ready(self) -> None:
        """Read the pages for misses, and again from time to time."""
        while True:
            found = [await self._read(why) for why in READY]
            await asyncio.sleep(REFRESH_SECONDS if all(found) else RETRY_SECONDS)

    async def _read(self, why: int) -> bool:
        kept = Kept()
        environ = {"REQUEST_METHOD": "GET", MISS_STATUS_KEY: why}
        target = b"/-/nowhere" if why == 413 else b"/nowhere"  # who hands in too much is an editor
        await self._ask(Request(environ, target, [(b"Host", b"localhost")]), kept)
        if kept.whole and kept.page.status == why:
            self._standing[why] = kept.page
        return kept.whole


class Kept:
    """A page that is kept, as a client of it: without cookies, as it is for everybody."""

    def __init__(self) -> None:
        self.page = Page(0, [], b"")
        self.whole = False

    def begin(self, source: asyncio.Transport) -> None:
        """Nothing to do."""

    def start(self, status: int, headers: Fields, *, keep: bool) -> None:
        """Keep the head."""
        self.page.status = status
        self.page.headers = [field for field in headers if field[0].lower() != b"set-cookie"]
        if status == 503:
            self.page.headers.append((b"Retry-After", b"5"))

    def write(self, piece: bytes) -> None:
        """Keep the body."""
        self.page.body += piece

    def flush(self) -> None:
        """Nothing to do."""

    def finish(self) -> None:
        """Done."""
        self.whole = True

    def abort(self) -> None:
        """Nothing to do."""


class Asking(asyncio.Protocol):
    """One request on its way to the pages' process, and the answer on its way back."""

    def __init__(self, request: Request, client: Client) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self._request = request
        self._client = client
        self._parser: Any = HttpResponseParser(self)
        self._transport = cast(asyncio.Transport, None)
        self._headers: Fields = []
        self._chunked = False
        self._whole = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast(asyncio.Transport, transport)
        self._client.begin(self._transport)
        self._transport.write(_forwarded(self._request))

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        if self._whole:
            return
        with contextlib.suppress(HttpParserError):  # then it is not whole, which is found out at the end
            self._parser.feed_data(data)
        self._client.flush()
        if self._whole:
            self._transport.close()
            self._client.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, expected or not."""
        self.begun.set()
        self.ended.set()

    def give_up(self) -> None:
        """See to it that the client knows, unless it has the whole page."""
        if self._whole:
            return
        self._whole = True
        if self._transport is not None:
            self._transport.abort()
        if self.begun.is_set() and self._headers:
            self._client.abort()
            return
        page = _plain(503, "The pages are starting; try again in a moment.")
        self._client.start(page.status, page.headers, keep=self._request.keep)
        self._client.write(page.body)
        self._client.finish()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass the head on, with a framing of the body that the client understands."""
        request, status = self._request, self._parser.get_status_code()
        self.begun.set()
        fields = [field for field in self._headers if field[0].lower() not in _ANSWERED_ANEW]
        keep = request.keep
        bodiless = request.environ["REQUEST_METHOD"] == "HEAD" or status in _WITHOUT_BODY
        if not bodiless and not any(name.lower() == b"content-length" for name, _ in fields):
            self._chunked = request.chunks
            keep = keep and request.chunks
            fields += [(b"Transfer-Encoding", b"chunked")] if self._chunked else []
        self._client.start(status, fields, keep=keep)
        self._whole = bodiless

    def on_body(self, piece: bytes) -> None:
        """Pass some of the body on."""
        self._client.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._chunked:
            self._client.write(b"0\r\n\r\n")
        self._whole = True


class Behind:
    """Around the pages' app in its own process: makes a request look as if it had come from the client directly."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = environ.pop(_key(PEER), "")
        environ["wsgi.url_scheme"] = environ.pop(_key(SCHEME), "http")
        host = environ.get("HTTP_HOST", "")
        name = strip_port(host)
        environ["SERVER_NAME"] = name or "localhost"
        environ["SERVER_PORT"] = host[len(name) + 1 :] or "80"
        why = environ.pop(_key(WHY), None)
        if why is not None:
            environ[MISS_STATUS_KEY] = int(why)
        # Read here: an answer that leaves a body unread would break the connection that it goes over.
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
        return self._app(environ, start_response)


def _forwarded(request: Request) -> bytes:
    """The request as the pages' process gets it."""
    environ = request.environ
    fields = [field for field in request.headers if field[0].lower() not in _NOT_PASSED_ON]
    if environ.get(MISS_STATUS_KEY) is not None:
        fields.append((WHY, b"%d" % environ[MISS_STATUS_KEY]))
    fields += [
        (PEER, environ.get("REMOTE_ADDR", "").encode()),
        (SCHEME, b"http"),
        (b"Content-Length", b"%d" % len(request.body)),
        (b"Connection", b"close"),
    ]
    line = b"%b %b HTTP/1.1" % (environ["REQUEST_METHOD"].encode(), request.target)
    head = b"\r\n".join([line, *(b"%b: %b" % field for field in fields)])
    return b"%b\r\n\r\n%b" % (head, request.body)


def _key(name: bytes) -> str:
    return "HTTP_" + name.decode().upper().replace("-", "_")


def _plain(status: int, text: str) -> Page:
    body = f"{text}\n".encode()
    headers = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Cache-Control", b"no-store"),
        (b"Content-Length", b"%d" % len(body)),
    ]
    return Page(status, [*headers, (b"Retry-After", b"1")] if status == 503 else headers, body)


_CROWDED = _plain(503, "Too many pages are being made; try again in a moment.")
