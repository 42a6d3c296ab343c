"""Error messages about invalid configuration values: where the value comes from, and which values are allowed."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct


class Origin(Struct, frozen=True):
    """Sources of the configuration values: the configuration file and environment variables."""

    file_name: str
    variables: Mapping[str, str]
    """Environment variables by the configuration key that they set."""

    def name(self, key: str) -> str:
        """Return where the value of ``key`` comes from: an environment variable, or the file and the key."""
        if key in self.variables:
            return self.variables[key]
        table = key.partition("[")[0]
        return f"{self.variables.get(table, self.file_name)}: {key}"


def describe_error(
    message: str,
    tree: dict[str, Any],  # values of the configuration
    *,
    root: type[Struct],  # type of the configuration
    origin: Origin,
) -> str:
    """Convert an error message of msgspec to the form ``source: key = value: what was expected``."""
    expectation, _, path = message.partition(" - at `$")
    key = path.rstrip("`").lstrip(".")
    steps = re.findall(r"[^.\[\]]+", key)
    if "unknown field" in expectation:
        table = base_type(root, steps)
        keys = ", ".join(field.name for field in msgspec.structs.fields(table))
        unknown = f"{key}.{expectation.split('`')[1]}".lstrip(".")
        return f"{origin.name(unknown)}: there is no such key; the keys of {key or 'the file'} are {keys}"
    if "missing required field" in expectation:
        return f"{origin.name(key)}: the key {expectation.split('`')[1]} is missing"
    return f"{origin.name(key)} = {_value_at(tree, steps)!r}: expected {_describe_allowed_values(type_at(root, steps))}"


def base_type(
    root: type[Struct],
    steps: Sequence[str],  # path of the key, such as ["server", "port"]
) -> Any:
    """Return the type of a configuration key without its allowed range. Return None for an unknown key."""
    kind = type_at(root, steps)
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def is_text(kind: Any) -> bool:
    """Return whether the values of a type are texts."""
    # In an environment variable, texts are written without quotes.
    return kind is str or (get_origin(kind) is Literal and all(isinstance(word, str) for word in get_args(kind)))


def type_at(
    kind: Any,
    steps: Sequence[str],  # path of the key, such as ["server", "port"]
) -> Any:
    """Return the type of a configuration key with its allowed range. Return None for an unknown key."""
    for step in steps:
        if step.isdigit() and get_origin(kind) is tuple:
            kind = get_args(kind)[0]
        elif isinstance(kind, type) and issubclass(kind, Struct):
            kind = {field.name: field.type for field in msgspec.structs.fields(kind)}.get(step)
    return kind


def _value_at(tree: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(tree, list) and step.isdigit():
            tree = tree[int(step)]
        elif isinstance(tree, dict):
            tree = tree.get(step)
    return tree


def _describe_allowed_values(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        base, meta = get_args(kind)[:2]
        if meta.description:
            return str(meta.description)
        return f"{_describe_allowed_values(base)} from {meta.ge} to {meta.le}"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list in brackets, each item {_describe_allowed_values(get_args(kind)[0])}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}.get(kind, "a table")
