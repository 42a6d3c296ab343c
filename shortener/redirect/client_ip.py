"""Whose request it is: the address of the reader, through the proxies that the operator trusts."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

MAX_FORWARDED = 1024
"""Characters of ``X-Forwarded-For`` that are looked at, from its end; the nearest proxies write last."""


class Clients:
    """Finds the client's address; by default nobody is believed and the socket's peer counts."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._networks = [ip_network(proxy, strict=False) for proxy in trusted_proxies]
        self._trusts = lru_cache(maxsize=1024)(self._is_proxy)

    def address(self, peer: str, forwarded: str | None) -> str:
        """The first address from the right of ``forwarded`` that is no trusted proxy, else the peer's.

        An entry that is no address ends the search: what stands left of it was written by nobody we trust.
        """
        if not self._networks or not forwarded or not self._trusts(peer):
            return peer
        client = peer
        for entry in reversed(_last_entries(forwarded)):
            address = _bare(entry)
            if address is None:
                return client
            client = address
            if not self._trusts(address):
                return client
        return client

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)


def _last_entries(forwarded: str) -> list[str]:
    """The entries within MAX_FORWARDED characters from the end, without the one that the limit cuts."""
    if len(forwarded) <= MAX_FORWARDED:
        return forwarded.split(",")
    return forwarded[-MAX_FORWARDED:].split(",")[1:]


def _bare(entry: str) -> str | None:
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
