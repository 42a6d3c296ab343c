"""Rate limit: the number of requests that may be made with one token in a minute. Requests are counted in memory."""

import threading
from collections.abc import Callable

from cachetools import LRUCache
from msgspec import Struct

WINDOW_SECONDS = 60
MAX_TOKENS = 10_000
"""Number of tokens whose requests are counted; those that were used least recently are dropped."""


class RateState(Struct, frozen=True):
    """State of a token's rate limit after a request was counted."""

    limit: int
    """Number of requests that are allowed in a minute."""
    remaining: int
    """Number of requests that are left in this minute."""
    reset_seconds: int
    """Seconds until this minute ends."""
    exceeded: bool = False
    """Whether the counted request is one too many."""

    @property
    def headers(self) -> dict[str, str]:
        """The response headers RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11)."""
        return {
            "RateLimit-Policy": f'"token";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"token";r={self.remaining};t={self.reset_seconds}',
        }


class RateLimit:
    """Counts requests by token in windows of one minute. It is thread-safe. ``clock`` returns monotonic seconds."""

    def __init__(self, limit: int, *, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: LRUCache[int, tuple[float, int]] = LRUCache(MAX_TOKENS)

    def count(self, token_id: int) -> RateState | None:
        """Count a request with a token, and return the state of the token's rate limit; None if requests are not
        limited.
        """
        if not self._limit:
            return None
        with self._lock:
            now = self._clock()
            start, count = self._windows.get(token_id, (now, 0))
            if now - start >= WINDOW_SECONDS:
                start, count = now, 0
            self._windows[token_id] = (start, count + 1)
        reset = max(1, int(start + WINDOW_SECONDS - now + 0.999))
        return RateState(self._limit, max(0, self._limit - count - 1), reset, exceeded=count >= self._limit)
