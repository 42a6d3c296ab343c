"""Readers without names: the daily key, and the hashes and networks that stand for an address.

A key file ``keys/<day>`` is made by whoever needs it first on a UTC day and destroyed within 48 hours; without the
key nobody can tell any more whose hash it was.
"""

import contextlib
import os
import secrets
from hashlib import blake2b
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

KEY_DIRECTORY = "keys"
DAY_SECONDS = 86_400
KEY_LIFETIME_SECONDS = 47 * 3600
"""A key is destroyed when it is this old, so that with the hourly sweep none lives for 48 hours."""
KEY_CACHE_SIZE = 2
"""Today's and, for a while after midnight UTC, yesterday's."""
KEY_BYTES = 32
HASH_BYTES = 8

_IPV4_MAPPED_PREFIX = bytes(10) + b"\xff\xff"
"""How the IPv6 form of an IPv4 address begins (RFC 4291, 2.5.5.2)."""


class DailyKeys:
    """The keys of a data directory, the few that were used last in memory."""

    def __init__(self, data_directory: Path) -> None:
        self._directory = data_directory / KEY_DIRECTORY
        self._keys: dict[int, bytes] = {}

    def key(self, ts: float) -> bytes:
        """The key of the UTC day of ``ts`` (seconds of UTC epoch), made when it is not there.

        Raises OSError when it can be neither read nor made.
        """
        day = int(ts // DAY_SECONDS)
        key = self._keys.get(day)
        if key is None:
            if len(self._keys) >= KEY_CACHE_SIZE:
                self._keys = {}
            key = self._keys[day] = self._read_or_create(day)
        return key

    def _read_or_create(self, day: int) -> bytes:
        """Read the day's key, or make it; of several processes that try at once, all get the same."""
        path = self._directory / str(day)
        for _ in range(2):
            with contextlib.suppress(FileNotFoundError):
                key = path.read_bytes()
                if len(key) == KEY_BYTES:
                    return key
                path.unlink(missing_ok=True)  # half a key protects nobody
            self._create(path)
        return path.read_bytes()

    def _create(self, path: Path) -> None:
        """Written beside and then linked, so that the file is whole as soon as it has its name."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(fd)
            with contextlib.suppress(FileExistsError):  # another process was first: its key is the day's
                path.hardlink_to(fresh)
        finally:
            fresh.unlink(missing_ok=True)

    def evict_old(self, *, now: float) -> None:
        """Drop from memory what is neither today's nor yesterday's; for a process that nobody asks anything."""
        today = int(now // DAY_SECONDS)
        self._keys = {day: key for day, key in self._keys.items() if today - 1 <= day <= today}

    def destroy_expired(self, *, now: float) -> int:
        """Destroy keys that are too old, by the time that the file was made; how many.

        A file from the future (the clock was wrong) that is not today's key goes as well.
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
        return destroyed


def network_of(address: str) -> str | None:
    """The /24 (IPv4) or /48 (IPv6) of an address as text, or None where it is no address."""
    packed = _parse_address(address)
    return _network(packed) if packed else None


def hash_address(address: str, *, key: bytes) -> str | None:
    """The keyed hash of an address (IPv6: of its /64), 16 hexadecimal digits."""
    packed = _parse_address(address)
    return _hash(packed[:8], key=key) if packed else None


def hash_visitor(address: str, user_agent: str, *, key: bytes) -> str | None:
    """The keyed hash of address (IPv6: its /64) and user agent, 16 hexadecimal digits."""
    packed = _parse_address(address)
    return _hash(_visitor_bytes(packed, user_agent), key=key) if packed else None


def hash_recipient_token(token: str, *, key: bytes) -> str:
    """The keyed hash of a per-copy token, 16 hexadecimal digits."""
    return _hash(b"copy\0" + token.encode("utf-8", "surrogatepass"), key=key)


def pseudonymize(
    address: str, user_agent: str | None, *, key: bytes
) -> tuple[str | None, str | None, str | None]:
    """Network, address hash and visitor hash (None where ``agent`` is) at the price of reading the address once."""
    packed = _parse_address(address)
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
    return blake2b(content, digest_size=HASH_BYTES, key=key).hexdigest()


def _parse_address(address: str) -> bytes | None:
    """The 4 or 16 bytes of an address; an IPv4 address in IPv6 clothes is the IPv4 address.

    The C library reads one in 0.2 µs, ``ipaddress`` in 3.
    """
    try:
        if ":" not in address:
            return inet_pton(AF_INET, address)
        packed = inet_pton(AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_IPV4_MAPPED_PREFIX) else packed
