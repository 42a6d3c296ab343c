"""Times as options, and that each command has the parameters of its options."""

import inspect
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import click
import pytest

from shortener.cli import main
from shortener.cli.options import parse_time
from shortener.cli.whole_number import WholeNumber
from shortener.errors import InputError

TIMES = {
    "UTC": ("2026-11-24T08:00:00Z", 1_795_507_200),
    "offset": ("2026-11-24T09:00+01:00", 1_795_507_200),
    "space for T": ("2026-11-24 08:00Z", 1_795_507_200),
    "fraction": ("2026-11-24T08:00:00.900Z", 1_795_507_200),
    "the epoch": ("1970-01-01T00:00Z", 0),
    "winter in the site's zone": ("2026-11-24T09:00", 1_795_507_200),
    "summer in the site's zone": ("2026-07-24T10:00", 1_784_880_000),
    "a date": ("2026-11-24", 1_795_474_800),
}
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(("text", "seconds"), TIMES.values(), ids=TIMES)
def test_a_time_is_read(text: str, seconds: int) -> None:
    """An ISO 8601 time is converted to seconds of the UTC epoch; without an offset it is in the site's zone."""
    assert parse_time(text, zone=BERLIN) == seconds


REFUSED = {
    "no date": ("yesterday", "such as 2026-11-24T08:00"),
    "empty": ("", "is not a date and time"),
    "no such day": ("2026-02-30T00:00Z", "is not a date and time"),
    "year 1": ("0001-01-01T00:00+14:00", "1970"),
    "year 9999": ("9999-12-31T23:59-14:00", "9998"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_other_times_are_refused(text: str, message: str) -> None:
    """The error says what a valid time looks like."""
    with pytest.raises(InputError, match=message):
        parse_time(text, zone=BERLIN)


WRONG_NUMBERS = {"letters": "many", "fraction": "1.5", "below": "0", "above": "65536", "long": "9" * 30}


@pytest.mark.parametrize("text", WRONG_NUMBERS.values(), ids=WRONG_NUMBERS)
def test_a_wrong_number_says_which_are_accepted(text: str) -> None:
    """The error has the text and the bounds."""
    with pytest.raises(click.BadParameter, match=f"'{text}' is not a whole number from 1 to 65535"):
        WholeNumber(1, 65535).convert(text, None, None)


def test_a_number_within_its_bounds_is_read() -> None:
    """The bounds are included, and an upper bound is optional."""
    assert [WholeNumber(1, 3).convert(text, None, None) for text in ("1", " 2", "3")] == [1, 2, 3]
    assert WholeNumber(0).convert("1000000", None, None) == 1_000_000


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
    assert parameters - passed_by_decorators == {
        parameter.name for parameter in command.params if parameter.expose_value
    }
