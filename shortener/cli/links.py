"""``shortener link``: add, list, show, set, retire and import short links."""

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from msgspec import Struct, structs
from rich.console import Console
from rich.progress import track

from shortener.cli import CliContext, with_new_store, with_store
from shortener.cli.files import raise_row_errors, read_csv
from shortener.cli.groups import Group
from shortener.cli.options import (
    NEVER,
    TIME_OR_NEVER,
    get_link,
    parse_link_key,
    system_username,
)
from shortener.cli.output import (
    NO_VALUE,
    format_local_time,
    format_option,
    or_unknown,
    print_as,
    print_csv,
    print_json,
    print_json_array,
    print_line,
    print_table,
)
from shortener.config import Config
from shortener.errors import ShortenerError
from shortener.homographs import homograph_warning
from shortener.reporting.formatting import struct_rows
from shortener.reporting.link_records import LinkRecord, build_link_record
from shortener.reporting.link_report import LinkEdit, list_link_edits
from shortener.services.edit import retarget
from shortener.services.edit_links import add_link, change_link
from shortener.short_urls import build_short_url, validate_target
from shortener.store import Store, issues, links, listings
from shortener.store.links import Link

LINK_STATUSES = ("active", "todo", "expired", "retired")
MIN_PROGRESS_ROWS = 500
"""Number of rows from which an import shows a progress bar on a terminal."""
LIST_HEADINGS = ("short_url", "target", "title", "issue", "position", "status", "clicks", "visitors")
"""Columns of the table that ``link list`` prints."""
_Item = TypeVar("_Item")


@click.group(cls=Group)
def link() -> None:
    """Short links and their targets."""


@link.command(
    "add",
    examples=("shortener link add https://example.org/spring", "shortener link add https://example.org/ --code home"),
)
@click.argument("url")
@click.option("--code", help="The code (default: a generated one).")
@click.option("--domain", "host", help="The domain (default: the first [[domain]]).")
@click.option("--title", default="", help="Title for editors.")
@with_new_store
def add(context: CliContext, store: Store, url: str, code: str | None, host: str | None, title: str) -> None:
    """Create a short link to URL and print it."""
    link = add_link(store, url, config=context.config, now=int(time.time()), host=host, code=code, title=title)
    click.echo(_format_link(link, context.config))
    _warn_homograph(str(link.target))


def _warn_homograph(target: str) -> None:
    if warning := homograph_warning(target):
        click.echo(f"Warning: {warning}", err=True)


@link.command(
    "list",
    examples=("shortener link list --issue 2026-11", "shortener link list --status expired --format csv"),
)
@click.option("--issue", "slug", help="Only links of this issue.")
@click.option("--status", type=click.Choice(LINK_STATUSES), help="Only links of this status.")
@format_option
@with_store
def list_links(context: CliContext, store: Store, slug: str | None, status: str | None, output_format: str) -> None:
    """List the short links and their clicks, oldest link first."""
    if slug is not None:
        issues.get(store, slug)
    columns = LinkRecord.__struct_fields__
    rows = _list_items(store, slug, status, config=context.config)
    print_as(
        output_format,
        json=lambda: print_json_array(rows),
        csv=lambda: print_csv(columns, struct_rows(rows, columns)),
        table=lambda: print_table(
            "",
            [name.replace("_", " ") for name in LIST_HEADINGS],
            ([*row, or_unknown(visitors)] for *row, visitors in struct_rows(rows, LIST_HEADINGS)),
            empty_message="No short links to show. `shortener link add URL` creates one.",
            optional=("position", "title", "issue", "status", "clicks"),
        ),
    )


def _list_items(store: Store, slug: str | None, status: str | None, *, config: Config) -> Iterator[LinkRecord]:
    now = int(time.time())
    for row in listings.all_links(store):
        record = build_link_record(row, config=config, now=now)
        if slug in {None, record.issue} and status in {None, record.status}:
            yield record


@link.command("show", examples=("shortener link show spring", "shortener link show spring --format json"))
@click.argument("url", metavar="SHORT_URL")
@format_option
@with_store
def show_link(context: CliContext, store: Store, url: str, output_format: str) -> None:
    """Show target, issue, status and edits of a short link."""
    domain, code = parse_link_key(url, config=context.config)
    row = listings.link_details_by_code(store, domain, code)
    details = structs.asdict(build_link_record(row, config=context.config, now=int(time.time())))
    edits = list_link_edits(store, row.id)
    print_as(
        output_format,
        json=lambda: print_json({**details, "edits": edits}),
        csv=lambda: print_csv(list(details), [list(details.values())]),
        table=lambda: _print_details(details, edits, context.config.zone),
    )


def _print_details(details: dict[str, Any], edits: Iterable[LinkEdit], zone: ZoneInfo) -> None:
    for name, value in details.items():
        if isinstance(value, datetime):
            value = format_local_time(value, zone)
        if name == "visitors":
            value = or_unknown(value)
        print_line(f"{name.replace('_', ' '):<12} {NO_VALUE if value in {None, ''} else value}")
    for edit in edits:
        time_text = format_local_time(edit.at, zone)
        print_line(f"{time_text} {edit.who}: {edit.field}: {edit.old or NO_VALUE} → {edit.new or NO_VALUE}")


