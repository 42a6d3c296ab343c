"""Formatting that pages, commands and files share: times in ISO 8601, cells of CSV files, rows made from structs."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""First characters that make a spreadsheet calculate a cell, with their full-width forms (OWASP: CSV injection)."""


def format_iso(time: datetime) -> str:
    """Return a UTC time in ISO 8601 with seconds and a ``Z``."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def zone_abbreviation(local: datetime) -> str:
    """Return the name of a local time's zone at that time, such as CET; an offset from UTC for a zone without names."""
    name = local.strftime("%Z")
    return f"UTC{name}" if name[:1] in {"+", "-"} else name


def escape_csv(value: Any) -> Any:
    """Return a value as a CSV cell: "" for None, ISO 8601 for a UTC time, the items of a tuple with spaces between.

    Text that a spreadsheet would calculate gets an apostrophe in front; NUL characters are removed.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_iso(value)
    if isinstance(value, tuple):
        value = " ".join(value)
    text = value.replace("\0", "") if isinstance(value, str) else value
    return "'" + text if isinstance(text, str) and text.startswith(FORMULA_PREFIXES) else text


def struct_rows(values: Iterable[Any], columns: Sequence[str]) -> Iterator[list[Any]]:
    """Return one row for each struct: its attributes in the order of ``columns``."""
    return ([getattr(value, column) for column in columns] for value in values)
