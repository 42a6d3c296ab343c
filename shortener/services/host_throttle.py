"""How often other people's servers are asked, whoever asks: one request at a time and a pause behind each."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOST_INTERVAL_SECONDS = 1.0
"""The least pause between two requests to one host, or to one address."""
JITTER_FRACTION = 0.3
"""By how much of itself a pause may be longer, so that two who ask do not fall into step."""
ANSWER_TTL_SECONDS = 600.0
"""So long an answer is not asked for again."""
MAX_CONCURRENT_CHECKS = 2
"""Checks at a time: each takes a page's thread for half a minute."""
MAX_CACHE_ENTRIES = 10_000
"""Hosts, and answers, that are remembered; beyond it those that have had their time are dropped, then all."""


class SlotTimeout(Exception):
    """Raised when a host's turn does not come in time."""


class HostThrottle:
    """What is remembered of those who were asked, from one check to the next and by all editors together.

    ``clock`` is monotonic; ``host_seconds`` is for tests.
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
        self._answer_cache: dict[str, tuple[str, float]] = {}

    @contextmanager
    def slot(self, key: str, *, deadline: float) -> Iterator[None]:
        """Hold a host's or an address's turn, once it has come. Raises TooLate when that would be after ``until``."""
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
                pause = self._host_interval * (1 + JITTER_FRACTION * random.random())  # noqa: S311 - nobody gains by guessing it
                self._available_at[key] = self._clock() + pause
                self._evict_expired()
                self._condition.notify_all()

    def _seconds_until_free(self, key: str) -> float:
        """Seconds until the turn may come; while another has it, until one should look again."""
        return 1.0 if key in self._busy_keys else self._available_at.get(key, 0.0) - self._clock()

    def cache_answer(self, target: str, message: str) -> None:
        """Remember that a target answered."""
        with self._condition:
            self._answer_cache[target] = (message, self._clock())
            self._evict_expired()

    def cached_answer(self, target: str) -> str | None:
        """What a target answered a short time ago."""
        with self._condition:
            words, at = self._answer_cache.get(target, ("", 0.0))
            return words if words and self._clock() - at < ANSWER_TTL_SECONDS else None

    def _evict_expired(self) -> None:
        now = self._clock()
        if len(self._available_at) > MAX_CACHE_ENTRIES:
            self._available_at = {name: at for name, at in self._available_at.items() if at > now}
        if len(self._answer_cache) > MAX_CACHE_ENTRIES:
            self._answer_cache = {
                target: each
                for target, each in self._answer_cache.items()
                if now - each[1] < ANSWER_TTL_SECONDS
            }
        if len(self._answer_cache) > MAX_CACHE_ENTRIES:
            self._answer_cache.clear()
