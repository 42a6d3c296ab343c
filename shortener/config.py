"""The configuration: its keys with defaults and limits, and its loading from a TOML file and the environment."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from shortener.codes import COMPATIBLE_PATHS, DEFAULT_ALPHABET
from shortener.config_messages import Origin, describe_error
from shortener.config_sources import ENVIRONMENT_PREFIX, apply_environment, given_keys, read_file
from shortener.errors import ConfigError, TargetRefused
from shortener.files import LINKS_COPY_FILE_NAME, STORE_FILE_NAME
from shortener.urls import canonicalize_target, normalize_host_header

Port = Annotated[int, Meta(ge=1, le=65535)]
Host = Annotated[
    str,
    Meta(
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$",
        max_length=253,
        description="a host name such as go.example.com, without https:// and path",
    ),
]
Days = Annotated[int, Meta(ge=1, le=3650)]
ForwardMode = Literal["merge", "override", "drop"]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """Base class of the tables of the configuration file. Instances are immutable, and an unknown key is an error."""


class Site(Section, frozen=True):
    """``[site]``: name, time zone, secret, and URL of the pages."""

    base_url: Annotated[
        str,
        Meta(pattern=r"^(https?://[^/?#\s]+)?$", description="a URL such as https://links.example.com, without a path"),
    ] = ""
    timezone: str = "UTC"
    name: Annotated[str, Meta(max_length=100, description="a text of at most 100 characters")] = "Newsletter links"
    secret: str = ""


class Domain(Section, frozen=True):
    """``[[domain]]``: one host of short links. Each domain has its own codes; ``home`` is the URL of its home page."""

    host: Host
    home: str = ""
    case_sensitive: bool = False
    scheme: Literal["https", "http"] = "https"


class Server(Section, frozen=True):
    """``[server]``: listening address, number of worker processes, TLS certificate, and trusted networks."""

    host: str = "127.0.0.1"
    port: Port = 8000
    workers: Annotated[int, Meta(ge=1, le=64)] = 2
    certificate: str = ""
    key: str = ""
    trusted_proxies: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("127.0.0.0/8", "::1")


class Storage(Section, frozen=True):
    """``[storage]``: the data directory, which contains all files that the program writes, and the database."""

    data: str = "data"
    url: Annotated[
        str,
        Meta(
            pattern=r"^(postgres(ql)?://\S+)?$",
            description="a URL such as postgresql://user:password@host/database, or '' for the file store.db",
        ),
    ] = ""
    """URL of a PostgreSQL database that takes the place of ``store.db``. It is a secret if it has a password."""


class Codes(Section, frozen=True):
    """``[codes]``: length and alphabet of generated codes."""

    length: Annotated[int, Meta(ge=3, le=32)] = 5
    alphabet: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{16,62}$", description="16 to 62 letters and digits")] = (
        DEFAULT_ALPHABET
    )


class Redirect(Section, frozen=True):
    """``[redirect]``: HTTP status, forwarding of query strings, and targets on private networks."""

    status: Literal[301, 302, 307, 308] = 302
    forward: ForwardMode = "merge"
    private_targets: bool = False


class Newsletter(Section, frozen=True):
    """``[newsletter]``: patterns of URLs that stay as they are when an issue is added, such as unsubscribe links."""

    skip: tuple[str, ...] = (
        "*unsubscribe*",
        "*opt-out*",
        "*optout*",
        "*/preferences*",
        "*manage*subscription*",
        "*email-settings*",
    )


class Clicklog(Section, frozen=True):
    """``[clicklog]``: when the click log is synced to the disk, and when a new file is begun."""

    sync: Annotated[float, Meta(ge=0, le=60)] = 1.0
    rotate: Annotated[int, Meta(ge=1, le=4096)] = 64
    strict: bool = False
    """Whether a request is not redirected if its click cannot be written to the log."""


class Privacy(Section, frozen=True):
    """``[privacy]``: which data about readers is stored, for how many days, and a text about it for readers."""

    keep_log: Days = 7
    keep_clicks: Days = 90
    respect_gpc: bool = True
    addresses: Literal["network", "none"] = "network"
    text: Annotated[str, Meta(max_length=4000, description="a text of at most 4,000 characters")] = ""


class Verdicts(Section, frozen=True):
    """``[verdicts]``: files with lists of data-center networks, for the classification of clicks."""

    datacenters: tuple[str, ...] = ()


class Networks(Section, frozen=True):
    """``[networks]``: paths of IP databases (.mmdb) with the network operator and the country of an address."""

    asn: str = ""
    countries: str = ""


class Ranking(Section, frozen=True):
    """``[ranking]``: numbers of top articles and hidden gems, months of history, and how articles are ordered."""

    top: Annotated[int, Meta(ge=1, le=100)] = 10
    gems: Annotated[int, Meta(ge=0, le=100)] = 5
    window: Annotated[int, Meta(ge=1, le=120)] = 24
    background: bool = True
    """Whether the estimates for an article also use articles with the same author, site or title words."""
    blend: tuple[Annotated[float, Meta(ge=0, le=1000)], ...] = ()
    """Weights of appeal, fan ratio and read ratio for ordering articles. If empty, appeal alone decides."""


class Api(Section, frozen=True):
    """``[api]``: limits of the JSON API, web sites whose scripts may call it, and APIs of other shorteners."""

    rate_limit: Annotated[int, Meta(ge=0, le=1_000_000)] = 600
    require_if_match: bool = False
    origins: tuple[Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+$")], ...] = ()
    compatible: tuple[Literal["yourls", "shlink"], ...] = ()
    yourls_strict: bool = False

    @property
    def compatible_paths(self) -> tuple[str, ...]:
        """Beginnings of the URL paths of the APIs in ``compatible``, such as ``/yourls-api.php``."""
        return tuple(COMPATIBLE_PATHS[name] for name in self.compatible)


class Webhooks(Section, frozen=True):
    """``[webhooks]``: which URLs a webhook may have in addition to https URLs on the ports 443 and 8443."""

    allow_http: bool = False
    ports: tuple[Port, ...] = ()


class Node(Section, frozen=True):
    """``[node]``: name of this machine among the redirect nodes of one store."""

    name: Annotated[
        str, Meta(pattern=r"^([a-z0-9-]{1,32})?$", description="1 to 32 of the characters a to z, 0 to 9 and -")
    ] = ""


class ConfigFile(Section, frozen=True):
    """The tables of a configuration file. An empty file is valid, because every key has a default value."""

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
    api: Api = Api()
    webhooks: Webhooks = Webhooks()
    node: Node = Node()


class Config(ConfigFile, frozen=True):
    """The whole configuration."""

    # Settings that editors have stored never replace these keys.
    given: Mapping[str, str] = {}
    """File or environment variable that set each key, by key such as ``site.name`` or ``domain.<host>.home``."""

    @property
    def data_directory(self) -> Path:
        """Path of the data directory."""
        return Path(self.storage.data)

    @property
    def links_file(self) -> Path:
        """SQLite file from which redirect workers read links: the store, or the copy of links from PostgreSQL."""
        return self.data_directory / (LINKS_COPY_FILE_NAME if self.storage.url else STORE_FILE_NAME)

    @property
    def machine_name(self) -> str:
        """Name of this machine in the click log: the configured name of the node, or the host name."""
        return self.node.name or socket.gethostname()

    @property
    def base_url(self) -> str:
        """URL of the pages in lower case, without a slash at the end."""
        if self.site.base_url:
            return self.site.base_url.lower()
        return self.listening_url

    @property
    def listening_url(self) -> str:
        """URL of the server on its own machine, such as ``http://127.0.0.1:8000``. It works without any domain."""
        host = "127.0.0.1" if self.server.host in {"0.0.0.0", "::"} else self.server.host  # noqa: S104
        scheme = "https" if self.server.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.server.port}"

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Domains of short links, the default first. If none is configured, only the host of ``base_url``."""
        if self.domain:
            return tuple(msgspec.structs.replace(domain, host=domain.host.lower()) for domain in self.domain)
        parts = urlsplit(self.base_url)
        return (Domain(host=parts.netloc, scheme="http" if parts.scheme == "http" else "https"),)

    @property
    def https_hosts(self) -> frozenset[str]:
        """Hosts of the domains whose short links begin with ``https``."""
        return frozenset(domain.host for domain in self.domains if domain.scheme == "https")

    @property
    def zone(self) -> ZoneInfo:
        """Time zone in which pages and printed tables show times."""
        return ZoneInfo(self.site.timezone)


def is_zone(name: str) -> bool:
    """Return whether ``name`` is a known time zone, such as ``Europe/Berlin``."""
    try:
        return bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def load(path: Path | None, *, environment: Mapping[str, str]) -> Config:
    """Return the configuration in the file ``path``; None means no file. Environment variables override the file.

    Relative paths are resolved against the file's directory. Raises ConfigError.
    """
    tree = read_file(path) if path else {}
    variables = apply_environment(tree, environment=environment, root=ConfigFile)
    origin = Origin(path.name if path else "configuration", variables)
    try:
        tables = msgspec.convert(tree, ConfigFile)
    except msgspec.ValidationError as error:
        raise ConfigError(describe_error(str(error), tree, root=ConfigFile, origin=origin)) from None
    given = given_keys(tree, file_name=origin.file_name, variables=variables)
    config = Config(**{name: getattr(tables, name) for name in ConfigFile.__struct_fields__}, given=given)
    _validate(config, origin=origin)
    return _resolve_paths(config, directory=path.parent if path else Path(), origin=origin)


def find_file(option: str | None, *, environment: Mapping[str, str]) -> Path | None:
    """Return the path of the configuration file, or None if there is none."""
    name = option or environment.get(f"{ENVIRONMENT_PREFIX}CONFIG")
    if name:
        return Path(name)
    default = Path("config.toml")
    return default if default.exists() else None


def variable_of(table: str, key: str, *, environment: Mapping[str, str]) -> str | None:
    """Return the name of the environment variable that sets ``key`` in ``[table]``, or None."""
    name = f"{ENVIRONMENT_PREFIX}{table}__{key}".upper()
    return next((variable for variable in (name, f"{name}_FILE") if variable in environment), None)


def _validate(config: Config, *, origin: Origin) -> None:
    # msgspec has checked the types and limits.
    if not is_zone(config.site.timezone):
        raise ConfigError(
            f"{origin.name('site.timezone')} = {config.site.timezone!r}: expected a time zone such as Europe/Berlin"
        )
    _validate_urls(config, origin=origin)
    _validate_server(config.server, origin=origin)
    hosts = [normalize_host_header(domain.host) for domain in config.domain]
    for host in hosts:
        if hosts.count(host) > 1:
            raise ConfigError(f"{origin.name('domain.host')} = {host!r} occurs twice; each domain has one [[domain]]")
    if config.privacy.keep_clicks < config.privacy.keep_log:
        raise ConfigError(
            f"{origin.name('privacy.keep_clicks')} = {config.privacy.keep_clicks}: expected at least privacy.keep_log "
            f"({config.privacy.keep_log}), because a repeated line is recognised by the stored click"
        )
    blend = config.ranking.blend
    if blend and (len(blend) != 3 or not sum(blend)):
        raise ConfigError(
            f"{origin.name('ranking.blend')} = {list(blend)}: expected three weights, of appeal, fan ratio and read "
            "ratio, not all 0, such as [0.6, 0.25, 0.15], or [] for none"
        )
    if len(set(config.codes.alphabet)) < len(config.codes.alphabet):
        raise ConfigError(f"{origin.name('codes.alphabet')} = {config.codes.alphabet!r}: a character occurs twice")


def _validate_urls(config: Config, *, origin: Origin) -> None:
    for key, url in (("site.base_url", config.site.base_url), *(("domain.home", each.home) for each in config.domain)):
        try:
            if url:
                canonicalize_target(url, allow_private=True)
        except TargetRefused as error:
            raise ConfigError(f"{origin.name(key)}: {error}") from None


def _validate_server(server: Server, *, origin: Origin) -> None:
    for key in ("trusted_proxies", "metrics"):
        for network in getattr(server, key):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ConfigError(
                    f"{origin.name(f'server.{key}')} has {network!r}: expected an address or network such as 10.0.0.0/8"
                ) from None
    if bool(server.certificate) != bool(server.key):
        missing = "key" if server.certificate else "certificate"
        raise ConfigError(
            f"{origin.name(f'server.{missing}')} = '': expected a PEM file; TLS needs both certificate and key"
        )


def _resolve_paths(config: Config, *, directory: Path, origin: Origin) -> Config:
    def resolve(key: str, path: str) -> str:
        try:
            if "\0" in path:
                raise ValueError("it contains a NUL")
            return str(directory / Path(path).expanduser()) if path else ""
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"{origin.name(key)} = {path!r}: not a path: {error}") from None

    networks, server = config.networks, config.server
    certificate, key = resolve("server.certificate", server.certificate), resolve("server.key", server.key)
    asn, countries = resolve("networks.asn", networks.asn), resolve("networks.countries", networks.countries)
    lists = tuple(resolve("verdicts.datacenters", path) for path in config.verdicts.datacenters)
    return msgspec.structs.replace(
        config,
        networks=Networks(asn=asn, countries=countries),
        server=msgspec.structs.replace(server, certificate=certificate, key=key),
        storage=msgspec.structs.replace(config.storage, data=resolve("storage.data", config.storage.data or ".")),
        verdicts=Verdicts(datacenters=lists),
    )


def environment() -> Mapping[str, str]:
    """Return the environment variables of the process."""
    return os.environ
