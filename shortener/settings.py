"""Settings that editors change on the pages: their keys, their values, and the configuration that has them.

A value in the environment or the configuration file takes precedence over the stored one, which takes precedence over
the default.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec

from shortener.config import Config, ConfigFile, is_zone
from shortener.config_messages import base_type, type_at
from shortener.errors import InputError
from shortener.messages import Message
from shortener.urls import canonicalize_target

NAME, ZONE, TOP, GEMS, PRIVACY_TEXT = (
    "site.name",
    "site.timezone",
    "ranking.top",
    "ranking.gems",
    "privacy.text",
)


def home_key(host: str) -> str:
    """Return the key of the home page of a domain."""
    return f"domain.{host}.home"


def setting_keys(config: Config) -> tuple[str, ...]:
    """Return the keys of all settings; each domain has one for its home page."""
    return (NAME, ZONE, TOP, GEMS, PRIVACY_TEXT, *(home_key(domain.host) for domain in config.domains))


def parse_setting(key: str, text: str) -> str | int:
    """Return the value of a setting from its text. Raises InputError, with the description of the key's values."""
    steps = ["domain", "0", "home"] if key.startswith("domain.") else key.split(".")
    number = base_type(ConfigFile, steps) is int
    kind = type_at(ConfigFile, steps)
    try:
        is_number = number and text.isascii() and text.isdigit()
        value: str | int = msgspec.convert(int(text) if is_number else text, kind)
    except (ValueError, msgspec.ValidationError):
        raise InputError(_expectation(kind)) from None
    if key == ZONE and not is_zone(text):
        raise InputError(Message("enter a time zone such as Europe/Berlin"))
    return _canonicalize_home(key, text) if steps[-1] == "home" and text else value


def _canonicalize_home(key: str, url: str) -> str:
    """Return the URL of a domain's home page in canonical form. Raises InputError, also for the domain itself."""
    target = canonicalize_target(url, allow_private=True)
    parts = urlsplit(target)
    if home_key(parts.netloc) == key and parts.path in {"", "/"}:
        raise InputError(Message("{url} is the domain itself; enter the page to which it should lead", url=url))
    return target


def _expectation(kind: Any) -> Message:
    """Return which numbers or texts a type allows, in the words of the errors of the configuration file."""
    bounds = get_args(kind)[1]
    if bounds.max_length:
        return Message("enter a text of at most {count} characters", count=bounds.max_length)
    return Message("enter a whole number from {low} to {high}", low=bounds.ge, high=bounds.le)


def with_settings(config: Config, stored: Mapping[str, str]) -> Config:
    """Return a configuration with stored settings, for the keys that neither file nor environment gives.

    A stored value that is not valid, such as a time zone that this machine does not know, is left out.
    """
    values: dict[str, str | int] = {}
    for key in stored.keys() & set(setting_keys(config)) - config.given.keys():
        with suppress(InputError):
            values[key] = parse_setting(key, stored[key])
    if not values:
        return config
    changes = {
        table: msgspec.structs.replace(getattr(config, table), **_keys_of(table, values))
        for table in ("site", "ranking", "privacy")
    }
    homes = (values.get(home_key(domain.host), domain.home) for domain in config.domains)
    domains = zip(config.domains, homes, strict=True)
    changes["domain"] = tuple(msgspec.structs.replace(domain, home=home) for domain, home in domains)
    return msgspec.structs.replace(config, **changes)


def _keys_of(table: str, values: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return the values of one table, by their keys in it."""
    return {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{table}.")}


def setting_texts(config: Config, keys: Iterable[str]) -> dict[str, str]:
    """Return the values of settings in a configuration as texts, by key."""
    homes = {home_key(domain.host): domain.home for domain in config.domains}
    texts = {}
    for key in keys:
        table, _, name = key.partition(".")
        texts[key] = homes[key] if key in homes else str(getattr(getattr(config, table), name))
    return texts
