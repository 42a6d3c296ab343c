"""Commands on the store (the database): ``store copy`` copies it to PostgreSQL, ``store restore-wal`` repairs it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.progress import Progress

from shortener.cli import CliContext, pass_cli_context, with_existing_store
from shortener.cli.groups import Group
from shortener.collector.locks import LOCK_FILE as COLLECTOR_LOCK
from shortener.errors import AlreadyRunning, InputError, NotFound
from shortener.files import STORE_FILE_NAME, open_locked
from shortener.server.supervisor import LOCK_FILE as SERVER_LOCK
from shortener.store import Store
from shortener.store.copying import copy_store
from shortener.store.write_ahead_log import logs_set_aside, put_back


@click.group(cls=Group)
def store() -> None:
    """Copy the store (the database), and repair its files."""


@store.command(
    "restore-wal",
    examples=("shortener store restore-wal", "shortener store restore-wal store.db-wal.set-aside-1"),
)
@click.argument("log", type=click.Path(path_type=Path), required=False)
@pass_cli_context
def restore_wal(context: CliContext, log: Path | None) -> None:
    """Put back the write-ahead log of a replaced store file.

    When the file was replaced, its log was renamed to LOG (default: the latest). First stop the server, and put the old
    store file back.
    """
    data = context.file_config.data_directory
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


@store.command(
    "copy",
    examples=(
        "shortener store copy --to postgresql://shortener@db.example/shortener",
        "shortener store copy --to-file /run/secrets/database-url",
    ),
)
@click.option("--to", "url", metavar="URL", help="URL of an empty PostgreSQL database.")
@click.option(
    "--to-file",
    "url_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File with the URL, so that other users do not see its password.",
)
@with_existing_store
def copy(context: CliContext, store: Store, url: str | None, url_file: Path | None) -> None:
    """Copy the store into an empty PostgreSQL database.

    Stop the server first. If the copy fails, the database stays empty. The store itself is not changed.
    """
    if bool(url) == bool(url_file):
        raise click.UsageError("give either --to or --to-file")
    if url_file is not None:
        url = url_file.read_text(encoding="utf-8").strip()
    if not url or not url.startswith(("postgresql://", "postgres://")):
        raise click.UsageError("the URL has to begin with postgresql://")
    if context.config.storage.url:
        raise InputError("storage.url: the store is in a database already; copy it with the tools of PostgreSQL")
    with _stopped_server(context.config.data_directory), Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=None)
        tables = copy_store(
            store, url, on_progress=lambda table, rows: progress.update(task, description=f"{table}: {rows:,} rows")
        )
    click.echo(
        f"Copied {sum(table.rows for table in tables):,} rows of {len(tables)} tables; counts and sums are equal. "
        "Now set storage.url and start the server. Keep store.db until you have seen that all is well."
    )


@contextlib.contextmanager
def _stopped_server(data: Path) -> Iterator[None]:
    # Neither the server nor a collector can start while this process has its lock.
    with contextlib.ExitStack() as stack:
        for name in (SERVER_LOCK, COLLECTOR_LOCK):
            fd = open_locked(data / name)
            if fd is None:
                raise AlreadyRunning(f"{data}: the server or a collector is running; stop it first")
            stack.callback(os.close, fd)
        yield


COMMANDS = [store]
