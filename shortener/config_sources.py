"""Read the configuration file and environment variables into one nested dict, before the values are checked."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from shortener.config_messages import base_type, is_text
from shortener.errors import ConfigError

ENVIRONMENT_PREFIX = "SHORTENER_"


def read_file(path: Path) -> dict[str, Any]:
    """Return the content of a configuration file as a nested dict. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", kind="config_missing") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid TOML: nested too deeply") from None


def apply_environment(tree: dict[str, Any], *, environment: Mapping[str, str], root: type[Struct]) -> dict[str, str]:
    """Replace values in the configuration ``tree`` by environment variables.

    Return ``{key: name of the variable}`` for the replaced values. Raises ConfigError.
    """
    variables = {}
    for name, text in sorted(environment.items()):
        # ``SHORTENER_SERVER__PORT`` sets ``server.port``. ``SHORTENER_SERVER__PORT_FILE`` names a file with the value.
        table, separator, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if not name.startswith(ENVIRONMENT_PREFIX) or not (separator or table == "domain"):
            continue
        if key.endswith("_file"):
            key, text = key.removesuffix("_file"), _read_secret_file(name, text)
        kind = base_type(root, [table, key]) if key else None
        value = text if is_text(kind) else _parse_toml_value(text)
        if separator and isinstance(tree.setdefault(table, {}), dict):
            tree[table][key] = value
        elif separator:
            raise ConfigError(f"{name}: {table} is not one table in the configuration file; set the key in the file")
        else:
            tree[table] = value
        variables[f"{table}.{key}" if separator else table] = name
    return variables


def _read_secret_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}={path}: cannot be read: {error}") from None


def _parse_toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def given_keys(
    tree: dict[str, Any],
    *,
    file_name: str,
    variables: Mapping[str, str],  # name of the environment variable that sets a key, by key
) -> dict[str, str]:
    """Return the name of the file or environment variable that sets each key, such as ``server.port``.

    A domain's keys are ``domain.<host>.<key>``.
    """
    given: dict[str, str] = {}
    for table, content in tree.items():
        if isinstance(content, dict):
            given |= {f"{table}.{key}": variables.get(f"{table}.{key}", file_name) for key in content}
        for item in content if isinstance(content, list) else ():
            origin = variables.get(table, file_name)
            given |= {f"{table}.{str(item.get('host')).lower()}.{key}": origin for key in item}
    return given
