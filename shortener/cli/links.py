"""``shortener link``: add, list, show, set, retire, import."""

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import click
from msgspec import Struct
from rich.console import Console
from rich.progress import track

from shortener.cli import CliContext, with_store
from shortener.cli.files import raise_row_errors, read_csv
from shortener.cli.options import (
    NEVER,
    TIME_OR_NEVER,
    get_domain,
    get_link,
    parse_link_key,
    system_username,
)
from shortener.cli.output import (
    NO_VALUE,
    emit,
    format_local_time,
    format_option,
    print_csv,
    print_json,
    print_json_array,
    print_line,
    print_table,
)
from shortener.config import Config
from shortener.errors import ShortenerError
from shortener.reporting.link_report import LinkReport, build_link_report, link_status
from shortener.services.edit import retarget
from shortener.services.new_code import choose_code
from shortener.short_urls import build_short_url, format_short_url, validate_target
from shortener.store import Store, issues, links, listings
from shortener.store.links import Link
from shortener.urls import homograph_warning

LINK_STATUSES = ("active", "todo", "expired", "retired")
LINK_FIELDS = ("domain", "code", "target", "title", "issue", "article", "position", "clicks", "visitors")
"""Fields of ``link list`` that come from the store as they are."""
_Item = TypeVar("_Item")
MIN_PROGRESS_ROWS = 500
"""Rows from which an import shows a progress bar on a terminal."""


class LinkListItem(Struct, frozen=True):
    """A line of ``link list``; clicks are people's."""

    short_url: str
    domain: str
    code: str
    target: str | None
    title: str
    issue: str | None
    article: str | None
    position: int | None
    status: str
    clicks: int
    visitors: int


@click.group()
def link() -> None:
    """Short links: what leads where."""


@link.command("add")
@click.argument("url")
@click.option("--code", help="The code (default: a new one is made).")
@click.option("--domain", "host", help="The domain (default: the first [[domain]]).")
@click.option("--title", default="", help="What editors call it.")
@with_store
def add(context: CliContext, store: Store, url: str, code: str | None, host: str | None, title: str) -> None:
    """Make a short link to URL and print it."""
    config = context.config
    domain = get_domain(host, config=config)
    target = validate_target(url, config=config)
    with store.transaction():
        code = choose_code(store, domain, code, config=config)
        links.add(store, domain.host, code, target=target, title=title.strip(), now=int(time.time()))
    click.echo(format_short_url(domain, code))
    _warn_homograph(target)


def _warn_homograph(target: str) -> None:
    if warning := homograph_warning(target):
        click.echo(f"Warning: {warning}", err=True)


@link.command("list")
@click.option("--issue", "slug", help="Only links of this issue.")
@click.option("--status", type=click.Choice(LINK_STATUSES), help="Only links of this status.")
@format_option
@with_store
def list_links(
    context: CliContext, store: Store, slug: str | None, status: str | None, output_format: str
) -> None:
    """All short links with their clicks, the oldest first."""
    if slug is not None:
        issues.get(store, slug)
    rows = _list_items(store, slug, status, config=context.config)
    columns = LinkListItem.__struct_fields__
    shown = ("short_url", "target", "title", "issue", "position", "status", "clicks", "visitors")
    emit(
        output_format,
        json=lambda: print_json_array(rows),
        csv=lambda: print_csv(columns, ([getattr(row, name) for name in columns] for row in rows)),
        table=lambda: print_table(
            "",
            [name.replace("_", " ") for name in shown],
            ([getattr(row, name) for name in shown] for row in rows),
            empty_message="No short link to show: `shortener link add URL` makes one.",
        ),
    )


def _list_items(
    store: Store, slug: str | None, status: str | None, *, config: Config
) -> Iterator[LinkListItem]:
    now = int(time.time())
    for row in listings.all_links(store):
        name = link_status(row.status, expires_at=row.expires_at, target=row.target, now=now)
        if slug in {None, row.issue} and status in {None, name}:
            url = build_short_url(row.domain, row.code, domains=config.domains)
            values = {field: getattr(row, field) for field in LINK_FIELDS}
            yield LinkListItem(short_url=url, status=name, **values)


@link.command("show")
@click.argument("url", metavar="SHORT_URL")
@format_option
@with_store
def show_link(context: CliContext, store: Store, url: str, output_format: str) -> None:
    """Where a short link leads, what it belongs to, and how it was changed."""
    domain, code = parse_link_key(url, config=context.config)
    report = build_link_report(store, domain, code, as_of=int(time.time()), domains=context.config.domains)
    facts = _link_details(report, domain, code)
    emit(
        output_format,
        json=lambda: print_json({**facts, "edits": report.edits}),
        csv=lambda: print_csv(list(facts), [list(facts.values())]),
        table=lambda: _print_details(facts, report, context.config.zone),
    )


def _link_details(report: LinkReport, domain: str, code: str) -> dict[str, object]:
    """What there is to say of a link: the keys of ``link list`` first."""
    return {
        "short_url": report.short_url,
        "domain": domain,
        "code": code,
        "target": report.target,
        "title": report.title,
        "issue": report.issue,
        "article": report.article,
        "position": report.position,
        "status": report.status,
        "clicks": report.totals.clicks.human,
        "visitors": report.totals.visitors,
        "forward": report.forward,
        "expires_at": report.expires_at,
        "created_at": report.created_at,
        "updated_at": report.updated_at,
    }


