"""Commands on the files of the store: ``store restore-wal``."""

from pathlib import Path

import click

from shortener.cli import CliContext, pass_cli_context
from shortener.cli.groups import Group
from shortener.errors import NotFound
from shortener.files import STORE_FILE_NAME
from shortener.store.write_ahead_log import logs_set_aside, put_back


@click.group(cls=Group)
def store() -> None:
    """The files of the store."""


@store.command(
    "restore-wal",
    examples=("shortener store restore-wal", "shortener store restore-wal store.db-wal.of-the-store-before"),
)
@click.argument("log", type=click.Path(path_type=Path), required=False)
@pass_cli_context
def restore_wal(context: CliContext, log: Path | None) -> None:
    """Put back a write-ahead log that was set aside.

    Without LOG it is the latest. Stop the server first. The log is tried on a copy, and refused if it belongs to
    another store file.
    """
    data = context.config.data_directory
    path = data / STORE_FILE_NAME
    if log is None:
        found = logs_set_aside(path)
        if not found:
            raise NotFound(f"{data}: no write-ahead log was set aside here")
        log = found[-1]
    elif not log.exists():
        log = data / log.name
    put_back(path, log)
    click.echo(f"{log}: put back into {path}.")


COMMANDS = [store]
