"""``shortener user``: users of the editor pages and their roles."""

import sys
import time
from typing import Any

import click
from msgspec import structs

from shortener.cli import CliContext, with_new_store, with_store
from shortener.cli.groups import Group
from shortener.cli.output import (
    format_local_time,
    format_option,
    print_as,
    print_csv,
    print_json,
    print_table,
)
from shortener.reporting.counts import to_datetime_or_none
from shortener.services import accounts
from shortener.services.accounts import ROLES, Role
from shortener.store import Store
from shortener.store.accounts import UserSummary
from shortener.store.accounts import get as get_user
from shortener.store.accounts import list_all as list_all_users

role_option = click.option(
    "--role", type=click.Choice(ROLES), default="editor", show_default=True, help="What the user may do."
)


@click.group(cls=Group)
def user() -> None:
    """Users of the editor pages and their roles.

    Viewers see all pages, editors also change issues and links, and admins also manage users.
    """


@user.command("add", examples=("shortener user add ada --role admin --invite", "shortener user add ben < password.txt"))
@click.argument("name")
@role_option
@click.option("--invite", is_flag=True, help="Print an invite link where the user chooses the password.")
@with_new_store
def add(context: CliContext, store: Store, name: str, role: Role, invite: bool) -> None:
    """Add a user.

    The password is asked for at a terminal, or read from standard input.
    """
    now = int(time.time())
    name = accounts.check_name(name)
    accounts.add_user(store, name, role=role, password=None if invite else _read_password(), now=now)
    click.echo(f"{name}: added as {role}.")
    if invite:
        click.echo(f"Invite link: {accounts.invite(store, name, config=context.config, now=now)}")


@user.command("list", examples=("shortener user list", "shortener user list --format json"))
@format_option
@with_store
def list_users(context: CliContext, store: Store, output_format: str) -> None:
    """List all users, and when they were last seen."""
    rows = list_all_users(store)
    print_as(
        output_format,
        json=lambda: print_json([_user_row(row) for row in rows]),
        csv=lambda: print_csv(UserSummary.__struct_fields__, (list(_user_row(row).values()) for row in rows)),
        table=lambda: print_table(
            "",
            ("name", "role", "password", "sessions", "last seen"),
            (
                (
                    row.name,
                    row.role,
                    "set" if row.has_password else "not set",
                    row.sessions,
                    format_local_time(row.seen_at, context.config.zone),
                )
                for row in rows
            ),
            empty_message="No users yet. `shortener user add NAME --role admin` adds the first.",
        ),
    )


def _user_row(row: UserSummary) -> dict[str, Any]:
    times = ("created_at", "seen_at", "invited_until")
    return structs.asdict(row) | {name: to_datetime_or_none(getattr(row, name)) for name in times}


@user.command("set-role", examples=("shortener user set-role ben admin", "shortener user set-role ben viewer"))
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@with_store
def set_role(context: CliContext, store: Store, name: str, role: Role) -> None:
    """Change the role of a user.

    The user is signed out everywhere.
    """
    accounts.set_role(store, name, role, now=int(time.time()))
    click.echo(f"{name}: now {role}.")


@user.command("remove", examples=("shortener user remove ben", 'shortener user remove "Ada Lovelace"'))
@click.argument("name")
@with_store
def remove(context: CliContext, store: Store, name: str) -> None:
    """Remove a user.

    The user is signed out everywhere.
    """
    accounts.remove_user(store, name)
    click.echo(f"{name}: removed.")


@user.command(
    "password", examples=("shortener user password ben --invite", "shortener user password ben < password.txt")
)
@click.argument("name")
@click.option("--invite", is_flag=True, help="Print an invite link where the user chooses the password.")
@with_store
def password(context: CliContext, store: Store, name: str, invite: bool) -> None:
    """Set a user's password.

    The user is signed out everywhere.
    """
    now = int(time.time())
    if invite:
        click.echo(f"Invite link: {accounts.invite(store, name, config=context.config, now=now)}")
        return
    get_user(store, name)
    accounts.set_password(store, name, _read_password(), now=now)
    click.echo(f"{name}: password changed.")


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline(accounts.MAX_PASSWORD_LENGTH + 2).rstrip("\n")


COMMANDS = [user]
