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

FORMATS = click.Choice(["table", "json", "csv"])

format_option = click.option("--format", "form", type=FORMATS, default="table", show_default=True, help="Output format.")

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def iso(seconds: float | None) -> str | None:
    """Seconds of UTC epoch as ISO 8601 in UTC, or None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def local(seconds: float | None, zone: ZoneInfo) -> str:
    """Seconds of UTC epoch as people at the site read them, '–' for none."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M")


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV with a header line, row by row as they come."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])


def safe_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: such text gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table; numbers to the right, a helpful sentence where there are no rows."""
    cells = [["–" if cell is None else _shown(cell) for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        numeric = all(_is_number(row[index]) for row in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(_plain(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.3f}" if abs(cell) < 10 else f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _is_number(cell: str) -> bool:
    return cell in {"–", ""} or cell.replace(",", "").replace(".", "").replace("%", "").strip("×-+ ").isdigit()


def _plain(cell: str) -> str:
    """Text without what a terminal or rich would take for a command."""
    return "".join(c if c.isprintable() else "�" for c in cell).replace("[", r"\[")


Show = Callable[[], None]


def show(form: str, *, table: Show, json: Show, csv: Show) -> None:
    """Print in the asked format."""
    {"table": table, "json": json, "csv": csv}[form]()
