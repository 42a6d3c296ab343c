"""The lists that the rules are shipped with, read once from the package's own data files."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from shortener.classification.networks import Network, NetworkTable, read_networks


@lru_cache(maxsize=8)
def load_data(name: str) -> dict[str, Any]:
    """A packaged list as plain values: ``agents``, ``browsers`` or ``networks``. Its entries carry source and
    date.
    """
    text = files("shortener.classification").joinpath(f"data/{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def bundled_networks(kind: str) -> list[Network]:
    """The packaged networks of a kind: ``gateway``, ``vendor`` or ``people``."""
    entries = [entry for entry in load_data("networks")["network"] if entry["kind"] == kind]
    return read_networks(
        "\n".join(cidr for entry in entries for cidr in entry["cidrs"]), name="networks.toml"
    )


def bundled_asns(kind: str) -> frozenset[int]:
    """The packaged autonomous systems of a kind, for who has a database of networks."""
    entries = [entry for entry in load_data("networks")["network"] if entry["kind"] == kind]
    return frozenset(number for entry in entries for number in entry.get("asns", ()))


def network_owner(net: str) -> str | None:
    """Who owns a network by the packaged lists, for an explanation; None where they do not know it."""
    for entry in load_data("networks")["network"]:
        if NetworkTable(read_networks("\n".join(entry["cidrs"]), name="networks.toml")).contains(net):
            return str(entry["name"])
    return None
