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
    FORMAT_VERSION,
    LOGGED_HEADERS,
    MAX_HEADER_LENGTH,
    MAX_LINE_BYTES,
    MAX_TEXT_LENGTH,
    ClickLine,
    encode,
)
from shortener.clicklog.pseudonyms import DailyKeys, hash_recipient_token, network_of, pseudonymize
from shortener.clicklog.writer import LOG_DIRECTORY, SegmentWriter
from shortener.codes import RECIPIENT_PARAMETER
from shortener.config import Config
from shortener.redirect.client_ip import ClientIPResolver
from shortener.shared_memory import claim_worker_counters
from shortener.urls import clean_referrer

Environ = dict[str, Any]

log = logging.getLogger(__name__)

CAMPAIGN_KEYS = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})
"""The only query keys that are recorded; anything else in a query may say who the reader is."""
MAX_MISSES_PER_SECOND = 200
"""Misses that one worker writes down; a flood of random codes is counted, but cannot fill the disk."""
REDIRECTS, PREFETCHES, MISSES, UNRECORDED, ERRORS, GONE = range(6)

_EVIDENCE_HEADERS = [(name, "HTTP_" + name.upper().replace("-", "_")) for name in LOGGED_HEADERS]
MAX_HEADER_FIELDS_BYTES = 2600
"""Bytes; with them and the rest of a request at its longest, shortened, a line stays below MAX_LINE_BYTES."""
_TRUNCATED_LENGTH = 64
"""Characters that are kept of each text where a line would become longer than a line may be."""


class LoggedHeaders(Struct, omit_defaults=True):
    """The part of a click line that comes from headers alone."""

    ua: str | None = None
    ref: str | None = None
    lang: str | None = None
    h: dict[str, str] | None = None


class HeaderFields(Struct, frozen=True):
    """What the headers of a request say of its reader; the same headers have the same traits."""

    user_agent: str | None
    """The user agent, as far as it is kept; None where the reader asked not to be followed."""
    forwarded_for: str | None
    line_suffix: bytes
    """The traits as they end a line: what stands behind the comma or brace, with the last brace and the newline."""


