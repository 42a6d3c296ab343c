"""Relay of requests from a redirect worker to the pages process, so that no slow page delays a redirect."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # named in granian's documentation of RSGI

from shortener.config import Config
from shortener.redirect.reader_pages import ReaderPages
from shortener.redirect.request import QUERY_SAFE, Request
from shortener.redirect.responses import Response, text_response
from shortener.server.sockets import pages_socket_path, short_path
from shortener.server.uploads import (
    ANONYMOUS_BYTES,
    ANONYMOUS_CLIENT_BYTES,
    SIGNED_IN_BYTES,
    SIGNED_IN_CLIENT_BYTES,
    SMALL_BODY_BYTES,
    Upload,
    Uploads,
)

CLIENT_HEADER = "Shortener-Client"
SCHEME_HEADER = "Shortener-Scheme"
FORWARDED_HEADER = "Shortener-Forwarded"
"""Headers for the pages: address and scheme of the client, and whether a proxy that is not trusted named one."""
OWN_PREFIX = "shortener"
ACCOUNT_PATH, API_ACCOUNT_PATH = "/-/account.json", "/-/api/v1/me"
"""What only a signed-in user gets, by session or by token."""

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Largest request body: an issue of the largest size, also when its preview sends it back in base64."""
MAX_REFUSED_BYTES = 64 * 1024 * 1024
"""Bytes of a larger body that are read and dropped: a browser shows the response only after its upload."""
BODY_SECONDS = 60.0
"""Time in which a client must send its body."""
PAGE_SECONDS = 60.0
"""Time that a page may take until its first byte, and from any byte to the next."""
CLIENT_SECONDS = 30.0
"""Time in which a client must take a piece of a page."""
MAX_PAGES = 64
"""Pages that a worker waits for at the same time."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
_NOT_RELAYED = _HOP_BY_HOP | {"host", "content-length", "cookie", "forwarded", "x-real-ip"}
_NOT_RETURNED = _HOP_BY_HOP | {"server", "date", "via"}
_PATH_SAFE = "/:@!$&'()*+,;=~"
_BUSY = text_response(503, "Too many pages are being computed; try again in a moment.", ("Retry-After", "1"))
_STARTING = text_response(503, "The pages are starting; try again in a moment.", ("Retry-After", "1"))
_LENGTH_REQUIRED = text_response(411, "A request body needs a Content-Length.", ("Connection", "close"))
_INCOMPLETE = text_response(400, "The request body is incomplete.", ("Connection", "close"))
_TIMEOUT = text_response(408, "The request body did not arrive in time.", ("Connection", "close"))

log = logging.getLogger(__name__)


class Relay:
    """Sends the requests of one worker to the pages process, and the responses back to the clients."""

    def __init__(self, config: Config) -> None:
        self._trusts_proxies = bool(config.server.trusted_proxies)
        # By the port, not by the target of a request, which a client may write with any scheme.
        self._chunked_prefixes = config.api.compatible_paths
        self._scheme = "https" if config.server.certificate else "http"
        self._socket_path: Path = pages_socket_path(config.data_directory)
        self._reader_pages = ReaderPages(config.data_directory)
        self._start = asyncio.Lock()
        self._aiohttp: Any = None
        self._session: Any = None
        self._active = 0
        self._anonymous = Uploads(limit=ANONYMOUS_BYTES, client_limit=ANONYMOUS_CLIENT_BYTES)
        self._signed_in = Uploads(limit=SIGNED_IN_BYTES, client_limit=SIGNED_IN_CLIENT_BYTES)

    async def respond(
        self,
        request: Request,
        protocol: Any,
        *,
        close: bool,  # whether the connection ends after the page
    ) -> Response | None:
        """Get the requested page from another process, and send it to the client.

        Return a response that the caller must send instead, or None.
        """
        if "transfer-encoding" in request.headers and not self._may_be_chunked(request):
            return _LENGTH_REQUIRED
        length = _body_length(request)
        uploads = self._anonymous
        try:
            async with asyncio.timeout(BODY_SECONDS) as deadline:
                if length > SMALL_BODY_BYTES and await self._is_signed_in(request):
                    uploads = self._signed_in
                with uploads.hold(request.client, deadline) as upload:
                    body = await self._read_body(request, protocol, upload, uploads)
                    if isinstance(body, Response):
                        return body
                    deadline.reschedule(None)
                    taken = partial(uploads.release, upload)
                    return await self._answer(request, protocol, body, close=close, taken=taken)
        except TimeoutError:
            return _TIMEOUT

    async def _answer(
        self, request: Request, protocol: Any, body: bytes, *, close: bool, taken: Callable[[], None]
    ) -> Response | None:
        if self._active >= MAX_PAGES:
            return _BUSY
        with self._page_slot():
            page = self._send_page(request, protocol, body, close=close, taken=taken)
            return await self._await_while_connected(protocol, page)

    @contextmanager
    def _page_slot(self) -> Iterator[None]:
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1

    async def _is_signed_in(self, request: Request) -> bool:
        headers = request.headers
        by_session = "session=" in _cookies(request)
        by_token = "authorization" in headers or "x-api-key" in headers
        if not (by_session or by_token) or self._active >= MAX_PAGES:
            return False
        path = API_ACCOUNT_PATH if by_token else ACCOUNT_PATH
        question = Request("GET", request.host, path, "", headers, request.peer, client=request.client)
        await self.open_session()
        try:
            with self._page_slot():
                async with await self._relay_request(question, b"") as response:
                    return bool(response.status == HTTPStatus.OK)
        except (self._aiohttp.ClientError, OSError):
            return False

    def _may_be_chunked(self, request: Request) -> bool:
        headers = request.headers
        # Clients of other shorteners' APIs send chunked bodies without Content-Length (HTTP/1.1 only).
        is_plain = (headers.get("transfer-encoding") or "").strip().lower() == "chunked"
        return is_plain and "content-length" not in headers and request.path.startswith(self._chunked_prefixes)

    async def _read_chunked_body(self, protocol: Any, upload: Upload, uploads: Uploads) -> bytes | Response:
        pieces: list[bytes] = []
        async for piece in protocol:
            pieces.append(bytes(piece))
            uploads.add(upload, len(piece))
            # Content-Length of a larger body must be known in advance, so that the limit for signed-in users can apply.
            if upload.size > SMALL_BODY_BYTES:
                return _LENGTH_REQUIRED
        return b"".join(pieces)

    async def _read_body(self, request: Request, protocol: Any, upload: Upload, uploads: Uploads) -> bytes | Response:
        if "transfer-encoding" in request.headers:
            return await self._read_chunked_body(protocol, upload, uploads)
        length = _body_length(request)
        too_large = self._reader_pages.get(413, accept_language=request.headers.get("accept-language"))
        if length > (MAX_BODY_BYTES if "expect" in request.headers else MAX_REFUSED_BYTES):
            return too_large
        # The pages get only complete bodies, so that a slow client occupies none of their threads.
        # A larger body of a client that is not signed in is read, but not held.
        held = length <= min(MAX_BODY_BYTES, uploads.client_limit)
        pieces: list[bytes] = []
        size = 0
        async for piece in protocol:
            size += len(piece)
            if size > length:
                return _LENGTH_REQUIRED  # in HTTP/2 a body needs no length
            if held:
                pieces.append(bytes(piece))
                uploads.add(upload, len(piece))
        if length > MAX_BODY_BYTES:
            return too_large
        if size != length:
            return _INCOMPLETE
        return b"".join(pieces)  # without a body that is not held, the pages answer that the client must sign in

    async def discard_body(self, request: Request, protocol: Any) -> None:
        """Read and discard a small body of a refused request, so that the connection can be used again."""
        if _body_length(request) <= SMALL_BODY_BYTES:
            with suppress(TimeoutError):
                async with asyncio.timeout(BODY_SECONDS):
                    async for _ in protocol:
                        pass

    async def _await_while_connected(self, protocol: Any, page: Any) -> Response | None:
        task = asyncio.ensure_future(page)
        gone = asyncio.ensure_future(protocol.client_disconnect())
        try:
            await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return None  # the client has closed its connection
            result: Response | None = task.result()
            return result
        finally:
            for each in (task, gone):
                each.cancel()

    async def _send_page(
        self, request: Request, protocol: Any, body: bytes, *, close: bool, taken: Callable[[], None]
    ) -> Response | None:
        await self.open_session()
        try:
            async with await self._relay_request(request, body) as response:
                taken()
                return await self._return_page(response, protocol, method=request.method, close=close)
        except (self._aiohttp.ClientError, OSError, TimeoutError) as error:
            log.error("pages: %s", error or "no response in time")
            return _STARTING

    async def _relay_request(self, request: Request, body: bytes) -> Any:
        # The callers have opened the session, because their except clauses need aiohttp.
        url = f"http://pages{quote(request.path, safe=_PATH_SAFE)}"
        if request.query:
            url += "?" + quote(request.query, safe=QUERY_SAFE)
        return await self._session.request(
            request.method,
            self._url(url, encoded=True),
            headers=self._relayed_headers(request),
            data=body or None,
            allow_redirects=False,
        )

    async def _return_page(self, response: Any, protocol: Any, *, method: str, close: bool) -> Response | None:
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.raw_headers
            if name.decode("latin-1").lower() not in _NOT_RETURNED
        ]
        if method == "HEAD" or response.status in (204, 304):
            return Response(response.status, headers)
        if "Content-Length" not in response.headers:
            return Response(response.status, headers, await response.read())
        if close:
            headers.append(("Connection", "close"))
        # If the page breaks off, the client notices because less arrives than Content-Length announced.
        stream = protocol.response_stream(response.status, headers)
        try:
            async for piece in response.content.iter_any():
                async with asyncio.timeout(CLIENT_SECONDS):
                    await stream.send_bytes(piece)
        except ProtocolClosed:
            log.debug("the client closed its connection during a page")
        except (self._aiohttp.ClientError, OSError, TimeoutError) as error:
            log.error("a page broke off: %s", error or "the client did not take it in time")
        finally:
            del stream  # granian closes the connection when it is gone
        return None

    def _relayed_headers(self, request: Request) -> list[tuple[str, str]]:
        sent: Any = request.headers
        named = {name.strip().lower() for name in ",".join(sent.get_all("connection")).split(",")}
        headers = [
            (name, value)
            for name, value in sent.items()
            if not (
                name in _NOT_RELAYED or name in named or "_" in name or name.startswith(("x-forwarded-", OWN_PREFIX))
            )
        ]
        headers += [
            ("Host", request.host or ""),
            (CLIENT_HEADER, request.client),
            (SCHEME_HEADER, self._scheme),
        ]
        if "cookie" in sent and "cookie" not in named:
            headers.append(("Cookie", _cookies(request)))
        if "x-forwarded-for" in request.headers and not self._trusts_proxies:
            headers.append((FORWARDED_HEADER, "1"))
        return headers

    def held_bytes(self) -> int:
        """Return how many bytes of memory request bodies take now."""
        return self._anonymous.size + self._signed_in.size

    async def open_session(self) -> None:
        """Import aiohttp and open its client session, unless this was done already."""
        async with self._start:
            if self._session is None:
                loop = asyncio.get_running_loop()
                # In a thread, because this import takes longer than a reader should wait.
                aiohttp = await loop.run_in_executor(None, import_module, "aiohttp")
                self._aiohttp, self._url = aiohttp, import_module("yarl").URL
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(short_path(self._socket_path), limit=0, force_close=True),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None, sock_read=PAGE_SECONDS),
                    auto_decompress=False,
                    skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                )


def _body_length(request: Request) -> int:
    return int((request.headers.get("content-length") or "").lstrip("0") or 0)


def _cookies(request: Request) -> str:
    # In HTTP/2 a browser sends each cookie in a header of its own (RFC 9113, section 8.2.3).
    return "; ".join(request.headers.get_all("cookie"))
