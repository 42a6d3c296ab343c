"""``shortener node``: run a redirect node. Imports are few, so that it starts quickly."""

import click

from shortener.cli import CliContext, pass_cli_context
from shortener.cli.groups import Group
from shortener.cli.serve import server_options, start_server
from shortener.errors import ConfigError


@click.group(
    cls=Group,
    invoke_without_command=True,
    sections={"Commands": {"token": "node_setup", "join": "node_setup", "list": "node_setup", "remove": "node_setup"}},
    examples=("shortener node", "shortener node --host 0.0.0.0 --port 8080 --workers 4"),
)
@server_options
@click.pass_context
@pass_cli_context
def node(context: CliContext, ctx: click.Context, host: str | None, port: int | None, workers: int | None) -> None:
    """Run this machine as a redirect node.

    The node redirects short links and records clicks, even if the central machine cannot be reached. First run
    `shortener node join`. SIGTERM or Ctrl-C stops the node.
    """
    if ctx.invoked_subcommand is not None:
        return
    config = context.file_config
    if not (config.node.name and config.storage.url):
        raise ConfigError("node.name or storage.url is missing: this machine has not joined", kind="node_not_joined")
    start_server(config, host=host, port=port, workers=workers, role="node")


COMMANDS = [node]
