"""``shortener signals``: what other platforms counted for our articles."""

import time
from pathlib import Path

import click

from shortener.cli import Session, with_store
from shortener.cli.files import read_csv, report_faults
from shortener.cli.output import format_option, plain, print_csv, print_json, print_table
from shortener.errors import InputError
from shortener.services.import_signals import COLUMNS, DELIMITERS, read_signals
from shortener.store import Store
from shortener.store import signals as stored

FEW = 10
"""Articles of a file that no issue shows and that are named one by one."""


@click.group()
def signals() -> None:
    """Views, reads and fans of articles, as other platforms counted them."""


@signals.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@with_store
def import_signals(session: Session, store: Store, file: Path) -> None:
    """Take counts in from a CSV file: url,views,reads,fans, or what was saved of Medium's stats page.

    All rows or, if one is bad, none. The same file again changes nothing; an empty cell keeps what was known.
    """
    rows = list(read_csv(file, names=COLUMNS, delimiters=DELIMITERS, whole=True))
    if not rows:
        raise InputError(f"{file}: no rows; the first line names the columns url,views,reads,fans")
    found = read_signals(store, rows, config=session.config)
    if found.faults:
        report_faults(file, found.faults, rows=len(rows))
    changed = stored.put(store, found.signals, now=int(time.time()))
    click.echo(
        f"{file}: {len(found.signals):,} of our articles, {changed:,} of them new or changed; "
        f"{len(found.unknown):,} rows of articles that no issue shows left out."
    )
    for row in found.unknown[:FEW]:
        click.echo(f"  {plain(row)}")
    if len(found.unknown) > FEW:
        click.echo(f"  … and {len(found.unknown) - FEW} more")


@signals.command("list")
@format_option
@with_store
def list_signals(session: Session, store: Store, form: str) -> None:
    """The counts that are known, by article."""
    rows = stored.listing(store)
    columns = ("url", "views", "reads", "fans")
    cells = [[each.url, each.views, each.reads, each.fans] for each in rows]
    if form == "json":
        print_json(rows)
    elif form == "csv":
        print_csv(columns, cells)
    else:
        print_table(
            "", columns, cells, empty="No signals yet: `shortener signals import FILE` takes them in."
        )


COMMANDS = [signals]
