"""The token of a redirect node: one line that turns a machine into this node.

The token contains the password of the database.
"""

import base64
import binascii
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct, structs

from shortener.config import Config, ConfigFile, Domain, Section
from shortener.errors import InputError

SHARED_TABLES = ("redirect", "privacy")
"""Tables of the configuration that decide what readers get and what is recorded, on every node alike."""
LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})


class NodeToken(Struct, frozen=True):
    """The content of a node's token: the node's name, the URL of the database, and tables of the configuration."""

    name: str
    url: str
    tables: dict[str, Any]
    """Tables of the central machine's configuration that the node copies, by name, such as ``redirect``."""


def encode_token(token: NodeToken) -> str:
    """Return a token as one line of text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def decode_token(text: str) -> NodeToken:
    """Return the token that a line of text contains. Raises InputError if it contains none."""
    try:
        content = text.strip().encode()
        return msgspec.json.decode(base64.urlsafe_b64decode(content + b"=" * (-len(content) % 4)), type=NodeToken)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InputError("this is not the token of a node, which is one line") from None


def shared_tables(config: Config) -> dict[str, Any]:
    """Return the tables of this machine's configuration that its redirect nodes need.

    Values that equal the default are left out.
    """
    site = {"base_url": config.base_url}
    if config.site.name != ConfigFile().site.name:
        site["name"] = config.site.name
    tables: dict[str, Any] = {name: _changed_values(getattr(config, name)) for name in SHARED_TABLES}
    domains = [_changed_values(domain, default=Domain(host="")) for domain in config.domains]
    return {"site": site, "domain": domains, **{name: values for name, values in tables.items() if values}}


def _changed_values(section: Section, *, default: Section | None = None) -> dict[str, Any]:
    defaults = structs.asdict(default or type(section)())
    return {name: value for name, value in structs.asdict(section).items() if value != defaults[name]}


def is_local(host: str) -> bool:
    """Return whether ``host`` is a database host that other machines cannot reach, such as ``localhost``."""
    return host in LOCAL_HOSTS or host.startswith("/")


def database_url(
    options: dict[str, str],  # the connection options of the central machine
    *,
    host: str,
    database: str,
    user: str,
    password: str,
) -> str:
    """Return the URL under which a node reaches the database.

    Without ``host``, the host and port in ``options`` are used.
    """
    rest = {key: value for key, value in options.items() if key not in {"host", "port", "dbname", "user", "password"}}
    own_host, own_port = options.get("host", ""), options.get("port", "")
    if not host and is_local(own_host):
        rest |= {"host": own_host} if own_host else {}
        rest |= {"port": own_port} if own_port else {}
    elif not host:
        ports = own_port.split(",")
        pairs = enumerate(map(_in_brackets, own_host.split(",")))
        host = ",".join(f"{name}:{ports[min(at, len(ports) - 1)]}".removesuffix(":") for at, name in pairs)
    else:
        host = ",".join(map(_in_brackets, host.split(",")))
    query = f"?{urlencode(rest, quote_via=quote)}" if rest else ""
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{host}/{quote(database, safe='')}{query}"


def _in_brackets(host: str) -> str:
    # In a URL, only brackets tell an IPv6 address from a port.
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
