"""``shortener token``: tokens with which programs use the JSON API."""

import time
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import click

from shortener.cli import CliContext, with_store
from shortener.cli.groups import Group
from shortener.cli.options import check_year, parse_time, site_zone
from shortener.cli.output import format_local_time, format_option, print_as, print_csv, print_json, print_table
from shortener.errors import InputError
from shortener.reporting.formatting import struct_rows
from shortener.services import tokens
from shortener.services.tokens import SCOPE_ROLES, SCOPES, TokenSummary
from shortener.store import Store, accounts
from shortener.store.tokens import list_all as list_all_tokens


class ExpiryType(click.ParamType[int]):
    """Option type: a day such as 2027-01-31, or an ISO 8601 time, which is converted to seconds of the UTC epoch."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the time in seconds of the UTC epoch. Text that is neither a day nor a time is a usage error."""
        try:
            return parse_expiry(value, zone=site_zone(ctx))
        except InputError as error:
            self.fail(str(error), param, ctx)


def parse_expiry(
    text: str,  # an ISO 8601 time, or a day
    *,
    zone: ZoneInfo,
) -> int:
    """Return the expiry of a token in seconds of the UTC epoch. A day means the end of the day. Raises InputError."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return parse_time(text, zone=zone)
    check_year(text, day.year)
    return tokens.end_of_day(day, zone=zone)


@click.group(cls=Group)
def token() -> None:
    """Tokens of the JSON API.

    A token never has more rights than the role of its owner.
    """


@token.command(
    "add",
    examples=(
        "shortener token add website --scope read",
        "shortener token add script --scope links --user admin --expires 2027-12-31",
    ),
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What the token permits. Reading: read, clicks; changing: links, issues; webhooks: admin.",
)
@click.option("--user", "owner", help="Its owner (default: the only user).")
@click.option(
    "--expires", type=ExpiryType(), metavar="DAY|ISO", help="Last day, or time (in the site's zone; default: never)."
)
@click.option("--hex", "hexadecimal", is_flag=True, help="32 hexadecimal digits, for clients that limit its length.")
@with_store
def add(
    context: CliContext,
    store: Store,
    name: str,
    scopes: tuple[str, ...],
    owner: str | None,
    expires: int | None,
    hexadecimal: bool,
) -> None:
    """Create a token and print it.

    The token cannot be shown again, because the store has only its hash.
    """
    created = tokens.add_token(
        store,
        owner or _only_user_name(store),
        name,
        scopes=scopes,
        expires_at=expires,
        now=int(time.time()),
        hexadecimal=hexadecimal,
    )
    click.echo(created.text)
    for scope in tokens.unusable_scopes(created.token):
        click.echo(
            f"Note: {created.token.owner} is {created.token.role}; the scope {scope} needs the role "
            f"{SCOPE_ROLES[scope]} and has no effect until then.",
            err=True,
        )


def _only_user_name(store: Store) -> str:
    users = accounts.list_all(store)
    if not users:
        raise InputError("there is no user who could own the token; add one with `shortener user add NAME`")
    if len(users) > 1:
        raise InputError(f"choose the owner of the token with --user: {', '.join(user.name for user in users)}")
    return users[0].name


@token.command("list", examples=("shortener token list", "shortener token list --format json"))
@format_option
@with_store
def list_tokens(context: CliContext, store: Store, output_format: str) -> None:
    """List the tokens of all users.

    Each is listed with its first characters, because the store does not have the whole token.
    """
    rows = list(map(tokens.summarize, list_all_tokens(store)))
    columns = TokenSummary.__struct_fields__
    print_as(
        output_format,
        json=lambda: print_json(rows),
        csv=lambda: print_csv(columns, struct_rows(rows, columns)),
        table=lambda: print_table(
            "",
            ("name", "owner", "begins with", "scopes", "expires", "last used"),
            (_table_cells(row, context.config.zone) for row in rows),
            optional=("last used", "owner", "expires"),
            empty_message="No tokens. `shortener token add NAME --scope read` creates one.",
        ),
    )


def _table_cells(row: TokenSummary, zone: ZoneInfo) -> list[Any]:
    times = [format_local_time(time, zone) for time in (row.expires_at, row.last_used_at)]
    return [row.name, row.owner, row.start, " ".join(row.scopes), *times]


@token.command("revoke", examples=("shortener token revoke website", "shortener token revoke script --user admin"))
@click.argument("name")
@click.option("--user", "owner", help="Its owner, if several users have a token of this name.")
@with_store
def revoke(context: CliContext, store: Store, name: str, owner: str | None) -> None:
    """Revoke a token.

    Requests with it are refused from now on.
    """
    revoked = tokens.revoke_token(store, name, owner=owner)
    click.echo(f"{revoked.name}: the token of {revoked.owner} is revoked.")


COMMANDS = [token]
