"""Helpers that build the text of SQL statements and their parameters."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct


def column_list(row_type: type[Struct], table: str = "") -> str:
    """Return the field names of a struct as the columns of a ``select``, qualified with ``table`` if given."""
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{field}" for field in row_type.__struct_fields__)


def json_array(values: Iterable[int] | Iterable[str] | Iterable[tuple[int, int]]) -> str:
    """Return values or pairs of values as a JSON array, the parameter of SQLite's ``json_each``.

    One parameter holds any number of values; SQLite limits the number of parameters in a statement.
    """
    return msgspec.json.encode(list(values)).decode()


def escape_like(word: str) -> str:
    """Escape the wildcards of ``like`` in a word, by a backslash."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
