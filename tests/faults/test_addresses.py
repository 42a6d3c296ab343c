"""Client addresses behind proxies, and that no file contains a whole address."""

import ipaddress
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.serving import Server, needs_proc, serving, wait

pytestmark = needs_proc
PROXY = "127.0.0.1"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server behind two trusted proxies: this machine, and 198.51.100.9 before it."""
    tables = f'[server]\ntrusted_proxies = ["{PROXY}", "198.51.100.9"]\n'
    with serving(Server(tmp_path_factory.mktemp("behind"), tables=tables), pages=True) as running:
        yield running


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server without trusted proxies and pages."""
    with serving(Server(tmp_path_factory.mktemp("alone"), pages=False)) as running:
        yield running


def network(server: Server, tag: str, lines: str) -> str:
    """Send a click with these headers; return its network in the click log."""
    answer = server.get(more=f"Referer: https://mail.example/{tag}\r\n{lines}")
    assert answer.startswith(b"HTTP/1.1 302"), answer[:200]
    for line in reversed([line for path in server.segments() for line in path.read_text().splitlines()]):
        if f"/{tag}" in line:
            return str(json.loads(line)["net"])
    raise AssertionError


LEFT = "X-Forwarded-For: 192.0.2.1, 203.0.113.77\r\n"
BEHIND = {
    "one address": ("X-Forwarded-For: 203.0.113.77\r\n", "203.0.113.0/24"),
    "what a client put there itself stands left, and does not count": (LEFT, "203.0.113.0/24"),
    "a second proxy": ("X-Forwarded-For: 203.0.113.77, 198.51.100.9\r\n", "203.0.113.0/24"),
    "a forged one through two proxies": (
        "X-Forwarded-For: 8.8.8.8, 203.0.113.77, 198.51.100.9\r\n",
        "203.0.113.0/24",
    ),
    "the header twice, the client's first": (
        "X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 203.0.113.77\r\n",
        "203.0.113.0/24",
    ),
    "other headers before it": (
        "X-Real-IP: 8.8.8.8\r\nForwarded: for=8.8.8.8\r\nX-Forwarded-For: 203.0.113.77\r\n",
        "203.0.113.0/24",
    ),
    "other headers behind it": (
        "X-Forwarded-For: 203.0.113.77\r\nX-Real-IP: 8.8.8.8\r\nCF-Connecting-IP: 8.8.8.8\r\n",
        "203.0.113.0/24",
    ),
    "IPv6": ("X-Forwarded-For: 2001:db8:1:2::3\r\n", "2001:db8:1::/48"),
    "IPv6 with a port": ("X-Forwarded-For: [2001:db8:1:2::3]:443\r\n", "2001:db8:1::/48"),
    "IPv4 in IPv6 clothes": ("X-Forwarded-For: ::ffff:203.0.113.77\r\n", "203.0.113.0/24"),
    "with a port": ("X-Forwarded-For: 203.0.113.77:1234\r\n", "203.0.113.0/24"),
    "rubbish": ("X-Forwarded-For: a'b\r\n", "127.0.0.0/24"),
    "unknown": ("X-Forwarded-For: unknown\r\n", "127.0.0.0/24"),
    "empty": ("X-Forwarded-For: \r\n", "127.0.0.0/24"),
    "rubbish right of an address": ("X-Forwarded-For: 203.0.113.77, x\r\n", "127.0.0.0/24"),
    "rubbish left of an address": (
        "X-Forwarded-For: '; drop table links, 203.0.113.77\r\n",
        "203.0.113.0/24",
    ),
    "8 KB": ("X-Forwarded-For: " + "x" * 8000 + "\r\n", "127.0.0.0/24"),
    "500 entries": ("X-Forwarded-For: " + "8.8.8.8, " * 499 + "203.0.113.77\r\n", "203.0.113.0/24"),
    "a loopback address in IPv6 clothes": ("X-Forwarded-For: ::ffff:127.0.0.1\r\n", "127.0.0.0/24"),
    "an underscore is another name": ("X_Forwarded_For: 203.0.113.77\r\n", "127.0.0.0/24"),
}


