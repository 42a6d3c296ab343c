"""The hot path: look the link up, write one line to the click log, answer.

A WSGI callable in front of the Flask app. It answers what is simple (a known code, asked for with GET or HEAD) and
hands everything else on. Nothing here waits for the store's writers, parses a user agent or imports a framework.
"""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode

from shortener.clicks.line import EVIDENCE, MAX_HEADER, MAX_TEXT, VERSION, ClickLine, encode
from shortener.clicks.segment import DIRECTORY, SegmentWriter
from shortener.clicks.visitors import DailyKeys, hash_address, hash_text, hash_visitor, network_of
from shortener.codes import clean_code
from shortener.config import Config, Domain
from shortener.counters import claim_worker
from shortener.redirect.clients import Clients
from shortener.redirect.links import Link, Links, Unavailable, answer_headers
from shortener.urls import add_query, clean_referrer

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

MISS = "shortener.miss"
"""The environ key that tells the pages behind us why there was no redirect: 404, 410, or 503 (cannot look up)."""
COPY_KEY = "_c"
"""The query key that carries a per-copy token; never forwarded, stored only as a keyed hash."""
CAMPAIGN_KEYS = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})
"""The only query keys that are recorded; anything else in a query may say who the reader is."""
PREVIEW = "+"
"""At the end of a code: a page that tells where the link leads, instead of going there."""
ROOT_PAGES = frozenset({"", "robots.txt", "favicon.ico"})
MAX_CODE = 64
MAX_N_DIGITS = 5
REDIRECTS, PREFETCHES, MISSES, UNRECORDED, ERRORS = range(5)

_HEADERS = [(name, "HTTP_" + name.upper().replace("-", "_")) for name in EVIDENCE]
_NO_STORE = [("Cache-Control", "no-store"), ("Content-Length", "0")]


