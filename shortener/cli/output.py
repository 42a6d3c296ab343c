"""How values are printed: tables for people, JSON and CSV for programs."""

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shortener.reporting.formatting import escape_csv

OUTPUT_FORMATS = click.Choice(["table", "json", "csv"])

format_option = click.option(
    "--format",
    "output_format",
    type=OUTPUT_FORMATS,
    default="table",
    show_default=True,
    help="Output format.",
)
PIPE_WIDTH = 160
"""Columns of a table that goes to no terminal."""
ZERO_WIDTH_JOINERS = "\u200c\u200d"
"""Invisible, but letters of some scripts and many emoji are written with them."""


NO_VALUE = "\u2013"
"""A dash, where there is nothing to show."""
_NUMBER_PUNCTUATION = str.maketrans("", "", ",.%+- \u00d7")


def format_iso(seconds: float | None) -> str | None:
    """Seconds of UTC epoch as ISO 8601 in UTC, or None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def format_local_time(seconds: float | None, zone: ZoneInfo) -> str:
    """Seconds of UTC epoch as people at the site read them, a dash for none."""
    return NO_VALUE if seconds is None else datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M")


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_json_array(rows: Iterable[Any]) -> None:
    """A JSON array, row by row as they come."""
    separator = "[\n  "
    for row in rows:
        click.echo(separator + msgspec.json.encode(row).decode(), nl=False)
        separator = ",\n  "
    click.echo("[]" if separator.startswith("[") else "\n]")


def print_json_lines(rows: Iterable[Any]) -> None:
    """One JSON object a line, as they come."""
    write = sys.stdout.write
    encode = msgspec.json.Encoder().encode
    for row in rows:
        write(encode(row).decode() + "\n")


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV with a header line, row by row as they come."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([escape_csv(cell) for cell in row])


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty_message: str
) -> None:
    """A table; numbers to the right, a helpful sentence where there are no rows."""
    cells = [[NO_VALUE if cell is None else _format_cell(cell) for cell in row] for row in rows]
    if not cells:
        click.echo(empty_message)
        return
    heading = Text(sanitize_line(title)) if title else None
    table = Table(title=heading, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        numeric = _are_numbers([row[index] for row in cells])
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(sanitize_line(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def print_line(text: str) -> None:
    """A line of text that may come from outside."""
    click.echo(sanitize_line(text))


def format_percent(share: float | None) -> str | None:
    """A share from 0 to 1 as people read it; None stays None."""
    if share is None:
        return None
    return f"{share:.0%}" if share >= 0.0995 or not share else f"{share:.1%}"


def sanitize_line(text: str) -> str:
    """Text in one line, without what a terminal would take for a command."""
    return "".join(
        c if c.isprintable() or c in ZERO_WIDTH_JOINERS else " " if c.isspace() else "�" for c in text
    )


def _format_cell(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.3f}" if abs(cell) < 10 else f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _are_numbers(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell not in {NO_VALUE, ""}]
    return bool(filled) and all(cell.translate(_NUMBER_PUNCTUATION).isdigit() for cell in filled)


Printer = Callable[[], None]


def emit(output_format: str, *, table: Printer, json: Printer, csv: Printer) -> None:
    """Print in the asked format."""
    {"table": table, "json": json, "csv": csv}[output_format]()
