"""Cells of CSV files: what a program reads back, and no spreadsheet takes for a formula."""

from datetime import datetime
from typing import Any

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""What spreadsheets read as the start of a formula, also in its full-width form."""


def escape_csv(value: Any) -> Any:
    """A value as a cell: "" for None, ISO 8601 in UTC for times; text like a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    text = value.replace("\0", "") if isinstance(value, str) else value
    return "'" + text if isinstance(text, str) and text.startswith(FORMULA_PREFIXES) else text
