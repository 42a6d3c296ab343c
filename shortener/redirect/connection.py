"""One client's connection: HTTP/1.1 requests in, answers out, in their order.

llhttp (through httptools) takes requests apart. What a redirect needs of one becomes the same environment that WSGI
gives, so that one redirector serves both; everything else goes to the pages' process as it came.

Where the microseconds go (one core, without the loop and the kernel's network; tests/benchmarks/redirect/README.md):
a click with known headers takes 7.4. Of these, knowing the headers and reading the line take 0.5, the link 0.2, network
and two keyed hashes 1.6, encoding the line 0.4, write() 0.9, and the rest is Python calling Python. Parsing the headers
adds 10: 1 in llhttp, 4 in callbacks, 2 for the parsed headers, 3 for an environment that serves WSGI as well.
"""

import asyncio
import logging
import re
from collections import deque
from functools import partial
from http.client import responses
from math import inf
from typing import Any, cast
from urllib.parse import unquote

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
    parse_url,
)

from shortener.clicklog.format import LOGGED_HEADERS
from shortener.redirect.pages import CROWDED, Fields, Request
from shortener.redirect.redirector import MISS_STATUS_KEY, PARSED_HEADERS_KEY, Environ, ParsedHeaders
from shortener.redirect.responses import Response
from shortener.redirect.service import MAX_BODY, Service

MAX_HEAD = 32 * 1024
"""Bytes of a request's line and headers, give or take what is read at once; as nginx takes by default."""
MAX_TARGET = 8 * 1024
MAX_HEADERS = 100
HEADER_SECONDS = 15
"""How long a client may take to send a request's line and headers, and how long an idle connection is kept."""
BODY_SECONDS = 60
"""How long it may take for a request with a body."""
STUCK_SECONDS = 30
"""How long it may take nothing of what we send."""
LINGER_SECONDS = 2
"""How long a refused client may go on sending until it has heard why."""
MAX_TAKEN = 64 * 1024 * 1024
"""Bytes of a body that is too large which are still taken."""
PAGE_BUFFER = 1024 * 1024
"""Bytes of a page that are kept for a slow client, so that its slowness does not reach the pages' process."""
SLASH = ord("/")

_NEEDED = (
    *("host", "user-agent", "referer", "accept-language", "x-forwarded-for", "sec-gpc", "dnt"),
    *("connection", "expect", "content-length"),
    *LOGGED_HEADERS,
)
_KEYS = {
    spelling.encode(): "HTTP_" + name.upper().replace("-", "_")
    for name in _NEEDED
    for spelling in (name, name.title())
}
"""Where a header goes in the environment; a table, so that strangers' header names cost no memory."""

