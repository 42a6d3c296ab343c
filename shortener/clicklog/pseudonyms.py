"""Pseudonyms that are stored instead of a client's address: its network, and hashes with a secret key that changes
daily.

The first process that needs the key of a day creates it; the collector destroys it within 48 hours. Without the key, a
hash cannot be linked to an address any more (docs/click-log.md, section 7).
"""

import contextlib
import os
import secrets
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from shortener.durations import DAY_SECONDS, HOUR_SECONDS

KEY_DIRECTORY = "keys"
"""Directory of the key files, below the data directory."""
KEY_LIFETIME_SECONDS = 47 * HOUR_SECONDS
"""Age at which a key is destroyed. The age is checked every hour, so no key reaches 48 hours."""
KEY_CACHE_SIZE = 2
"""Number of keys in memory: today's and, shortly after midnight UTC, yesterday's."""
KEY_BYTES = 32
"""Length of a daily key in bytes."""
HASH_BYTES = 8
"""Length of a keyed hash in bytes; it is written as 16 hexadecimal digits."""

_IPV4_MAPPED_PREFIX = bytes(10) + b"\xff\xff"
"""First bytes of an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2)."""


class DailyKeys:
    """The secret keys for hashing addresses, one file for each UTC day, with a small cache in memory."""

    def __init__(self, data_directory: Path) -> None:
        self._directory = data_directory / KEY_DIRECTORY
        self._keys: dict[int, bytes] = {}

    def key(self, ts: float) -> bytes:
        """Return the key for the UTC day of ``ts`` (seconds since the UTC epoch), and create it if it is missing.

        Raises OSError if the key can be neither read nor created.
        """
        day = int(ts // DAY_SECONDS)
        key = self._keys.get(day)
        if key is None:
            if len(self._keys) >= KEY_CACHE_SIZE:
                self._keys = {}
            key = self._keys[day] = self._read_or_create(day)
        return key

    def _read_or_create(self, day: int) -> bytes:
        """Return the key of a day (days since 1970) from its file; create the file if it is missing.

        If several processes create it at the same time, all return the same key.
        """
        path = self._directory / str(day)
        for _ in range(2):
            with contextlib.suppress(FileNotFoundError):
                key = path.read_bytes()
                if len(key) == KEY_BYTES:
                    return key
                path.unlink(missing_ok=True)  # a truncated key can be guessed
            self._create(path)
        return path.read_bytes()

    def _create(self, path: Path) -> None:
        """Create the key file ``path`` atomically, so that no process reads an incomplete key.

        A temporary file is written and then hard-linked to ``path``.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(fd)
            # Unlike a rename, a hard link fails if the file exists: another process was first, and its key is used.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def evict_old(self, *, now: float) -> None:
        """Remove all keys except today's and yesterday's from memory. ``now`` is in seconds since the UTC epoch.

        Call it regularly, even if there are no clicks.
        """
        today = int(now // DAY_SECONDS)
        self._keys = {day: key for day, key in self._keys.items() if today - 1 <= day <= today}
        _keyed_state.cache_clear()

    def destroy_expired(self, *, now: float) -> int:
        """Delete the key files older than KEY_LIFETIME_SECONDS and return their number.

        ``now`` is in seconds since the UTC epoch. A file dated more than a day in the future was made while the clock
        was wrong. It is deleted as well.
        """
        destroyed = 0
        if not self._directory.is_dir():
            return 0
        for path in list(self._directory.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                age = now - path.stat().st_mtime
                today = path.name == str(int(now // DAY_SECONDS))
                if age > KEY_LIFETIME_SECONDS or (age < -DAY_SECONDS and not today):
                    path.unlink()
                    destroyed += 1
        self._keys = {}
        _keyed_state.cache_clear()
        return destroyed


def network_of(address: str) -> str | None:
    """Return the /24 (IPv4) or /48 (IPv6) of an address as text, or None if the text is not an address."""
    packed = parse_address(address)
    return _network(packed) if packed else None


def hash_address(address: str, *, key: bytes) -> str | None:
    """Return the keyed hash of an address (IPv6: of its /64), or None if the text is not an address."""
    packed = parse_address(address)
    return _hash(packed[:8], key=key) if packed else None


def hash_visitor(address: str, user_agent: str, *, key: bytes) -> str | None:
    """Return the keyed hash of an address (IPv6: its /64) and a user agent, or None if the text is not an address."""
    packed = parse_address(address)
    return _hash(_visitor_bytes(packed, user_agent), key=key) if packed else None


def hash_recipient_token(token: str, *, key: bytes) -> str:
    """Return the keyed hash of a recipient token, which is the value in a link that differs for each recipient."""
    return _hash(b"copy\0" + token.encode("utf-8", "surrogatepass"), key=key)


def pseudonymize(address: str, user_agent: str | None, *, key: bytes) -> tuple[str | None, str | None, str | None]:
    """Return (network, address hash, visitor hash) of an address, which is parsed only once.

    The visitor hash is made from address and user agent; it is None if ``user_agent`` is None. All three are None if
    ``address`` is not an address.
    """
    packed = parse_address(address)
    if packed is None:
        return None, None, None
    visitor = None if user_agent is None else _hash(_visitor_bytes(packed, user_agent), key=key)
    return _network(packed), _hash(packed[:8], key=key), visitor


def _network(packed: bytes) -> str:
    if len(packed) == 4:
        return f"{packed[0]}.{packed[1]}.{packed[2]}.0/24"
    return f"{inet_ntop(AF_INET6, packed[:6] + bytes(10))}/48"


def _visitor_bytes(packed: bytes, user_agent: str) -> bytes:
    return packed[:8] + b"\0" + user_agent.encode("utf-8", "surrogatepass")


def _hash(content: bytes, *, key: bytes) -> str:
    state = _keyed_state(key).copy()
    state.update(content)
    return state.hexdigest()


@lru_cache(maxsize=KEY_CACHE_SIZE)
def _keyed_state(key: bytes) -> blake2b:
    """Return a BLAKE2b object for this key. Copying a cached one is twice as fast as making a new one."""
    return blake2b(digest_size=HASH_BYTES, key=key)


def parse_address(address: str) -> bytes | None:
    """Return the 4 (IPv4) or 16 (IPv6) bytes of an address, or None if the text is not an address.

    An IPv4-mapped IPv6 address gives 4 bytes. ``inet_pton`` takes 0.2 µs, the ``ipaddress`` module takes 3 µs.
    """
    try:
        if ":" not in address:
            return inet_pton(AF_INET, address)
        packed = inet_pton(AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_IPV4_MAPPED_PREFIX) else packed
