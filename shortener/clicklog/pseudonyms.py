"""Pseudonyms that are stored instead of a client's IP address: its network, and hashes with a daily key.

See docs/click-log.md, section 7.
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
KEY_EARLY_SECONDS = 6 * HOUR_SECONDS
"""Time before its day at which a key that machines share is created."""
KEY_END_SECONDS = 42 * HOUR_SECONDS
"""Time after the beginning of its day at which a key is destroyed at the latest, so that none lives for 48 hours."""
KEY_CHECK_SECONDS = 60
"""Time between two searches for keys to destroy. A key is destroyed in the last search before its end."""
LOCAL_SUFFIX = "-local"
"""End of the file name of a key that this machine made for itself, because the shared key had not arrived."""
KEY_CACHE_SIZE = 2
"""Number of keys in memory: today's and, shortly after midnight UTC, yesterday's."""
KEY_BYTES = 32
"""Length of a daily key in bytes."""
HASH_BYTES = 8
"""Length of a keyed hash in bytes; it is written as 16 hexadecimal digits."""

_IPV4_MAPPED_PREFIX = bytes(10) + b"\xff\xff"
"""First bytes of an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2)."""


class DailyKeys:
    """The secret keys for hashing IP addresses, one for each UTC day, in files and in memory."""

    def __init__(self, data_directory: Path, *, shared: bool = False) -> None:
        self._directory = data_directory / KEY_DIRECTORY
        self._shared = shared
        self._keys: dict[int, bytes] = {}
        self._local_days: set[int] = set()

    def key(self, ts: float) -> bytes:
        """Return the key for the UTC day of ``ts`` (epoch seconds). A missing key is created. Raises OSError."""
        day = int(ts // DAY_SECONDS)
        key = self._keys.get(day)
        if key is None:
            if len(self._keys) >= KEY_CACHE_SIZE:
                self._keys = {}
            key = self._keys[day] = self._read_or_create(day)
        return key

    def is_local(self, ts: float) -> bool:
        """Return whether only this machine has the key for the time ``ts``.

        Call ``key(ts)`` first.
        """
        return int(ts // DAY_SECONDS) in self._local_days

    def add(self, day: int, key: bytes) -> None:
        """Store the key that all machines share for a UTC day, unless this machine has it already.

        ``day`` is counted from 1970-01-01. Raises OSError.
        """
        path = self._directory / str(day)
        if _read_key(path) is None:
            self._create_file(path, key)

    def read_all(self) -> dict[int, bytes]:
        """Return the stored keys by UTC day (days since 1970). Raises OSError.

        Local keys, which only this machine has, are left out.
        """
        if not self._directory.is_dir():
            return {}
        keys = {int(path.name): _read_key(path) for path in self._directory.iterdir() if path.name.isdecimal()}
        return {day: key for day, key in keys.items() if key is not None}

    def _read_or_create(self, day: int) -> bytes:
        path = self._directory / str(day)
        self._local_days.discard(day)
        if self._shared:
            # Another process adds the keys that all machines share. Until one arrives, this machine uses a local key.
            key = _read_key(path)
            if key is not None:
                return key
            path = path.with_name(f"{day}{LOCAL_SUFFIX}")
            self._local_days.add(day)
        key = _read_key(path)
        if key is None:
            self._create_file(path, create_key())
            key = path.read_bytes()
        return key

    def _create_file(self, path: Path, key: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # No process may read an incomplete key, so the key is written to a temporary file first.
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(fd)
            # Unlike a rename, a hard link fails if the file exists: another process was first, and its key is used.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def evict_old(
        self,
        *,
        now: float,  # seconds since the UTC epoch
    ) -> None:
        """Remove expired keys from memory, and those that only this machine has.

        Call this method every KEY_CHECK_SECONDS, even without clicks.
        """
        self._keys = {
            # A shared key may have arrived for the days of local ones.
            day: key
            for day, key in self._keys.items()
            if not is_expired(day, now=now) and day not in self._local_days
        }
        _keyed_hash_to_copy.cache_clear()

    def destroy_expired(self, *, now: float) -> int:
        """Delete the files of expired keys, and return their number. Call it every KEY_CHECK_SECONDS."""
        destroyed = 0
        if not self._directory.is_dir():
            return 0
        for path in list(self._directory.iterdir()):
            day = path.name.lstrip(".").partition("-")[0]
            if day.isdecimal() and is_expired(int(day), now=now):
                path.unlink(missing_ok=True)
                destroyed += 1
        self.evict_old(now=now)
        return destroyed


def create_key() -> bytes:
    """Return a new random key."""
    return secrets.token_bytes(KEY_BYTES)


def due_days(now: float) -> set[int]:
    """Return the UTC days (since 1970) whose shared keys must exist at ``now``: today, and tomorrow from 18:00 on."""
    return {int(now // DAY_SECONDS), int((now + KEY_EARLY_SECONDS) // DAY_SECONDS)}


def is_expired(day: int, *, now: float) -> bool:
    """Return whether the key of a UTC day (days since 1970) must be destroyed at ``now``."""
    age = now - day * DAY_SECONDS
    # A key for a day more than 24 hours ahead was made while the clock was wrong.
    return age >= KEY_END_SECONDS - KEY_CHECK_SECONDS or age < -DAY_SECONDS


def _read_key(path: Path) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        # A truncated key is deleted, because it could be guessed.
        if len(key) == KEY_BYTES:
            return key
        path.unlink(missing_ok=True)
    return None


def network_of(address: str) -> str | None:
    """Return the /24 (IPv4) or /48 (IPv6) of an address as text, or None if the text is not an address."""
    packed = parse_address(address)
    return _network(packed) if packed else None


def hash_address(address: str, *, key: bytes) -> str | None:
    """Return the keyed hash of an address (IPv6: of its /64), or None if the text is not an address."""
    packed = parse_address(address)
    return _hash(packed[:8], key=key) if packed else None


def hash_visitor(address: str, user_agent: str, *, key: bytes) -> str | None:
    """Return the keyed hash of an address (IPv6: its /64) and a user agent; None if ``address`` is not an address."""
    packed = parse_address(address)
    return _hash(_visitor_bytes(packed, user_agent), key=key) if packed else None


def hash_recipient_token(token: str, *, key: bytes) -> str:
    """Return the keyed hash of a recipient token, the part of a link that differs for each recipient."""
    return _hash(b"copy\0" + token.encode("utf-8", "surrogatepass"), key=key)


def pseudonymize(address: str, user_agent: str | None, *, key: bytes) -> tuple[str | None, str | None, str | None]:
    """Return (network, address hash, visitor hash) of an IP address; (None, None, None) for other text.

    Without user agent, the visitor hash is None.
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
    state = _keyed_hash_to_copy(key).copy()
    state.update(content)
    return state.hexdigest()


@lru_cache(maxsize=KEY_CACHE_SIZE)
def _keyed_hash_to_copy(key: bytes) -> blake2b:
    # Copying the cached object is twice as fast as making a new one.
    return blake2b(digest_size=HASH_BYTES, key=key)


def parse_address(address: str) -> bytes | None:
    """Return the 4 (IPv4) or 16 (IPv6) bytes of an address, or None if the text is not an address."""
    try:
        if ":" not in address:
            # inet_pton takes 0.2 µs, the module ipaddress 3 µs.
            return inet_pton(AF_INET, address)
        packed = inet_pton(AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return None
    # An IPv4-mapped IPv6 address gives 4 bytes.
    return packed[12:] if packed.startswith(_IPV4_MAPPED_PREFIX) else packed
