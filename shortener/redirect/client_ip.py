"""Find the address of a client whose requests may arrive through trusted proxies."""

from collections.abc import Iterable
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop

from shortener.clicklog.pseudonyms import parse_address

MAX_FORWARDED_LENGTH = 1024
"""Number of characters read of ``X-Forwarded-For``: the last ones, which the nearest proxies wrote."""


class ClientIPResolver:
    """Finds the address of the client that sent a request, possibly through trusted proxies."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        networks = [ip_network(proxy, strict=False) for proxy in trusted_proxies]
        self._networks = [
            (network.max_prefixlen // 8, int(network.netmask), int(network.network_address)) for network in networks
        ]

    def resolve(
        self,
        peer: str,  # address of the other end of the connection
        forwarded_for: str | None,  # header X-Forwarded-For
    ) -> str:
        """Return the client's IP address.

        Behind a trusted proxy, it is the last untrusted address in ``forwarded_for``.
        """
        if not self._networks or not forwarded_for or not self.is_proxy(peer):
            return peer
        client = peer
        for entry in reversed(_last_entries(forwarded_for)):
            text = _strip_port(entry.strip())
            address = parse_address(text)
            if address is None:
                return client
            client = text
            if not self._is_trusted(address):
                return client
        return client

    def is_proxy(self, peer: str) -> bool:
        """Return whether ``peer``, the other end of a connection, is a trusted proxy."""
        return self._is_trusted(parse_address(peer))

    def _is_trusted(self, address: bytes | None) -> bool:
        if address is None:
            return False
        number, size = int.from_bytes(address), len(address)
        for length, mask, network in self._networks:  # noqa: SIM110 (a generator takes twice the time)
            if size == length and number & mask == network:
                return True
        return False


def normalize_address(address: str) -> str:
    """Return an address in its shortest form, such as ``192.0.2.1`` for ``::ffff:192.0.2.1``.

    Other text is returned unchanged.
    """
    packed = parse_address(address)
    if packed is None:
        return address
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


def _last_entries(forwarded_for: str) -> list[str]:
    if len(forwarded_for) <= MAX_FORWARDED_LENGTH:
        return forwarded_for.split(",")
    return forwarded_for[-MAX_FORWARDED_LENGTH:].split(",")[1:]


def _strip_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    # Several colons are an IPv6 address without a port.
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
