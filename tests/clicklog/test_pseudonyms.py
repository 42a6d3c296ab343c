"""Pseudonyms: the network and the hashes of an address, and the life of the daily keys."""

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shortener.clicklog.pseudonyms import (
    KEY_BYTES,
    DailyKeys,
    hash_address,
    hash_recipient_token,
    hash_visitor,
    network_of,
    pseudonymize,
)
from shortener.durations import DAY_SECONDS, HOUR_SECONDS

KEY = bytes(range(32))
MIDNIGHT = 1_795_478_400.0
"""00:00 UTC of 2026-11-24."""

NETWORKS = {
    "IPv4": ("203.0.113.77", "203.0.113.0/24"),
    "IPv6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
    "IPv6 with a zone": ("fe80::1%eth0", "fe80::/48"),
    "IPv4 in IPv6 form": ("::ffff:203.0.113.77", "203.0.113.0/24"),
    "IPv4 in IPv6 form, in hexadecimal": ("::ffff:cb00:714d", "203.0.113.0/24"),
    "no address": ("unknown", None),
    "empty": ("", None),
    "a port": ("203.0.113.77:80", None),
    "three numbers": ("203.0.113", None),
    "leading zeros": ("203.0.113.077", None),
    "too large": ("203.0.113.256", None),
    "a NUL": ("203.0.113.77\0", None),
    "not ASCII": ("２０３.0.113.77", None),
    "a kilobyte": ("1" * 1024, None),
}


@pytest.mark.parametrize(("address", "network"), NETWORKS.values(), ids=NETWORKS)
def test_an_address_is_reduced_to_its_network(address: str, network: str | None) -> None:
    """The network is the /24 or /48 of an address, and None for other text."""
    assert network_of(address) == network
    assert (hash_address(address, key=KEY) is None) == (network is None)
    assert (hash_visitor(address, "ua", key=KEY) is None) == (network is None)


@pytest.mark.parametrize("address", [row[0] for row in NETWORKS.values()], ids=NETWORKS)
def test_pseudonymize_agrees_with_the_single_functions(address: str) -> None:
    """Workers, which pseudonymize in one call, and the collector, which hashes one by one, get equal values."""
    assert pseudonymize(address, "ua", key=KEY) == (
        network_of(address),
        hash_address(address, key=KEY),
        hash_visitor(address, "ua", key=KEY),
    )
    assert pseudonymize(address, None, key=KEY)[2] is None


def test_hashes_differ_by_address_user_agent_and_key() -> None:
    """Hashes of equal input are equal, all others differ; each has 16 hexadecimal digits."""
    visitor = hash_visitor("203.0.113.77", "Firefox", key=KEY)
    assert visitor == hash_visitor("::ffff:203.0.113.77", "Firefox", key=KEY)
    others = {
        hash_visitor("203.0.113.78", "Firefox", key=KEY),
        hash_visitor("203.0.113.77", "Chrome", key=KEY),
        hash_visitor("203.0.113.77", "Firefox", key=KEY[::-1]),
        hash_address("203.0.113.77", key=KEY),
        hash_recipient_token("203.0.113.77", key=KEY),
    }
    assert len(others | {visitor}) == 6
    assert all(re.fullmatch("[0-9a-f]{16}", digest or "") for digest in others)


def test_ipv6_addresses_of_one_64_have_one_hash() -> None:
    """Privacy extensions change the lower half of an IPv6 address, which the hash does not contain."""
    first, second = "2001:db8:1:2:a:b:c:d", "2001:db8:1:2:e:f:1:2"
    assert hash_address(first, key=KEY) == hash_address(second, key=KEY)
    assert hash_address(first, key=KEY) != hash_address("2001:db8:1:3:a:b:c:d", key=KEY)


def test_invalid_unicode_is_hashed() -> None:
    """A user agent with surrogates and NULs is hashed without an error."""
    assert hash_visitor("203.0.113.77", "\udcff\0" * 300, key=KEY)


def test_a_key_lasts_a_utc_day(tmp_path: Path) -> None:
    """The key changes at 00:00 UTC and at no other time."""
    keys = DailyKeys(tmp_path)
    yesterday = keys.key(MIDNIGHT - 0.001)
    today = keys.key(MIDNIGHT)
    assert today != yesterday
    assert keys.key(MIDNIGHT + DAY_SECONDS - 0.001) == today
    assert keys.key(MIDNIGHT - 1) == yesterday
    assert len(today) == KEY_BYTES


