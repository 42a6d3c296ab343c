"""Options and arguments that several commands have: times, time ranges, domains and short URLs."""

import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from shortener.cli import CliContext
from shortener.cli.whole_number import WholeNumber
from shortener.config import Config
from shortener.durations import MAX_YEAR, MIN_YEAR
from shortener.errors import Doubtful, InputError
from shortener.short_urls import parse_short_url
from shortener.store import Store, links
from shortener.store.links import Link


def parse_time(text: str, *, zone: ZoneInfo) -> int:
    """Return an ISO 8601 time as seconds of the UTC epoch. Raises InputError.

    A time without an offset is in the time zone ``zone``.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"{text!r} is not a date and time such as 2026-11-24T08:00 or 2026-11-24T08:00+01:00"
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone)
    check_year(text, time.year)
    return int(time.astimezone(UTC).timestamp())


def check_year(text: str, year: int) -> None:
    """Raise InputError if ``year`` is out of range. ``text`` is the date or time, for the error message."""
    if not MIN_YEAR <= year <= MAX_YEAR:
        raise InputError(f"{text!r} has the year {year}; it must be from {MIN_YEAR} to {MAX_YEAR}")


class TimeType(click.ParamType[int]):
    """Option type: an ISO 8601 time, which is converted to seconds of the UTC epoch.

    A time without an offset is in the configured time zone.
    """

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the time in seconds of the UTC epoch. An invalid time is a usage error."""
        if isinstance(value, int):
            return value
        try:
            return parse_time(value, zone=site_zone(ctx))
        except InputError as error:
            self.fail(str(error), param, ctx)


def site_zone(ctx: click.Context | None) -> ZoneInfo:
    """Return the configured time zone. Raises ConfigError."""
    context = ctx.find_object(CliContext) if ctx else None
    return context.config.zone if context else ZoneInfo("UTC")


TIME = TimeType()


class TimeOrNeverType(TimeType):
    """Option type: an ISO 8601 time, or ``never``, which becomes the number NEVER."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the time in seconds of the UTC epoch, or NEVER for ``never``. Other text is a usage error."""
        return NEVER if value == "never" else super().convert(value, param, ctx)


NEVER = -1
TIME_OR_NEVER = TimeOrNeverType()


class CountOrUnknownType(click.ParamType[int]):
    """Option type: a positive integer, or ``unknown``, which becomes the number UNKNOWN."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or UNKNOWN for ``unknown``. Other text is a usage error."""
        return UNKNOWN if value == "unknown" else WholeNumber(1).convert(value, param, ctx)


UNKNOWN = 0
COUNT_OR_UNKNOWN = CountOrUnknownType()


force_option = click.option(
    "--force", is_flag=True, help="Save an unlikely sending time or number of recipients without asking."
)
_Saved = TypeVar("_Saved")


def save_confirmed(
    save: Callable[[bool], _Saved],  # raises Doubtful for an unlikely value, unless its argument is True
    *,
    force: bool,  # whether to save without asking
) -> _Saved:
    """Save a value; ask the user to confirm an unlikely one. Without a terminal, an unlikely value raises Doubtful."""
    try:
        return save(force)
    except Doubtful as doubt:
        if not sys.stdin.isatty():
            raise
        click.confirm(f"{str(doubt)[:1].upper()}{str(doubt)[1:]}. Save it anyway?", abort=True, err=True)
        return save(True)


def date_range_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options ``--since`` and ``--until`` to a command. Their values are seconds of the UTC epoch, or None."""
    until = click.option("--until", type=TIME, help="Only clicks before this time (in the site's zone).")
    since = click.option(
        "--since", type=TIME, help="Only clicks from this time on, as 2026-11-24T08:00 (in the site's zone)."
    )
    return since(until(command))


def parse_link_key(text: str, *, config: Config) -> tuple[str, str]:
    """Return (host, code) of a short URL. Raises InputError if it is not on a configured domain."""
    key = parse_short_url(text, domains=config.domains)
    if key is None:
        raise InputError(
            f"{text}: not a short URL of a configured domain; write https://host/code, host/code or a code, "
            f"with a host of {_host_list(config)}"
        )
    return key


def get_link(store: Store, text: str, *, config: Config) -> Link:
    """Return the link with the short URL ``text``.

    Raises InputError for a host that is not a configured domain, and NotFound for an unknown code.
    """
    return links.get(store, *parse_link_key(text, config=config))


def system_username() -> str:
    """Return the name of the operating-system user who runs the command. It is stored with each edit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def _host_list(config: Config) -> str:
    return ", ".join(domain.host for domain in config.domains)