@pytest.mark.parametrize(("lines", "expected"), BEHIND.values(), ids=BEHIND)
def test_behind_trusted_proxies(behind: Server, lines: str, expected: str) -> None:
    """X27 and X28: the nearest address that is no trusted proxy counts, and invalid entries are ignored."""
    assert network(behind, f"b{abs(hash(lines))}", lines) == expected


@pytest.mark.parametrize("lines", [lines for lines, _ in BEHIND.values()], ids=BEHIND)
def test_a_stranger_is_not_believed(alone: Server, lines: str) -> None:
    """X27: without a trusted proxy no header changes the client's address."""
    assert network(alone, f"a{abs(hash(lines))}", lines) == "127.0.0.0/24"


READERS = [
    "203.0.113.77",
    "198.51.99.211",
    "2001:db8:aa:bb::cc:1",
    "2001:db8:77:99:1:2:3:4",
    "::ffff:192.0.2.123",
]


def spellings(address: str) -> list[bytes]:
    """Return an address in every form in which a file could contain it, as text and as bytes."""
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    forms = [address, str(parsed), parsed.exploded]
    packed = [parsed.packed]
    if parsed.version == 4 or mapped:
        four = ipaddress.IPv4Address(str(mapped or parsed))
        digits = four.packed.hex()
        forms += [str(four), f"::ffff:{four}", f"::ffff:{digits[:4]}:{digits[4:]}", str(int(four))]
        packed = [ipaddress.IPv6Address(f"::ffff:{four}").packed]  # four bytes alone stand anywhere by chance
    return [form.encode() for form in {*forms, *(form.upper() for form in forms)}] + packed


def test_no_whole_address_is_written_anywhere(behind: Server) -> None:
    """After clicks, misses, pages and sign-ins no file, write-ahead log or message contains an address."""
    for number, address in enumerate(READERS):
        told = f"X-Forwarded-For: {address}\r\n"
        behind.get(more=f"{told}Referer: https://mail.example/r{number}\r\nUser-Agent: Reader/{number}\r\n")
        for path in ("/nosuch", "/abcde+", "/-/sign-in", "/-/health", "/"):
            behind.get(path, more=told)
        form = b"username=admin&password=wrong"
        lines = f"{told}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
        behind.send(behind.request("/-/sign-in", method="POST", more=f"{lines}Connection: close\r\n") + form)
    assert behind.stored_after("addresses") >= len(READERS)
    wait(lambda: behind.value("select count(*) from clicks where net = '203.0.113.0/24'"))
    time.sleep(0.2)
    files = [path for path in behind.directory.rglob("*") if path.is_file()]
    assert {"store.db", "store.db-wal"} <= {path.name for path in files}
    for file in files:
        content = file.read_bytes()
        for address in READERS:
            for form in spellings(address):
                assert form not in content, f"{file} has {form!r}"


def test_a_daily_key_is_there_for_its_owner_only(behind: Server) -> None:
    """The daily key is one file readable by its owner only, and a restart uses it again."""
    keys = list((behind.data / "keys").iterdir())
    assert len(keys) in (1, 2)
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
    assert str(int(time.time() // 86_400)) in {path.name for path in keys}


def test_everything_is_for_its_owner_only(behind: Server) -> None:
    """No file or directory in the data directory is readable by other users."""
    for path in [behind.data, *behind.data.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_two_readers_are_two_visitors(behind: Server, tmp_path: Path) -> None:
    """Behind a proxy different readers are different visitors, and a returning reader is one visitor."""
    for number, last in enumerate((1, 2, 1)):
        network(behind, f"v{number}", f"X-Forwarded-For: 198.51.100.{last}\r\nUser-Agent: Firefox\r\n")
    lines = [json.loads(line) for path in behind.segments() for line in path.read_text().splitlines()]
    seen = {line["ref"][-2:]: line["visitor"] for line in lines if line.get("ref", "")[-3:-1] == "/v"}
    assert seen["v0"] == seen["v2"] != seen["v1"]
