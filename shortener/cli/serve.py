"""``shortener serve`` and ``centre``: start the server. Imports are few, so that it starts quickly."""

import re
import socket
from collections.abc import Callable
from typing import Any

import click
import msgspec

from shortener.cli import CliContext, pass_cli_context
from shortener.cli.groups import Command
from shortener.cli.whole_number import WholeNumber
from shortener.config import Config, Node
from shortener.errors import ConfigError
from shortener.server.process import MachineRole, log_to_stderr
from shortener.server.supervisor import Supervisor


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options ``--host``, ``--port`` and ``--workers`` to a command. They override the keys in ``[server]``."""
    for option in (
        click.option("--workers", type=WholeNumber(1, 64), help="Redirect processes (default: server.workers)."),
        click.option("--port", type=WholeNumber(1, 65535), help="Port to listen on (default: server.port)."),
        click.option("--host", help="Address to listen on (default: server.host)."),
    ):
        command = option(command)
    return command


def start_server(config: Config, *, host: str | None, port: int | None, workers: int | None, role: MachineRole) -> None:
    """Run the server until SIGTERM. The arguments that are not None override the keys in ``[server]``."""
    options = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in options.items() if value}
    config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, **changes))
    log_to_stderr()
    Supervisor(config, announce=click.echo, role=role).serve()


@click.command(cls=Command, examples=("shortener serve", "shortener serve --host 0.0.0.0 --port 8080 --workers 4"))
@server_options
@pass_cli_context
def serve(context: CliContext, host: str | None, port: int | None, workers: int | None) -> None:
    """Redirect short links, serve the pages, collect clicks.

    SIGTERM or Ctrl-C stops the server.
    """
    start_server(context.file_config, host=host, port=port, workers=workers, role="serve")


@click.command(cls=Command, examples=("shortener centre", "shortener centre --host 0.0.0.0 --port 8080 --workers 4"))
@server_options
@pass_cli_context
def centre(context: CliContext, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve like `serve`, and collect clicks of redirect nodes.

    Redirect nodes are machines that run `shortener node`. The store has to be on PostgreSQL. Several machines may run
    `shortener centre` for one store. SIGTERM or Ctrl-C stops the server.
    """
    config = context.file_config
    if not config.storage.url:
        raise ConfigError("storage.url is missing: a centre needs a store on PostgreSQL", kind="postgres_needed")
    if not config.node.name:
        config = msgspec.structs.replace(config, node=Node(name=_node_name_from_host()))
    start_server(config, host=host, port=port, workers=workers, role="centre")


def _node_name_from_host() -> str:
    return re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower())[:32].strip("-") or "centre"


COMMANDS = [serve, centre]
