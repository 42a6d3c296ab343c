"""Readers without names: the daily key, and the hashes and networks that stand for an address.

A key file ``keys/<day>`` is made by whoever needs it first on a UTC day and destroyed within 48 hours; without the
key nobody can tell any more whose hash it was.
"""

import contextlib
import os
import secrets
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from pathlib import Path

DIRECTORY = "keys"
DAY_SECONDS = 86_400
KEY_SECONDS = 47 * 3600
"""A key is destroyed when it is this old, so that with the hourly sweep none lives for 48 hours."""
KEYS_IN_MEMORY = 2
"""Today's and, for a while after midnight UTC, yesterday's."""
KEY_BYTES = 32
HASH_BYTES = 8


class DailyKeys:
    """The keys of a data directory, the few that were used last in memory."""

    def __init__(self, data: Path) -> None:
        self._directory = data / DIRECTORY
        self._keys: dict[int, bytes] = {}

    def key(self, ts: float) -> bytes:
        """The key of the UTC day of ``ts`` (seconds of UTC epoch), made when it is not there.

        Raises OSError when it can be neither read nor made.
        """
        day = int(ts // DAY_SECONDS)
        key = self._keys.get(day)
        if key is None:
            if len(self._keys) >= KEYS_IN_MEMORY:
                self._keys.clear()
            key = self._keys[day] = self._load(day)
        return key

    def _load(self, day: int) -> bytes:
        """Read the day's key, or make it; of several processes that try at once, all get the same."""
        path = self._directory / str(day)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{day}-{secrets.token_hex(4)}")
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
            with contextlib.suppress(FileExistsError):  # another process was first: its key is the day's
                path.hardlink_to(fresh)
        finally:
            fresh.unlink(missing_ok=True)
        return path.read_bytes()

    def destroy_old(self, *, now: float) -> int:
        """Destroy keys that are too old, by the time that the file was made; how many.

        A file from the future (the clock was wrong) that is not today's key goes as well.
        """
        destroyed = 0
        if not self._directory.is_dir():
            return 0
        for path in list(self._directory.iterdir()):
            age = now - path.stat().st_mtime
            today = path.name == str(int(now // DAY_SECONDS))
            if age > KEY_SECONDS or (age < -DAY_SECONDS and not today):
                path.unlink(missing_ok=True)
                destroyed += 1
        self._keys.clear()
        return destroyed


def network_of(address: str) -> str | None:
    """The /24 (IPv4) or /48 (IPv6) of an address as text, or None where it is no address."""
    packed = _packed(address)
    if packed is None:
        return None
    if len(packed) == 4:
        return f"{packed[0]}.{packed[1]}.{packed[2]}.0/24"
    return f"{IPv6Address(packed[:6] + bytes(10))}/48"


def hash_address(address: str, *, key: bytes) -> str | None:
    """The keyed hash of an address (IPv6: of its /64), 16 hexadecimal digits."""
    packed = _packed(address)
    if packed is None:
        return None
    return blake2b(packed if len(packed) == 4 else packed[:8], digest_size=HASH_BYTES, key=key).hexdigest()


def hash_visitor(address: str, agent: str, *, key: bytes) -> str | None:
    """The keyed hash of address (IPv6: its /64) and user agent, 16 hexadecimal digits."""
    packed = _packed(address)
    if packed is None:
        return None
    person = (packed if len(packed) == 4 else packed[:8]) + b"\0" + agent.encode("utf-8", "surrogatepass")
    return blake2b(person, digest_size=HASH_BYTES, key=key).hexdigest()


def hash_text(text: str, *, key: bytes) -> str:
    """The keyed hash of a per-copy token, 16 hexadecimal digits."""
    return blake2b(b"copy\0" + text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES, key=key).hexdigest()


def _packed(address: str) -> bytes | None:
    """The bytes of an address; an IPv4 address in IPv6 clothes is the IPv4 address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return parsed.ipv4_mapped.packed
    return parsed.packed

