"""One line in the click log for every request of a short link: what is kept of it, and what never is."""

import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from shortener.clicklog.format import (
    EVIDENCE,
    MAX_HEADER,
    MAX_LINE_BYTES,
    MAX_TEXT,
    VERSION,
    ClickLine,
    encode,
)
from shortener.clicklog.pseudonyms import DailyKeys, describe, hash_text, network_of
from shortener.clicklog.writer import DIRECTORY, SegmentWriter
from shortener.config import Config
from shortener.redirect.client_ip import Clients
from shortener.shared_memory import claim_worker
from shortener.urls import clean_referrer

Environ = dict[str, Any]

log = logging.getLogger(__name__)

COPY_KEY = "_c"
"""The query key that carries a per-copy token; never forwarded, stored only as a keyed hash."""
CAMPAIGN_KEYS = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})
"""The only query keys that are recorded; anything else in a query may say who the reader is."""
MISSES_PER_SECOND = 200
"""Misses that one worker writes down; a flood of random codes is counted, but cannot fill the disk."""
REDIRECTS, PREFETCHES, MISSES, UNRECORDED, ERRORS, GONE = range(6)

_HEADERS = [(name, "HTTP_" + name.upper().replace("-", "_")) for name in EVIDENCE]
MAX_TRAITS = 2600
"""Bytes; with them and the rest of a request at its longest, shortened, a line stays below MAX_LINE_BYTES."""
_SHORT = 64
"""Characters that are kept of each text where a line would become longer than a line may be."""


class LineTraits(Struct, omit_defaults=True):
    """The part of a click line that comes from headers alone."""

    ua: str | None = None
    ref: str | None = None
    lang: str | None = None
    h: dict[str, str] | None = None


class Traits(Struct, frozen=True):
    """What the headers of a request say of its reader; the same headers have the same traits."""

    agent: str | None
    """The user agent, as far as it is kept; None where the reader asked not to be followed."""
    forwarded: str | None
    content: bytes
    """The traits as they end a line: what stands behind the comma or brace, with the last brace and the newline."""


