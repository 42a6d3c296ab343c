"""``shortener serve``: start the server. Only what the supervisor needs is imported, so that it starts quickly."""

import click
import msgspec

from shortener.cli import CliContext, pass_cli_context
from shortener.cli.groups import Command
from shortener.cli.whole_number import WholeNumber
from shortener.server.process import log_to_stderr
from shortener.server.supervisor import Supervisor


@click.command(cls=Command, examples=("shortener serve", "shortener serve --host 0.0.0.0 --port 8080 --workers 4"))
@click.option("--host", help="Address to listen on (default: server.host).")
@click.option("--port", type=WholeNumber(1, 65535), help="Port to listen on (default: server.port).")
@click.option("--workers", type=WholeNumber(1, 64), help="Redirect processes (default: server.workers).")
@pass_cli_context
def serve(context: CliContext, host: str | None, port: int | None, workers: int | None) -> None:
    """Redirect short links, serve the pages, collect clicks.

    SIGTERM or Ctrl-C stops it.
    """
    config = context.file_config
    options = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in options.items() if value}
    config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, **changes))
    log_to_stderr()
    Supervisor(config, announce=click.echo).serve()


COMMANDS = [serve]
