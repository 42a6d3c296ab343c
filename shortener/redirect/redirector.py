"""The redirect of a short link: look up the link, write one line to the click log, respond."""

# For speed, this module never waits for a write to the store, parses no user agent and imports no web framework.
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from shortener.clicklog.format import FORMAT_VERSION, MAX_HEADER_LENGTH, ClickLine
from shortener.codes import MAX_CODE_LENGTH
from shortener.config import Config
from shortener.errors import StoreUnavailable
from shortener.redirect.click_recorder import PREFETCHES, REDIRECTS, ClickRecorder
from shortener.redirect.link_cache import Link, LinkCache
from shortener.redirect.normalize import Normalizer
from shortener.redirect.request import Environ, Request, parse_environ
from shortener.redirect.responses import Response, redirect_response, text_response
from shortener.urls import add_query

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

MISS_STATUS_KEY = "shortener.miss"
"""Key in environ of the status of a request that was not redirected: 404, 410, or 503 if the store cannot be read."""

_NO_STORE_HEADERS = [("Cache-Control", "no-store"), ("Content-Length", "0")]
_BAD_REQUEST = text_response(400, "The request must name one host, and its path must begin with a slash.")
_METHOD_NOT_ALLOWED = Response(405, [("Allow", "GET, HEAD"), ("Content-Length", "0")])
_PREFETCH_REFUSED = Response(503, _NO_STORE_HEADERS)
_RECORDING_FAILED = Response(503, [("Retry-After", "5"), *_NO_STORE_HEADERS])


class Redirector:
    """Responds to requests for short links, and records clicks and misses (requests that are not redirected).

    Set ``shared_keys`` if several machines use one store.
    """

    # With shared keys, all machines hash an address with the same key.
    def __init__(self, config: Config, *, shared_keys: bool = False, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._normalize = Normalizer(config).normalize
        self._redirect_status = config.redirect.status
        self._default_forward = config.redirect.forward
        self._strict = config.clicklog.strict
        self._link_cache = LinkCache(config.links_file, status=config.redirect.status)
        self._recorder = ClickRecorder(config, shared_keys=shared_keys)

    def respond(self, request: Request) -> Response | HTTPStatus | None:
        """Return the response to a request, or the status of an error page.

        None means that a page or a link preview is requested.
        """
        path = request.path
        if request.host is None or path[:1] != "/":
            return _BAD_REQUEST
        self._normalize(request)  # in place
        code, domain = request.code, request.domain
        if not code or request.preview:
            return None
        if domain is None:
            self._recorder.count_unknown_host()
        if domain is None or request.placement is None:
            return HTTPStatus.NOT_FOUND
        method = request.method
        if method != "GET" and method != "HEAD":
            return _METHOD_NOT_ALLOWED
        try:
            link = self._link_cache.find(domain.host, code) if len(code) <= MAX_CODE_LENGTH and code.isascii() else None
        except StoreUnavailable:
            return HTTPStatus.SERVICE_UNAVAILABLE
        now = self._clock()
        if link is None or link.is_gone(now):
            status = HTTPStatus.GONE if link else HTTPStatus.NOT_FOUND
            self._recorder.record_miss(host=domain.host, code=code, status=status, now=now)
            return status
        response, counter = self._response_and_counter(request, link)
        path, n = path[:MAX_HEADER_LENGTH], request.placement or None
        line = ClickLine(FORMAT_VERSION, "", round(now, 3), domain.host, code, path, n, method, response.status)
        recorded = self._recorder.record(line, request, counter=counter)
        return _RECORDING_FAILED if self._strict and not recorded else response

    def _response_and_counter(self, request: Request, link: Link) -> tuple[Response, int]:
        if (request.headers.get("sec-purpose") or "").startswith("prefetch"):
            # The prefetch is refused, so that the browser discards it and sends a new request when the reader clicks.
            return _PREFETCH_REFUSED, PREFETCHES
        query = request.query
        if not query:
            return link.response, REDIRECTS
        target = add_query(link.target, query, forward=link.forward or self._default_forward)
        return redirect_response(target, status=self._redirect_status), REDIRECTS

    def cached_links(self) -> int:
        """Return the number of links in the cache."""
        return len(self._link_cache)

    def discard_expired(self) -> None:
        """Remove expired daily keys, with which addresses are hashed, from memory."""
        self._recorder.discard_expired(now=self._clock())

    def close(self) -> None:
        """Sync and close the click log, and close the connection to the store."""
        self._recorder.close()
        self._link_cache.close()


class RedirectMiddleware:
    """WSGI middleware that answers short links and passes all other requests to the application ``pages``."""

    def __init__(self, pages: WSGIApplication, *, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._pages = pages
        self._redirector = Redirector(config, clock=clock)
        self.close = self._redirector.close

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = parse_environ(environ)
        response = self._redirector.respond(request)
        if not isinstance(response, Response):
            if response is not None:
                environ[MISS_STATUS_KEY] = int(response)
            elif request.preview:
                environ["PATH_INFO"] = request.path
            return self._pages(environ, start_response)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", response.headers)
        return [response.body]
