"""Whose request it is: the address of the reader, through the proxies that the operator trusts."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

MAX_FORWARDED_LENGTH = 1024
"""Characters of ``X-Forwarded-For`` that are looked at, from its end; the nearest proxies write last."""


class ClientIPResolver:
    """Finds the client's address; by default nobody is believed and the socket's peer counts."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted_networks = [ip_network(proxy, strict=False) for proxy in trusted_proxies]
        self._is_trusted_cached = lru_cache(maxsize=1024)(self._is_trusted)

    def resolve(self, peer: str, forwarded_for: str | None) -> str:
        """The first address from the right of ``forwarded`` that is no trusted proxy, else the peer's.

        An entry that is no address ends the search: what stands left of it was written by nobody we trust.
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
    """The entries within MAX_FORWARDED characters from the end, without the one that the limit cuts."""
    if len(forwarded_for) <= MAX_FORWARDED_LENGTH:
        return forwarded_for.split(",")
    return forwarded_for[-MAX_FORWARDED_LENGTH:].split(",")[1:]


def _parse_address(entry: str) -> str | None:
    """The address of an entry such as ``192.0.2.1``, ``192.0.2.1:80``, ``[2001:db8::1]:80``; None for rubbish."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
