"""Commands that add, list and remove redirect nodes: ``node token``, ``join``, ``list`` and ``remove``."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from shortener.cli import CliContext, pass_cli_context, with_existing_store, with_store
from shortener.cli.files import open_atomic
from shortener.cli.groups import Command
from shortener.cli.output import format_local_time, format_option, print_as, print_csv, print_json, print_table
from shortener.config import Node, environment, find_file, load
from shortener.errors import ConfigError, InputError
from shortener.node.joining import make_first_copy, node_configuration
from shortener.node.token import NodeToken, database_url, decode_token, encode_token, is_local, shared_tables
from shortener.reporting.node_health import NodeHealth, list_node_health
from shortener.store import Store, nodes, postgres_roles
from shortener.store.database import connection_options


class NodeName(click.ParamType[str]):
    """Argument type: the name of a node."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of the node. Text that is not a valid name is a usage error."""
        try:
            return msgspec.convert({"name": str(value) or " "}, Node).name
        except msgspec.ValidationError:
            return self.fail(f"{value!r} is not 1 to 32 of the characters a to z, 0 to 9 and -", param, ctx)


@click.command(cls=Command, examples=("shortener node token paris", "shortener node token paris --host db.example.com"))
@click.argument("name", type=NodeName())
@click.option("--host", default="", metavar="HOST[:PORT]", help="The database server, as the node reaches it.")
@with_existing_store
def token(context: CliContext, store: Store, name: str, host: str) -> None:
    """Add a node, and print the token with which it joins.

    Run it on the central machine (`shortener centre`). The token contains a database password that gives the node no
    access to clicks or accounts. For a node that exists already, the password is replaced.
    """
    config = context.file_config
    if not config.storage.url:
        raise ConfigError("redirect nodes need a store on PostgreSQL", kind="postgres_needed")
    with store.transaction():
        role, password = postgres_roles.create(store, name)
        nodes.add(store, name, role=role, now=int(time.time()))
    options = connection_options(config.storage.url)
    database = postgres_roles.database_name(store)
    url = database_url(options, host=host, database=database, user=role, password=password)
    click.echo(encode_token(NodeToken(name, url, shared_tables(config))))
    if not host and is_local(options.get("host", "")):
        click.echo(
            "The database is on this machine; for a node on another machine, give its address by --host.", err=True
        )


@click.command(
    cls=Command,
    examples=("shortener node join --token-file token", "shortener node join --token-file /run/secrets/token"),
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the token (default: standard input).",
)
@pass_cli_context
def join(context: CliContext, token_file: Path | None) -> None:
    """Make this machine a redirect node.

    It writes config.toml, and copies links, settings and keys from the store. First print a token for the node with
    `shortener node token` on the central machine.
    """
    path = find_file(context.config_file, environment=environment()) or Path("config.toml")
    joined = decode_token(token_file.read_text(encoding="utf-8") if token_file else sys.stdin.read())
    try:
        text = node_configuration(joined, path.read_text(encoding="utf-8") if path.exists() else "")
    except (InputError, ValueError) as error:
        raise InputError(f"{path}: {error}; choose another file with --config") from None
    with open_atomic(path) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text.encode())
    config = load(path, environment=environment())
    make_first_copy(config, now=time.time())
    click.echo(f"Written: {path}, and a copy of the links in {config.data_directory}. Start with `shortener node`.")


@click.command("list", cls=Command, examples=("shortener node list", "shortener node list --format json"))
@format_option
@with_store
def list_nodes(context: CliContext, store: Store, output_format: str) -> None:
    """List the nodes with their last reports.

    A report contains the version of the node, the number of link changes that the node has not applied yet, and the
    bytes of clicks that are still to be sent.
    """
    zone = context.config.zone
    rows = list_node_health(store, now=time.time())
    print_as(
        output_format,
        json=lambda: print_json(rows),
        csv=lambda: print_csv(NodeHealth.__struct_fields__, (msgspec.structs.astuple(row) for row in rows)),
        table=lambda: print_table(
            "",
            ("name", "version", "last report", "links behind", "sent until", "bytes to send", "unrecorded", "free GB"),
            (
                (
                    row.name,
                    row.version,
                    format_local_time(row.heard_at, zone, seconds=True),
                    row.links_behind,
                    format_local_time(row.sent_until, zone, seconds=True),
                    row.backlog_bytes,
                    row.unrecorded,
                    row.disk_free // 10**9,
                )
                for row in rows
            ),
            optional=("version", "unrecorded", "free GB"),
            empty_message="No nodes. `shortener node token NAME` adds one.",
        ),
    )


@click.command(cls=Command, examples=("shortener node remove paris", "shortener node remove old-server"))
@click.argument("name", type=NodeName())
@with_existing_store
def remove(context: CliContext, store: Store, name: str) -> None:
    """Remove a node and the database role that it uses.

    First send readers to other machines. Wait until `shortener node list` shows 0 bytes to send. Then stop the node,
    and run this command. A lost node can be removed at once. The clicks that a node has sent stay in the store.
    """
    with store.transaction():
        removed = nodes.get(store, name)
        if removed.role:
            postgres_roles.drop(store, removed.role)
        nodes.remove(store, name, now=int(time.time()))
    if removed.heard_at is None:
        click.echo(f"{name}: removed. It never reported.")
        return
    until = format_local_time(removed.sent_until or removed.heard_at, context.config.zone, seconds=True)
    click.echo(
        f"{name}: removed. At its last report {removed.backlog_bytes:,} bytes of its click log were not sent; clicks "
        f"after {until} are unknown."
    )


COMMANDS = [token, join, list_nodes, remove]
