"""How often somebody may try a password, decided before the password is hashed.

Counts are kept in memory, by account and by network. Nobody is locked out for good: every count fades, an account
is never closed to a network from which it was signed in to, and a one-time address passes by all of this.
"""

import hashlib
import threading
from collections.abc import Callable
from ipaddress import ip_address, ip_network

WINDOW_SECONDS = 900.0
"""The time in which a count that has reached its limit fades to nothing."""
FROM_ONE_PLACE = 8
"""Failures of one account from one network in a window."""
OF_ONE_PLACE = 40
"""Failures of one network, whatever the account."""
OF_ONE_ACCOUNT = 40
"""Failures of one account from networks that it was never signed in to from."""
MOST = 20_000
"""Counts that are kept; beyond it those that have faded are dropped, then all."""
AT_ONCE = 2
"""Passwords that are hashed at a time: each takes a tenth of a second of a core, and 32 MB."""


class Limits:
    """Counts failures, each of which fades with time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[float, float]] = {}
        self._trusted: set[str] = set()
        self.hashing = threading.BoundedSemaphore(AT_ONCE)

    def wait(self, account: str, address: str) -> int:
        """Seconds until the next try is allowed; 0 when it is now."""
        with self._lock:
            now = self._clock()
            return max(
                _wait(self._count(key, most, now), most) for key, most in self._limits(account, address)
            )

    def fail(self, account: str, address: str) -> None:
        """Count a failure."""
        with self._lock:
            now = self._clock()
            for key, most in self._limits(account, address):
                self._counts[key] = (self._count(key, most, now) + 1, now)
            self._shrink(now)

    def succeed(self, account: str, address: str) -> None:
        """Forget the failures of this account from this network, and remember that they belong together."""
        with self._lock:
            for key, _ in self._limits(account, address):
                if key.startswith("pair"):
                    self._counts.pop(key, None)
            if len(self._trusted) >= MOST:
                self._trusted.clear()
            self._trusted.add(_key("pair", account, network(address)))

    def _limits(self, account: str, address: str) -> list[tuple[str, int]]:
        """The counts that a try falls under, and the most that each may reach."""
        place = network(address)
        pair = _key("pair", account, place)
        limits = [(pair, FROM_ONE_PLACE), (_key("place", place), OF_ONE_PLACE)]
        return limits if pair in self._trusted else [*limits, (_key("account", account), OF_ONE_ACCOUNT)]

    def _count(self, key: str, most: int, now: float) -> float:
        count, since = self._counts.get(key, (0.0, now))
        return max(0.0, count - (now - since) * most / WINDOW_SECONDS)

    def _shrink(self, now: float) -> None:
        if len(self._counts) > MOST:
            self._counts = {key: each for key, each in self._counts.items() if now - each[1] < WINDOW_SECONDS}
        if len(self._counts) > MOST:
            self._counts.clear()


def _wait(count: float, most: int) -> int:
    """Seconds until a count has faded below its limit."""
    over = count + 1 - most
    return int(over * WINDOW_SECONDS / most) + 1 if over > 0 else 0


def network(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that an IPv6 subscriber has to himself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return str(parsed) if parsed.version == 4 else str(ip_network(f"{address}/64", strict=False))


def _key(kind: str, *parts: str) -> str:
    """A key of bounded length, whatever name somebody tries."""
    text = "\0".join(parts).encode("utf-8", "replace")
    return kind + hashlib.blake2b(text, digest_size=12).hexdigest()
