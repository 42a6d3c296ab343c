"""Functions that build the text of SQL statements and their parameters."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct


def column_list(row_type: type[Struct], table: str = "") -> str:
    """Return the field names of a struct as a list of columns for ``select``, with the prefix ``table.`` if given."""
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{field}" for field in row_type.__struct_fields__)


def json_array(values: Iterable[int] | Iterable[str] | Iterable[tuple[int, int]]) -> str:
    """Return values, or pairs of values, as a JSON array for SQLite's ``json_each``."""
    # SQLite limits the number of parameters of a statement; an array of any length is one.
    return msgspec.json.encode(list(values)).decode()


def escape_like(word: str) -> str:
    """Return a word with the wildcards of ``like`` escaped by a backslash."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
