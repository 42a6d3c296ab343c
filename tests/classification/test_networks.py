"""Network tables, and the CIDR files that they are read from."""

import json
from ipaddress import IPv4Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.classification.data_files import bundled_networks, load_data, network_owner
from shortener.classification.networks import NetworkTable, read_networks
from shortener.classification.request_rules import datacenter_table
from shortener.errors import InputError

LOOKUPS = {
    "inside of a wide prefix": (["20.36.0.0/14"], "20.37.5.0/24", True),
    "before it": (["20.36.0.0/14"], "20.35.255.0/24", False),
    "after it": (["20.36.0.0/14"], "20.40.0.0/24", False),
    "the last of it": (["20.36.0.0/14"], "20.39.255.0/24", True),
    "exactly the prefix": (["203.0.113.0/24"], "203.0.113.0/24", True),
    "half of a /24": (["203.0.113.0/25"], "203.0.113.0/24", True),
    "two quarters add up": (["203.0.113.0/26", "203.0.113.192/26"], "203.0.113.0/24", True),
    "a quarter is not enough": (["203.0.113.0/26"], "203.0.113.0/24", False),
    "one server among 256 households": (["203.0.113.7/32"], "203.0.113.0/24", False),
    "a wide and a nested prefix": (["20.0.0.0/11", "20.1.0.0/16"], "20.30.0.0/24", True),
    "an IPv6 /32": (["2600:1f00::/24"], "2600:1f18:4000::/48", True),
    "an IPv6 /56 of a /48": (["2600:1f18:4000::/56"], "2600:1f18:4000::/48", False),
    "another IP version": (["20.36.0.0/14"], "2600:1f18:4000::/48", False),
    "an empty table": ([], "203.0.113.0/24", False),
    "a whole address": (["203.0.113.0/24"], "203.0.113.9", True),
    "no network": (["203.0.113.0/24"], "example.org", False),
    "an unknown network": (["203.0.113.0/24"], None, False),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_network_is_in_the_table_when_half_of_it_is_listed(name: str) -> None:
    """A /24 or /48 is in the table if at least half of its addresses are listed."""
    cidrs, net, expected = LOOKUPS[name]
    assert NetworkTable(map(ip_network, cidrs)).contains(net) is expected


networks = st.builds(
    lambda address, prefix_length: IPv4Network((address, prefix_length), strict=False),
    st.integers(min_value=0x14000000, max_value=0x1400FFFF),
    st.integers(min_value=17, max_value=32),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(networks, max_size=12), st.lists(networks, max_size=4), st.integers(0, 255))
def test_lookups_agree_with_counting_addresses(
    listed: list[IPv4Network], excluded: list[IPv4Network], third_octet: int
) -> None:
    """A lookup returns what counting the listed and not excluded addresses one by one returns."""
    net = ip_network(f"20.0.{third_octet}.0/24")
    covered = sum(
        any(address in network for network in listed) and not any(address in network for network in excluded)
        for address in net
    )
    assert NetworkTable(listed, excluded=excluded).contains(str(net)) is (covered >= 128)


FILES = {
    "lines with comments": ("# Azure\n20.36.0.0/14  # Europe\n\n; old\n2600:1f00::/24\n", 2),
    "a CSV's first column": ("3.0.0.0/15,US,US-VA,Ashburn,\n3.4.0.0/24,IE,,,\n", 2),
    "a byte order mark": ("\ufeff20.36.0.0/14\r\n20.40.0.0/16\r\n", 2),
    "a plain address": ("198.51.100.7\n", 1),
    "host bits": ("198.51.100.7/24\n", 1),
    "Amazon's": (
        json.dumps(
            {
                "syncToken": "1",
                "prefixes": [{"ip_prefix": "3.5.140.0/22", "region": "x"}],
                "ipv6_prefixes": [{"ipv6_prefix": "2600:1f00::/24"}],
            }
        ),
        2,
    ),
    "Google's": (
        json.dumps({"prefixes": [{"ipv4Prefix": "34.64.0.0/11"}, {"ipv6Prefix": "2600:1900::/28"}]}),
        2,
    ),
    "Microsoft's": (
        json.dumps({"cloud": "Public", "values": [{"properties": {"addressPrefixes": ["20.36.0.0/14"]}}]}),
        1,
    ),
    "Oracle's": (json.dumps({"regions": [{"cidrs": [{"cidr": "129.146.0.0/21", "tags": ["OCI"]}]}]}), 1),
    "Fastly's": (json.dumps({"addresses": ["23.235.32.0/20"], "ipv6_addresses": ["2a04:4e40::/32"]}), 2),
    "a bare list": (json.dumps(["23.235.32.0/20"]), 1),
}


@pytest.mark.parametrize("name", FILES)
def test_cidr_files_are_read(name: str) -> None:
    """Files with one CIDR a line and the JSON files of cloud providers are read."""
    text, count = FILES[name]
    assert len(read_networks(text, name="list")) == count


REFUSED = {
    "a word": ("20.36.0.0/14\nnonsense\n", "dc.txt, line 2: 'nonsense' is not a network"),
    "a bad prefix": ("1.2.3.0/99\n", "dc.txt, line 1: '1.2.3.0/99' is not a network"),
    "everything": ("20.36.0.0/14\n\n0.0.0.0/0\n", "dc.txt, line 3: '0.0.0.0/0' is wider than /8"),
    "all of IPv6": ("::/0\n", "dc.txt, line 1: '::/0' is wider than /16"),
    "nothing": ("# empty\n", "dc.txt: contains no networks"),
    "broken JSON": ('{"prefixes": [\n  oops', "dc.txt, line 2: invalid JSON"),
    "JSON of something else": ('{"hello": "1.2.3.0/24"}', "dc.txt: contains no networks"),
    "a bad entry in JSON": (
        '{"prefixes": [{"ip_prefix": "x"}]}',
        "dc.txt, prefixes, entry 1, ip_prefix: 'x' is not a network",
    ),
    "deeply nested JSON": ("[" * 100_000, "dc.txt"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_files_are_refused(name: str) -> None:
    """The error is one line that names the file, the line and the entry."""
    text, message = REFUSED[name]
    with pytest.raises(InputError) as error:
        read_networks(text, name="dc.txt")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_networks_of_people_are_no_data_centers() -> None:
    """Private relays and corporate proxies are left out of the data centers, even if the operator lists them."""
    table = datacenter_table(read_networks("104.16.0.0/12\n165.224.0.0/13\n20.36.0.0/14", name="list"))
    assert table.contains("20.37.0.0/24")
    assert table.contains("104.20.0.0/24")
    assert not table.contains("104.28.9.0/24")
    assert not table.contains("165.225.10.0/24")


def test_bundled_networks_have_source_and_date() -> None:
    """Every bundled network has a source and a date, and those of vendors and of people do not overlap."""
    for entry in load_data("networks")["network"]:
        assert entry["source"]
        assert entry["date"].year >= 2026
        assert entry["kind"] in ("gateway", "vendor", "people")
    people = NetworkTable(bundled_networks("people"))
    for kind in ("gateway", "vendor"):
        assert not any(people.contains(str(network)) for network in bundled_networks(kind))


def test_network_owners_are_named() -> None:
    """The owner of a bundled network is returned, and None for other networks."""
    assert network_owner("40.107.3.0/24") == "Microsoft Exchange Online Protection"
    assert network_owner("203.0.113.0/24") is None
