"""``shortener user``: who may see the editor pages."""

import sys
import time
from typing import Any

import click

from shortener.cli import CliContext, with_store
from shortener.cli.output import (
    emit,
    format_iso,
    format_local_time,
    format_option,
    print_csv,
    print_json,
    print_table,
)
from shortener.services import accounts
from shortener.services.accounts import ROLES, Role
from shortener.store import Store
from shortener.store import accounts as stored

_USER_COLUMNS = ("name", "role", "has_password", "created_at", "sessions", "seen_at")
_role_option = click.option(
    "--role", type=click.Choice(ROLES), default="editor", show_default=True, help="What the user may do."
)


@click.group()
def user() -> None:
    """Users of the editor pages: viewers look, editors change, admins manage users."""


@user.command("add")
@click.argument("name")
@_role_option
@click.option("--invite", is_flag=True, help="Print a one-time address where the user chooses the password.")
@with_store
def add(context: CliContext, store: Store, name: str, role: Role, invite: bool) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    now = int(time.time())
    name = accounts.check_name(name)
    accounts.add_user(store, name, role=role, password=None if invite else _read_password(), now=now)
    click.echo(f"{name}: added as {role}.")
    if invite:
        click.echo(f"One-time address: {accounts.invite(store, name, config=context.config, now=now)}")


@user.command("list")
@format_option
@with_store
def list_users(context: CliContext, store: Store, output_format: str) -> None:
    """All users, and when they were last seen."""
    rows = stored.list_all(store)
    emit(
        output_format,
        json=lambda: print_json([_user_row(row) for row in rows]),
        csv=lambda: print_csv(_USER_COLUMNS, (list(_user_row(row).values()) for row in rows)),
        table=lambda: print_table(
            "",
            ("name", "role", "password", "sessions", "last seen"),
            (
                (
                    row.name,
                    row.role,
                    "set" if row.has_password else "to be chosen",
                    row.sessions,
                    format_local_time(row.seen_at, context.config.zone),
                )
                for row in rows
            ),
            empty_message="No users yet: `shortener user add NAME --role admin` adds the first.",
        ),
    )


def _user_row(row: stored.UserSummary) -> dict[str, Any]:
    """A user with its times in ISO 8601."""
    values = {name: getattr(row, name) for name in _USER_COLUMNS}
    return values | {"created_at": format_iso(row.created_at), "seen_at": format_iso(row.seen_at)}


@user.command("set-role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@with_store
def set_role(context: CliContext, store: Store, name: str, role: Role) -> None:
    """Let a user do more or less; open sessions end."""
    accounts.set_role(store, name, role, now=int(time.time()))
    click.echo(f"{name}: {role} now.")


@user.command("remove")
@click.argument("name")
@with_store
def remove(context: CliContext, store: Store, name: str) -> None:
    """Remove a user; open sessions end."""
    accounts.remove_user(store, name)
    click.echo(f"{name}: removed.")


@user.command("password")
@click.argument("name")
@click.option("--invite", is_flag=True, help="Print a one-time address where the user chooses the password.")
@with_store
def password(context: CliContext, store: Store, name: str, invite: bool) -> None:
    """Set a user's password; open sessions end."""
    now = int(time.time())
    if invite:
        click.echo(f"One-time address: {accounts.invite(store, name, config=context.config, now=now)}")
        return
    stored.get(store, name)
    accounts.set_password(store, name, _read_password(), now=now)
    click.echo(f"{name}: password changed.")


def _read_password() -> str:
    """A new password, asked for twice at a terminal; one line of standard input otherwise."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline(accounts.MAX_PASSWORD_LENGTH + 2).rstrip("\n")


COMMANDS = [user]
