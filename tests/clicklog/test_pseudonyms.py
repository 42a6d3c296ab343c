"""Readers without names: networks, hashes, and the key of the day."""

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shortener.clicklog.pseudonyms import (
    DAY_SECONDS,
    KEY_BYTES,
    DailyKeys,
    hash_address,
    hash_recipient_token,
    hash_visitor,
    network_of,
    pseudonymize,
)

KEY = bytes(range(32))
MIDNIGHT = 1_795_478_400.0
"""00:00 UTC of 2026-11-24."""
HOUR = 3600.0

NETWORKS = {
    "IPv4": ("203.0.113.77", "203.0.113.0/24"),
    "IPv6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
    "IPv6 with a zone": ("fe80::1%eth0", "fe80::/48"),
    "IPv4 in IPv6 clothes": ("::ffff:203.0.113.77", "203.0.113.0/24"),
    "the same in hexadecimal": ("::ffff:cb00:714d", "203.0.113.0/24"),
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
def test_an_address_is_kept_as_its_network(address: str, network: str | None) -> None:
    """Only the /24 or the /48 is kept; what is no address is nothing, and no error."""
    assert network_of(address) == network
    assert (hash_address(address, key=KEY) is None) == (network is None)
    assert (hash_visitor(address, "ua", key=KEY) is None) == (network is None)


@pytest.mark.parametrize("address", [row[0] for row in NETWORKS.values()], ids=NETWORKS)
def test_the_quick_way_says_the_same(address: str) -> None:
    """What a worker writes is what the collector would make of a foreign writer's address."""
    assert pseudonymize(address, "ua", key=KEY) == (
        network_of(address),
        hash_address(address, key=KEY),
        hash_visitor(address, "ua", key=KEY),
    )
    assert pseudonymize(address, None, key=KEY)[2] is None


def test_hashes_tell_people_apart_and_nothing_else() -> None:
    """Same person, same hash; another agent, address, /64 or day, another; 64 bits in hexadecimal."""
    ada = hash_visitor("203.0.113.77", "Firefox", key=KEY)
    assert ada == hash_visitor("::ffff:203.0.113.77", "Firefox", key=KEY)
    others = {
        hash_visitor("203.0.113.78", "Firefox", key=KEY),
        hash_visitor("203.0.113.77", "Chrome", key=KEY),
        hash_visitor("203.0.113.77", "Firefox", key=KEY[::-1]),
        hash_address("203.0.113.77", key=KEY),
        hash_recipient_token("203.0.113.77", key=KEY),
    }
    assert len(others | {ada}) == 6
    assert all(re.fullmatch("[0-9a-f]{16}", each or "") for each in others)


def test_an_ipv6_reader_is_his_64() -> None:
    """Privacy extensions change the lower half of an address every day; the reader stays the same."""
    first, second = "2001:db8:1:2:a:b:c:d", "2001:db8:1:2:e:f:1:2"
    assert hash_address(first, key=KEY) == hash_address(second, key=KEY)
    assert hash_address(first, key=KEY) != hash_address("2001:db8:1:3:a:b:c:d", key=KEY)


def test_strange_agents_are_hashed_too() -> None:
    """Nothing that a client can send raises."""
    assert hash_visitor("203.0.113.77", "\udcff\0" * 300, key=KEY)


def test_a_key_lasts_a_utc_day(tmp_path: Path) -> None:
    """The key changes at 00:00 UTC and at no other moment."""
    keys = DailyKeys(tmp_path)
    last = keys.key(MIDNIGHT - 0.001)
    first = keys.key(MIDNIGHT)
    assert first != last
    assert keys.key(MIDNIGHT + DAY_SECONDS - 0.001) == first
    assert keys.key(MIDNIGHT - 1) == last
    assert len(first) == KEY_BYTES


def test_a_key_is_for_its_owner_only(tmp_path: Path) -> None:
    """Who can read the key can try addresses."""
    DailyKeys(tmp_path).key(MIDNIGHT)
    (path,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    """Of many that find no key, one makes it and all use it."""
    program = (
        "import sys; from pathlib import Path; from shortener.clicklog.pseudonyms import DailyKeys\n"
        "sys.stdin.readline(); print(DailyKeys(Path(sys.argv[1])).key(float(sys.argv[2])).hex())"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(MIDNIGHT)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert len({process.communicate(timeout=20)[0] for process in started}) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [str(int(MIDNIGHT // DAY_SECONDS))]


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)], ids=["empty", "short", "long"])
def test_a_damaged_key_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """A file that a power cut emptied never becomes a key, which would hash addresses openly."""
    (tmp_path / "keys").mkdir()
    path = tmp_path / "keys" / str(int(MIDNIGHT // DAY_SECONDS))
    path.write_bytes(content)
    key = DailyKeys(tmp_path).key(MIDNIGHT)
    assert len(key) == KEY_BYTES
    assert path.read_bytes() == key


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for a key there is none, rather than half of one."""

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        DailyKeys(tmp_path).key(MIDNIGHT)
    assert list((tmp_path / "keys").iterdir()) == []


def aged(data: Path, *, day: float, made: float) -> Path:
    """A key file of a day, made at a time."""
    path = data / "keys" / str(int(day // DAY_SECONDS))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(KEY)
    os.utime(path, (made, made))
    return path


AGES = {
    "a minute": (MIDNIGHT, MIDNIGHT, MIDNIGHT + 60, True),
    "46 hours": (MIDNIGHT, MIDNIGHT, MIDNIGHT + 46 * HOUR, True),
    "48 hours": (MIDNIGHT, MIDNIGHT, MIDNIGHT + 48 * HOUR, False),
    "a year": (MIDNIGHT, MIDNIGHT, MIDNIGHT + 365 * DAY_SECONDS, False),
    "made late for a day long past": (MIDNIGHT - 9 * DAY_SECONDS, MIDNIGHT, MIDNIGHT + HOUR, True),
    "of a week ahead, after the clock was set back": (
        MIDNIGHT + 7 * DAY_SECONDS,
        MIDNIGHT + 7 * DAY_SECONDS,
        MIDNIGHT,
        False,
    ),
    "an hour ahead": (MIDNIGHT, MIDNIGHT + HOUR, MIDNIGHT, True),
    "today's, with a time far ahead": (MIDNIGHT, MIDNIGHT + 9 * DAY_SECONDS, MIDNIGHT, True),
}


@pytest.mark.parametrize(("day", "made", "now", "kept"), AGES.values(), ids=AGES)
def test_keys_are_destroyed_in_time(tmp_path: Path, day: float, made: float, now: float, kept: bool) -> None:
    """With an hourly sweep no key lives for 48 hours, and none from a wrong clock's future stays behind."""
    path = aged(tmp_path, day=day, made=made)
    assert DailyKeys(tmp_path).destroy_expired(now=now) == (0 if kept else 1)
    assert path.exists() == kept


def test_a_destroyed_key_is_not_remembered(tmp_path: Path) -> None:
    """Destroying means memory, too: afterwards the old day has another key."""
    keys = DailyKeys(tmp_path)
    before = keys.key(MIDNIGHT)
    aged(tmp_path, day=MIDNIGHT, made=MIDNIGHT)
    keys.destroy_expired(now=MIDNIGHT + 50 * HOUR)
    assert keys.key(MIDNIGHT) != before


def test_an_idle_process_forgets_old_keys(tmp_path: Path) -> None:
    """A worker that nobody asks anything keeps today's and yesterday's key only."""
    keys = DailyKeys(tmp_path)
    keys.key(MIDNIGHT)
    keys.evict_old(now=MIDNIGHT + 1.5 * DAY_SECONDS)
    assert len(keys._keys) == 1
    keys.evict_old(now=MIDNIGHT + 2 * DAY_SECONDS)
    assert keys._keys == {}


def test_many_days_do_not_fill_memory(tmp_path: Path) -> None:
    """A foreign log with old times cannot make a process keep a key for each day."""
    keys = DailyKeys(tmp_path)
    for day in range(50):
        keys.key(MIDNIGHT + day * DAY_SECONDS)
    assert len(keys._keys) <= 2


def test_without_keys_there_is_nothing_to_destroy(tmp_path: Path) -> None:
    """A new installation sweeps, too."""
    assert DailyKeys(tmp_path).destroy_expired(now=MIDNIGHT) == 0