class RedirectHandler:
    """Redirects known short links and records each click; ``pages`` answers the rest."""

    def __init__(self, pages: Application, *, config: Config, clock: Callable[[], float] = time.time) -> None:
        self.pages = pages
        self._clock = clock
        self._domains = {domain.host: domain for domain in config.domains}
        self._first = config.domains[0]
        self._status = f"{config.redirect.status} {HTTPStatus(config.redirect.status).phrase}"
        self._status_code = config.redirect.status
        self._forward = config.redirect.forward
        self._strict = config.clicklog.strict
        self._respect_gpc = config.privacy.respect_gpc
        self._addresses = config.privacy.addresses == "network"
        self._clients = Clients(config.server.trusted_proxies)
        self._keys = DailyKeys(config.data)
        self._links = Links(config.data)
        self._counted = claim_worker(config.data).values
        self._numbers = count(1)
        self._log = SegmentWriter(
            config.data / DIRECTORY,
            rotate_bytes=config.clicklog.rotate * 1024 * 1024,
            sync_seconds=config.clicklog.sync,
        )
        self._prefix = self._log.segment

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        code, n = split_path(path)
        if code in ROOT_PAGES or code[0] == "-" or code[-1] == PREVIEW or n is None:
            return self.pages(environ, start_response)
        domain = self._domain(environ.get("HTTP_HOST", ""))
        if domain is None:
            environ[MISS] = 404
            return self.pages(environ, start_response)
        try:
            code, link = self._find(domain, code)
        except Unavailable:
            return self._pass_on(environ, start_response, why=503)
        now = self._clock()
        if link is None or link.gone(now):
            self._record_miss(domain, code, status=410 if link else 404, now=now)
            return self._pass_on(environ, start_response, why=410 if link else 404)
        method = environ["REQUEST_METHOD"]
        if method not in {"GET", "HEAD"}:
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return [b""]
        if environ.get("HTTP_SEC_PURPOSE", "").startswith("prefetch"):
            # Refused, so that the browser drops the prefetch and the reader's real click asks again.
            self._record(environ, domain, code, n, status=503, now=now, kind=PREFETCHES)
            start_response("503 Service Unavailable", _NO_STORE)
            return [b""]
        recorded = self._record(environ, domain, code, n, status=self._status_code, now=now, kind=REDIRECTS)
        if self._strict and not recorded:
            start_response("503 Service Unavailable", [("Retry-After", "5"), *_NO_STORE])
            return [b""]
        query = environ["QUERY_STRING"]
        start_response(self._status, self._answer(link, query) if query else link.headers)
        return [b""]

    def _domain(self, host: str) -> Domain | None:
        """The domain of a Host header; a loopback one stands for the first domain, to try things out locally."""
        domain = self._domains.get(host)
        if domain is None:
            host = host.lower()
            name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
            domain = self._domains.get(host) or self._domains.get(name.removesuffix("."))
            if domain is None and name in {"127.0.0.1", "localhost", "[::1]"}:
                return self._first
        return domain

    def _find(self, domain: Domain, code: str) -> tuple[str, Link | None]:
        """The link of a code, also with punctuation that a mail client glued to its end."""
        if not domain.case_sensitive:
            code = code.lower()
        link = self._links.find(domain.host, code)
        if link is None and len(code) <= MAX_CODE:
            cleaned = clean_code(code)
            if cleaned and cleaned != code:
                link = self._links.find(domain.host, cleaned)
                if link is not None:
                    return cleaned, link
        return code, link

    def _pass_on(self, environ: Environ, start_response: StartResponse, *, why: int) -> Iterable[bytes]:
        environ[MISS] = why
        return self.pages(environ, start_response)

    def _answer(self, link: Link, query: str) -> list[tuple[str, str]]:
        """The headers of a redirect that takes the reader's query along."""
        if COPY_KEY + "=" in query:
            query = "&".join(part for part in query.split("&") if not part.startswith(COPY_KEY + "="))
        return answer_headers(add_query(link.target, query, forward=link.forward or self._forward))

    def _record(
        self, environ: Environ, domain: Domain, code: str, n: int, *, status: int, now: float, kind: int
    ) -> bool:
        """Write the click's line and count it; whether the click is in the operating system's hands."""
        get = environ.get
        withheld = self._respect_gpc and (get("HTTP_SEC_GPC") == "1" or get("HTTP_DNT") == "1")
        agent = get("HTTP_USER_AGENT", "")[:MAX_TEXT]
        query = environ["QUERY_STRING"]
        line = ClickLine(
            v=VERSION,
            id=f"{self._prefix}-{next(self._numbers):08x}",
            ts=round(now, 3),
            host=domain.host,
            code=code,
            path=environ["PATH_INFO"][:MAX_HEADER],
            n=n or None,
            method=environ["REQUEST_METHOD"],
            status=status,
            lang=get("HTTP_ACCEPT_LANGUAGE", "")[:MAX_HEADER] or None,
            h={name: get(key)[:MAX_HEADER] for name, key in _HEADERS if key in environ},
        )
        if not withheld:
            line.ua = agent
            referrer = get("HTTP_REFERER")
            line.ref = clean_referrer(referrer) if referrer else None
        if self._addresses:
            self._add_reader(line, environ, agent=None if withheld else agent, now=now)
        if query:
            self._add_query(line, query, now=now)
        recorded = self._log.write(encode(line) + b"\n")
        self._counted[kind] += 1
        if not recorded:
            self._counted[UNRECORDED] += 1
        return recorded

    def _add_reader(self, line: ClickLine, environ: Environ, *, agent: str | None, now: float) -> None:
        """The reader's network and hashes, never the address itself."""
        address = self._clients.address(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR"))
        line.net = network_of(address)
        try:
            key = self._keys.key(now)
        except OSError:
            self._counted[ERRORS] += 1
            return
        line.addr = hash_address(address, key=key)
        if agent is not None:
            line.visitor = hash_visitor(address, agent, key=key)

    def _add_query(self, line: ClickLine, query: str, *, now: float) -> None:
        """What is recorded of a query: the campaign keys, and the copy token as a hash."""
        pairs = parse_qsl(query[:8192], max_num_fields=None, errors="replace")
        campaign = [(key, value[:200]) for key, value in pairs if key in CAMPAIGN_KEYS]
        line.q = urlencode(campaign)[:1024] or None
        copy = next((value for key, value in pairs if key == COPY_KEY), None)
        if copy and self._addresses:
            line.copy = hash_text(copy[:200], key=self._keys.key(now))

    def _record_miss(self, domain: Domain, code: str, *, status: int, now: float) -> None:
        """A request that led nowhere, in as few bytes as tell it apart from a click."""
        line = ClickLine(
            v=VERSION,
            id=f"{self._prefix}-{next(self._numbers):08x}",
            ts=round(now, 3),
            host=domain.host,
            code=code[:MAX_CODE],
            status=status,
        )
        self._log.write(encode(line) + b"\n")
        self._counted[MISSES] += 1

    def close(self) -> None:
        """Bring the click log to the disk."""
        self._log.close()


def split_path(path: str) -> tuple[str, int | None]:
    """The code and the placement of ``/<code>`` or ``/<code>/<n>``: n is 0 without one, None where it is no number."""
    code, slash, tail = path[1:].partition("/")
    if not slash:
        return code, 0
    if tail.isascii() and tail.isdigit() and len(tail) <= MAX_N_DIGITS and tail[0] != "0":
        return code, int(tail)
    return (code, None) if tail else (code, 0)