PLAIN = re.compile(rb"GET (/([A-Za-z0-9]{1,64})(?:/([1-9][0-9]{0,4}))?) HTTP/1\.1")
"""The first line of most clicks: a code and perhaps a placement, nothing else."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"

log = logging.getLogger(__name__)


class Refused(Exception):
    """Raised when a request is not fit to be answered; ``status`` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Connection(asyncio.BufferedProtocol):
    """Reads into a buffer that all connections share, because nothing of it is needed after it was parsed."""

    def __init__(self, service: Service, open_ones: "set[Connection]") -> None:
        self.served = False
        """Whether it got an answer yet."""
        self._service = service
        self._open_ones = open_ones
        """The worker's connections, of which this is one as long as it is open."""
        self._parser: Any = HttpRequestParser(self)
        self._transport = cast(asyncio.Transport, None)
        self._peer = ""
        self._since = service.tick
        """When something was last finished, in the service's seconds."""
        self._environ: Environ | None = None
        """Of the request that is being read; None between requests."""
        self._target = b""
        self._headers: Fields = []
        self._body: list[bytes] = []
        self._sender: ParsedHeaders | None = None
        """Who asked for the last redirect that was as plain as can be; ``_messages`` came in the same read."""
        self._messages = 0
        self._size = 0
        """Bytes of the unfinished head; ``_taken``, of its body so far."""
        self._taken = 0
        self._out: list[bytes] = []
        self._busy = False
        """Whether an answer is being made that takes longer; ``_waiting`` is what was asked behind it."""
        self._waiting: deque[Request] = deque()
        self._source: asyncio.Transport | None = None
        """Where the page that is being passed on comes from."""
        self._stuck = False
        """Whether the client does not take what we send; ``_left`` bytes were left of it when it last took some."""
        self._left = 0
        self._closing = False
        """Whether nothing more will be read or answered."""
        self._ended = False
        """Whether the client said that it will ask nothing more."""
        self._lingering = False
        """Whether we said our last word and wait for the client to hear it."""

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self._open_ones.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything, also of a page that is being made for nobody."""
        self._open_ones.discard(self)
        self._closing = True
        self._parser = None
        self._forget_body()
        if self._source is not None:
            self._source.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer that all share."""
        return self._service.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take apart what came, and send what was answered in one piece."""
        if self._closing:
            return
        content = bytes(self._service.buffer[:nbytes])
        fresh = self._environ is None and not self._busy
        self._sender, self._messages = None, 0
        if fresh and self._answer_known(content):
            return
        try:
            self._parser.feed_data(content)
        except HttpParserUpgrade:
            self._closing = (
                True  # it has its answer in HTTP/1.1; what it says in another protocol is not read
            )
        except HttpParserCallbackError as error:
            self._fail(error.__context__)
        except HttpParserError:
            self._refuse(400)
        else:
            if fresh and self._messages == 1 and self._environ is None:
                self._learn(content)
        if self._environ is not None and not self._taken:
            self._size += nbytes
            if self._size > MAX_HEAD:
                self._refuse(431)
        self.flush()

    def _learn(self, content: bytes) -> None:
        """Know the headers of this one whole request again, if it was a plain click."""
        line, _, headers = content.partition(b"\r\n")
        if self._sender is not None and PLAIN.fullmatch(line):
            self._service.remember(headers, self._sender, keep=not self._closing)

    def _answer_known(self, content: bytes) -> bool:
        """Answer one whole plain request whose headers were parsed and understood before, byte for byte."""
        line, _, headers = content.partition(b"\r\n")
        known = self._service.known.get(headers)
        if known is None or (plain := PLAIN.fullmatch(line)) is None:
            return False
        sender, keep = known
        path, code, n = plain.groups()
        answer = self._service.answer_known(
            sender,
            address=self._peer,
            path=path.decode(),
            code=code.decode(),
            placement=int(n) if n else None,
        )
        if answer is None:
            return False
        self._since = self._service.tick
        self.served = True
        if keep:
            self._transport.write(answer.head + self._service.date)
        else:
            self._transport.write(answer.head + _CLOSE + self._service.date)
            self._closing = True
            self._transport.close()
        return True

    def eof_received(self) -> bool:
        """A client that has said everything still gets the answer that is being made."""
        self._ended = True
        return self._busy

    def pause_writing(self) -> None:
        """The client is slower than we are: read nothing more from it, nor from what answers it."""
        self._stuck = True
        self._left = self._transport.get_write_buffer_size()
        self._since = self._service.tick
        self._transport.pause_reading()
        if self._source is not None:
            self._source.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._stuck = False
        self._since = self._service.tick
        if self._source is not None:
            self._source.resume_reading()
        self._read_on()

    # What the parser tells

    def on_message_begin(self) -> None:
        """A request begins."""
        self._environ = {"REMOTE_ADDR": self._peer}
        self._taken = 0
        self._target = b""
        self._headers = []

    def on_url(self, piece: bytes) -> None:
        """A piece of the request's target."""
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; a second one of a name is added to the first, as HTTP has it."""
        self._headers.append((name, value))
        key = _KEYS.get(name) or _KEYS.get(name.lower())
        if key is not None:
            environ: Any = self._environ
            text = value.decode("utf-8", "replace")
            environ[key] = f"{environ[key]},{text}" if key in environ else text

    def on_headers_complete(self) -> None:
        """Refuse what is too large before it comes."""
        environ: Any = self._environ
        if len(self._headers) > MAX_HEADERS:
            raise Refused(431)
        if len(self._target) > MAX_TARGET:
            raise Refused(414)
        if "," in environ.get("HTTP_HOST", ""):
            raise Refused(400)  # there can be only one (RFC 9112, 3.2)
        if "HTTP_CONTENT_LENGTH" in environ:
            length, waits = int(environ["HTTP_CONTENT_LENGTH"]), "HTTP_EXPECT" in environ
            if length > (MAX_BODY if waits else MAX_TAKEN):
                raise Refused(413)
        if "HTTP_EXPECT" in environ and not self._busy:
            self._out.append(_CONTINUE)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body; it is kept here until it is whole, so that a slow sender occupies nothing else.

        What is too much is taken and thrown away: a browser in the middle of an upload does not hear why it is refused.
        """
        self._taken += len(piece)
        if self._taken > MAX_TAKEN:
            raise Refused(413)
        if self._taken > MAX_BODY:
            self._forget_body()
            return
        self._body.append(piece)
        if not self._service.hold(len(piece)):
            raise Refused(503)

    def on_message_complete(self) -> None:
        """A request is whole: answer it at once where that can be done."""
        if self._closing:
            return
        if self._taken > MAX_BODY:
            raise Refused(413)
        environ: Any = self._environ
        self._environ = None
        self._messages += 1
        self._size = 0
        self._since = self._service.tick
        environ["REQUEST_METHOD"] = self._parser.get_method().decode()
        if self._target[0] != SLASH:
            self._target = _origin_form(self._target, environ)
        path, _, environ["QUERY_STRING"] = self._target.decode("latin-1").partition("?")
        environ["PATH_INFO"] = unquote(path) if "%" in path else path
        keep = self._parser.should_keep_alive()
        if self._busy or self._body or self._service.threaded:
            self._take(self._request(environ, keep=keep))
            return
        answer = self._service.answer(environ)
        if answer is None:
            self._show_page(self._request(environ, keep=keep))
        else:
            self._sender = environ.get(PARSED_HEADERS_KEY)
            self._send(answer.head, environ, keep=keep)

    # What is answered

    def _send(self, head: bytes, environ: Environ, *, keep: bool, body: bytes = b"") -> None:
        """Put an answer behind what goes out next."""
        self.served = True
        if not keep or self._service.stopping:
            head += _CLOSE
            self._closing = True
        elif "HTTP_CONNECTION" in environ:
            head += _KEEP  # HTTP/1.0 wants to hear it
        self._out.append(head + self._service.date + body)

    def _refuse(self, status: int) -> None:
        """An error, and the end; what still comes is read and thrown away, so that the error arrives."""
        if self._closing:
            return
        self._closing = True
        self._environ = None
        self._forget_body()
        if not self._busy:
            self._lingering = True
            self._since = self._service.tick
            page = self._service.pages.standing(status)
            self._out.append(_head(page.status, page.headers) + _CLOSE + self._service.date + page.body)

    def _fail(self, error: BaseException | None) -> None:
        if isinstance(error, Refused):
            self._refuse(error.status)
        else:
            log.error("a request could not be answered", exc_info=error)
            self._refuse(500)

    def _forget_body(self) -> None:
        if self._body:
            self._service.hold(-sum(map(len, self._body)))
            self._body = []

    # What takes longer

    def _request(self, environ: Environ, *, keep: bool) -> Request:
        body = b"".join(self._body)
        self._forget_body()
        chunks = self._parser.get_http_version() == "1.1"
        return Request(environ, self._target, self._headers, body, keep, chunks)

    def _take(self, request: Request) -> None:
        """Answer a request, or begin to; while another one is being answered it waits."""
        if self._busy:
            self._waiting.append(request)
            self._transport.pause_reading()
        elif self._service.threaded:
            self._busy = True
            self._service.answer_in_thread(request.environ, partial(self._answered, request))
        else:
            self._give(request, self._service.answer(request.environ))

    def _give(self, request: Request, answer: Response | None) -> None:
        if answer is None:
            self._show_page(request)
        else:
            self._send(answer.head, request.environ, keep=request.keep)

    def _answered(self, request: Request, found: "asyncio.Future[Response | None]") -> None:
        """A thread has found the answer."""
        self._busy = False
        try:
            self._give(request, found.result())
        except Exception as error:
            self._fail(error)
        self._go_on()

    def _show_page(self, request: Request) -> None:
        pages = self._service.pages
        why = request.environ.get(MISS_STATUS_KEY)
        if why is None and pages.ask(request, self):
            self._busy = True
            return
        page = pages.standing(why or CROWDED)
        body = b"" if request.environ["REQUEST_METHOD"] == "HEAD" else page.body
        self._send(_head(page.status, page.headers), request.environ, keep=request.keep, body=body)

    # What the pages tell

    def begin(self, source: asyncio.Transport) -> None:
        """A page comes from ``source``, which is held up whenever the client takes longer."""
        if self._transport.is_closing():
            source.abort()
            return
        self._source = source
        self._transport.set_write_buffer_limits(high=PAGE_BUFFER)
        if self._stuck:
            source.pause_reading()

    def start(self, status: int, headers: Fields, *, keep: bool) -> None:
        """The head of a page."""
        self._send(_head(status, headers), {}, keep=keep)

    def write(self, piece: bytes) -> None:
        """Some of the body of a page."""
        self._out.append(piece)

    def flush(self) -> None:
        """Send what came, and after the last answer, end."""
        out = self._out
        if out and not self._transport.is_closing():
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()
        if (self._closing or self._ended) and not self._busy:
            if self._lingering:
                self._transport.write_eof()
            else:
                self._transport.close()

    def finish(self) -> None:
        """The page is whole; answer what was asked meanwhile."""
        self._source = None
        self._busy = False
        self._go_on()

    def abort(self) -> None:
        """Break off, so that nobody takes half a page for the whole."""
        self._source = None
        self._transport.abort()

    def _go_on(self) -> None:
        self._since = self._service.tick
        while self._waiting and not self._busy and not self._closing:
            self._take(self._waiting.popleft())
        self.flush()
        self._read_on()

    def _read_on(self) -> None:
        if not (self._busy or self._stuck or self._transport.is_closing()):
            self._transport.resume_reading()

    # What time tells

    def overdue(self, tick: int) -> bool:
        """Whether the client has kept us waiting for too long."""
        waited = tick - self._since
        if self._lingering:
            return waited > LINGER_SECONDS
        if self._stuck:
            left = self._transport.get_write_buffer_size()
            if left < self._left:
                self._left, self._since = left, tick
                return False
            return waited > STUCK_SECONDS
        if self._busy:
            return False
        return waited > (BODY_SECONDS if self._environ is not None and self._taken else HEADER_SECONDS)

    def idle_since(self) -> float:
        """The service's second since when nothing was asked; never where something is under way."""
        return inf if self._busy else self._since

    def end(self, *, now: bool) -> None:
        """End, unless something is under way; without ``now``, who has asked nothing yet may still do so."""
        if self._busy or self._closing:
            return
        if now or (self.served and self._environ is None):
            self._closing = True
            self._transport.close()


def _head(status: int, headers: Fields) -> bytes:
    """The head of a page as it goes over the wire, ``Date`` and the empty line still to come."""
    lines = [
        f"HTTP/1.1 {status} {responses.get(status, '')}".encode(),
        *(b"%b: %b" % field for field in headers),
        b"",
    ]
    return b"\r\n".join(lines)


def _origin_form(target: bytes, environ: Environ) -> bytes:
    """The path and query of a target in absolute form, whose host is the one that counts (RFC 9112, 3.2.2)."""
    try:
        url = parse_url(target)
    except HttpParserError:
        raise Refused(400) from None
    if url.host is None or url.schema is None:
        raise Refused(400)
    environ["HTTP_HOST"] = (url.host + (b":%d" % url.port if url.port else b"")).decode("latin-1")
    query = b"?" + url.query if url.query else b""
    return (url.path or b"/") + query
