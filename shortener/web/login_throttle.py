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
MAX_FAILURES_PER_PAIR = 8
"""Failures of one account from one network in a window."""
MAX_FAILURES_PER_NETWORK = 40
"""Failures of one network, whatever the account."""
MAX_FAILURES_PER_ACCOUNT = 40
"""Failures of one account from networks that it was never signed in to from."""
MAX_ENTRIES = 20_000
"""Counts that are kept; beyond it those that have faded are dropped, then all."""
MAX_CONCURRENT_HASHES = 2
"""Passwords that are hashed at a time: each takes a tenth of a second of a core, and 32 MB."""


class LoginThrottle:
    """Counts failures, each of which fades with time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, tuple[float, float]] = {}
        self._trusted_pairs: set[str] = set()
        self.hash_slots = threading.BoundedSemaphore(MAX_CONCURRENT_HASHES)

    def retry_after(self, account: str, address: str) -> int:
        """Seconds until the next try is allowed; 0 when it is now."""
        with self._lock:
            now = self._clock()
            return max(
                _seconds_until_allowed(self._decayed_failures(key, most, now), most)
                for key, most in self._limits_by_key(account, address)
            )

    def record_failure(self, account: str, address: str) -> None:
        """Count a failure."""
        with self._lock:
            now = self._clock()
            for key, most in self._limits_by_key(account, address):
                self._failures[key] = (self._decayed_failures(key, most, now) + 1, now)
            self._evict(now)

    def record_success(self, account: str, address: str) -> None:
        """Forget the failures of this account from this network, and remember that they belong together."""
        with self._lock:
            for key, _ in self._limits_by_key(account, address):
                if key.startswith("pair"):
                    self._failures.pop(key, None)
            if len(self._trusted_pairs) >= MAX_ENTRIES:
                self._trusted_pairs.clear()
            self._trusted_pairs.add(_hashed_key("pair", account, client_network(address)))

    def _limits_by_key(self, account: str, address: str) -> list[tuple[str, int]]:
        """The counts that a try falls under, and the most that each may reach."""
        place = client_network(address)
        pair = _hashed_key("pair", account, place)
        limits = [(pair, MAX_FAILURES_PER_PAIR), (_hashed_key("place", place), MAX_FAILURES_PER_NETWORK)]
        return (
            limits
            if pair in self._trusted_pairs
            else [*limits, (_hashed_key("account", account), MAX_FAILURES_PER_ACCOUNT)]
        )

    def _decayed_failures(self, key: str, limit: int, now: float) -> float:
        count, since = self._failures.get(key, (0.0, now))
        return max(0.0, count - (now - since) * limit / WINDOW_SECONDS)

    def _evict(self, now: float) -> None:
        if len(self._failures) > MAX_ENTRIES:
            self._failures = {
                key: each for key, each in self._failures.items() if now - each[1] < WINDOW_SECONDS
            }
        if len(self._failures) > MAX_ENTRIES:
            self._failures.clear()


def _seconds_until_allowed(failures: float, limit: int) -> int:
    """Seconds until a count has faded below its limit."""
    over = failures + 1 - limit
    return int(over * WINDOW_SECONDS / limit) + 1 if over > 0 else 0


def client_network(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that an IPv6 subscriber has to himself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return str(parsed) if parsed.version == 4 else str(ip_network(f"{address}/64", strict=False))


def _hashed_key(kind: str, *parts: str) -> str:
    """A key of bounded length, whatever name somebody tries."""
    text = "\0".join(parts).encode("utf-8", "replace")
    return kind + hashlib.blake2b(text, digest_size=12).hexdigest()
