"""The ``shortener`` command. It loads only the module of the called subcommand, and prints errors as one line."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from msgspec import Struct

from shortener import __version__
from shortener.cli.groups import Group
from shortener.cli.streams import flush_output, open_closed_streams, report_errors
from shortener.config import Config, environment, find_file, load, variable_of
from shortener.errors import ConfigError, StoreError
from shortener.files import STORE_FILE_NAME
from shortener.settings import with_settings

if TYPE_CHECKING:
    from shortener.store import Store


class CliContext(Struct):
    """The configuration that each command receives. It is loaded when needed.

    ``config`` includes the settings that editors have stored; ``file_config`` does not.
    """

    config_file: str | None
    cached_config: Config | None = None
    cached_file_config: Config | None = None

    @property
    def config_path(self) -> Path | None:
        """Path of the configuration file; None if there is no file."""
        return find_file(self.config_file, environment=environment())

    @property
    def file_config(self) -> Config:
        """The configuration from the file and the environment, without stored settings.

        Raises ConfigError if it is invalid.
        """
        # Commands such as `serve` use it, because they do not read the store.
        if self.cached_file_config is None:
            self.cached_file_config = load(self.config_path, environment=environment())
        return self.cached_file_config

    @property
    def config(self) -> Config:
        """The configuration, including the settings that editors have stored. Raises ConfigError.

        If the store cannot be read, the settings are left out.
        """
        if self.cached_config is None:
            self.cached_config = with_settings(self.file_config, self.stored_settings())
        return self.cached_config

    def stored_settings(self) -> dict[str, str]:
        """Return the settings that editors have stored, by key.

        Return an empty dict if the store cannot be read. Raises ConfigError.
        """
        data, url = self.file_config.data_directory, self.file_config.storage.url
        if not (url or (data / STORE_FILE_NAME).exists()):
            return {}
        from shortener.store import open_reader, settings  # here, as below

        try:
            with contextlib.closing(open_reader(data, url=url)) as reader:
                return settings.read(reader)
        except StoreError:  # the command that uses the store reports it
            return {}

    def open_store(
        self,
        *,
        # What to do without a store: create it, open an empty temporary store, or raise StoreError.
        missing: Literal["create", "empty", "error"] = "empty",
    ) -> "Store":
        """Open the store and return it.

        Raises StoreError, or ConfigError if there is neither a store nor a configuration.
        """
        # Imported here because loading it takes a tenth of a second, and `serve` does not need it.
        from shortener.store import open_store

        data, url = self.file_config.data_directory, self.file_config.storage.url
        configured = self.config_path is not None or variable_of("storage", "data", environment=environment())
        try:
            if not (url or configured or (data / STORE_FILE_NAME).exists()):
                raise ConfigError("there is no config.toml in this directory", kind="config_missing")
            return open_store(data, url=url, create=missing == "create")
        except StoreError as error:
            if missing != "empty" or error.kind not in {"store_missing", "database_empty"}:
                raise
        import tempfile  # a command with a store does not need it

        temporary = tempfile.TemporaryDirectory(prefix="shortener-")
        click.get_current_context().call_on_close(temporary.cleanup)
        return open_store(Path(temporary.name))


SECTIONS = {
    "Newsletter": {"issue": "issues", "link": "links", "picks": "picks", "signals": "signals"},
    "Results": {"report": "reports", "rank": "ranking", "clicks": "clicks"},
    "Server": {
        "init": "init",
        "serve": "serve",
        "centre": "serve",
        "node": "nodes",
        "demo": "demo",
        "user": "users",
        "token": "tokens",
        "store": "store",
        "doctor": "maintenance",
        "backup": "maintenance",
        "config": "maintenance",
        "collect": "maintenance",
        "rebuild": "maintenance",
        "reclassify": "clicks",
        "edge": "nginx",
        "completion": "completion",
    },
}
"""Sections of the help, with the names of the commands and their modules."""


class MainGroup(Group):
    """The group of all commands. Errors that users can cause are printed as one line."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line. For an error that users can cause, print one line and exit with status 1."""
        open_closed_streams()
        with report_errors():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and return its result.

        For an error that users can cause, print one line on standard error and exit with status 1.
        """
        with report_errors():
            result = super().invoke(ctx)
            flush_output()
            return result


pass_cli_context = click.make_pass_decorator(CliContext)
"""Decorator that passes the CliContext to a command as its first argument."""


def with_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the CliContext and an open store. If there is none, the command gets an empty temporary store."""
    return _pass_store(command, missing="empty")


def with_new_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the CliContext and an open store, which is created if there is none."""
    return _pass_store(command, missing="create")


def with_existing_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the CliContext and an open store. The command raises StoreError if there is no store."""
    return _pass_store(command, missing="error")


def _pass_store(command: Callable[..., Any], *, missing: Literal["create", "empty", "error"]) -> Callable[..., Any]:
    @pass_cli_context
    @functools.wraps(command)
    def run(context: CliContext, *args: Any, **kwargs: Any) -> Any:
        with contextlib.closing(context.open_store(missing=missing)) as store:
            return command(context, store, *args, **kwargs)

    return run


@click.group(
    cls=MainGroup,
    sections=SECTIONS,
    examples=("shortener init", "shortener issue add issue.md --sent-at 2026-11-24T08:00 --recipients 1500"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
