"""Recording of clicks and misses as lines of the click log.

The keys of a line are described in docs/click-log.md, section 2.1.
"""

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
"""Keys in the query of a short link whose values are recorded. Other keys may identify the reader."""
MAX_MISSES_PER_SECOND = 200
"""Maximum number of misses that a worker logs in a second, so that a flood cannot fill the disk."""
REDIRECTS, PREFETCHES, MISSES, UNRECORDED, ERRORS, GONE = range(6)
"""Indexes into the worker's counters, in the order of ``COUNTER_NAMES``."""

_ENVIRON_HEADERS = [(name, "HTTP_" + name.upper().replace("-", "_")) for name in LOGGED_HEADERS]
MAX_HEADER_FIELDS_BYTES = 2600
"""Maximum size in bytes of the header fields of a line.

The rest of MAX_LINE_BYTES is for the other fields.
"""
_TRUNCATED_LENGTH = 64
"""Length in characters to which the texts of a line are truncated if the line is too long."""


class LoggedHeaders(Struct, omit_defaults=True):
    """The keys of a click-log line whose values come from the request headers."""

    ua: str | None = None
    ref: str | None = None
    lang: str | None = None
    h: dict[str, str] | None = None


class HeaderFields(Struct, frozen=True):
    """Parsed headers of a request. A connection reuses them for requests with equal headers."""

    user_agent: str | None
    """The logged user agent; None if the reader opted out of tracking."""
    forwarded_for: str | None
    line_suffix: bytes
    """End of the JSON line, which contains the header fields: from the comma before them to the newline."""


class ClickRecorder:
    """Writes the clicks and misses of one worker process to the click log."""

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
        """Return the header fields to log.

        User agent and referrer are left out if the reader opted out of tracking.
        """
        try:
            return self._parse_headers(environ)
        except Exception:
            log.exception("request headers could not be parsed")
            return HeaderFields(None, None, b"}\n")

    def _parse_headers(self, environ: Environ) -> HeaderFields:
        get = environ.get
        opted_out = self._respect_gpc and (get("HTTP_SEC_GPC") == "1" or get("HTTP_DNT") == "1")
        agent = None if opted_out else get("HTTP_USER_AGENT", "")[:MAX_TEXT_LENGTH]
        referrer = None if opted_out else get("HTTP_REFERER")
        language = get("HTTP_ACCEPT_LANGUAGE")
        line = LoggedHeaders(
            ua=agent,
            ref=clean_referrer(referrer) if referrer else None,
            lang=language[:MAX_HEADER_LENGTH] if language else None,
            h={name: environ[key][:MAX_HEADER_LENGTH] for name, key in _ENVIRON_HEADERS if key in environ},
        )
        return HeaderFields(agent, get("HTTP_X_FORWARDED_FOR"), _encode_headers(line))

    def record(
        self, line: ClickLine, headers: HeaderFields, *, address: str, query: str, counter: int
    ) -> bool:
        """Write a click to the click log; return whether it was written.

        To ``line`` this method adds an id, the headers, pseudonyms of the client's address, and what is
        recorded of the query string. ``address`` is that of the peer, which may be a proxy. ``counter`` is
        the index of the worker's counter to increment, such as REDIRECTS.
        """
        try:
            line.id = self._new_id()
            if self._records_networks:
                self._add_client(line, headers, address=address)
            if "utm_" in query or RECIPIENT_PARAMETER in query:
                self._add_query(line, query, opted_out=headers.user_agent is None)
            recorded = self._writer.write(_encode_line(line, headers))
        except Exception:
            # An unexpected error may lose the record of this click, but must not prevent the redirect.
            log.exception("click could not be recorded")
            recorded = False
        self._counters[counter] += 1
        if not recorded:
            self._counters[UNRECORDED] += 1
        return recorded

    def _add_client(self, line: ClickLine, headers: HeaderFields, *, address: str) -> None:
        """Add to ``line`` the client's network, a hash of its address, and its visitor hash."""
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
        """Add to ``line`` the campaign keys of a query string, and a hash of its recipient token."""
        pairs = parse_qsl(query[:8192], errors="replace")
        campaign = [(key, value[:200]) for key, value in pairs if key in CAMPAIGN_KEYS]
        line.q = urlencode(campaign)[:1024] or None
        token = next((value for key, value in pairs if key == RECIPIENT_PARAMETER), None)
        if token and line.addr and not opted_out:
            line.copy = hash_recipient_token(token[:200], key=self._keys.key(line.ts))

    def record_miss(self, *, host: str, code: str, status: int, now: float) -> None:
        """Count a miss, and write it to the click log.

        Beyond MAX_MISSES_PER_SECOND, misses are only counted.
        """
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
        """Remove expired daily keys from memory. Call it regularly, also while there are no requests."""
        self._keys.evict_old(now=now)

    def close(self) -> None:
        """Sync and close the click log."""
        self._writer.close()


def _encode_line(line: ClickLine, headers: HeaderFields) -> bytes:
    """Return a line of the click log as JSON.

    Path and query are truncated if it would exceed MAX_LINE_BYTES.
    """
    try:
        content = _append_headers(line, headers)
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot represent
        content = b""
    if not content or len(content) > MAX_LINE_BYTES:
        line.path = line.path and _truncate(line.path)
        line.q = line.q and _truncate(line.q)
        content = _append_headers(line, headers)
    return content


def _append_headers(line: ClickLine, headers: HeaderFields) -> bytes:
    return encode(line)[:-1] + headers.line_suffix


def _encode_headers(headers: LoggedHeaders) -> bytes:
    """Return the end of a JSON line, which contains the header fields.

    Their values are truncated if they exceed MAX_HEADER_FIELDS_BYTES.
    """
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
