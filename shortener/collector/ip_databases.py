"""Databases in MaxMind's format that give the autonomous system or country of a network.

They are never queried with a whole address.
"""

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import maxminddb

from shortener.config import Config
from shortener.errors import ConfigError
from shortener.files import FileState, file_state

CACHE_SIZE = 65_536
"""Maximum number of networks whose look-up is cached. An uncached look-up takes about 20 µs."""
SAMPLE_SIZE = 1_000
"""Number of networks that are read when a database is opened, to check that it has the expected content."""

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class IPDatabase:
    """A database that gives a country or other value for an IP network.

    Raises ConfigError for a missing, damaged or unsuitable file.
    """

    def __init__(
        self,
        path: Path,
        *,
        config_key: str,  # for error messages
        parse: Callable[[Mapping[str, Any]], Value],  # returns the value in a record
        default: Value,  # for a network without a value
        content: str,  # the expected values in words, such as "countries", for error messages
    ) -> None:
        self.path, self.config_key = path, config_key
        self._parse, self._default = parse, default
        try:
            self.file_state = file_state(path.stat())
            # In memory, so that look-ups still work while the file is overwritten.
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
            has_content = any(self._parse_record(record) != default for _, record in islice(self._reader, SAMPLE_SIZE))
        except (OSError, maxminddb.InvalidDatabaseError, ValueError, UnicodeDecodeError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(
                f"{config_key} = {str(path)!r}: cannot be read as a MaxMind database (.mmdb): {cause}"
            ) from None
        if not has_content:
            kind = self._reader.metadata().database_type
            raise ConfigError(f"{config_key} = {str(path)!r}: is a {kind} database without {content}")
        self.lookup = lru_cache(maxsize=CACHE_SIZE)(self._lookup)

    def __str__(self) -> str:
        metadata = self._reader.metadata()
        return f"{self.path}: {metadata.database_type}"

    @property
    def built_at(self) -> int:
        """Time when the database was built, in seconds since the UTC epoch."""
        return int(self._reader.metadata().build_epoch)

    def _lookup(self, net: str) -> Any:
        try:
            return self._parse_record(self._reader.get(net.partition("/")[0]))
        except (ValueError, maxminddb.InvalidDatabaseError):  # IPv6 in a database of IPv4, or damaged inside
            return self._default

    def _parse_record(self, record: Any) -> Any:
        return self._parse(record) if isinstance(record, dict) else self._default


class IPDatabases:
    """The IP databases that the configuration names. Raises ConfigError if one of them cannot be opened."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._asn_database = open_asn_database(config)
        self._country_database = open_country_database(config)
        self._rejected_states: dict[str, object] = {}

    def asn(self, net: str | None) -> int | None:
        """Return the autonomous system number of a network; None if it is unknown or no database is configured."""
        return self._asn_database.lookup(net) if self._asn_database and net else None

    def country(self, net: str | None) -> str:
        """Return the ISO 3166-1 code of a network's country; empty if it is unknown or no database is configured."""
        return self._country_database.lookup(net) if self._country_database and net else ""

    def fingerprint(self) -> tuple[int, ...]:
        """Return a tuple that changes when the database of autonomous systems is replaced; empty if there is none."""
        return () if self._asn_database is None else (self._asn_database.built_at,)

    def reload_changed(self) -> bool:
        """Reload databases whose files were replaced; return whether any was reloaded."""
        asn_database = self._reload(self._asn_database, open_asn_database)
        country_database = self._reload(self._country_database, open_country_database)
        has_changed = asn_database is not self._asn_database or country_database is not self._country_database
        self._asn_database, self._country_database = asn_database, country_database
        return has_changed

    def _reload(
        self, database: IPDatabase | None, open_database: Callable[[Config], IPDatabase | None]
    ) -> IPDatabase | None:
        if database is None:
            return None
        state = _file_state_or_none(database.path)
        if state == database.file_state or state == self._rejected_states.get(database.config_key, database):
            return database
        try:
            return open_database(self._config)
        except ConfigError as error:
            self._rejected_states[database.config_key] = state
            log.warning("%s; keeping the previously loaded database", error)
            return database


def open_asn_database(config: Config) -> IPDatabase | None:
    """Open the database of autonomous systems; return None if none is configured. Raises ConfigError."""
    path = config.networks.asn
    return (
        IPDatabase(
            Path(path),
            config_key="networks.asn",
            parse=parse_asn,
            default=None,
            content="autonomous system numbers",
        )
        if path
        else None
    )


def open_country_database(config: Config) -> IPDatabase | None:
    """Open the database of countries; return None if none is configured. Raises ConfigError."""
    path = config.networks.countries
    return (
        IPDatabase(Path(path), config_key="networks.countries", parse=parse_country, default="", content="countries")
        if path
        else None
    )


def parse_asn(record: Mapping[str, Any]) -> int | None:
    """Return the autonomous system number in a record of MaxMind, DB-IP or IPinfo; None if it has none."""
    number = record.get("autonomous_system_number", record.get("asn"))
    text = str(number).upper().removeprefix("AS")
    return int(text) if text.isascii() and text.isdigit() else None


def parse_country(record: Mapping[str, Any]) -> str:
    """Return the country code in a record; empty if the record has none."""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    is_code = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha()
    return str(code).upper() if is_code else ""


def _file_state_or_none(path: Path) -> FileState | None:
    try:
        return file_state(path.stat())
    except OSError:
        return None
