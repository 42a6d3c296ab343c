"""Tables of IP networks, and the reader of CIDR files (docs/classification.md, section 10)."""

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
"""Shortest prefix length accepted in network lists, by IP version. ``0.0.0.0/0`` would make every reader a bot."""
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
"""JSON keys whose values are networks, in the files of Amazon, Google, Microsoft, Oracle and Fastly."""
CACHE_SIZE = 65_536
"""Maximum number of look-ups whose result a table keeps in memory."""


class NetworkTable:
    """A set of IP networks in which the network of a click is looked up."""

    def __init__(self, networks: Iterable[Network] = (), *, excluded: Iterable[Network] = ()) -> None:
        """Build the table from the addresses that are in ``networks`` but not in ``excluded``."""
        included, removed = list(networks), list(excluded)
        self._intervals = {
            version: subtract(_intervals(included, version), _intervals(removed, version)) for version in (4, 6)
        }
        self._starts = {version: [start for start, _ in intervals] for version, intervals in self._intervals.items()}
        self._cached_lookup = lru_cache(maxsize=CACHE_SIZE)(self._lookup)

    def __len__(self) -> int:
        return sum(map(len, self._intervals.values()))

    def fingerprint(self) -> int:
        """Return a 32-bit checksum of the networks in the table."""
        return crc32(repr(self._intervals).encode())

    def contains(self, net: str | None) -> bool:
        """Return whether at least half of the addresses of ``net`` are in the table.

        The result is False if ``net`` is None or invalid.
        """
        return net is not None and len(self) > 0 and self._cached_lookup(net)

    def _lookup(self, net: str) -> bool:
        try:
            network = ip_network(net, strict=False)
        except ValueError:
            return False
        first, after_last = _interval(network)
        intervals = self._intervals[network.version]
        covered, index = 0, max(bisect_right(self._starts[network.version], first) - 1, 0)
        while index < len(intervals) and intervals[index][0] < after_last:
            start, end = intervals[index]
            covered += max(0, min(end, after_last) - max(start, first))
            index += 1
        # Half of the addresses: a single server (a /32) does not make its /24 a data center.
        return covered * 2 >= network.num_addresses


def read_networks(
    text: str,
    *,
    name: str,  # of the file, for error messages
) -> list[Network]:
    """Return the networks listed in ``text``: one CIDR a line, or a cloud provider's JSON. Raises InputError."""
    text = text.removeprefix("\ufeff")
    entries = _json_entries(text, name) if text.lstrip()[:1] in ("{", "[") else _line_entries(text, name)
    networks = [_parse_network(entry, where) for where, entry in entries]
    if not networks:
        raise InputError(f"{name}: contains no networks; list one CIDR per line, such as 203.0.113.0/24")
    return networks


def _line_entries(text: str, name: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        # A comment begins with # or ;, and what follows a comma or a space is ignored.
        entry = line.partition("#")[0].partition(";")[0].partition(",")[0].split()
        if entry:
            yield f"{name}, line {number}", entry[0].strip("\"'")


def _json_entries(text: str, name: str) -> list[tuple[str, str]]:
    try:
        return list(_walk_json(json.loads(text), name, is_cidr=text.lstrip().startswith("[")))
    except json.JSONDecodeError as error:
        raise InputError(f"{name}, line {error.lineno}: invalid JSON: {error.msg}") from None
    except RecursionError:
        raise InputError(f"{name}: JSON is nested too deeply") from None


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
        raise InputError(f"{location}: {entry[:60]!r} is not a network; write a CIDR such as 203.0.113.0/24") from None
    widest = MIN_PREFIX_LENGTH[network.version]
    if network.prefixlen < widest:
        raise InputError(f"{location}: {entry[:60]!r} is wider than /{widest}; list only the provider's own prefixes")
    return network


def _intervals(networks: Iterable[Network], version: int) -> list[Interval]:
    return merge(_interval(network) for network in networks if network.version == version)


def _interval(network: Network) -> Interval:
    start = int(network.network_address)
    return start, start + network.num_addresses
