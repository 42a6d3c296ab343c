"""The redirect: look up the link, write one line to the click log, respond.

Paths that are not short links, and misses, are left to the pages. Methods other than GET and HEAD get 405 here.
Nothing in this module waits for writers of the store, parses a user agent or imports a framework.
"""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from shortener.clicklog.format import FORMAT_VERSION, MAX_HEADER_LENGTH, ClickLine
from shortener.codes import MAX_CODE_LENGTH, PREVIEW_SUFFIX, RECIPIENT_PARAMETER, strip_punctuation
from shortener.config import Config, Domain
from shortener.redirect.click_recorder import PREFETCHES, REDIRECTS, ClickRecorder
from shortener.redirect.link_cache import Link, LinkCache, StoreUnavailable
from shortener.redirect.request import Environ, Request, parse_environ
from shortener.redirect.responses import Response, redirect_response, text_response
from shortener.urls import add_query, strip_port

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

MISS_STATUS_KEY = "shortener.miss"
"""Key in environ of the status of a request that was not redirected: 404, 410, or 503 if the store cannot be read."""
ROOT_PATHS = frozenset({"", "robots.txt", "favicon.ico"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_PLACEMENT_DIGITS = 5
MAX_PATH_LENGTH = 256
"""Longest path of a short link in characters, with room for punctuation that a mail client appended."""

_NO_STORE_HEADERS = [("Cache-Control", "no-store"), ("Content-Length", "0")]
_BAD_REQUEST = text_response(400, "The request must name one host, and its path must begin with a slash.")
_METHOD_NOT_ALLOWED = Response(405, [("Allow", "GET, HEAD"), ("Content-Length", "0")])
_PREFETCH_REFUSED = Response(503, _NO_STORE_HEADERS)
_RECORDING_FAILED = Response(503, [("Retry-After", "5"), *_NO_STORE_HEADERS])


class Redirector:
    """Responds to requests for short links, and records each click and each miss."""

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._domains = {domain.host: domain for domain in config.domains}
        self._default_domain = config.domains[0]
        self._redirect_status = config.redirect.status
        self._default_forward = config.redirect.forward
        self._strict = config.clicklog.strict
        self._link_cache = LinkCache(config.data_directory, status=config.redirect.status)
        self._recorder = ClickRecorder(config)

    def respond(self, request: Request) -> Response | HTTPStatus | None:
        """Return the response to a request for a short link, or None if the request is for a page.

        For a miss, return the status that the page must have: 404, 410, or 503 if the store cannot be read.
        """
        host, path = request.host, request.path
        if host is None or path[:1] != "/":
            return _BAD_REQUEST
        code, n = parse_path(path)
        if code in ROOT_PATHS or code[0] == "-" or code[-1] == PREVIEW_SUFFIX:
            return None
        domain = self._domains.get(host) or self._match_domain(host)
        if domain is None or n is None:
            return HTTPStatus.NOT_FOUND
        method = request.method
        if method != "GET" and method != "HEAD":
            return _METHOD_NOT_ALLOWED
        try:
            code, link = self._find_link(domain, code)
        except StoreUnavailable:
            return HTTPStatus.SERVICE_UNAVAILABLE
        now = self._clock()
        if link is None or link.is_gone(now):
            status = HTTPStatus.GONE if link else HTTPStatus.NOT_FOUND
            self._recorder.record_miss(host=domain.host, code=code, status=status, now=now)
            return status
        response, counter = self._choose_response(request, link)
        path = path[:MAX_HEADER_LENGTH]
        line = ClickLine(FORMAT_VERSION, "", round(now, 3), domain.host, code, path, n or None, method, response.status)
        recorded = self._recorder.record(line, request, counter=counter)
        return _RECORDING_FAILED if self._strict and not recorded else response

    def _match_domain(self, host: str) -> Domain | None:
        """Return the domain of a host, or None. For local tests, a loopback host means the first domain."""
        host = host.lower()
        name = strip_port(host).removesuffix(".")
        domain = self._domains.get(host) or self._domains.get(name)
        return self._default_domain if domain is None and name in LOOPBACK_HOSTS else domain

    def _find_link(self, domain: Domain, code: str) -> tuple[str, Link | None]:
        """Return (code, link or None). If there is no such link, the code without trailing punctuation is tried too."""
        if not domain.case_sensitive:
            code = code.lower()
        link = self._link_cache.find(domain.host, code) if len(code) <= MAX_CODE_LENGTH and code.isascii() else None
        if link is None:
            cleaned = strip_punctuation(code)
            if cleaned and cleaned != code and len(cleaned) <= MAX_CODE_LENGTH:
                link = self._link_cache.find(domain.host, cleaned)
                if link is not None:
                    return cleaned, link
        return code, link

    def _choose_response(self, request: Request, link: Link) -> tuple[Response, int]:
        """Return the response to a request for ``link``, and the index of the counter to increment."""
        if (request.headers.get("sec-purpose") or "").startswith("prefetch"):
            # The prefetch is refused, so that the browser discards it and sends a new request when the reader clicks.
            return _PREFETCH_REFUSED, PREFETCHES
        query = request.query
        if not query:
            return link.response, REDIRECTS
        if RECIPIENT_PARAMETER + "=" in query:
            query = "&".join(part for part in query.split("&") if not part.startswith(RECIPIENT_PARAMETER + "="))
        target = add_query(link.target, query, forward=link.forward or self._default_forward)
        return redirect_response(target, status=self._redirect_status), REDIRECTS

    def client_address(self, request: Request) -> str:
        """Return the address of the client, found behind trusted proxies."""
        return self._recorder.client_address(request)

    def discard_expired(self) -> None:
        """Remove expired daily keys from memory."""
        self._recorder.discard_expired(now=self._clock())

    def close(self) -> None:
        """Sync and close the click log, and close the connection to the store."""
        self._recorder.close()
        self._link_cache.close()


class RedirectMiddleware:
    """WSGI middleware that responds to short links and passes all other requests to ``pages``."""

    def __init__(self, pages: WSGIApplication, *, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._pages = pages
        self._redirector = Redirector(config, clock=clock)
        self.close = self._redirector.close

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        response = self._redirector.respond(parse_environ(environ))
        if not isinstance(response, Response):
            if response is not None:
                environ[MISS_STATUS_KEY] = int(response)
            return self._pages(environ, start_response)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", response.headers)
        return [response.body]


def parse_path(path: str) -> tuple[str, int | None]:
    """Return (code, placement) of the path ``/<code>`` or ``/<code>/<n>``.

    The placement is 0 if it is absent, and None if it is invalid or if a path without one is too long. Punctuation
    that a mail client appended to the placement is ignored.
    """
    code, _, tail = path[1:].partition("/")
    if not tail:
        return (code, 0) if len(path) <= MAX_PATH_LENGTH else (code, None)
    if not tail.isdigit():
        tail = strip_punctuation(tail)
    if tail.isascii() and tail.isdigit() and len(tail) <= MAX_PLACEMENT_DIGITS and tail[0] != "0":
        return code, int(tail)
    return code, None
