"""The ``shortener`` command: each subcommand is a few lines around one of the rooms."""

import functools
import importlib
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from shortener import __version__
from shortener import config as configuration
from shortener.cli.remedies import message_with_remedy
from shortener.config import Config
from shortener.errors import ShortenerError

if TYPE_CHECKING:
    from shortener.store import Store


class CliContext(Struct):
    """What every command starts from: the configuration, read when it is first needed."""

    config_file: str | None
    cached_config: Config | None = None

    @property
    def config_path(self) -> Path | None:
        """The configuration file, or None where there is none."""
        return configuration.find_file(self.config_file, environment=configuration.environment())

    @property
    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        if self.cached_config is None:
            self.cached_config = configuration.load(self.config_path, environment=configuration.environment())
        return self.cached_config

    def open_store(self) -> "Store":
        """The store, made or brought up to date. Raises StoreError."""
        from shortener.store import open_store  # a sixth of a second, which `serve` has no use for

        return open_store(self.config.data_directory)


COMMANDS_BY_MODULE = {
    "serve": ("serve",),
    "maintenance": ("collect", "rebuild", "backup", "doctor", "config"),
    "issues": ("issue",),
    "links": ("link",),
    "reports": ("report",),
    "clicks": ("clicks", "reclassify"),
    "ranking": ("rank",),
    "picks": ("picks",),
    "signals": ("signals",),
    "users": ("user",),
    "nginx": ("edge",),
    "demo": ("demo",),
}
"""Which module has which commands: a command loads only what it needs, so that a collector starts at once."""


class LazyGroup(click.Group):
    """A group whose errors that a person can cause end in one line and status 1, never in a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(name for names in COMMANDS_BY_MODULE.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, its module loaded when it is first asked for."""
        for module, names in COMMANDS_BY_MODULE.items():
            if cmd_name in names:
                found = importlib.import_module(f"shortener.cli.{module}")
                commands: list[click.Command] = found.COMMANDS
                return next(each for each in commands if each.name == cmd_name)
        return None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the one place where errors become messages."""
        try:
            return super().invoke(ctx)
        except ShortenerError as error:
            _exit_with_error(message_with_remedy(error))
        except sqlite3.Error as error:
            _exit_with_error(f"the store: {error}; see `shortener doctor`")
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(0)
        except OSError as error:
            _exit_with_error(f"{error.filename or 'system'}: {error.strerror or error}")


def _exit_with_error(message: str) -> None:
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    sys.exit(1)


pass_cli_context = click.make_pass_decorator(CliContext)


def with_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the session and an open store that is closed behind it."""

    @pass_cli_context
    @functools.wraps(command)
    def run(session: CliContext, *args: Any, **kwargs: Any) -> Any:
        store = session.open_store()
        try:
            return command(session, store, *args, **kwargs)
        finally:
            store.close()

    return run


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    help="Configuration file (default: SHORTENER_CONFIG, ./config.toml).",
)
@click.version_option(__version__, prog_name="shortener")
@click.pass_context
def main(ctx: click.Context, config_file: str | None) -> None:
    """Short links for newsletters: an issue in, its clicks counted, its articles ranked."""
    ctx.obj = CliContext(config_file)
