"""``shortener signals``: what other platforms counted for our articles."""

import time
from pathlib import Path

import click

from shortener.cli import CliContext, with_store
from shortener.cli.files import raise_row_errors, read_csv
from shortener.cli.output import format_option, print_csv, print_json, print_table, sanitize_line
from shortener.errors import InputError
from shortener.services.import_signals import COLUMN_ALIASES, DELIMITERS, read_signals
from shortener.store import Store
from shortener.store import signals as stored

MAX_LISTED_ROWS = 10
"""Articles of a file that no issue shows and that are named one by one."""


@click.group()
def signals() -> None:
    """Views, reads and fans of articles, as other platforms counted them."""


@signals.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@with_store
def import_signals(context: CliContext, store: Store, file: Path) -> None:
    """Take counts in from a CSV file: url,views,reads,fans, or what was saved of Medium's stats page.

    All rows or, if one is bad, none. The same file again changes nothing; an empty cell keeps what was known.
    """
    rows = list(read_csv(file, aliases=COLUMN_ALIASES, delimiters=DELIMITERS, all_cells_required=True))
    if not rows:
        raise InputError(f"{file}: no rows; the first line names the columns url,views,reads,fans")
    found = read_signals(store, rows, config=context.config)
    if found.row_errors:
        raise_row_errors(file, found.row_errors, row_count=len(rows))
    changed = stored.upsert(store, found.signals, now=int(time.time()))
    click.echo(
        f"{file}: {len(found.signals):,} of our articles, {changed:,} of them new or changed; "
        f"{len(found.unmatched_rows):,} rows of articles that no issue shows left out."
    )
    for row in found.unmatched_rows[:MAX_LISTED_ROWS]:
        click.echo(f"  {sanitize_line(row)}")
    if len(found.unmatched_rows) > MAX_LISTED_ROWS:
        click.echo(f"  … and {len(found.unmatched_rows) - MAX_LISTED_ROWS} more")


@signals.command("list")
@format_option
@with_store
def list_signals(context: CliContext, store: Store, output_format: str) -> None:
    """The counts that are known, by article."""
    rows = stored.list_all(store)
    columns = ("url", "views", "reads", "fans")
    cells = [[each.url, each.views, each.reads, each.fans] for each in rows]
    if output_format == "json":
        print_json(rows)
    elif output_format == "csv":
        print_csv(columns, cells)
    else:
        print_table(
            "", columns, cells, empty_message="No signals yet: `shortener signals import FILE` takes them in."
        )


COMMANDS = [signals]
