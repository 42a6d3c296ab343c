"""The configuration: its keys, their defaults and bounds, and the one way in (a TOML file, then the environment)."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from shortener.codes import DEFAULT_ALPHABET
from shortener.errors import ConfigError

ENVIRONMENT_PREFIX = "SHORTENER_"

Port = Annotated[int, Meta(ge=1, le=65535)]
Host = Annotated[str, Meta(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$", max_length=253)]
Days = Annotated[int, Meta(ge=1, le=3650)]
ForwardMode = Literal["merge", "override", "drop"]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """What every table of the configuration is: frozen, and closed to unknown keys."""


class Site(Section, frozen=True):
    """``[site]``: what the whole installation is called and where its own pages are."""

    base_url: Annotated[str, Meta(pattern=r"^(https?://[^/?#\s]+)?$")] = ""
    timezone: str = "UTC"
    name: str = "Newsletter links"
    secret: str = ""


class Domain(Section, frozen=True):
    """``[[domain]]``: one host that answers short links, with codes of its own."""

    host: Host
    home: str = ""
    case_sensitive: bool = False
    scheme: Literal["https", "http"] = "https"


class Server(Section, frozen=True):
    """``[server]``: where and with how many processes to listen."""

    host: str = "127.0.0.1"
    port: Port = 8000
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    trusted_proxies: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("127.0.0.0/8", "::1")


class Storage(Section, frozen=True):
    """``[storage]``: the directory that holds everything written."""

    data: str = "data"


class Codes(Section, frozen=True):
    """``[codes]``: the shape of the codes that are made."""

    length: Annotated[int, Meta(ge=3, le=32)] = 5
    alphabet: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{16,62}$")] = DEFAULT_ALPHABET


class Redirect(Section, frozen=True):
    """``[redirect]``: how a short link answers."""

    status: Literal[301, 302, 307, 308] = 302
    forward: ForwardMode = "merge"
    private_targets: bool = False


class Newsletter(Section, frozen=True):
    """``[newsletter]``: which links of an issue are left as they are."""

    skip: tuple[str, ...] = (
        "*unsubscribe*",
        "*opt-out*",
        "*optout*",
        "*/preferences*",
        "*manage*subscription*",
        "*email-settings*",
    )


class Clicklog(Section, frozen=True):
    """``[clicklog]``: how safe and how large the files are that clicks are written to."""

    sync: Annotated[float, Meta(ge=0, le=60)] = 1.0
    rotate: Annotated[int, Meta(ge=1, le=4096)] = 64
    strict: bool = False


class Privacy(Section, frozen=True):
    """``[privacy]``: what is kept of a reader, and for how long."""

    keep_log: Days = 7
    keep_clicks: Days = 90
    respect_gpc: bool = True
    addresses: Literal["network", "none"] = "network"


class Verdicts(Section, frozen=True):
    """``[verdicts]``: what helps to tell people from machines."""

    datacenters: tuple[str, ...] = ()


class Networks(Section, frozen=True):
    """``[networks]``: databases of networks (.mmdb) that the operator brings."""

    asn: str = ""
    countries: str = ""


class Ranking(Section, frozen=True):
    """``[ranking]``: how many articles are published, from how long a history, and the editors' blend."""

    top: Annotated[int, Meta(ge=1, le=100)] = 10
    gems: Annotated[int, Meta(ge=0, le=100)] = 5
    window: Annotated[int, Meta(ge=1, le=120)] = 24
    blend: tuple[Annotated[float, Meta(ge=0, le=1000)], ...] = ()
    """Weights of appeal, fan ratio and read ratio; empty where the order is that of the appeal alone."""


