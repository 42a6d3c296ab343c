"""``shortener serve``. It imports only what the supervisor needs, so that the server starts quickly."""

import click
import msgspec

from shortener import server
from shortener.cli import CliContext, pass_cli_context


@click.command()
@click.option("--host", help="Address to listen on (default: server.host).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (default: server.port).")
@click.option("--workers", type=click.IntRange(1, 64), help="Redirect processes (default: server.workers).")
@pass_cli_context
def serve(context: CliContext, host: str | None, port: int | None, workers: int | None) -> None:
    """Redirect short links, serve the pages and collect clicks, until SIGTERM."""
    config = context.config
    options = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in options.items() if value}
    config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, **changes))
    server.log_to_stderr()
    server.serve(config, announce=click.echo)


COMMANDS = [serve]
