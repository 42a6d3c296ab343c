"""Finding of a client's address behind trusted proxies."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

MAX_FORWARDED_LENGTH = 1024
"""Number of characters read of ``X-Forwarded-For``: the last ones, which the nearest proxies wrote."""


class ClientIPResolver:
    """Finds the address of the client that sent a request.

    Without trusted proxies it is the peer's address.
    """

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted_networks = [ip_network(proxy, strict=False) for proxy in trusted_proxies]
        self._is_trusted_cached = lru_cache(maxsize=1024)(self._is_trusted)

    def resolve(self, peer: str, forwarded_for: str | None) -> str:
        """Return the client's address. ``forwarded_for`` is the header X-Forwarded-For, None if it is absent.

        If the peer is a trusted proxy, the client is the rightmost entry of the header that is not a trusted
        proxy. If an invalid entry is found first, the address to its right is returned, because entries to
        its left cannot be trusted.
        """
        if not self._trusted_networks or not forwarded_for or not self._is_trusted_cached(peer):
            return peer
        client = peer
        for entry in reversed(_last_entries(forwarded_for)):
            address = _parse_address(entry)
            if address is None:
                return client
            client = address
            if not self._is_trusted_cached(address):
                return client
        return client

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._trusted_networks)


def _last_entries(forwarded_for: str) -> list[str]:
    """Return the entries of ``X-Forwarded-For``. Only the last MAX_FORWARDED_LENGTH characters are read."""
    if len(forwarded_for) <= MAX_FORWARDED_LENGTH:
        return forwarded_for.split(",")
    return forwarded_for[-MAX_FORWARDED_LENGTH:].split(",")[1:]


def _parse_address(entry: str) -> str | None:
    """Return the address of an entry like ``192.0.2.1``, ``192.0.2.1:80``, ``[2001:db8::1]:80``; None if invalid."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
