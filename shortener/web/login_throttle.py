"""Throttle for password attempts, per account, per network, and per pair of account and network.

Failure counts decay, so that no account is locked for good.
"""

import hashlib
import threading
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from cachetools import LRUCache

WINDOW_SECONDS = 900.0
"""Time in which a failure count that has reached its limit decays to 0."""
MAX_FAILURES_PER_PAIR = 8
"""Limit of failures for one account from one network."""
MAX_FAILURES_PER_NETWORK = 40
"""Limit of failures from one network, summed over all accounts."""
MAX_FAILURES_PER_ACCOUNT = 40
"""Limit of failures for one account, summed over all networks from which its user never signed in."""
MAX_ENTRIES = 20_000
"""Size of two caches, one of failure counts and one of trusted (account, network) pairs. Both drop the least used."""
MAX_CONCURRENT_HASHES = 2
"""Limit of simultaneous password hashes. One hash takes a tenth of a second of CPU time, and 32 MB."""


class LoginThrottle:
    """Thread-safe counter of failed sign-ins that limits further attempts. ``clock`` returns monotonic seconds."""

    # The library `limits` is not used. Its windows block a pair until they end, but a decaying count allows one more
    # attempt every WINDOW_SECONDS / limit. Its memory storage is also unbounded.

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: LRUCache[str, tuple[float, float]] = LRUCache(MAX_ENTRIES)
        self._trusted_pairs: LRUCache[str, bool] = LRUCache(MAX_ENTRIES)
        self.hash_slots = threading.BoundedSemaphore(MAX_CONCURRENT_HASHES)

    def retry_after(self, account: str, address: str) -> int:
        """Return the seconds until the next attempt is allowed, 0 if it is allowed now."""
        with self._lock:
            now = self._clock()
            return max(
                _seconds_until_allowed(self._decayed_failures(key, limit, now), limit)
                for key, limit in self._limits_by_key(account, address)
            )

    def record_failure(self, account: str, address: str) -> None:
        """Count a failed attempt for this account, from the network of this address."""
        with self._lock:
            now = self._clock()
            for key, limit in self._limits_by_key(account, address):
                self._failures[key] = (self._decayed_failures(key, limit, now) + 1, now)

    def record_success(self, account: str, address: str) -> None:
        """Reset the count of failed attempts for this account in the network of ``address``."""
        pair = _hashed_key("pair", account, client_network(address))
        with self._lock:
            self._failures.pop(pair, None)
            # From now on, failures in other networks do not limit attempts for this account from this network.
            self._trusted_pairs[pair] = True

    def _limits_by_key(self, account: str, address: str) -> list[tuple[str, int]]:
        network = client_network(address)
        pair = _hashed_key("pair", account, network)
        limits = [
            (pair, MAX_FAILURES_PER_PAIR),
            (_hashed_key("network", network), MAX_FAILURES_PER_NETWORK),
        ]
        # The network is exempt from this limit if the user has signed in from it before.
        if not self._trusted_pairs.get(pair):
            limits.append((_hashed_key("account", account), MAX_FAILURES_PER_ACCOUNT))
        return limits

    def _decayed_failures(self, key: str, limit: int, now: float) -> float:
        count, counted_at = self._failures.get(key, (0.0, now))
        return max(0.0, count - (now - counted_at) * limit / WINDOW_SECONDS)


def _seconds_until_allowed(failures: float, limit: int) -> int:
    excess = failures + 1 - limit
    return int(excess * WINDOW_SECONDS / limit) + 1 if excess > 0 else 0


def client_network(address: str) -> str:
    """Return the network of an address: an IPv4 address itself, or the /64 network of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return str(parsed) if parsed.version == 4 else str(ip_network(f"{address}/64", strict=False))


def _hashed_key(kind: str, *parts: str) -> str:
    # The hash bounds the memory that long names take.
    text = "\0".join(parts).encode("utf-8", "replace")
    return kind + hashlib.blake2b(text, digest_size=12).hexdigest()
