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

CACHED = 65_536
"""Networks whose answer is remembered; a new one costs some 20 µs."""
LOOKED_THROUGH = 1_000
"""Networks that are looked through for one that says what the file is meant for."""

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class Database:
    """One file, held in memory: whoever overwrites it in place cannot pull it away from under the collector.

    Raises ConfigError with the key and the file where it is missing, broken, or of another kind.
    """

    def __init__(
        self, path: Path, *, key: str, read: Callable[[Mapping[str, Any]], Value], none: Value, of: str
    ) -> None:
        self.path, self.key = path, key
        self._read, self._none = read, none
        try:
            self.state = state(path)
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
            known = any(self._value(record) != none for _, record in islice(self._reader, LOOKED_THROUGH))
        except (OSError, maxminddb.InvalidDatabaseError, ValueError, UnicodeDecodeError) as error:
            wrong = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(
                f"{key} = {str(path)!r}: cannot be read as a MaxMind database (.mmdb): {wrong}"
            ) from None
        if not known:
            kind = self._reader.metadata().database_type
            raise ConfigError(
                f"{key} = {str(path)!r}: is a database of another kind ({kind}); it knows no {of}"
            )
        self.find = lru_cache(maxsize=CACHED)(self._find)

    def __str__(self) -> str:
        metadata = self._reader.metadata()
        return f"{self.path}: {metadata.database_type}"

    @property
    def built(self) -> int:
        """When it was made, seconds of UTC epoch."""
        return int(self._reader.metadata().build_epoch)

    def _find(self, net: str) -> Any:
        try:
            return self._value(self._reader.get(net.partition("/")[0]))
        except (ValueError, maxminddb.InvalidDatabaseError):  # IPv6 in a database of IPv4, or damaged inside
            return self._none

    def _value(self, record: Any) -> Any:
        return self._read(record) if isinstance(record, dict) else self._none


class Atlas:
    """The databases that the configuration names; without one nothing is known."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._systems = open_systems(config)
        self._countries = open_countries(config)
        self._refused: dict[str, object] = {}

    def system(self, net: str | None) -> int | None:
        """The number of the autonomous system that a network belongs to."""
        return self._systems.find(net) if self._systems and net else None

    def country(self, net: str | None) -> str:
        """The country of a network, ISO 3166-1 alpha-2 in upper case; empty where it is not known."""
        return self._countries.find(net) if self._countries and net else ""

    def fingerprint(self) -> tuple[int, ...]:
        """What changes with what is known of who runs a network."""
        return () if self._systems is None else (self._systems.built,)

    def refresh(self) -> bool:
        """Read files again that were replaced since; whether any was. One that cannot be read leaves what is known."""
        systems = self._again(self._systems, open_systems)
        countries = self._again(self._countries, open_countries)
        replaced = systems is not self._systems or countries is not self._countries
        self._systems, self._countries = systems, countries
        return replaced

    def _again(self, known: Database | None, read: Callable[[Config], Database | None]) -> Database | None:
        if known is None:
            return None
        now = state_or_none(known.path)
        if now == known.state or now == self._refused.get(known.key, known):
            return known
        try:
            return read(self._config)
        except ConfigError as error:
            self._refused[known.key] = now
            log.warning("%s; what it said before still holds", error)
            return known


def open_systems(config: Config) -> Database | None:
    """The database of ``networks.asn``, None without one. Raises ConfigError."""
    path = config.networks.asn
    return (
        Database(Path(path), key="networks.asn", read=read_system, none=None, of="autonomous systems")
        if path
        else None
    )


def open_countries(config: Config) -> Database | None:
    """The database of ``networks.countries``, None without one. Raises ConfigError."""
    path = config.networks.countries
    return (
        Database(Path(path), key="networks.countries", read=read_country, none="", of="countries")
        if path
        else None
    )


def read_system(record: Mapping[str, Any]) -> int | None:
    """The number of an autonomous system, as MaxMind and DB-IP write it or (``AS64496``) IPinfo."""
    number = record.get("autonomous_system_number", record.get("asn"))
    text = str(number).upper().removeprefix("AS")
    return int(text) if text.isascii() and text.isdigit() else None


def read_country(record: Mapping[str, Any]) -> str:
    """The code of a country, as MaxMind and DB-IP write it or (``country_code``, or bare) others."""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    known = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha()
    return str(code).upper() if known else ""


def state(path: Path) -> tuple[int, int, int]:
    """What tells whether a file was replaced. Raises OSError."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def state_or_none(path: Path) -> tuple[int, int, int] | None:
    """The same; None where there is no file."""
    try:
        return state(path)
    except OSError:
        return None
