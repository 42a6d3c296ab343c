"""How often other people's servers are asked, whoever asks: one request at a time and a pause behind each."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOST_SECONDS = 1.0
"""The least pause between two requests to one host, or to one address."""
JITTER = 0.3
"""By how much of itself a pause may be longer, so that two who ask do not fall into step."""
REMEMBERED_SECONDS = 600.0
"""So long an answer is not asked for again."""
AT_ONCE = 2
"""Checks at a time: each takes a page's thread for half a minute."""
MOST = 10_000
"""Hosts, and answers, that are remembered; beyond it those that have had their time are dropped, then all."""


class TooLate(Exception):
    """Raised when a host's turn does not come in time."""


class Manners:
    """What is remembered of those who were asked, from one check to the next and by all editors together.

    ``clock`` is monotonic; ``host_seconds`` is for tests.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, host_seconds: float = HOST_SECONDS
    ) -> None:
        self.checks = threading.BoundedSemaphore(AT_ONCE)
        self._clock = clock
        self._pause = host_seconds
        self._turns = threading.Condition()
        self._busy: set[str] = set()
        self._free_at: dict[str, float] = {}
        self._answered: dict[str, tuple[str, float]] = {}

    @contextmanager
    def turn(self, name: str, *, until: float) -> Iterator[None]:
        """Hold a host's or an address's turn, once it has come. Raises TooLate when that would be after ``until``."""
        with self._turns:
            while (wait := self._wait(name)) > 0:
                left = until - self._clock()
                if left <= 0 or (wait > left and name not in self._busy):
                    raise TooLate
                self._turns.wait(min(wait, left))
            if self._clock() > until:
                raise TooLate
            self._busy.add(name)
        try:
            yield
        finally:
            with self._turns:
                self._busy.discard(name)
                pause = self._pause * (1 + JITTER * random.random())  # noqa: S311 - nobody gains by guessing it
                self._free_at[name] = self._clock() + pause
                self._shrink()
                self._turns.notify_all()

    def _wait(self, name: str) -> float:
        """Seconds until the turn may come; while another has it, until one should look again."""
        return 1.0 if name in self._busy else self._free_at.get(name, 0.0) - self._clock()

    def remember(self, target: str, words: str) -> None:
        """Remember that a target answered."""
        with self._turns:
            self._answered[target] = (words, self._clock())
            self._shrink()

    def answered(self, target: str) -> str | None:
        """What a target answered a short time ago."""
        with self._turns:
            words, at = self._answered.get(target, ("", 0.0))
            return words if words and self._clock() - at < REMEMBERED_SECONDS else None

    def _shrink(self) -> None:
        now = self._clock()
        if len(self._free_at) > MOST:
            self._free_at = {name: at for name, at in self._free_at.items() if at > now}
        if len(self._answered) > MOST:
            self._answered = {
                target: each for target, each in self._answered.items() if now - each[1] < REMEMBERED_SECONDS
            }
        if len(self._answered) > MOST:
            self._answered.clear()
