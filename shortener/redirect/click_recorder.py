"""Record clicks, and misses (requests that were not redirected), as lines of the click log.

The format is described in docs/click-log.md, section 2.1.
"""

import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from urllib.parse import parse_qsl, urlencode

from shortener.clicklog.format import (
    FORMAT_VERSION,
    LOCAL_KEY,
    LOGGED_HEADERS,
    MAX_HEADER_LENGTH,
    MAX_LINE_BYTES,
    MAX_TEXT_LENGTH,
    OPT_OUT_HEADERS,
    ClickLine,
    encode,
    opts_out,
)
from shortener.clicklog.pseudonyms import DailyKeys, hash_recipient_token, network_of, pseudonymize
from shortener.clicklog.writer import LOG_DIRECTORY, SegmentWriter
from shortener.config import Config
from shortener.redirect.request import Headers, Request
from shortener.shared_memory import claim_worker_counters
from shortener.urls import clean_referrer

log = logging.getLogger(__name__)

CAMPAIGN_KEYS = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})
"""Query keys that are recorded. Other keys are not, because they may identify the reader."""
MAX_MISSES_PER_SECOND = 200
"""Limit of misses that one worker logs in a second. More are only counted, so that a flood cannot fill the disk."""
REDIRECTS, PREFETCHES, MISSES, UNRECORDED, ERRORS, GONE, UNKNOWN_HOSTS = range(7)
"""Indexes into the worker's counters, in the order of ``COUNTER_NAMES``."""

UNREADABLE_VALUE = "\ufffd"
"""Logged for a user agent that the server cannot read because it is not ASCII."""
_TRUNCATED_LENGTH = 64
"""Number of characters to which each text is truncated if a line would exceed MAX_LINE_BYTES."""


class ClickRecorder:
    """Writes the click log of one redirect worker.

    Set ``shared_keys`` if several machines use one store.
    """

    # With shared keys, all machines hash an address with the same key.
    def __init__(self, config: Config, *, shared_keys: bool = False) -> None:
        self._respect_gpc = config.privacy.respect_gpc
        self._records_networks = config.privacy.addresses == "network"
        self._keys = DailyKeys(config.data_directory, shared=shared_keys)
        self._counters = claim_worker_counters(config.data_directory).values
        self._writer = SegmentWriter(
            config.data_directory / LOG_DIRECTORY,
            node=config.machine_name,
            rotate_bytes=config.clicklog.rotate * 1024 * 1024,
            sync_seconds=config.clicklog.sync,
        )
        prefix, numbers = secrets.token_hex(6), count(1)
        self._new_id: Callable[[], str] = lambda: f"{prefix}-{next(numbers):08x}"
        self._miss_second = 0
        self._misses_this_second = 0

    def record(
        self,
        line: ClickLine,
        request: Request,
        *,
        counter: int,  # index of the counter to increment, such as REDIRECTS
    ) -> bool:
        """Write a click to the click log, and count it; return whether it was written.

        Data about the client is added to ``line``.
        """
        try:
            line.id = self._new_id()
            self._add_headers(line, request.headers)
            if self._records_networks:
                self._add_client(line, request)
            if "utm_" in request.query:
                line.q = _campaign_parameters(request.query)
            if request.token and line.addr and line.ua is not None:
                line.copy = hash_recipient_token(request.token, key=self._keys.key(line.ts))
            recorded = self._writer.write(_encode_line(line))
        except Exception:
            # An unexpected error may lose the record of this click, but must not prevent the redirect.
            log.exception("click could not be recorded")
            recorded = False
        self._counters[counter] += 1
        if not recorded:
            self._counters[UNRECORDED] += 1
        return recorded

    def _add_headers(self, line: ClickLine, headers: Headers) -> None:
        get = headers.get
        logged = {name: value[:MAX_HEADER_LENGTH] for name in LOGGED_HEADERS if (value := get(name)) is not None}
        language = get("accept-language")
        line.lang = language[:MAX_HEADER_LENGTH] if language else None
        line.h = logged
        # Without user agent and referrer if the reader opted out of tracking.
        if ("sec-gpc" in logged or "dnt" in logged) and self._log_and_check_opt_out(headers, logged):
            return
        agent = get("user-agent")
        if agent is None:
            agent = UNREADABLE_VALUE if "user-agent" in headers else ""
        line.ua = agent[:MAX_TEXT_LENGTH]
        referrer = get("referer")
        if referrer:
            line.ref = clean_referrer(referrer)

    def _log_and_check_opt_out(self, headers: Headers, logged: dict[str, str]) -> bool:
        for name in OPT_OUT_HEADERS:
            if name in logged:
                logged[name] = ", ".join(headers.get_all(name))[:MAX_HEADER_LENGTH]
        return self._respect_gpc and opts_out(logged)

    def _add_client(self, line: ClickLine, request: Request) -> None:
        address = request.client
        try:
            key = self._keys.key(line.ts)
        except OSError:
            self._counters[ERRORS] += 1
            line.net = network_of(address)
            return
        line.net, line.addr, line.visitor = pseudonymize(address, line.ua, key=key)
        if self._keys.is_local(line.ts):
            line.key = LOCAL_KEY

    def record_miss(
        self,
        *,
        host: str,
        code: str,
        status: int,
        now: float,  # seconds since the UTC epoch
    ) -> None:
        """Count a request that was not redirected. At most MAX_MISSES_PER_SECOND are also written to the click log."""
        self._counters[MISSES] += 1
        if status == HTTPStatus.GONE:
            self._counters[GONE] += 1
        second = int(now)
        if second != self._miss_second:
            self._miss_second, self._misses_this_second = second, 0
        self._misses_this_second += 1
        if self._misses_this_second <= MAX_MISSES_PER_SECOND:
            line = ClickLine(FORMAT_VERSION, self._new_id(), round(now, 3), host, _truncate(code), status=status)
            self._writer.write(encode(line) + b"\n")

    def count_unknown_host(self) -> None:
        """Count a request for a short link on a host that is not a configured domain."""
        self._counters[UNKNOWN_HOSTS] += 1

    def discard_expired(self, *, now: float) -> None:
        """Remove expired daily keys from memory.

        Call it regularly, even if there are no requests. ``now`` is in seconds since the UTC epoch.
        """
        self._keys.evict_old(now=now)

    def close(self) -> None:
        """Sync and close the click log."""
        self._writer.close()


def _campaign_parameters(query: str) -> str | None:
    pairs = parse_qsl(query[:8192], errors="replace")
    return urlencode([(key, value[:200]) for key, value in pairs if key in CAMPAIGN_KEYS])[:1024] or None


def _encode_line(line: ClickLine) -> bytes:
    try:
        content = encode(line)
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot represent
        content = b""
    if not content or len(content) >= MAX_LINE_BYTES:
        for name in ("path", "q", "ua", "ref", "lang"):
            text = getattr(line, name)
            setattr(line, name, text and _truncate(text))
        line.h = line.h and {name: _truncate(value) for name, value in line.h.items()}
        content = encode(line)
    return content + b"\n"


def _truncate(text: str) -> str:
    return text[:_TRUNCATED_LENGTH].encode("utf-8", "replace").decode()
