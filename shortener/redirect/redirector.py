"""The hot path: look the link up, write one line to the click log, answer.

It answers what is simple (a known code, asked for with GET or HEAD) and leaves everything else to pages. Nothing here
waits for the store's writers, parses a user agent or imports a framework.
"""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from shortener.clicklog.format import FORMAT_VERSION, MAX_HEADER_LENGTH, ClickLine
from shortener.codes import MAX_CODE_LENGTH, RECIPIENT_PARAMETER, strip_punctuation
from shortener.config import Config, Domain
from shortener.redirect.click_recorder import (
    PREFETCHES,
    REDIRECTS,
    ClickRecorder,
    HeaderFields,
)
from shortener.redirect.link_cache import Link, LinkCache, StoreUnavailable
from shortener.redirect.responses import Response, make_response, redirect_response
from shortener.urls import add_query

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

MISS_STATUS_KEY = "shortener.miss"
"""The environ key that tells the pages behind us why there was no redirect: 404, 410, or 503 (cannot look up)."""
PARSED_HEADERS_KEY = "shortener.sender"
"""The environ key of what the headers said, where the answer is the link's plain one."""
PREVIEW_SUFFIX = "+"
"""At the end of a code: a page that tells where the link leads, instead of going there."""
ROOT_PATHS = frozenset({"", "robots.txt", "favicon.ico"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_PLACEMENT_DIGITS = 5
MAX_PATH_LENGTH = 256
"""Characters; a longer path names no link, whatever is glued to it."""

_NO_STORE_HEADERS = [("Cache-Control", "no-store"), ("Content-Length", "0")]
_METHOD_NOT_ALLOWED = make_response(405, [("Allow", "GET, HEAD"), ("Content-Length", "0")])
_PREFETCH_REFUSED = make_response(503, _NO_STORE_HEADERS)
_RECORDING_FAILED = make_response(503, [("Retry-After", "5"), *_NO_STORE_HEADERS])


class ParsedHeaders(Struct, frozen=True):
    """What the headers of a request say: which domain is asked, and who asks."""

    domain: Domain
    fields: HeaderFields


class Redirector:
    """Redirects known short links and records each click; what else there is, pages answer."""

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
        """The answer to a request for a short link; None where a page has to answer (``environ[MISS]`` says why)."""
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
        answer, kind = self._choose_response(environ, link)
        traits = self._recorder.parse_headers(environ)
        if answer is link.response:
            environ[PARSED_HEADERS_KEY] = ParsedHeaders(domain, traits)
        path = environ["PATH_INFO"][:MAX_HEADER_LENGTH]
        line = ClickLine(
            FORMAT_VERSION, "", round(now, 3), domain.host, code, path, n or None, method, answer.status
        )
        recorded = self._recorder.record(
            line,
            traits,
            address=environ.get("REMOTE_ADDR", ""),
            query=environ["QUERY_STRING"],
            counter=kind,
        )
        return _RECORDING_FAILED if self._strict and not recorded else answer

    def respond_cached(
        self, headers: ParsedHeaders, *, address: str, path: str, code: str, placement: int | None
    ) -> Response | None:
        """The answer to a plain GET whose headers were understood before; None where it is not as plain as that."""
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
        answer = link.response
        line = ClickLine(
            FORMAT_VERSION, "", round(now, 3), domain.host, code, path, placement, "GET", answer.status
        )
        recorded = self._recorder.record(line, headers.fields, address=address, query="", counter=REDIRECTS)
        return _RECORDING_FAILED if self._strict and not recorded else answer

    def _match_domain(self, environ: Environ) -> Domain | None:
        """The domain of a Host header; a loopback one stands for the first domain, to try things out locally."""
        host = environ.get("HTTP_HOST", "").lower()
        name, _, port = host.rpartition(":")
        name = (name if port.isdigit() else host).removesuffix(".")
        domain = self._domains.get(host) or self._domains.get(name)
        return self._default_domain if domain is None and name in LOOPBACK_HOSTS else domain

    def _find_link(self, domain: Domain, code: str) -> tuple[str, Link | None]:
        """The link of a code, also with punctuation that a mail client glued to its end."""
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
        """The answer that a link gives, and what it counts as."""
        if environ.get("HTTP_SEC_PURPOSE", "").startswith("prefetch"):
            # Refused, so that the browser drops the prefetch and the reader's real click asks again.
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
        """Drop from memory what is too old to be kept."""
        self._recorder.discard_expired(now=self._clock())

    def close(self) -> None:
        """Bring the click log to the disk."""
        self._recorder.close()


class RedirectMiddleware:
    """The redirects as WSGI middleware: ``pages`` answers what they do not."""

    def __init__(
        self, pages: WSGIApplication, *, config: Config, clock: Callable[[], float] = time.time
    ) -> None:
        self._pages = pages
        self._redirector = Redirector(config, clock=clock)
        self.close = self._redirector.close

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._redirector.respond(environ)
        if answer is None:
            return self._pages(environ, start_response)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return [b""]


def parse_path(path: str) -> tuple[str, int | None]:
    """The code and the placement of ``/<code>`` or ``/<code>/<n>``: n is 0 without one, None where it is no number.

    Punctuation that was glued to the end is no part of n.
    """
    code, slash, tail = path[1:].partition("/")
    if not slash or not tail:
        return (code, 0) if len(path) <= MAX_PATH_LENGTH else (code, None)
    if not tail.isdigit():
        tail = strip_punctuation(tail)
    if tail.isascii() and tail.isdigit() and len(tail) <= MAX_PLACEMENT_DIGITS and tail[0] != "0":
        return code, int(tail)
    return code, None


def _report_miss(environ: Environ, status: int) -> Response | None:
    """No answer of ours, and the reason for the page that is shown instead."""
    environ[MISS_STATUS_KEY] = status
    return None
