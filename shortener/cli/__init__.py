"""The ``shortener`` command. It loads only the module of the called subcommand, and prints errors as one line."""

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from shortener import __version__
from shortener.config import Config, environment, find_file, load
from shortener.remedies import REPORTED_ERRORS, error_message

if TYPE_CHECKING:
    from shortener.store import Store


class CliContext(Struct):
    """State that each command receives: the path of the configuration file, and its content, loaded on first use."""

    config_file: str | None
    cached_config: Config | None = None

    @property
    def config_path(self) -> Path | None:
        """Path of the configuration file; None if there is no file."""
        return find_file(self.config_file, environment=environment())

    @property
    def config(self) -> Config:
        """The loaded configuration. Raises ConfigError."""
        if self.cached_config is None:
            self.cached_config = load(self.config_path, environment=environment())
        return self.cached_config

    def open_store(self) -> "Store":
        """Open the store and return it. It is created or migrated if necessary. Raises StoreError."""
        # Imported here because loading it takes a sixth of a second, and `serve` does not need it.
        from shortener.store import open_store

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
    "tokens": ("token",),
    "store": ("store",),
    "nginx": ("edge",),
    "demo": ("demo",),
}
"""Names of the commands by module. Only the module of the called command is loaded, which keeps the start quick."""


class LazyGroup(click.Group):
    """Command group that loads a command's module on demand, and prints errors that users can cause as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(name for names in COMMANDS_BY_MODULE.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the module of a command and return the command; None for an unknown name."""
        for module, names in COMMANDS_BY_MODULE.items():
            if cmd_name in names:
                commands: list[click.Command] = importlib.import_module(f"shortener.cli.{module}").COMMANDS
                return next(command for command in commands if command.name == cmd_name)
        return None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error becomes one line on standard error and exit status 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The program that reads our output, such as head, has ended. Without this, Python would report it at exit.
            sys.stderr.close()
            sys.exit(0)
        except REPORTED_ERRORS as error:
            click.echo(f"Error: {error_message(error)}", err=True)
            sys.exit(1)


pass_cli_context = click.make_pass_decorator(CliContext)
"""Decorator that passes the CliContext to a command as its first argument."""


def with_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command so that it gets the CliContext and an open store, which is closed at its end."""

    @pass_cli_context
    @functools.wraps(command)
    def run(context: CliContext, *args: Any, **kwargs: Any) -> Any:
        store = context.open_store()
        try:
            return command(context, store, *args, **kwargs)
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
    """Short links for newsletters: add an issue, count its clicks, rank its articles."""
    ctx.obj = CliContext(config_file)