def test_key_files_are_private(tmp_path: Path) -> None:
    """Only the owner can read a key, because with the key addresses can be found by trying them."""
    DailyKeys(tmp_path).key(MIDNIGHT)
    (path,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_concurrent_processes_get_one_key(tmp_path: Path) -> None:
    """Of six processes that find no key, one creates it and all use it."""
    program = (
        "import sys; from pathlib import Path; from shortener.clicklog.pseudonyms import DailyKeys\n"
        "sys.stdin.readline(); print(DailyKeys(Path(sys.argv[1])).key(float(sys.argv[2])).hex())"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(MIDNIGHT)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert len({process.communicate(timeout=20)[0] for process in processes}) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [str(int(MIDNIGHT // DAY_SECONDS))]


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)], ids=["empty", "short", "long"])
def test_a_damaged_key_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    """A file of the wrong length, for example after a power cut, is replaced by a new key."""
    (tmp_path / "keys").mkdir()
    path = tmp_path / "keys" / str(int(MIDNIGHT // DAY_SECONDS))
    path.write_bytes(content)
    key = DailyKeys(tmp_path).key(MIDNIGHT)
    assert len(key) == KEY_BYTES
    assert path.read_bytes() == key


def test_a_full_disk_leaves_no_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a key cannot be written, an error is raised and no file is left."""

    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        DailyKeys(tmp_path).key(MIDNIGHT)
    assert list((tmp_path / "keys").iterdir()) == []


def create_key_file(data: Path, name: str) -> Path:
    """Create a key file and return its path."""
    path = data / "keys" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(KEY)
    return path


TODAY = int(MIDNIGHT // DAY_SECONDS)
FILES = {
    "six hours before its day": (str(TODAY), -6, True),
    "41 hours after its day began": (str(TODAY), 41, True),
    "a minute before 42 hours": (str(TODAY), 42 - 1 / 60, False),
    "42 hours": (str(TODAY), 42, False),
    "a year": (str(TODAY), 365 * 24, False),
    "a local key, 41 hours": (f"{TODAY}-local", 41, True),
    "a local key, 42 hours": (f"{TODAY}-local", 42, False),
    "an incomplete file, 42 hours": (f".{TODAY}-0a1b2c3d", 42, False),
    "a week ahead, after the clock was set back": (str(TODAY + 7), 0, False),
    "a file of another program": ("README", 365 * 24, True),
}


@pytest.mark.parametrize(("name", "hours", "kept"), FILES.values(), ids=FILES)
def test_expired_keys_are_destroyed(tmp_path: Path, name: str, hours: float, kept: bool) -> None:
    """Keys are destroyed before 42 hours of their day have passed, whenever the files were written."""
    path = create_key_file(tmp_path, name)
    assert DailyKeys(tmp_path).destroy_expired(now=MIDNIGHT + hours * HOUR_SECONDS) == (0 if kept else 1)
    assert path.exists() == kept


def test_shared_keys_arrive_from_elsewhere(tmp_path: Path) -> None:
    """Without the shared key of a day a local one is used, until the shared one has arrived."""
    keys, other = DailyKeys(tmp_path, shared=True), DailyKeys(tmp_path, shared=True)
    local = keys.key(MIDNIGHT)
    assert keys.is_local(MIDNIGHT)
    assert other.key(MIDNIGHT) == local
    assert keys.read_all() == {}
    keys.add(TODAY, KEY)
    keys.add(TODAY, KEY[::-1])  # the first stays
    assert keys.read_all() == {TODAY: KEY}
    assert keys.key(MIDNIGHT) == local
    keys.evict_old(now=MIDNIGHT)
    assert keys.key(MIDNIGHT) == KEY
    assert not keys.is_local(MIDNIGHT)


def test_a_destroyed_key_is_removed_from_memory(tmp_path: Path) -> None:
    """After its key was destroyed, a day has another key."""
    keys = DailyKeys(tmp_path)
    before = keys.key(MIDNIGHT)
    keys.destroy_expired(now=MIDNIGHT + 50 * HOUR_SECONDS)
    assert keys.key(MIDNIGHT) != before


def test_old_keys_are_evicted_from_memory(tmp_path: Path) -> None:
    """A worker that receives no clicks removes a key from memory when it expires."""
    keys = DailyKeys(tmp_path)
    keys.key(MIDNIGHT)
    keys.evict_old(now=MIDNIGHT + 41 * HOUR_SECONDS)
    assert len(keys._keys) == 1
    keys.evict_old(now=MIDNIGHT + 42 * HOUR_SECONDS)
    assert keys._keys == {}


def test_many_days_do_not_fill_memory(tmp_path: Path) -> None:
    """Clicks from fifty days leave at most two keys in memory."""
    keys = DailyKeys(tmp_path)
    for day in range(50):
        keys.key(MIDNIGHT + day * DAY_SECONDS)
    assert len(keys._keys) <= 2


def test_a_missing_key_directory_is_no_error(tmp_path: Path) -> None:
    """In a new data directory there are no keys to destroy."""
    assert DailyKeys(tmp_path).destroy_expired(now=MIDNIGHT) == 0
