"""``serve``, in a module of its own that loads nothing which the supervisor does not need: workers start the sooner."""

import click
import msgspec

from shortener.cli import CliContext, pass_cli_context
from shortener.server import log_to_stderr
from shortener.server import serve as supervise


@click.command()
@click.option("--host", help="Address to listen on (default: server.host).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (default: server.port).")
@click.option("--workers", type=click.IntRange(1, 64), help="Redirect processes (default: server.workers).")
@pass_cli_context
def serve(context: CliContext, host: str | None, port: int | None, workers: int | None) -> None:
    """Answer short links, show the pages and collect clicks, until SIGTERM."""
    config = context.config
    asked = {name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value}
    config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, **asked))
    log_to_stderr()
    supervise(config, announce=click.echo)


COMMANDS = [serve]
