"""What several commands take: times, domains and short URLs, each read in one way only."""

import getpass
from datetime import UTC, datetime
from typing import Any

import click

from shortener.config import Config, Domain
from shortener.errors import InputError
from shortener.short_urls import parse_short_url
from shortener.store import Store, links
from shortener.store.links import Link

MIN_YEAR, MAX_YEAR = 1970, 9998
"""Times outside cannot be meant, and some of them cannot be calculated with."""


def parse_time(text: str) -> int:
    """Seconds of UTC epoch of an ISO 8601 time with a zone. Raises InputError with the mend."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"{text!r} is no date and time; write it as ISO 8601, as 2026-11-24T08:00+01:00"
        ) from None
    if moment.tzinfo is None:
        stated = moment.isoformat(timespec="minutes")
        raise InputError(f"{text!r} has no time zone; add Z or +02:00, as {stated}Z or {stated}+02:00")
    if not MIN_YEAR <= moment.year <= MAX_YEAR:
        raise InputError(f"{text!r} has the year {moment.year}; give one from {MIN_YEAR} to {MAX_YEAR}")
    return int(moment.astimezone(UTC).timestamp())


class TimeType(click.ParamType[int]):
    """An ISO 8601 time with a zone, as seconds of UTC epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the time, or end with what is wrong with it."""
        if isinstance(value, int):
            return value
        try:
            return parse_time(value)
        except InputError as error:
            self.fail(str(error), param, ctx)


TIME = TimeType()


class TimeOrNeverType(TimeType):
    """The same, or ``never`` (which is -1)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the time or the word."""
        return NEVER if value == "never" else super().convert(value, param, ctx)


NEVER = -1
TIME_OR_NEVER = TimeOrNeverType()


class CountOrUnknownType(click.ParamType[int]):
    """How many, from 1, or ``unknown`` (which is 0)."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number or the word."""
        return UNKNOWN if value == "unknown" else click.IntRange(min=1).convert(value, param, ctx)


UNKNOWN = 0
COUNT_OR_UNKNOWN = CountOrUnknownType()


def get_domain(host: str | None, *, config: Config) -> Domain:
    """The domain of that host, the default one for None. Raises InputError for one that is not configured."""
    for domain in config.domains:
        if host is None or domain.host == host.strip().lower():
            return domain
    raise InputError(f"{host}: not a configured domain; there are {_host_list(config)}")


def parse_link_key(text: str, *, config: Config) -> tuple[str, str]:
    """Host and code that a short URL names. Raises InputError where it names none of ours."""
    key = parse_short_url(text, domains=config.domains)
    if key is None:
        raise InputError(
            f"{text}: not a short URL of ours; write https://host/code, host/code or a code, "
            f"the host being one of {_host_list(config)}"
        )
    return key


def get_link(store: Store, text: str, *, config: Config) -> Link:
    """The link that a short URL names. Raises InputError, NotFound."""
    return links.get(store, *parse_link_key(text, config=config))


def system_username() -> str:
    """Who runs the command, for the list of edits."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def _host_list(config: Config) -> str:
    return ", ".join(domain.host for domain in config.domains)