@link.command(
    "set",
    examples=(
        "shortener link set spring --target https://example.org/summer",
        "shortener link set spring --expires 2027-01-01",
    ),
)
@click.argument("url", metavar="SHORT_URL")
@click.option("--target", help="New target.")
@click.option("--title", help="Title for editors.")
@click.option(
    "--forward",
    type=click.Choice(["merge", "override", "drop", "default"]),
    help="How a click's query string is forwarded (default: as redirect.forward is set).",
)
@click.option("--expires", type=TIME_OR_NEVER, metavar="ISO|never", help="When it expires; never removes the time.")
@click.option(
    "--status",
    type=click.Choice(["active", "retired"]),
    help="retired: readers get an error page; active: restore it.",
)
@with_store
def set_link(
    context: CliContext,
    store: Store,
    url: str,
    target: str | None,
    title: str | None,
    forward: str | None,
    expires: int | None,
    status: str | None,
) -> None:
    """Change a short link.

    `shortener link show` lists the earlier values.
    """
    changes: dict[links.LinkField, str | int | None] = {}
    if title is not None:
        changes["title"] = title
    if forward is not None:
        changes["forward"] = None if forward == "default" else forward
    if expires is not None:
        changes["expires_at"] = None if expires == NEVER else expires
    if status is not None:
        changes["status"] = status
    if target is not None:
        changes["target"] = target
    if not changes:
        raise click.UsageError("give what to change: --target, --title, --forward, --expires or --status")
    changed = _apply_changes(store, url, changes, config=context.config)
    click.echo(f"{_format_link(changed, context.config)}: changed.")
    if target is not None:
        _warn_homograph(validate_target(target, config=context.config))


def _apply_changes(store: Store, url: str, changes: dict[links.LinkField, str | int | None], *, config: Config) -> Link:
    now = int(time.time())
    with store.transaction():
        short_link = get_link(store, url, config=config)
        change_link(store, short_link, changes, config=config, who=system_username(), now=now)
    return short_link  # as it was before the change


def _format_link(short_link: Link, config: Config) -> str:
    return build_short_url(short_link.domain, short_link.code, domains=config.domains)


@link.command("retire", examples=("shortener link retire spring", "shortener link retire go.example.com/spring"))
@click.argument("url", metavar="SHORT_URL")
@with_store
def retire(context: CliContext, store: Store, url: str) -> None:
    """Retire a short link.

    Readers then get an error page. The counts of the link stay.
    """
    short_link = _apply_changes(store, url, {"status": "retired"}, config=context.config)
    click.echo(
        f"{_format_link(short_link, context.config)}: retired. `shortener link set … --status active` restores it."
    )


class _ImportRow(Struct, frozen=True):
    """A valid row of an imported file, with its line number."""

    line: int
    host: str
    code: str
    target: str
    title: str


@link.command("import", examples=("shortener link import links.csv", "shortener link import - < links.csv"))
@click.argument("file", type=click.Path(path_type=Path))
@with_new_store
def import_links(context: CliContext, store: Store, file: Path) -> None:
    """Import short links from a CSV file.

    The columns are short_url,target[,title]. If FILE is -, standard input is read. If one row is invalid, nothing is
    imported.
    """
    errors: list[tuple[int, str]] = []
    csv_rows = list(read_csv(file, required=("short_url", "target")))
    rows = list(_valid_rows(_with_progress_bar(csv_rows, "Reading"), errors, config=context.config))
    with store.transaction():
        new, existing = _store_rows(store, _with_progress_bar(rows, "Storing"), errors, config=context.config)
        if errors:
            raise_row_errors(file, sorted(errors), row_count=len(csv_rows))
    click.echo(f"{file}: {new:,} new, {existing:,} existing.")


def _with_progress_bar(items: list[_Item], description: str) -> Iterable[_Item]:
    hidden = len(items) < MIN_PROGRESS_ROWS or not sys.stderr.isatty()
    return track(items, description, console=Console(stderr=True), disable=hidden, transient=True)


def _valid_rows(
    rows: Iterable[tuple[int, dict[str, str]]], errors: list[tuple[int, str]], *, config: Config
) -> Iterator[_ImportRow]:
    for line, cells in rows:
        try:
            host, code = parse_link_key(cells["short_url"], config=config)
            target = validate_target(cells["target"], config=config)
        except ShortenerError as error:
            errors.append((line, str(error)))
        else:
            yield _ImportRow(line, host, code, target, cells.get("title", ""))


def _store_rows(
    store: Store, rows: Iterable[_ImportRow], errors: list[tuple[int, str]], *, config: Config
) -> tuple[int, int]:
    now, new, existing = int(time.time()), 0, 0
    for row in rows:
        stored_link = links.find(store, row.host, row.code)
        if stored_link is None:
            links.add(store, row.host, row.code, target=row.target, title=row.title, now=now)
            new += 1
        elif stored_link.target in {None, row.target}:
            retarget(store, stored_link, row.target, config=config, who=system_username(), now=now)
            if row.title and not stored_link.title:
                links.update_field(store, stored_link, "title", row.title, who=system_username(), now=now)
            existing += 1
        else:
            # A link that already leads to another URL is not changed.
            message = f"{row.host}/{row.code} already has the target {stored_link.target}, not {row.target}"
            errors.append((row.line, message))
    return new, existing


COMMANDS = [link]