class ClickRecorder:
    """The click log of one worker process; no method waits for anything but one ``write()``."""

    def __init__(self, config: Config) -> None:
        self._respect_gpc = config.privacy.respect_gpc
        self._records_networks = config.privacy.addresses == "network"
        self._client_ip = ClientIPResolver(config.server.trusted_proxies)
        self._keys = DailyKeys(config.data_directory)
        self._counters = claim_worker_counters(config.data_directory).values
        self._writer = SegmentWriter(
            config.data_directory / LOG_DIRECTORY,
            rotate_bytes=config.clicklog.rotate * 1024 * 1024,
            sync_seconds=config.clicklog.sync,
        )
        prefix, numbers = secrets.token_hex(6), count(1)
        self._new_id: Callable[[], str] = lambda: f"{prefix}-{next(numbers):08x}"
        self._miss_second = 0
        self._misses_this_second = 0

    def parse_headers(self, environ: Environ) -> HeaderFields:
        """What is kept of a request's headers; little, where the reader asked for that."""
        try:
            return self._parse_headers(environ)
        except Exception:
            log.exception("a request's headers could not be understood")
            return HeaderFields(None, None, b"}\n")

    def _parse_headers(self, environ: Environ) -> HeaderFields:
        get = environ.get
        withheld = self._respect_gpc and (get("HTTP_SEC_GPC") == "1" or get("HTTP_DNT") == "1")
        agent = None if withheld else get("HTTP_USER_AGENT", "")[:MAX_TEXT_LENGTH]
        referrer = None if withheld else get("HTTP_REFERER")
        language = get("HTTP_ACCEPT_LANGUAGE")
        line = LoggedHeaders(
            ua=agent,
            ref=clean_referrer(referrer) if referrer else None,
            lang=language[:MAX_HEADER_LENGTH] if language else None,
            h={name: environ[key][:MAX_HEADER_LENGTH] for name, key in _EVIDENCE_HEADERS if key in environ},
        )
        return HeaderFields(agent, get("HTTP_X_FORWARDED_FOR"), _encode_headers(line))

    def record(
        self, line: ClickLine, headers: HeaderFields, *, address: str, query: str, counter: int
    ) -> bool:
        """Write a click down and count it as ``kind``; whether it is in the operating system's hands.

        ``line`` says what was asked; who asked, and the click's id, are added here.
        """
        try:
            line.id = self._new_id()
            if self._records_networks:
                self._add_client(line, headers, address=address)
            if "utm_" in query or RECIPIENT_PARAMETER in query:
                self._add_query(line, query, opted_out=headers.user_agent is None)
            recorded = self._writer.write(_encode_line(line, headers))
        except Exception:
            # Whatever nobody foresaw costs the click; it shall not cost the reader the article as well.
            log.exception("a click could not be recorded")
            recorded = False
        self._counters[counter] += 1
        if not recorded:
            self._counters[UNRECORDED] += 1
        return recorded

    def _add_client(self, line: ClickLine, headers: HeaderFields, *, address: str) -> None:
        """The reader's network and hashes, never the address itself."""
        if headers.forwarded_for:
            address = self._client_ip.resolve(address, headers.forwarded_for)
        try:
            key = self._keys.key(line.ts)
        except OSError:
            self._counters[ERRORS] += 1
            line.net = network_of(address)
            return
        line.net, line.addr, line.visitor = pseudonymize(address, headers.user_agent, key=key)

    def _add_query(self, line: ClickLine, query: str, *, opted_out: bool) -> None:
        """What is recorded of a query: the campaign keys, and the copy token as a hash."""
        pairs = parse_qsl(query[:8192], errors="replace")
        campaign = [(key, value[:200]) for key, value in pairs if key in CAMPAIGN_KEYS]
        line.q = urlencode(campaign)[:1024] or None
        copy = next((value for key, value in pairs if key == RECIPIENT_PARAMETER), None)
        if copy and line.addr and not opted_out:
            line.copy = hash_recipient_token(copy[:200], key=self._keys.key(line.ts))

    def record_miss(self, *, host: str, code: str, status: int, now: float) -> None:
        """Write down a request that led nowhere, in as few bytes as tell it apart from a click."""
        self._counters[MISSES] += 1
        if status == HTTPStatus.GONE:
            self._counters[GONE] += 1
        second = int(now)
        if second != self._miss_second:
            self._miss_second, self._misses_this_second = second, 0
        self._misses_this_second += 1
        if self._misses_this_second <= MAX_MISSES_PER_SECOND:
            line = ClickLine(
                FORMAT_VERSION, self._new_id(), round(now, 3), host, _truncate(code), status=status
            )
            self._writer.write(encode(line) + b"\n")

    def discard_expired(self, *, now: float) -> None:
        """Drop what a worker that nobody asks anything would keep in memory for too long."""
        self._keys.evict_old(now=now)

    def close(self) -> None:
        """Bring the click log to the disk."""
        self._writer.close()


def _encode_line(line: ClickLine, headers: HeaderFields) -> bytes:
    """The line as bytes, never longer than the reader takes: from an absurd request less is kept."""
    try:
        content = _append_headers(line, headers)
    except UnicodeEncodeError:  # half of a surrogate pair, which is no text
        content = b""
    if not content or len(content) > MAX_LINE_BYTES:
        line.path = line.path and _truncate(line.path)
        line.q = line.q and _truncate(line.q)
        content = _append_headers(line, headers)
    return content


def _append_headers(line: ClickLine, headers: HeaderFields) -> bytes:
    return encode(line)[:-1] + headers.line_suffix


def _encode_headers(headers: LoggedHeaders) -> bytes:
    try:
        content = encode(headers)
    except UnicodeEncodeError:
        content = b""
    if not content or len(content) > MAX_HEADER_FIELDS_BYTES:
        headers.ua, headers.ref, headers.lang = (
            text and _truncate(text) for text in (headers.ua, headers.ref, headers.lang)
        )
        headers.h = headers.h and {name: _truncate(value) for name, value in headers.h.items()}
        content = encode(headers)
    return b"," + content[1:] + b"\n" if len(content) > 2 else b"}\n"


def _truncate(text: str) -> str:
    return text[:_TRUNCATED_LENGTH].encode("utf-8", "replace").decode()
