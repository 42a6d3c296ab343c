"""Output of commands: tables for people, JSON and CSV for programs, and values formatted as text."""

import csv
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console

from shortener.cli.streams import use_utf8
from shortener.cli.tables import fit_table
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.messages import message_text
from shortener.reporting.formatting import escape_csv, zone_abbreviation

OUTPUT_FORMATS = click.Choice(["table", "json", "csv"])

WIDE_KEY = f"{__name__}.wide"
"""Key of the option --wide in the state of a command."""


def _remember_wide(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[WIDE_KEY] = value


wide_option = click.option(
    "--wide",
    is_flag=True,
    expose_value=False,
    callback=_remember_wide,
    help="Show all columns of tables, also where they do not fit the terminal.",
)


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options ``--format`` and ``--wide`` to a command.

    The command receives the format as the argument ``output_format``.
    """
    option = click.option(
        "--format",
        "output_format",
        type=OUTPUT_FORMATS,
        default="table",
        show_default=True,
        help="Output format.",
    )
    return option(wide_option(command))


PIPE_WIDTH = 160
"""Width in columns of a table that is not printed to a terminal."""
MAX_LISTED_LINES = 10
"""Number of lines of a list that are printed. For the others, only their number is printed."""
ZERO_WIDTH_JOINERS = "\u200c\u200d"
"""Invisible characters that stay in printed text: some scripts and many emoji need them."""
NO_VALUE = "\u2013"
"""Shown in a table in place of a missing value (an en dash)."""
UNKNOWN = "unknown"
"""Shown in a table in place of visitors and click rates that are not known."""


def format_local_time(
    time: datetime | float | None,  # a number means seconds of the UTC epoch
    zone: ZoneInfo,
    *,
    seconds: bool = False,  # whether seconds are shown
) -> str:
    """Format a time in a time zone, as `2026-11-28 14:05 CET`. None gives a dash."""
    if time is None:
        return NO_VALUE
    instant = time if isinstance(time, datetime) else datetime.fromtimestamp(time, UTC)
    local = instant.astimezone(zone)
    return f"{local.strftime('%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M')} {zone_abbreviation(local)}"


def format_percent(share: float | None) -> str | None:
    """Format a share from 0 to 1 as a percentage, with one decimal below 10 %. None gives None."""
    if share is None:
        return None
    return f"{share:.0%}" if share >= 0.0995 or not share else f"{share:.1%}"


def or_unknown(value: float | str | None) -> float | str:
    """Return the value; "unknown" for None."""
    return UNKNOWN if value is None else value


def format_duration(seconds: float) -> str:
    """Format seconds in one fitting unit: seconds, minutes, hours or days."""
    if seconds < 120:
        return f"{seconds:,.1f} s".replace(".0 ", " ")
    for unit, length in (("days", DAY_SECONDS), ("hours", HOUR_SECONDS)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds / 60:,.0f} min"


def sanitize_line(text: str) -> str:
    """Return text as one line, without control characters, which a terminal would interpret."""
    return "".join(c if c.isprintable() or c in ZERO_WIDTH_JOINERS else " " if c.isspace() else "�" for c in text)


def print_json(value: Any) -> None:
    """Print one JSON document, indented."""
    use_utf8()
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=message_text), indent=2).decode())


def print_json_array(rows: Iterable[Any]) -> None:
    """Print a JSON array. Each item is printed as soon as ``rows`` yields it."""
    use_utf8()
    separator = "[\n  "
    for row in rows:
        click.echo(separator + msgspec.json.encode(row, enc_hook=message_text).decode(), nl=False)
        separator = ",\n  "
    click.echo("[]" if separator.startswith("[") else "\n]")


def print_json_lines(rows: Iterable[Any]) -> None:
    """Print one JSON object on each line. Each is printed as soon as ``rows`` yields it."""
    use_utf8()
    write = sys.stdout.write
    encode = msgspec.json.Encoder(enc_hook=message_text).encode
    for row in rows:
        write(encode(row).decode() + "\n")


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print CSV with a header line. Each row is printed as soon as ``rows`` yields it."""
    use_utf8()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([escape_csv(cell) for cell in row])


class _TableConsole(Console):
    """Console of the library rich. Raises BrokenPipeError if the program that reads the output has ended."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError instead of ending the process."""
        # rich itself would exit with status 1, but commands end normally in this case.
        raise BrokenPipeError


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    empty_message: str,
    optional: Sequence[str] = (),  # columns that a narrow terminal leaves out
    note: str | None = None,  # a column that a narrow terminal shows as a second line in column "title"
) -> None:
    """Print a table, or ``empty_message`` if there are no rows."""
    cells = [[sanitize_line(NO_VALUE if cell is None else _format_cell(cell)) for cell in row] for row in rows]
    if not cells:
        click.echo(empty_message)
        return
    width = _max_table_width()
    fitted = fit_table(
        sanitize_line(title),
        columns,
        cells,
        width=width,
        optional=optional,
        note=note,
        empty_cells=frozenset({NO_VALUE, UNKNOWN, ""}),
    )
    _TableConsole(width=fitted.natural_width if width is None else width).print(fitted.table)
    if fitted.omitted:
        print_line(f"Not shown: {', '.join(fitted.omitted)}. --wide shows all columns.")


def _max_table_width() -> int | None:
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(WIDE_KEY):
        return None  # no limit
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def command_name() -> str:
    """Return how to call `shortener` in a shell on this machine, for commands in messages."""
    program = Path(sys.argv[0])
    found = shutil.which("shortener")
    if program.name != "shortener" or (found and Path(found).resolve() == program.resolve()):
        return "shortener"
    # The shell does not find the running program by its name.
    return str(program)


def print_line(text: str) -> None:
    """Print one line of text. Control characters, such as in the title of an issue, are removed."""
    click.echo(sanitize_line(text))


def print_list(lines: Sequence[str], *, to_stderr: bool = False, limit: int | None = MAX_LISTED_LINES) -> None:
    """Print the first ``limit`` lines, indented, and then how many were left out. If ``limit`` is None, print all."""
    shown = lines if limit is None else lines[:limit]
    for line in shown:
        click.echo(f"  {sanitize_line(line)}", err=to_stderr)
    if len(lines) > len(shown):
        click.echo(f"  … and {len(lines) - len(shown)} more", err=to_stderr)


def print_titled_list(
    title: str, lines: Sequence[str], *, to_stderr: bool = False, limit: int | None = MAX_LISTED_LINES
) -> None:
    """Print a title with the number of lines, then the lines as ``print_list`` does. Without lines, print nothing."""
    if lines:
        click.echo(f"{title}: {len(lines)}", err=to_stderr)
        print_list(lines, to_stderr=to_stderr, limit=limit)


def _format_cell(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.3f}" if abs(cell) < 10 else f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


Printer = Callable[[], None]


def print_as(output_format: str, *, table: Printer, json: Printer, csv: Printer) -> None:
    """Call the function for ``output_format``, which is "table", "json" or "csv"."""
    {"table": table, "json": json, "csv": csv}[output_format]()
