"""The operator's databases of networks (MaxMind's file format): who runs a network, and in which country it is.

Only the collector and ``reclassify`` read them. They are asked for a network's first address, never for a whole one.
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

CACHE_SIZE = 65_536
"""Networks whose answer is remembered; a new one costs some 20 µs."""
SAMPLE_SIZE = 1_000
"""Networks that are looked through for one that says what the file is meant for."""

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class IPDatabase:
    """One file, held in memory: whoever overwrites it in place cannot pull it away from under the collector.

    Raises ConfigError with the key and the file where it is missing, broken, or of another kind.
    """

    def __init__(
        self,
        path: Path,
        *,
        config_key: str,
        parse: Callable[[Mapping[str, Any]], Value],
        default: Value,
        content: str,
    ) -> None:
        self.path, self.config_key = path, config_key
        self._parse, self._default = parse, default
        try:
            self.file_state = file_state(path)
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
            known = any(
                self._parse_record(record) != default for _, record in islice(self._reader, SAMPLE_SIZE)
            )
        except (OSError, maxminddb.InvalidDatabaseError, ValueError, UnicodeDecodeError) as error:
            wrong = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(
                f"{config_key} = {str(path)!r}: cannot be read as a MaxMind database (.mmdb): {wrong}"
            ) from None
        if not known:
            kind = self._reader.metadata().database_type
            raise ConfigError(
                f"{config_key} = {str(path)!r}: is a database of another kind ({kind}); it knows no {content}"
            )
        self.lookup = lru_cache(maxsize=CACHE_SIZE)(self._lookup)

    def __str__(self) -> str:
        metadata = self._reader.metadata()
        return f"{self.path}: {metadata.database_type}"

    @property
    def built_at(self) -> int:
        """When it was made, seconds of UTC epoch."""
        return int(self._reader.metadata().build_epoch)

    def _lookup(self, net: str) -> Any:
        try:
            return self._parse_record(self._reader.get(net.partition("/")[0]))
        except (ValueError, maxminddb.InvalidDatabaseError):  # IPv6 in a database of IPv4, or damaged inside
            return self._default

    def _parse_record(self, record: Any) -> Any:
        return self._parse(record) if isinstance(record, dict) else self._default


class IPDatabases:
    """The databases that the configuration names; without one nothing is known."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._asn_database = open_asn_database(config)
        self._country_database = open_country_database(config)
        self._rejected_states: dict[str, object] = {}

    def asn(self, net: str | None) -> int | None:
        """The number of the autonomous system that a network belongs to."""
        return self._asn_database.lookup(net) if self._asn_database and net else None

    def country(self, net: str | None) -> str:
        """The country of a network, ISO 3166-1 alpha-2 in upper case; empty where it is not known."""
        return self._country_database.lookup(net) if self._country_database and net else ""

    def fingerprint(self) -> tuple[int, ...]:
        """What changes with what is known of who runs a network."""
        return () if self._asn_database is None else (self._asn_database.built_at,)

    def reload_changed(self) -> bool:
        """Read files again that were replaced since; whether any was. One that cannot be read leaves what is known."""
        systems = self._reload(self._asn_database, open_asn_database)
        countries = self._reload(self._country_database, open_country_database)
        replaced = systems is not self._asn_database or countries is not self._country_database
        self._asn_database, self._country_database = systems, countries
        return replaced

    def _reload(
        self, database: IPDatabase | None, open_database: Callable[[Config], IPDatabase | None]
    ) -> IPDatabase | None:
        if database is None:
            return None
        now = file_state_or_none(database.path)
        if now == database.file_state or now == self._rejected_states.get(database.config_key, database):
            return database
        try:
            return open_database(self._config)
        except ConfigError as error:
            self._rejected_states[database.config_key] = now
            log.warning("%s; what it said before still holds", error)
            return database


def open_asn_database(config: Config) -> IPDatabase | None:
    """The database of ``networks.asn``, None without one. Raises ConfigError."""
    path = config.networks.asn
    return (
        IPDatabase(
            Path(path), config_key="networks.asn", parse=parse_asn, default=None, content="autonomous systems"
        )
        if path
        else None
    )


def open_country_database(config: Config) -> IPDatabase | None:
    """The database of ``networks.countries``, None without one. Raises ConfigError."""
    path = config.networks.countries
    return (
        IPDatabase(
            Path(path), config_key="networks.countries", parse=parse_country, default="", content="countries"
        )
        if path
        else None
    )


def parse_asn(record: Mapping[str, Any]) -> int | None:
    """The number of an autonomous system, as MaxMind and DB-IP write it or (``AS64496``) IPinfo."""
    number = record.get("autonomous_system_number", record.get("asn"))
    text = str(number).upper().removeprefix("AS")
    return int(text) if text.isascii() and text.isdigit() else None


def parse_country(record: Mapping[str, Any]) -> str:
    """The code of a country, as MaxMind and DB-IP write it or (``country_code``, or bare) others."""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    known = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha()
    return str(code).upper() if known else ""


def file_state(path: Path) -> tuple[int, int, int]:
    """What tells whether a file was replaced. Raises OSError."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def file_state_or_none(path: Path) -> tuple[int, int, int] | None:
    """The same; None where there is no file."""
    try:
        return file_state(path)
    except OSError:
        return None
