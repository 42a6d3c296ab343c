"""The settings that editors can change on the pages.

The environment and the configuration file take precedence over these settings.
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
    """Return the key of the setting for a domain's home page: ``domain.<host>.home``."""
    return f"domain.{host}.home"


def setting_keys(config: Config) -> tuple[str, ...]:
    """Return the keys of all settings that editors can change. The keys of the domains' home pages are the last."""
    return (NAME, ZONE, TOP, GEMS, PRIVACY_TEXT, *(home_key(domain.host) for domain in config.domains))


def parse_setting(key: str, text: str) -> str | int:
    """Convert the text that an editor entered for the setting ``key`` to its value. Raises InputError."""
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
    target = canonicalize_target(url, allow_private=True)
    parts = urlsplit(target)
    if home_key(parts.netloc) == key and parts.path in {"", "/"}:
        raise InputError(Message("{url} is the domain itself; enter the page to which it should lead", url=url))
    return target


def _expectation(kind: Any) -> Message:
    bounds = get_args(kind)[1]
    if bounds.max_length:
        return Message("enter a text of at most {count} characters", count=bounds.max_length)
    return Message("enter a whole number from {low} to {high}", low=bounds.ge, high=bounds.le)


def with_settings(config: Config, stored: Mapping[str, str]) -> Config:
    """Return ``config`` with the stored settings, except for keys that the file or the environment sets.

    Invalid stored values are ignored.
    """
    values: dict[str, str | int] = {}
    for key in _applied_keys(config, stored):
        with suppress(InputError):
            values[key] = parse_setting(key, stored[key])
    if not values:
        return config
    changes = {
        table: msgspec.structs.replace(getattr(config, table), **_settings_of_table(table, values))
        for table in ("site", "ranking", "privacy")
    }
    homes = (values.get(home_key(domain.host), domain.home) for domain in config.domains)
    domains = zip(config.domains, homes, strict=True)
    changes["domain"] = tuple(msgspec.structs.replace(domain, home=home) for domain, home in domains)
    return msgspec.structs.replace(config, **changes)


def invalid_settings(config: Config, stored: Mapping[str, str]) -> dict[str, str]:
    """Return why stored settings are invalid, by key. ``with_settings`` ignores these settings."""
    problems = {}
    for key in sorted(_applied_keys(config, stored)):
        try:
            parse_setting(key, stored[key])
        except InputError as error:
            problems[key] = str(error)
    return problems


def _applied_keys(config: Config, stored: Mapping[str, str]) -> set[str]:
    return stored.keys() & set(setting_keys(config)) - config.given.keys()


def _settings_of_table(table: str, values: Mapping[str, str | int]) -> dict[str, str | int]:
    return {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{table}.")}


def setting_texts(config: Config, keys: Iterable[str]) -> dict[str, str]:
    """Return the current values of the settings ``keys`` as texts, by key."""
    homes = {home_key(domain.host): domain.home for domain in config.domains}
    texts = {}
    for key in keys:
        table, _, name = key.partition(".")
        texts[key] = homes[key] if key in homes else str(getattr(getattr(config, table), name))
    return texts
