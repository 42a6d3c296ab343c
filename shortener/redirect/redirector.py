"""The redirect: look up the link, write one line to the click log, respond.

Misses, and paths that are not short links, are answered by the application that serves the pages. Methods
other than GET and HEAD get 405 here. Nothing in this module waits for writers of the store, parses a user
agent or imports a framework.
"""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from shortener.clicklog.format import FORMAT_VERSION, MAX_HEADER_LENGTH, ClickLine
from shortener.codes import MAX_CODE_LENGTH, PREVIEW_SUFFIX, RECIPIENT_PARAMETER, strip_punctuation
from shortener.config import Config, Domain
from shortener.redirect.click_recorder import (
    PREFETCHES,
    REDIRECTS,
    ClickRecorder,
    HeaderFields,
)
from shortener.redirect.link_cache import Link, LinkCache, StoreUnavailable
from shortener.redirect.responses import Response, make_response, redirect_response
from shortener.urls import add_query, strip_port

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

MISS_STATUS_KEY = "shortener.miss"
"""Key in the WSGI environ for the status of the page to show instead of a redirect: 404, 410 or 503.

503 means that the store cannot be read.
"""
PARSED_HEADERS_KEY = "shortener.sender"
"""Key in the WSGI environ for the parsed headers of a request.

It is set only if the response is the one that was rendered when the link was loaded.
"""
ROOT_PATHS = frozenset({"", "robots.txt", "favicon.ico"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_PLACEMENT_DIGITS = 5
MAX_PATH_LENGTH = 256
"""Longest path of a short link in characters, with room for punctuation that a mail client appended."""

_NO_STORE_HEADERS = [("Cache-Control", "no-store"), ("Content-Length", "0")]
_METHOD_NOT_ALLOWED = make_response(405, [("Allow", "GET, HEAD"), ("Content-Length", "0")])
_PREFETCH_REFUSED = make_response(503, _NO_STORE_HEADERS)
_RECORDING_FAILED = make_response(503, [("Retry-After", "5"), *_NO_STORE_HEADERS])


class ParsedHeaders(Struct, frozen=True):
    """What is needed of a request's headers: the domain, and the header fields that are logged."""

    domain: Domain
    fields: HeaderFields


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

    def respond(self, environ: Environ) -> Response | None:
        """Return the redirect for a request, or None if the request must be answered with a page.

        For a miss, ``environ[MISS_STATUS_KEY]`` is set to the status of the page. The response can also be an
        error without a page: 405 for other methods than GET and HEAD, or 503.
        """
        code, n = parse_path(environ["PATH_INFO"])
        if code in ROOT_PATHS or code[0] == "-" or code[-1] == PREVIEW_SUFFIX:
            return None
        domain = self._domains.get(environ.get("HTTP_HOST", "")) or self._match_domain(environ)
        if domain is None or n is None:
            return _report_miss(environ, 404)
        method = environ["REQUEST_METHOD"]
        if method != "GET" and method != "HEAD":
            return _METHOD_NOT_ALLOWED
        try:
            code, link = self._find_link(domain, code)
        except StoreUnavailable:
            return _report_miss(environ, 503)
        now = self._clock()
        if link is None or link.is_gone(now):
            status = 410 if link else 404
            self._recorder.record_miss(host=domain.host, code=code, status=status, now=now)
            return _report_miss(environ, status)
        response, counter = self._choose_response(environ, link)
        fields = self._recorder.parse_headers(environ)
        if response is link.response:
            environ[PARSED_HEADERS_KEY] = ParsedHeaders(domain, fields)
        path = environ["PATH_INFO"][:MAX_HEADER_LENGTH]
        line = ClickLine(
            FORMAT_VERSION, "", round(now, 3), domain.host, code, path, n or None, method, response.status
        )
        recorded = self._recorder.record(
            line,
            fields,
            address=environ.get("REMOTE_ADDR", ""),
            query=environ["QUERY_STRING"],
            counter=counter,
        )
        return _RECORDING_FAILED if self._strict and not recorded else response

    def respond_cached(
        self, headers: ParsedHeaders, *, address: str, path: str, code: str, placement: int | None
    ) -> Response | None:
        """Return the redirect for a GET request with known headers; None if ``respond`` must be called.

        The request has no query string. ``headers`` are the parsed headers of an earlier request with equal
        headers. ``address`` is the address of the peer, which may be a proxy.
        """
        domain = headers.domain
        if not domain.case_sensitive:
            code = code.lower()
        try:
            link = self._link_cache.find(domain.host, code)
        except StoreUnavailable:
            return None
        now = self._clock()
        if link is None or link.is_gone(now):
            return None
        response = link.response
        line = ClickLine(
            FORMAT_VERSION, "", round(now, 3), domain.host, code, path, placement, "GET", response.status
        )
        recorded = self._recorder.record(line, headers.fields, address=address, query="", counter=REDIRECTS)
        return _RECORDING_FAILED if self._strict and not recorded else response

    def _match_domain(self, environ: Environ) -> Domain | None:
        """Return the domain that the Host header names, or None if no domain has that name.

        For local tests, ``localhost`` and loopback addresses mean the first domain.
        """
        host = environ.get("HTTP_HOST", "").lower()
        name = strip_port(host).removesuffix(".")
        domain = self._domains.get(host) or self._domains.get(name)
        return self._default_domain if domain is None and name in LOOPBACK_HOSTS else domain

    def _find_link(self, domain: Domain, code: str) -> tuple[str, Link | None]:
        """Return the link with this code, or None, and the code that was found.

        If no link has the code, it is tried without punctuation at its end. The result is (code, link).
        """
        if not domain.case_sensitive:
            code = code.lower()
        link = (
            self._link_cache.find(domain.host, code)
            if len(code) <= MAX_CODE_LENGTH and code.isascii()
            else None
        )
        if link is None:
            cleaned = strip_punctuation(code)
            if cleaned and cleaned != code and len(cleaned) <= MAX_CODE_LENGTH:
                link = self._link_cache.find(domain.host, cleaned)
                if link is not None:
                    return cleaned, link
        return code, link

    def _choose_response(self, environ: Environ, link: Link) -> tuple[Response, int]:
        """Return the response to a request for ``link``, and the index of the counter to increment for it."""
        if environ.get("HTTP_SEC_PURPOSE", "").startswith("prefetch"):
            # The prefetch is refused, so that the browser discards it and sends a new request when the reader clicks.
            return _PREFETCH_REFUSED, PREFETCHES
        query = environ["QUERY_STRING"]
        if not query:
            return link.response, REDIRECTS
        if RECIPIENT_PARAMETER + "=" in query:
            query = "&".join(
                part for part in query.split("&") if not part.startswith(RECIPIENT_PARAMETER + "=")
            )
        target = add_query(link.target, query, forward=link.forward or self._default_forward)
        return redirect_response(target, status=self._redirect_status), REDIRECTS

    def discard_expired(self) -> None:
        """Remove expired daily keys from memory."""
        self._recorder.discard_expired(now=self._clock())

    def close(self) -> None:
        """Sync and close the click log."""
        self._recorder.close()


class RedirectMiddleware:
    """WSGI middleware that responds to short links and passes all other requests to ``pages``."""

    def __init__(
        self, pages: WSGIApplication, *, config: Config, clock: Callable[[], float] = time.time
    ) -> None:
        self._pages = pages
        self._redirector = Redirector(config, clock=clock)
        self.close = self._redirector.close

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        response = self._redirector.respond(environ)
        if response is None:
            return self._pages(environ, start_response)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", response.headers)
        return [b""]


def parse_path(path: str) -> tuple[str, int | None]:
    """Return the code and the number of the placement in a path: ``/<code>`` or ``/<code>/<n>``.

    The placement is 0 if the path has none, and None if the path is not that of a short link. Punctuation
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


def _report_miss(environ: Environ, status: int) -> Response | None:
    """Tell the application that serves the pages which status to send.

    Always return None: there is no redirect.
    """
    environ[MISS_STATUS_KEY] = status
    return None
