"""The client's address behind trusted proxies, and forged forwarding headers."""

import pytest

from shortener.redirect.client_ip import ClientIPResolver

PROXY = "10.0.0.1"
FORWARDED = {
    "no header": (None, PROXY),
    "one proxy": ("203.0.113.7", "203.0.113.7"),
    "a forged entry on the left": ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
    "two trusted proxies": ("203.0.113.7, 10.0.0.2", "203.0.113.7"),
    "a forged private address behind two proxies": ("10.9.9.9, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
    "only proxies": ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
    "a port": ("203.0.113.7:4711", "203.0.113.7"),
    "IPv6": ("2001:db8::7", "2001:db8::7"),
    "IPv6 with brackets and port": ("[2001:db8::7]:443", "2001:db8::7"),
    "IPv4-mapped IPv6": ("::ffff:203.0.113.7", "::ffff:203.0.113.7"),
    "an IPv4-mapped trusted proxy": ("203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7"),
    "spaces and empty entries on the left": (" , ,203.0.113.7 ", "203.0.113.7"),
    "an invalid entry at the right end": ("203.0.113.7, unknown", PROXY),
    "an invalid entry before a proxy": ("203.0.113.7, a'b, 10.0.0.2", "10.0.0.2"),
    "only an invalid entry": ("unknown", PROXY),
    "empty": ("", PROXY),
    "a quote": ("'", PROXY),
    "eight kilobytes": ("x" * 8192, PROXY),
    "five hundred entries": (", ".join(["198.51.100.1"] * 500 + ["203.0.113.7"]), "203.0.113.7"),
    "a cut address at the edge of what is read": (
        "9" * 20 + "203.0.113.7," + "10.0.0.2," * 113 + "10.0.0.2",
        "10.0.0.2",
    ),
    "a NUL": ("203.0.113.7\0", PROXY),
}


@pytest.mark.parametrize(("header", "client"), FORWARDED.values(), ids=FORWARDED)
def test_through_trusted_proxies(header: str | None, client: str) -> None:
    """The client is the nearest address that is no trusted proxy; an invalid entry ends the search."""
    assert ClientIPResolver(["10.0.0.0/8"]).resolve(PROXY, header) == client


@pytest.mark.parametrize("header", [row[0] for row in FORWARDED.values()], ids=FORWARDED)
def test_untrusted_peers_are_not_believed(header: str | None) -> None:
    """A forwarding header from a peer that is no trusted proxy has no effect."""
    assert ClientIPResolver(["10.0.0.0/8"]).resolve("203.0.113.99", header) == "203.0.113.99"
    assert ClientIPResolver([]).resolve(PROXY, header) == PROXY


NETWORKS = {
    "a single address": (["192.0.2.1"], "192.0.2.1", True),
    "another one": (["192.0.2.1"], "192.0.2.2", False),
    "host bits set": (["192.0.2.1/24"], "192.0.2.9", True),
    "IPv6": (["2001:db8::/32"], "2001:db8::1", True),
    "an IPv4 peer on an IPv6 socket": (["192.0.2.0/24"], "::ffff:192.0.2.9", True),
    "a Unix socket": (["192.0.2.0/24"], "", False),
}


@pytest.mark.parametrize(("trusted", "peer", "is_trusted"), NETWORKS.values(), ids=NETWORKS)
def test_trusted_networks(trusted: list[str], peer: str, is_trusted: bool) -> None:
    """Addresses and networks of IPv4 and IPv6 can be trusted; an IPv4-mapped address counts as IPv4."""
    assert ClientIPResolver(trusted).resolve(peer, "203.0.113.7") == ("203.0.113.7" if is_trusted else peer)
