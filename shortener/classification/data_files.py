"""Bundled lists of user agents, browsers and networks."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from shortener.classification.networks import Network, NetworkTable, read_networks


@lru_cache(maxsize=8)
def load_data(name: str) -> dict[str, Any]:
    """Return the parsed content of ``data/NAME.toml``.

    ``name`` is ``agents``, ``browsers`` or ``networks``.
    """
    text = files("shortener.classification").joinpath(f"data/{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def bundled_networks(kind: str) -> list[Network]:
    """Return the bundled networks of one kind.

    ``kind`` is ``gateway`` (mail gateways), ``vendor`` (mail-security companies) or ``people`` (networks from which
    people browse).
    """
    return [network for entry in _entries(kind) for network in _networks(entry)]


def bundled_asns(kind: str) -> frozenset[int]:
    """Return the bundled autonomous system numbers of one kind.

    ``kind`` is ``gateway`` (mail gateways), ``vendor`` (mail-security companies) or ``people`` (networks from which
    people browse).
    """
    return frozenset(number for entry in _entries(kind) for number in entry.get("asns", ()))


def network_owner(net: str) -> str | None:
    """Return the name of a network's owner, or None if the network is not in the bundled lists."""
    for entry in load_data("networks")["network"]:
        if NetworkTable(_networks(entry)).contains(net):
            return str(entry["name"])
    return None


def _entries(kind: str) -> list[dict[str, Any]]:
    return [entry for entry in load_data("networks")["network"] if entry["kind"] == kind]


def _networks(entry: dict[str, Any]) -> list[Network]:
    return read_networks("\n".join(entry["cidrs"]), name="networks.toml")
