"""Classes of commands: groups that load the module of a called command, help in sections, and examples."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

MAX_SUMMARY_LENGTH = 60
"""Length in characters of a command's first sentence, so that lists of commands fit a terminal of 80 columns."""


class Command(click.Command):
    """Command whose help ends with examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        write_examples(formatter, self.examples)


class Group(click.Group):
    """Group that lists its commands in the order of their definition. Modules of commands are loaded when needed."""

    command_class = Command
    group_class = type

    def __init__(
        self,
        *args: Any,
        sections: Mapping[str, Mapping[str, str]] | None = None,  # of the help: {heading: {command: module}}
        examples: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections or {}
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*self.commands, *(name for names in self.sections.values() for name in names)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name, and load its module if necessary; None for an unknown name."""
        for names in self.sections.values():
            if cmd_name in names:
                commands = importlib.import_module(f"shortener.cli.{names[cmd_name]}").COMMANDS
                return next(command for command in list[click.Command](commands) if command.name == cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, in sections."""
        width = max(len(name) for name in self.list_commands(ctx))
        for heading, names in {"Commands": self.commands, **self.sections}.items():
            rows = [(name.ljust(width), self._summary(ctx, name)) for name in names]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(MAX_SUMMARY_LENGTH + 1) if command else ""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the group's own examples. If it has none, write two examples, taken from two of its commands."""
        write_examples(formatter, self.examples or tuple(self._examples_of_commands(ctx))[:2])

    def _examples_of_commands(self, ctx: click.Context) -> Iterator[str]:
        for name in self.list_commands(ctx):
            yield from getattr(self.get_command(ctx, name), "examples", ())[:1]


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write each example as one line, which is not wrapped."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{' ' * formatter.current_indent}{example}\n")