class Recorder:
    """The click log of one worker process; no method waits for anything but one ``write()``."""

    def __init__(self, config: Config) -> None:
        self._respect_gpc = config.privacy.respect_gpc
        self._addresses = config.privacy.addresses == "network"
        self._clients = Clients(config.server.trusted_proxies)
        self._keys = DailyKeys(config.data)
        self._counted = claim_worker(config.data).values
        self._log = SegmentWriter(
            config.data / DIRECTORY,
            rotate_bytes=config.clicklog.rotate * 1024 * 1024,
            sync_seconds=config.clicklog.sync,
        )
        prefix, numbers = secrets.token_hex(6), count(1)
        self._new_id: Callable[[], str] = lambda: f"{prefix}-{next(numbers):08x}"
        self._miss_second = 0
        self._misses = 0

    def traits(self, environ: Environ) -> Traits:
        """What is kept of a request's headers; little, where the reader asked for that."""
        try:
            return self._traits(environ)
        except Exception:
            log.exception("a request's headers could not be understood")
            return Traits(None, None, b"}\n")

    def _traits(self, environ: Environ) -> Traits:
        get = environ.get
        withheld = self._respect_gpc and (get("HTTP_SEC_GPC") == "1" or get("HTTP_DNT") == "1")
        agent = None if withheld else get("HTTP_USER_AGENT", "")[:MAX_TEXT]
        referrer = None if withheld else get("HTTP_REFERER")
        language = get("HTTP_ACCEPT_LANGUAGE")
        line = LineTraits(
            ua=agent,
            ref=clean_referrer(referrer) if referrer else None,
            lang=language[:MAX_HEADER] if language else None,
            h={name: environ[key][:MAX_HEADER] for name, key in _HEADERS if key in environ},
        )
        return Traits(agent, get("HTTP_X_FORWARDED_FOR"), _encode_traits(line))

    def record(self, line: ClickLine, traits: Traits, *, address: str, query: str, kind: int) -> bool:
        """Write a click down and count it as ``kind``; whether it is in the operating system's hands.

        ``line`` says what was asked; who asked, and the click's id, are added here.
        """
        try:
            line.id = self._new_id()
            if self._addresses:
                self._add_reader(line, traits, address=address)
            if "utm_" in query or COPY_KEY in query:
                self._add_query(line, query, withheld=traits.agent is None)
            recorded = self._log.write(_encode(line, traits))
        except Exception:
            # Whatever nobody foresaw costs the click; it shall not cost the reader the article as well.
            log.exception("a click could not be recorded")
            recorded = False
        self._counted[kind] += 1
        if not recorded:
            self._counted[UNRECORDED] += 1
        return recorded

    def _add_reader(self, line: ClickLine, traits: Traits, *, address: str) -> None:
        """The reader's network and hashes, never the address itself."""
        if traits.forwarded:
            address = self._clients.address(address, traits.forwarded)
        try:
            key = self._keys.key(line.ts)
        except OSError:
            self._counted[ERRORS] += 1
            line.net = network_of(address)
            return
        line.net, line.addr, line.visitor = describe(address, traits.agent, key=key)

    def _add_query(self, line: ClickLine, query: str, *, withheld: bool) -> None:
        """What is recorded of a query: the campaign keys, and the copy token as a hash."""
        pairs = parse_qsl(query[:8192], errors="replace")
        campaign = [(key, value[:200]) for key, value in pairs if key in CAMPAIGN_KEYS]
        line.q = urlencode(campaign)[:1024] or None
        copy = next((value for key, value in pairs if key == COPY_KEY), None)
        if copy and line.addr and not withheld:
            line.copy = hash_text(copy[:200], key=self._keys.key(line.ts))

    def record_miss(self, *, host: str, code: str, status: int, now: float) -> None:
        """Write down a request that led nowhere, in as few bytes as tell it apart from a click."""
        self._counted[MISSES] += 1
        if status == HTTPStatus.GONE:
            self._counted[GONE] += 1
        second = int(now)
        if second != self._miss_second:
            self._miss_second, self._misses = second, 0
        self._misses += 1
        if self._misses <= MISSES_PER_SECOND:
            line = ClickLine(VERSION, self._new_id(), round(now, 3), host, _shorten(code), status=status)
            self._log.write(encode(line) + b"\n")

    def forget_old(self, *, now: float) -> None:
        """Drop what a worker that nobody asks anything would keep in memory for too long."""
        self._keys.forget_old(now=now)

    def close(self) -> None:
        """Bring the click log to the disk."""
        self._log.close()


def _encode(line: ClickLine, traits: Traits) -> bytes:
    """The line as bytes, never longer than the reader takes: from an absurd request less is kept."""
    try:
        content = _join(line, traits)
    except UnicodeEncodeError:  # half of a surrogate pair, which is no text
        content = b""
    if not content or len(content) > MAX_LINE_BYTES:
        line.path = line.path and _shorten(line.path)
        line.q = line.q and _shorten(line.q)
        content = _join(line, traits)
    return content


def _join(line: ClickLine, traits: Traits) -> bytes:
    return encode(line)[:-1] + traits.content


def _encode_traits(line: LineTraits) -> bytes:
    try:
        content = encode(line)
    except UnicodeEncodeError:
        content = b""
    if not content or len(content) > MAX_TRAITS:
        line.ua, line.ref, line.lang = (text and _shorten(text) for text in (line.ua, line.ref, line.lang))
        line.h = line.h and {name: _shorten(value) for name, value in line.h.items()}
        content = encode(line)
    return b"," + content[1:] + b"\n" if len(content) > 2 else b"}\n"


def _shorten(text: str) -> str:
    return text[:_SHORT].encode("utf-8", "replace").decode()
