"""``shortener init``: write a configuration file, create the store, and print the invite link of the first admin."""

import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from shortener.cli import CliContext, pass_cli_context
from shortener.cli.files import open_atomic
from shortener.cli.groups import Command
from shortener.cli.output import command_name
from shortener.config import Config, Domain, environment, find_file, load
from shortener.errors import InputError
from shortener.services.accounts import invite_first_admin
from shortener.services.settings import find_changes, put_settings
from shortener.settings import ZONE as ZONE_KEY
from shortener.store import open_store
from shortener.urls import strip_port

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
"""Hosts whose links are http URLs, and whose port is the one that the server listens on."""
CONFIG_TEMPLATE = """\
# Written by `shortener init`. config.example.toml describes every key.
[site]
base_url = "{scheme}://{host}"

[[domain]]
host = "{host}"
scheme = "{scheme}"
"""
SERVER_TEMPLATE = """
[server]
port = {port}
"""


class HostType(click.ParamType[str]):
    """Option type: the host of short links, without scheme and slashes."""

    name = "host"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the host in lower case. A text that is not a host is a usage error."""
        host = str(value).strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/")
        try:
            return msgspec.convert({"host": host}, Domain).host
        except msgspec.ValidationError:
            return self.fail(f"{value!r} is not a domain such as go.example.com", param, ctx)


class ZoneType(click.ParamType[str]):
    """Option type: the IANA name of a time zone."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of the time zone. An unknown one is a usage error."""
        name = str(value).strip()
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return self.fail(f"{value!r} is not a time zone such as Europe/Berlin", param, ctx)


HOST, ZONE = HostType(), ZoneType()


@click.command(
    cls=Command, examples=("shortener init", "shortener init --domain go.example.com --timezone Europe/Berlin")
)
@click.option("--domain", "host", type=HOST, help="Domain of the short links (asked for if absent).")
@click.option("--timezone", "zone", type=ZONE, help="Time zone of reports and times (asked for if absent).")
@pass_cli_context
def init(context: CliContext, host: str | None, zone: str | None) -> None:
    """Write config.toml and create the store.

    It asks for the domain and the time zone, and prints the invite link with which the first admin creates an account.
    """
    path = find_file(context.config_file, environment=environment()) or Path("config.toml")
    if path.exists():
        raise InputError(f"{path}: exists already; edit it, or choose another file with --config")
    host = host or _ask("Domain of the short links, such as go.example.com", HOST, option="--domain")
    zone = zone or _ask("Time zone", ZONE, option="--timezone", default=_system_zone())
    _write_config(path, host)
    config = load(path, environment=environment())
    with closing(open_store(config.data_directory, url=config.storage.url)) as store:
        with store.transaction():
            put_settings(store, find_changes(store, {ZONE_KEY: zone}, config=config, confirmed=True))
        link = invite_first_admin(store, config=config, now=int(time.time()))
    _print_next_steps(context, path, config, link)


def _ask(question: str, answer: click.ParamType[str], *, option: str, default: str | None = None) -> str:
    try:
        return str(click.prompt(question, type=answer, default=default, err=not sys.stdout.isatty()))
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise click.UsageError(f"there is no input to ask for an answer: give {option}") from None


def _system_zone() -> str:
    name = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).rpartition("zoneinfo/")[2]
    try:
        return ZoneInfo(name).key.removeprefix("Etc/")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def _write_config(path: Path, host: str) -> None:
    name = strip_port(host)
    local = name in LOCAL_HOSTS
    text = CONFIG_TEMPLATE.format(host=host, scheme="http" if local else "https")
    port = host.removeprefix(name).lstrip(":")
    with open_atomic(path) as file:
        file.write((text + (SERVER_TEMPLATE.format(port=port) if local and port else "")).encode())


def _print_next_steps(context: CliContext, path: Path, config: Config, link: str | None) -> None:
    command = f"{command_name()} --config {path}" if context.config_file else command_name()
    click.echo(f"Written: {path}, and the store in {config.data_directory}.")
    click.echo(f"Start the server with `{command} serve`.")
    if link is not None:
        click.echo(f"The first admin signs in at this invite link: {link}")
        if config.base_url != config.listening_url:
            local_link = link.replace(config.base_url, config.listening_url, 1)
            click.echo(f"Until {config.domains[0].host} leads to the server, on this machine: {local_link}")
    click.echo(f"Add your first issue with `{command} issue add FILE`.")


COMMANDS = [init]