def _print_details(details: dict[str, object], report: LinkReport, zone: ZoneInfo) -> None:
    for name, value in details.items():
        if isinstance(value, datetime):
            value = format_local_time(value.timestamp(), zone)
        print_line(f"{name.replace('_', ' '):<12} {NO_VALUE if value in {None, ''} else value}")
    for edit in report.edits:
        at = format_local_time(edit.at.timestamp(), zone)
        print_line(f"{at} {edit.who}: {edit.field}: {edit.old or NO_VALUE} → {edit.new or NO_VALUE}")


@link.command("set")
@click.argument("url", metavar="SHORT_URL")
@click.option("--target", help="Where it leads from now on.")
@click.option("--title", help="What editors call it.")
@click.option(
    "--forward",
    type=click.Choice(["merge", "override", "drop", "default"]),
    help="What becomes of a click's query string (default: as redirect.forward says).",
)
@click.option("--expires", type=TIME_OR_NEVER, metavar="ISO|never", help="From when it is gone.")
@click.option("--status", type=click.Choice(["active", "retired"]), help="active takes a retirement back.")
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
    """Change a short link; what it was is kept and shown by `link show`."""
    changes: dict[links.LinkField, str | int | None] = {}
    if title is not None:
        changes["title"] = title.strip()
    if forward is not None:
        changes["forward"] = None if forward == "default" else forward
    if expires is not None:
        changes["expires_at"] = None if expires == NEVER else expires
    if status is not None:
        changes["status"] = status
    if target is not None:
        changes["target"] = validate_target(target, config=context.config)
    if not changes:
        raise click.UsageError("say what to change: --target, --title, --forward, --expires or --status")
    changed = _apply_changes(store, url, changes, config=context.config)
    click.echo(f"{_format_link(changed, context.config)}: changed.")
    if target is not None:
        _warn_homograph(str(changes["target"]))


def _apply_changes(
    store: Store, url: str, changes: dict[links.LinkField, str | int | None], *, config: Config
) -> Link:
    """Make all changes or none."""
    now = int(time.time())
    with store.transaction():
        found = get_link(store, url, config=config)
        for field, value in changes.items():
            if field == "target":
                retarget(store, found, str(value), config=config, who=system_username(), now=now)
            else:
                links.update_field(store, found, field, value, who=system_username(), now=now)
    return found


def _format_link(short_link: Link, config: Config) -> str:
    return build_short_url(short_link.domain, short_link.code, domains=config.domains)


@link.command("retire")
@click.argument("url", metavar="SHORT_URL")
@with_store
def retire(context: CliContext, store: Store, url: str) -> None:
    """Switch a short link off: readers see that it is gone, its counts stay."""
    found = _apply_changes(store, url, {"status": "retired"}, config=context.config)
    click.echo(
        f"{_format_link(found, context.config)}: retired. `shortener link set … --status active` takes it back."
    )


class _ImportRow(Struct, frozen=True):
    """A usable line of an import."""

    line: int
    host: str
    code: str
    target: str
    title: str


@link.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@with_store
def import_links(context: CliContext, store: Store, file: Path) -> None:
    """Take short links in from a CSV file: short_url,target[,title]. All of them or, if one is bad, none."""
    faults: list[tuple[int, str]] = []
    given = list(read_csv(file, required=("short_url", "target")))
    rows = list(_valid_rows(_with_progress_bar(given, "Reading"), faults, config=context.config))
    with store.transaction():
        new, same = _store_rows(store, _with_progress_bar(rows, "Storing"), faults, config=context.config)
        if faults:
            raise_row_errors(file, sorted(faults), row_count=len(given))
    click.echo(f"{file}: {new:,} new, {same:,} known already.")


def _with_progress_bar(items: list[_Item], description: str) -> Iterable[_Item]:
    hidden = len(items) < MIN_PROGRESS_ROWS or not sys.stderr.isatty()
    return track(items, description, console=Console(stderr=True), disable=hidden, transient=True)


def _valid_rows(
    rows: Iterable[tuple[int, dict[str, str]]], errors: list[tuple[int, str]], *, config: Config
) -> Iterator[_ImportRow]:
    """The rows that can be stored; the others are put among the faults."""
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
    """Store the rows; how many were new, and how many were known with this target or without one."""
    now, new, same = int(time.time()), 0, 0
    for row in rows:
        found = links.find(store, row.host, row.code)
        if found is None:
            links.add(store, row.host, row.code, target=row.target, title=row.title, now=now)
            new += 1
        elif found.target in {None, row.target}:
            retarget(store, found, row.target, config=config, who=system_username(), now=now)
            if row.title and not found.title:
                links.update_field(store, found, "title", row.title, who=system_username(), now=now)
            same += 1
        else:
            said = f"{row.host}/{row.code} leads to {found.target} already, not to {row.target}"
            errors.append((row.line, said))
    return new, same


COMMANDS = [link]
