"""Formatting for pages, commands and files: times in ISO 8601, cells of CSV files, and rows of tables."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""First characters that make a spreadsheet calculate a cell, with their full-width forms (OWASP: CSV injection)."""


def format_iso(time: datetime) -> str:
    """Return a UTC time in ISO 8601, such as ``2026-11-02T09:30:00Z``."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def zone_abbreviation(local: datetime) -> str:
    """Return the abbreviation of a local time's zone, such as CET; an offset such as +05 if the zone has none."""
    name = local.strftime("%Z")
    return f"UTC{name}" if name[:1] in {"+", "-"} else name


def escape_csv(value: Any) -> Any:
    """Return a value as a CSV cell that no spreadsheet takes for a formula.

    The items of a tuple are joined by spaces.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_iso(value)
    if isinstance(value, tuple):
        value = " ".join(value)
    # An apostrophe in front keeps a spreadsheet from calculating the text.
    text = value.replace("\0", "") if isinstance(value, str) else value
    return "'" + text if isinstance(text, str) and text.startswith(FORMULA_PREFIXES) else text


def struct_rows(values: Iterable[Any], columns: Sequence[str]) -> Iterator[list[Any]]:
    """Yield one list for each struct in ``values``, with its attributes in the order of ``columns``."""
    return ([getattr(value, column) for column in columns] for value in values)
