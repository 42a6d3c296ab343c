"""The hot path: look the link up, write one line to the click log, answer.

It answers what is simple (a known code, asked for with GET or HEAD) and leaves everything else to pages. Nothing here
waits for the store's writers, parses a user agent or imports a framework.
"""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from shortener.clicklog.format import MAX_HEADER, VERSION, ClickLine
from shortener.codes import MAX_CODE, clean_code
from shortener.config import Config, Domain
from shortener.redirect.click_recorder import COPY_KEY, PREFETCHES, REDIRECTS, Recorder, Traits
from shortener.redirect.link_cache import Link, Links, Unavailable
from shortener.redirect.responses import Answer, make_answer, redirect_to
from shortener.urls import add_query

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

MISS = "shortener.miss"
"""The environ key that tells the pages behind us why there was no redirect: 404, 410, or 503 (cannot look up)."""
SENDER = "shortener.sender"
"""The environ key of what the headers said, where the answer is the link's plain one."""
PREVIEW = "+"
"""At the end of a code: a page that tells where the link leads, instead of going there."""
ROOT_PAGES = frozenset({"", "robots.txt", "favicon.ico"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_N_DIGITS = 5
MAX_PATH = 256
"""Characters; a longer path names no link, whatever is glued to it."""

_NO_STORE = [("Cache-Control", "no-store"), ("Content-Length", "0")]
_NOT_ALLOWED = make_answer(405, [("Allow", "GET, HEAD"), ("Content-Length", "0")])
_PREFETCH = make_answer(503, _NO_STORE)
_NOT_RECORDED = make_answer(503, [("Retry-After", "5"), *_NO_STORE])


class Sender(Struct, frozen=True):
    """What the headers of a request say: which domain is asked, and who asks."""

    domain: Domain
    traits: Traits


class Redirects:
    """Redirects known short links and records each click; what else there is, pages answer."""

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._domains = {domain.host: domain for domain in config.domains}
        self._first = config.domains[0]
        self._status = config.redirect.status
        self._forward = config.redirect.forward
        self._strict = config.clicklog.strict
        self._links = Links(config.data, status=config.redirect.status)
        self._recorder = Recorder(config)

    def answer(self, environ: Environ) -> Answer | None:
        """The answer to a request for a short link; None where a page has to answer (``environ[MISS]`` says why)."""
        code, n = split_path(environ["PATH_INFO"])
        if code in ROOT_PAGES or code[0] == "-" or code[-1] == PREVIEW:
            return None
        domain = self._domains.get(environ.get("HTTP_HOST", "")) or self._domain(environ)
        if domain is None or n is None:
            return _miss(environ, 404)
        method = environ["REQUEST_METHOD"]
        if method != "GET" and method != "HEAD":
            return _NOT_ALLOWED
        try:
            code, link = self._find(domain, code)
        except Unavailable:
            return _miss(environ, 503)
        now = self._clock()
        if link is None or link.gone(now):
            status = 410 if link else 404
            self._recorder.record_miss(host=domain.host, code=code, status=status, now=now)
            return _miss(environ, status)
        answer, kind = self._choose(environ, link)
        traits = self._recorder.traits(environ)
        if answer is link.answer:
            environ[SENDER] = Sender(domain, traits)
        path = environ["PATH_INFO"][:MAX_HEADER]
        line = ClickLine(
            VERSION, "", round(now, 3), domain.host, code, path, n or None, method, answer.status
        )
        recorded = self._recorder.record(
            line,
            traits,
            address=environ.get("REMOTE_ADDR", ""),
            query=environ["QUERY_STRING"],
            kind=kind,
        )
        return _NOT_RECORDED if self._strict and not recorded else answer

    def answer_known(
        self, sender: Sender, *, address: str, path: str, code: str, n: int | None
    ) -> Answer | None:
        """The answer to a plain GET whose headers were understood before; None where it is not as plain as that."""
        domain = sender.domain
        if not domain.case_sensitive:
            code = code.lower()
        try:
            link = self._links.find(domain.host, code)
        except Unavailable:
            return None
        now = self._clock()
        if link is None or link.gone(now):
            return None
        answer = link.answer
        line = ClickLine(VERSION, "", round(now, 3), domain.host, code, path, n, "GET", answer.status)
        recorded = self._recorder.record(line, sender.traits, address=address, query="", kind=REDIRECTS)
        return _NOT_RECORDED if self._strict and not recorded else answer

    def _domain(self, environ: Environ) -> Domain | None:
        """The domain of a Host header; a loopback one stands for the first domain, to try things out locally."""
        host = environ.get("HTTP_HOST", "").lower()
        name, _, port = host.rpartition(":")
        name = (name if port.isdigit() else host).removesuffix(".")
        domain = self._domains.get(host) or self._domains.get(name)
        return self._first if domain is None and name in LOOPBACK else domain

    def _find(self, domain: Domain, code: str) -> tuple[str, Link | None]:
        """The link of a code, also with punctuation that a mail client glued to its end."""
        if not domain.case_sensitive:
            code = code.lower()
        link = self._links.find(domain.host, code) if len(code) <= MAX_CODE and code.isascii() else None
        if link is None:
            cleaned = clean_code(code)
            if cleaned and cleaned != code and len(cleaned) <= MAX_CODE:
                link = self._links.find(domain.host, cleaned)
                if link is not None:
                    return cleaned, link
        return code, link

    def _choose(self, environ: Environ, link: Link) -> tuple[Answer, int]:
        """The answer that a link gives, and what it counts as."""
        if environ.get("HTTP_SEC_PURPOSE", "").startswith("prefetch"):
            # Refused, so that the browser drops the prefetch and the reader's real click asks again.
            return _PREFETCH, PREFETCHES
        query = environ["QUERY_STRING"]
        if not query:
            return link.answer, REDIRECTS
        if COPY_KEY + "=" in query:
            query = "&".join(part for part in query.split("&") if not part.startswith(COPY_KEY + "="))
        target = add_query(link.target, query, forward=link.forward or self._forward)
        return redirect_to(target, status=self._status), REDIRECTS

    def forget_old(self) -> None:
        """Drop from memory what is too old to be kept."""
        self._recorder.forget_old(now=self._clock())

    def close(self) -> None:
        """Bring the click log to the disk."""
        self._recorder.close()


class RedirectHandler:
    """The redirects as WSGI middleware: ``pages`` answers what they do not."""

    def __init__(self, pages: Application, *, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._pages = pages
        self._redirects = Redirects(config, clock=clock)
        self.close = self._redirects.close

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._redirects.answer(environ)
        if answer is None:
            return self._pages(environ, start_response)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return [b""]


def split_path(path: str) -> tuple[str, int | None]:
    """The code and the placement of ``/<code>`` or ``/<code>/<n>``: n is 0 without one, None where it is no number.

    Punctuation that was glued to the end is no part of n.
    """
    code, slash, tail = path[1:].partition("/")
    if not slash or not tail:
        return (code, 0) if len(path) <= MAX_PATH else (code, None)
    if not tail.isdigit():
        tail = clean_code(tail)
    if tail.isascii() and tail.isdigit() and len(tail) <= MAX_N_DIGITS and tail[0] != "0":
        return code, int(tail)
    return code, None


def _miss(environ: Environ, why: int) -> Answer | None:
    """No answer of ours, and the reason for the page that is shown instead."""
    environ[MISS] = why
    return None
