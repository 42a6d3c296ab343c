"""The operator's lists of data-center networks, which are read from files named in the configuration."""

from pathlib import Path

from shortener.classification.networks import Network, NetworkTable, read_networks
from shortener.classification.request_rules import datacenter_table
from shortener.config import Config
from shortener.errors import ConfigError


def read_datacenters(config: Config) -> NetworkTable:
    """Return the data-center networks that the operator has listed in files.

    Raises ConfigError for an unreadable file, InputError for an invalid network.
    """
    networks: list[Network] = []
    for name in config.verdicts.datacenters:
        try:
            networks += read_networks(Path(name).read_text(encoding="utf-8"), name=name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"verdicts.datacenters: {name}: cannot be read: {error}") from None
    return datacenter_table(networks)
