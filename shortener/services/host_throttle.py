"""Throttle for link checks: only one request at a time goes to a host, and a pause follows it."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOST_INTERVAL_SECONDS = 1.0
"""Minimum pause between two requests to one host, or to one address."""
JITTER_FRACTION = 0.3
"""Largest random share by which a pause is longer, so that several checks do not stay in step."""
ANSWER_TTL_SECONDS = 600.0
"""Time for which the result of checking a target that answered is cached."""
MAX_CONCURRENT_CHECKS = 2
"""Maximum number of link checks at one time."""
MAX_CACHE_ENTRIES = 10_000
"""Maximum number of hosts whose pauses are stored, and of cached results."""


class SlotTimeout(Exception):
    """Raised when a request to a host would have to wait beyond the deadline."""


class HostThrottle:
    """Limits link checks to one request at a time for each host, and caches results.

    All checks of a process share an instance.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, host_interval: float = HOST_INTERVAL_SECONDS
    ) -> None:
        self.check_slots = threading.BoundedSemaphore(MAX_CONCURRENT_CHECKS)
        self._clock = clock
        self._host_interval = host_interval
        self._condition = threading.Condition()
        self._busy_keys: set[str] = set()
        self._available_at: dict[str, float] = {}
        self._answer_cache: dict[str, tuple[int, float]] = {}

    @contextmanager
    def slot(
        self,
        key: str,  # of a host name or an IP address
        *,
        deadline: float,  # seconds of the throttle's clock
    ) -> Iterator[None]:
        """Wait for the exclusive right to send a request to a host.

        Raises SlotTimeout if the wait would exceed the deadline.
        """
        with self._condition:
            while (wait := self._seconds_until_free(key)) > 0:
                left = deadline - self._clock()
                if left <= 0 or (wait > left and key not in self._busy_keys):
                    raise SlotTimeout
                self._condition.wait(min(wait, left))
            if self._clock() > deadline:
                raise SlotTimeout
            self._busy_keys.add(key)
        try:
            yield
        finally:
            with self._condition:
                self._busy_keys.discard(key)
                pause = self._host_interval * (1 + JITTER_FRACTION * random.random())  # noqa: S311 - need not be unpredictable
                self._available_at[key] = self._clock() + pause
                self._evict_expired()
                self._condition.notify_all()

    def _seconds_until_free(self, key: str) -> float:
        # How long a request of another thread takes is unknown: wait a second, then ask again.
        return 1.0 if key in self._busy_keys else self._available_at.get(key, 0.0) - self._clock()

    def cache_answer(self, target: str, status: int) -> None:
        """Cache the HTTP status of a target that answered, so that it is not requested again soon."""
        with self._condition:
            self._answer_cache[target] = (status, self._clock())
            self._evict_expired()

    def cached_answer(self, target: str) -> int | None:
        """Return the cached HTTP status of a target that answered recently, or None."""
        with self._condition:
            status, cached_at = self._answer_cache.get(target, (0, 0.0))
            return status if status and self._clock() - cached_at < ANSWER_TTL_SECONDS else None

    def _evict_expired(self) -> None:
        now = self._clock()
        if len(self._available_at) > MAX_CACHE_ENTRIES:
            self._available_at = {key: at for key, at in self._available_at.items() if at > now}
        if len(self._answer_cache) > MAX_CACHE_ENTRIES:
            self._answer_cache = {
                target: (status, cached_at)
                for target, (status, cached_at) in self._answer_cache.items()
                if now - cached_at < ANSWER_TTL_SECONDS
            }
        if len(self._answer_cache) > MAX_CACHE_ENTRIES:
            self._answer_cache.clear()
