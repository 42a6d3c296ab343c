"""Commands of operators: ``collect``, ``rebuild``, ``backup``, ``doctor`` and ``config show``."""

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct
from rich.progress import Progress

from shortener.cli import CliContext, pass_cli_context, with_existing_store, with_store
from shortener.cli.groups import Command, Group
from shortener.cli.output import format_option, print_as, print_csv, print_json, print_table
from shortener.collector.other_collector import collect as collect_until
from shortener.collector.other_collector import drain_once
from shortener.collector.rebuild import rebuild as rebuild_rollups
from shortener.errors import StoreError
from shortener.reporting.doctor import examine
from shortener.reporting.doctor_operation import Finding
from shortener.reporting.formatting import struct_rows
from shortener.server.process import Stop, log_to_stderr
from shortener.store import Store, clicks, open_store
from shortener.store.backups import back_up


@click.command(cls=Command, examples=("shortener collect --once", "shortener collect --follow"))
@click.option("--once", is_flag=True, help="Return when every line written before the call is in the store.")
@click.option("--follow", is_flag=True, help="Continue until SIGTERM or Ctrl-C.")
@pass_cli_context
def collect(context: CliContext, once: bool, follow: bool) -> None:
    """Store the clicks of the click log, each exactly once.

    Each redirect is first recorded in the click log, a directory of files. `shortener serve` collects by itself.
    """
    if once == follow:
        raise click.UsageError("give either --once or --follow")
    config = context.config
    log_to_stderr()
    if follow:
        from shortener.server.links_feed import start_feed
        from shortener.services.webhook_sender import start_sender

        stop = Stop()
        with closing(open_store(config.data_directory, url=config.storage.url, create=False)) as store:
            start_sender(config)
            start_feed(config)
            collect_until(
                store, config=config, stop=stop,
                on_wait=lambda error: click.echo(f"{error}; waiting for it to end", err=True),
            )  # fmt: skip
        return
    with closing(context.open_store(missing="create")) as store:
        drained = drain_once(store, config=config)
    click.echo(f"The click log is in the store ({drained:,} lines drained now).")


@click.command(cls=Command, examples=("shortener rebuild", "shortener --config /etc/shortener/config.toml rebuild"))
@with_store
def rebuild(context: CliContext, store: Store) -> None:
    """Recompute the click counts of all reports.

    The counts are computed from the stored clicks. If the clicks of a day were deleted, the counts of the day are kept.
    """
    total = clicks.count_clicks(store)
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Aggregating clicks", total=total)
        counted = rebuild_rollups(store, on_progress=lambda done: progress.update(task, completed=done))
    click.echo(f"Rebuilt the rollups from {counted:,} clicks.")


@click.command(
    cls=Command,
    examples=("shortener backup backup.db", "shortener --config /etc/shortener/config.toml backup /backups/store.db"),
)
@click.argument("destination", type=click.Path(path_type=Path))
@with_existing_store
def backup(context: CliContext, store: Store, destination: Path) -> None:
    """Write a consistent copy of the store to DESTINATION.

    The server may run meanwhile.
    """
    size = back_up(store, destination, now=int(time.time()))
    click.echo(f"{destination}: {size / 1e6:,.1f} MB, checked. To restore it, stop the server and copy it to store.db.")


@click.command(cls=Command, examples=("shortener doctor", "shortener doctor --format json"))
@format_option
@pass_cli_context
def doctor(context: CliContext, output_format: str) -> None:
    """Check the installation and list what is wrong.

    It checks configuration, permissions, versions, backlog, disk and clock.
    """
    findings = examine(context.config, config_path=context.config_path)
    columns = Finding.__struct_fields__
    print_as(
        output_format,
        json=lambda: print_json(findings),
        csv=lambda: print_csv(columns, struct_rows(findings, columns)),
        table=lambda: print_table(
            "", ["", "check", "finding"], struct_rows(findings, columns), empty_message="No check was made."
        ),
    )
    if any(finding.level == "bad" for finding in findings):
        raise StoreError("there are problems: see the lines marked bad")


@click.group(cls=Group)
def config() -> None:
    """Show the configuration."""


@config.command("show", examples=("shortener config show", "shortener --config config.example.toml config show"))
@format_option
@pass_cli_context
def config_show(context: CliContext, output_format: str) -> None:
    """Print every key with its value and its source.

    The source is an environment variable, the configuration file, the store, or the default. Each of these overrides
    those after it. The store has the settings that were changed on the pages. Secrets are not shown.
    """
    rows = _configuration_rows(context)
    columns = ConfigurationRow.__struct_fields__
    print_as(
        output_format,
        json=lambda: print_json(rows),
        csv=lambda: print_csv(columns, struct_rows(rows, columns)),
        table=lambda: print_table(
            "",
            columns,
            ((row.key, msgspec.json.encode(row.value).decode(), row.source) for row in rows),
            empty_message="There is no key.",
        ),
    )


class ConfigurationRow(Struct, frozen=True):
    """A key of the configuration with its value and where it comes from."""

    key: str
    value: Any
    source: str


def _configuration_rows(context: CliContext) -> list[ConfigurationRow]:
    given, stored = context.file_config.given, context.stored_settings()
    tree = msgspec.to_builtins(context.config)
    tree["site"] |= {
        "base_url": context.config.base_url,
        "secret": "(set)" if context.config.site.secret else "(created at first start)",
    }
    tree["storage"]["url"] = "(set)" if context.config.storage.url else ""
    domains = {f"domain.{domain.host}": msgspec.to_builtins(domain) for domain in context.config.domains}
    tables = {"site": tree["site"]} | domains | {name: tree[name] for name in tree if name not in {"domain", "given"}}
    return [
        ConfigurationRow(key, value, given.get(key) or ("store" if key in stored else "default"))
        for table, keys in tables.items()
        for key, value in ((f"{table}.{name}", value) for name, value in keys.items())
    ]


COMMANDS = [collect, rebuild, backup, doctor, config]
