"""Times as options, and that each command has the parameters of its options."""

import inspect
from collections.abc import Iterator

import click
import pytest

from shortener.cli import main
from shortener.cli.options import parse_time
from shortener.errors import InputError

TIMES = {
    "UTC": ("2026-11-24T08:00:00Z", 1_795_507_200),
    "offset": ("2026-11-24T09:00+01:00", 1_795_507_200),
    "space for T": ("2026-11-24 08:00Z", 1_795_507_200),
    "fraction": ("2026-11-24T08:00:00.900Z", 1_795_507_200),
    "the epoch": ("1970-01-01T00:00Z", 0),
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.values(), ids=TIMES)
def test_a_time_with_a_zone_is_read(text: str, seconds: int) -> None:
    """An ISO 8601 time with Z or an offset is converted to seconds of the UTC epoch."""
    assert parse_time(text) == seconds


REFUSED = {
    "no zone": ("2026-11-24T08:00", "add Z or an offset"),
    "a date": ("2026-11-24", r"2026-11-24T00:00Z"),
    "no date": ("yesterday", "ISO 8601"),
    "empty": ("", "ISO 8601"),
    "no such day": ("2026-02-30T00:00Z", "ISO 8601"),
    "year 1": ("0001-01-01T00:00+14:00", "1970"),
    "year 9999": ("9999-12-31T23:59-14:00", "9998"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_other_times_are_refused(text: str, message: str) -> None:
    """The error says what a valid time looks like."""
    with pytest.raises(InputError, match=message):
        parse_time(text)


def commands(group: click.Group) -> Iterator[click.Command]:
    """Yield all commands of a group and of its subgroups."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


@pytest.mark.parametrize("command", [pytest.param(command, id=command.name) for command in commands(main)])
def test_a_command_takes_its_options(command: click.Command) -> None:
    """Each option and argument of a command is a parameter of its function, and no other parameter is missing."""
    assert command.callback is not None
    parameters = set(inspect.signature(inspect.unwrap(command.callback)).parameters)
    passed_by_decorators = {"ctx", "context", "store"}
    assert parameters - passed_by_decorators == {parameter.name for parameter in command.params}
