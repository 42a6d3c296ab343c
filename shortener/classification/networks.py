"""Tables of networks, looked up by a click line's network, and the reader of an operator's CIDR files."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from zlib import crc32

from shortener.classification.intervals import Interval, merge, subtract
from shortener.errors import InputError

Network = IPv4Network | IPv6Network

MIN_PREFIX_LENGTH = {4: 8, 6: 16}
"""Bits of the widest prefix that is believed: nobody owns more, and ``0.0.0.0/0`` would make a machine of
every reader.
"""
CIDR_JSON_KEYS = frozenset(
    [
        "ip_prefix",
        "ipv6_prefix",
        "ipv4Prefix",
        "ipv6Prefix",
        "addressPrefixes",
        "addresses",
        "ipv6_addresses",
        "cidr",
        "cidrs",
        "prefix",
    ]
)
"""Where the clouds' own files (Amazon, Google, Microsoft, Oracle, Fastly, GitHub-like lists) keep their
networks.
"""
CACHE_SIZE = 65_536


class NetworkTable:
    """A set of networks that answers for a whole /24 or /48 at once.

    Click lines carry only the /24 or /48. A listed prefix that is longer covers a part of it, so a line's
    network is in the table when **at least half of it** is listed: a cloud lists its pieces and they add up,
    while one server that somebody listed (a /32) does not make machines of the 255 households around it.
    """

    def __init__(self, networks: Iterable[Network] = (), *, excluded: Iterable[Network] = ()) -> None:
        """``without`` are networks of people (private relays, corporate proxies): what overlaps them is left
        out.
        """
        kept, spared = list(networks), list(excluded)
        self._intervals = {
            version: subtract(_intervals(kept, version), _intervals(spared, version)) for version in (4, 6)
        }
        self._starts = {
            version: [start for start, _ in ranges] for version, ranges in self._intervals.items()
        }
        self._cached_lookup = lru_cache(maxsize=CACHE_SIZE)(self._lookup)

    def __len__(self) -> int:
        return sum(map(len, self._intervals.values()))

    def fingerprint(self) -> int:
        """A number that changes, but for one chance in four thousand million, with what the table holds."""
        return crc32(repr(self._intervals).encode())

    def contains(self, net: str | None) -> bool:
        """Whether at least half of ``net`` (a network or an address as text) is listed; False for what is
        neither.
        """
        return net is not None and len(self) > 0 and self._cached_lookup(net)

    def _lookup(self, net: str) -> bool:
        try:
            asked = ip_network(net, strict=False)
        except ValueError:
            return False
        first = int(asked.network_address)
        last = first + asked.num_addresses
        ranges = self._intervals[asked.version]
        covered, index = 0, bisect_right(self._starts[asked.version], first) - 1
        index = max(index, 0)
        while index < len(ranges) and ranges[index][0] < last:
            start, end = ranges[index]
            covered += max(0, min(end, last) - max(start, first))
            index += 1
        return covered * 2 >= asked.num_addresses


def read_networks(text: str, *, name: str) -> list[Network]:
    """The networks of a CIDR file's text; ``name`` is the file's, for errors.

    Either one network a line (``#`` or ``;`` starts a comment, what follows a comma or a space is ignored) or
    the JSON that a cloud publishes. Raises InputError with file, line and entry for what is no network, and
    for a file with none.
    """
    text = text.removeprefix("\ufeff")
    entries = _json_entries(text, name) if text.lstrip()[:1] in ("{", "[") else _line_entries(text, name)
    networks = [_parse_network(entry, where) for where, entry in entries]
    if not networks:
        raise InputError(f"{name}: no network in it; write one CIDR a line, such as 203.0.113.0/24")
    return networks


def _line_entries(text: str, name: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].partition(";")[0].partition(",")[0].split()
        if entry:
            yield f"{name}, line {number}", entry[0].strip("\"'")


def _json_entries(text: str, name: str) -> list[tuple[str, str]]:
    try:
        return list(_walk_json(json.loads(text), name, is_cidr=text.lstrip().startswith("[")))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name}, line {error.lineno}: {error.msg}; it starts like JSON and is none"
        ) from None
    except RecursionError:
        raise InputError(f"{name}: its JSON is nested too deeply to be a cloud's list of networks") from None


def _walk_json(value: object, location: str, *, is_cidr: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk_json(inner, f"{location}, {key}", is_cidr=key in CIDR_JSON_KEYS)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _walk_json(inner, f"{location}, entry {number}", is_cidr=is_cidr)
    elif is_cidr and isinstance(value, str):
        yield location, value


def _parse_network(entry: str, location: str) -> Network:
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        raise InputError(
            f"{location}: {entry[:60]!r} is no network; write a CIDR such as 203.0.113.0/24"
        ) from None
    if network.prefixlen < MIN_PREFIX_LENGTH[network.version]:
        widest = MIN_PREFIX_LENGTH[network.version]
        raise InputError(f"{location}: {entry[:60]!r} is wider than a /{widest}; list what the hoster owns")
    return network


def _intervals(networks: Iterable[Network], version: int) -> list[Interval]:
    """The whole numbers that stand for the addresses of one IP version."""
    return merge(_interval(network) for network in networks if network.version == version)


def _interval(network: Network) -> Interval:
    start = int(network.network_address)
    return start, start + network.num_addresses
