"""``shortener signals``: numbers of views, reads and fans that other platforms, such as Medium, count for articles."""

import time
from pathlib import Path

import click

from shortener.cli import CliContext, with_store
from shortener.cli.files import raise_row_errors, read_csv
from shortener.cli.groups import Group
from shortener.cli.output import format_option, print_as, print_csv, print_json, print_list, print_table
from shortener.errors import InputError
from shortener.reporting.formatting import struct_rows
from shortener.services.import_signals import COLUMN_ALIASES, DELIMITERS, read_signals
from shortener.store import Store
from shortener.store.signals import Signal
from shortener.store.signals import list_all as list_all_signals
from shortener.store.signals import upsert as upsert_signals


@click.group(cls=Group)
def signals() -> None:
    """Views, reads and fans that other platforms count.

    Fans are readers who applauded, as on Medium.
    """


@signals.command(
    "import", examples=("shortener signals import signals.csv", "shortener signals import - < signals.csv")
)
@click.argument("file", type=click.Path(path_type=Path))
@with_store
def import_signals(context: CliContext, store: Store, file: Path) -> None:
    """Import views, reads and fans of articles from a file.

    Other platforms count these numbers. Fans are readers who applauded, as on Medium.

    FILE is either a CSV file with the columns url,views,reads,fans, or a saved stats page of Medium. If FILE is -,
    standard input is read. If one row is invalid, nothing is imported. Importing a file again changes nothing. An empty
    cell leaves the stored value unchanged.
    """
    rows = list(read_csv(file, aliases=COLUMN_ALIASES, delimiters=DELIMITERS, all_cells_required=True))
    if not rows:
        raise InputError(f"{file}: no rows; the first line must name the columns url,views,reads,fans")
    result = read_signals(store, rows, config=context.config)
    if result.row_errors:
        raise_row_errors(file, result.row_errors, row_count=len(rows))
    changed = upsert_signals(store, result.signals, now=int(time.time()))
    click.echo(
        f"{file}: {len(result.signals):,} of our articles, {changed:,} of them new or changed; "
        f"{len(result.unmatched_rows):,} rows of articles that are in no issue skipped."
    )
    print_list(result.unmatched_rows)


@signals.command("list", examples=("shortener signals list", "shortener signals list --format csv"))
@format_option
@with_store
def list_signals(context: CliContext, store: Store, output_format: str) -> None:
    """List the imported numbers of views, reads and fans.

    Other platforms, such as Medium, counted them for each article. Fans are readers who applauded.
    """
    rows = list_all_signals(store)
    columns = Signal.__struct_fields__
    cells = struct_rows(rows, columns)
    print_as(
        output_format,
        json=lambda: print_json(rows),
        csv=lambda: print_csv(columns, cells),
        table=lambda: print_table(
            "", columns, cells, empty_message="No signals yet. `shortener signals import FILE` imports them."
        ),
    )


COMMANDS = [signals]