class Config(Section, frozen=True):
    """The whole configuration; every key has a default, so an empty file is a valid one."""

    site: Site = Site()
    domain: tuple[Domain, ...] = ()
    server: Server = Server()
    storage: Storage = Storage()
    codes: Codes = Codes()
    redirect: Redirect = Redirect()
    newsletter: Newsletter = Newsletter()
    clicklog: Clicklog = Clicklog()
    privacy: Privacy = Privacy()
    verdicts: Verdicts = Verdicts()
    networks: Networks = Networks()
    ranking: Ranking = Ranking()

    @property
    def data_directory(self) -> Path:
        """The data directory."""
        return Path(self.storage.data)

    @property
    def base_url(self) -> str:
        """Where the editor pages are, without a slash at the end."""
        if self.site.base_url:
            return self.site.base_url.lower()
        host = "127.0.0.1" if self.server.host in {"0.0.0.0", "::"} else self.server.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server.port}"

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The domains that answer short links, the default one first; without ``[[domain]]`` the site's own host."""
        if self.domain:
            return tuple(msgspec.structs.replace(each, host=each.host.lower()) for each in self.domain)
        parts = urlsplit(self.base_url)
        return (Domain(host=parts.netloc, scheme="http" if parts.scheme == "http" else "https"),)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that tables and pages are printed in."""
        return ZoneInfo(self.site.timezone)


def load(path: Path | None, *, environment: Mapping[str, str]) -> Config:
    """Read the configuration from ``path`` (None: defaults only), overridden by the environment's twins.

    Relative paths in the file are taken from the file's own directory.
    Raises ConfigError with the key, the value and what was expected.
    """
    tree = _read_file(path) if path else {}
    name = path.name if path else "configuration"
    _apply_environment(tree, environment=environment)
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_describe_error(str(error), tree)}") from None
    _validate(config, source=name)
    return _resolve_paths(config, directory=path.parent if path else Path())


def find_file(option: str | None, *, environment: Mapping[str, str]) -> Path | None:
    """The configuration file to read: the option, ``SHORTENER_CONFIG``, ``./config.toml`` if it is there, or none."""
    named = option or environment.get(f"{ENVIRONMENT_PREFIX}CONFIG")
    if named:
        return Path(named)
    here = Path("config.toml")
    return here if here.exists() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; start from config.example.toml") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _apply_environment(tree: dict[str, Any], *, environment: Mapping[str, str]) -> None:
    """``SHORTENER_SERVER__PORT=9000`` is ``[server] port = 9000``; ``…_FILE`` names a file that holds the value."""
    for name, text in sorted(environment.items()):
        table, separator, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if not name.startswith(ENVIRONMENT_PREFIX) or not (separator or table == "domain"):
            continue
        if key.endswith("_file"):
            key, text = key.removesuffix("_file"), _read_secret_file(name, text)
        kind = _key_type(table, key)
        value = (
            text
            if kind is str or (get_origin(kind) is Literal and _is_string_literal(kind))
            else _parse_toml_value(text)
        )
        if separator:
            tree.setdefault(table, {})[key] = value
        else:
            tree[table] = value


def _read_secret_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}={path}: cannot be read: {error}") from None


def _key_type(table: str, key: str) -> Any:
    """The bare type of a key (its bounds stripped), or None where there is no such key."""
    tables = {field.name: field.type for field in msgspec.structs.fields(Config)}
    if table not in tables or not key:
        return None
    kind = {field.name: field.type for field in msgspec.structs.fields(tables[table])}.get(key)
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_string_literal(literal: Any) -> bool:
    return all(isinstance(word, str) for word in get_args(literal))


def _parse_toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _describe_error(message: str, tree: dict[str, Any]) -> str:
    """msgspec's words with the key in front, as a person would write it, and the value that was refused."""
    expectation, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    if "unknown field" in expectation:
        unknown = expectation.split("`")[1]
        known = ", ".join(_known_keys(key))
        return f"{f'{key}.' if key else ''}{unknown}: there is no such key; {key or 'the file'} takes {known}"
    return f"{key} = {_value_at(tree, key)!r}: {expectation[0].lower()}{expectation[1:]}"


def _known_keys(table: str) -> list[str]:
    name = table.partition("[")[0]
    fields = {field.name: field.type for field in msgspec.structs.fields(Config)}
    kind = Domain if name == "domain" else fields.get(name, Config)
    return [field.name for field in msgspec.structs.fields(kind)]


def _value_at(tree: Any, key: str) -> Any:
    for step in key.replace("[", ".").replace("]", "").split("."):
        if isinstance(tree, list) and step.isdigit():
            tree = tree[int(step)]
        elif isinstance(tree, dict):
            tree = tree.get(step)
    return tree


def _validate(config: Config, *, source: str) -> None:
    """The rules that need more than one key, or a look beyond the file."""
    import ipaddress
    from zoneinfo import ZoneInfoNotFoundError

    try:
        _ = config.zone
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{source}: site.timezone = {config.site.timezone!r}: expected an IANA name such as Europe/Berlin"
        ) from None
    for key in ("trusted_proxies", "metrics"):
        for network in getattr(config.server, key):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ConfigError(
                    f"{source}: server.{key} has {network!r}: expected an address or network such as 10.0.0.0/8"
                ) from None
    hosts = [domain.host.lower() for domain in config.domain]
    for host in hosts:
        if hosts.count(host) > 1:
            raise ConfigError(
                f"{source}: domain.host = {host!r} stands twice; give each domain one [[domain]]"
            )
    if config.privacy.keep_clicks < config.privacy.keep_log:
        raise ConfigError(
            f"{source}: privacy.keep_clicks = {config.privacy.keep_clicks}: expected at least privacy.keep_log "
            f"({config.privacy.keep_log}), because a replayed click is recognised by the stored one"
        )
    blend = config.ranking.blend
    if blend and (len(blend) != 3 or not sum(blend)):
        raise ConfigError(
            f"{source}: ranking.blend = {list(blend)}: expected three weights, of appeal, fan ratio and read ratio, "
            "not all 0, such as [0.6, 0.25, 0.15], or [] for none"
        )
    if len(set(config.codes.alphabet)) < len(config.codes.alphabet):
        raise ConfigError(f"{source}: codes.alphabet = {config.codes.alphabet!r}: a character stands twice")


def _resolve_paths(config: Config, *, directory: Path) -> Config:
    """The same configuration with its paths taken from ``directory``."""
    data = str(directory / Path(config.storage.data).expanduser())
    lists = tuple(str(directory / Path(each).expanduser()) for each in config.verdicts.datacenters)
    asn, countries = (
        str(directory / Path(each).expanduser()) if each else ""
        for each in (config.networks.asn, config.networks.countries)
    )
    return msgspec.structs.replace(
        config,
        networks=Networks(asn=asn, countries=countries),
        storage=msgspec.structs.replace(config.storage, data=data),
        verdicts=msgspec.structs.replace(config.verdicts, datacenters=lists),
    )


def environment() -> Mapping[str, str]:
    """The process's environment, the default source of overrides."""
    return os.environ
