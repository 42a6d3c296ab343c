"""``shortener edge nginx``: export the links and a configuration with which nginx answers short links."""

from pathlib import Path

import click

from shortener.cli import CliContext, with_store
from shortener.cli.files import open_atomic
from shortener.cli.groups import Group
from shortener.clicklog.writer import LOG_DIRECTORY
from shortener.redirect.nginx import map_lines, server_config
from shortener.store import Store, links


@click.group(cls=Group)
def edge() -> None:
    """Configure a web server to answer short links itself."""


@edge.command(
    "nginx",
    examples=("shortener edge nginx > nginx.conf", "shortener edge nginx --map edge.map --listen 127.0.0.1:8080"),
)
@click.option(
    "--map",
    "map_path",
    type=click.Path(path_type=Path),
    help="File for the links (default: DATA/edge.map).",
)
@click.option("--listen", default="80", show_default=True, help="Where nginx listens: PORT or ADDRESS:PORT.")
@with_store
def export_nginx(context: CliContext, store: Store, map_path: Path | None, listen: str) -> None:
    """Write a map of the links, and print an nginx.conf for it.

    nginx then answers active links itself, writes their clicks to the click log, and passes all other requests to
    `shortener serve`.
    """
    map_path = map_path or context.config.data_directory / "edge.map"
    (context.config.data_directory / LOG_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    # nginx may read the map at any moment, so the new file replaces the old one atomically.
    count = longest = 0
    with open_atomic(map_path) as file:
        for line in map_lines(links.list_static_redirects(store), config=context.config):
            file.write(line.encode("ascii"))
            count, longest = count + 1, max(longest, len(line))
        text = server_config(
            context.config, map_path=map_path, link_count=count, max_line_length=longest, listen=listen
        )
    click.echo(text, nl=False)


COMMANDS = [edge]
