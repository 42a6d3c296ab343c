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

from shortener.cli import Session, with_store
from shortener.cli.files import read_csv, report_faults
from shortener.cli.options import (
    NEVER,
    TIME_OR_NEVER,
    named_domain,
    short_key,
    stored_link,
    who,
)
from shortener.cli.output import (
    NONE,
    format_option,
    local,
    print_csv,
    print_json,
    print_json_rows,
    print_line,
    print_table,
    show,
)
from shortener.codes import check_code, new_code
from shortener.config import Config, Domain
from shortener.errors import ShortenerError
from shortener.reporting.link_report import LinkReport, link_report, status_name
from shortener.services.edit import retarget
from shortener.short_urls import checked_target, format_short_url, short_url
from shortener.store import Store, issues, links
from shortener.store.links import Link
from shortener.urls import homograph_warning

STATUSES = ("active", "todo", "expired", "retired")
_Item = TypeVar("_Item")
BAR_FROM = 500
"""Rows from which an import shows a progress bar on a terminal."""


class LinkListed(Struct, frozen=True):
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
def add(session: Session, store: Store, url: str, code: str | None, host: str | None, title: str) -> None:
    """Make a short link to URL and print it."""
    config = session.config
    domain = named_domain(host, config=config)
    target = checked_target(url, config=config)
    with store.writing():
        code = _code(store, domain, code, config=config)
        links.add(store, domain.host, code, target=target, title=title.strip(), now=int(time.time()))
    click.echo(format_short_url(domain, code))
    _warn(target)


def _code(store: Store, domain: Domain, code: str | None, *, config: Config) -> str:
    """The code that was chosen, checked, or a new one that is free on the domain."""

    def taken(code: str) -> bool:
        return links.find(store, domain.host, code if domain.case_sensitive else code.lower()) is not None

    if code is None:
        code = new_code(length=config.codes.length, alphabet=config.codes.alphabet, taken=taken)
    return check_code(code, case_sensitive=domain.case_sensitive)


def _warn(target: str) -> None:
    if warning := homograph_warning(target):
        click.echo(f"Warning: {warning}", err=True)


@link.command("list")
@click.option("--issue", "slug", help="Only links of this issue.")
@click.option("--status", type=click.Choice(STATUSES), help="Only links of this status.")
@format_option
@with_store
def list_links(session: Session, store: Store, slug: str | None, status: str | None, form: str) -> None:
    """All short links with their clicks, the oldest first."""
    if slug is not None:
        issues.get(store, slug)
    rows = _listed(store, slug, status, config=session.config)
    columns = LinkListed.__struct_fields__
    shown = ("short_url", "target", "title", "issue", "position", "status", "clicks", "visitors")
    show(
        form,
        json=lambda: print_json_rows(rows),
        csv=lambda: print_csv(columns, ([getattr(row, name) for name in columns] for row in rows)),
        table=lambda: print_table(
            "",
            [name.replace("_", " ") for name in shown],
            ([getattr(row, name) for name in shown] for row in rows),
            empty="No short link to show: `shortener link add URL` makes one.",
        ),
    )


def _listed(store: Store, slug: str | None, status: str | None, *, config: Config) -> Iterator[LinkListed]:
    now = int(time.time())
    for row in links.listing(store):
        name = status_name(row.pop("status"), expires_at=row.pop("expires_at"), target=row["target"], now=now)
        if slug in {None, row["issue"]} and status in {None, name}:
            url = short_url(row["domain"], row["code"], domains=config.domains)
            yield LinkListed(short_url=url, status=name, **row)


@link.command("show")
@click.argument("url", metavar="SHORT_URL")
@format_option
@with_store
def show_link(session: Session, store: Store, url: str, form: str) -> None:
    """Where a short link leads, what it belongs to, and how it was changed."""
    domain, code = short_key(url, config=session.config)
    report = link_report(store, domain, code, as_of=int(time.time()), domains=session.config.domains)
    facts = _facts(report, domain, code)
    show(
        form,
        json=lambda: print_json({**facts, "edits": report.edits}),
        csv=lambda: print_csv(list(facts), [list(facts.values())]),
        table=lambda: _print_facts(facts, report, session.config.zone),
    )


def _facts(report: LinkReport, domain: str, code: str) -> dict[str, object]:
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


def _print_facts(facts: dict[str, object], report: LinkReport, zone: ZoneInfo) -> None:
    for name, value in facts.items():
        if isinstance(value, datetime):
            value = local(value.timestamp(), zone)
        print_line(f"{name.replace('_', ' '):<12} {NONE if value in {None, ''} else value}")
    for edit in report.edits:
        at = local(edit.at.timestamp(), zone)
        print_line(f"{at} {edit.who}: {edit.field}: {edit.old or NONE} → {edit.new or NONE}")


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
    session: Session,
    store: Store,
    url: str,
    target: str | None,
    title: str | None,
    forward: str | None,
    expires: int | None,
    status: str | None,
) -> None:
    """Change a short link; what it was is kept and shown by `link show`."""
    changes: dict[links.Field, str | int | None] = {}
    if title is not None:
        changes["title"] = title.strip()
    if forward is not None:
        changes["forward"] = None if forward == "default" else forward
    if expires is not None:
        changes["expires_at"] = None if expires == NEVER else expires
    if status is not None:
        changes["status"] = status
    if target is not None:
        changes["target"] = checked_target(target, config=session.config)
    if not changes:
        raise click.UsageError("say what to change: --target, --title, --forward, --expires or --status")
    changed = _change(store, url, changes, config=session.config)
    click.echo(f"{_name(changed, session.config)}: changed.")
    if target is not None:
        _warn(str(changes["target"]))


def _change(store: Store, url: str, changes: dict[links.Field, str | int | None], *, config: Config) -> Link:
    """Make all changes or none."""
    now = int(time.time())
    with store.writing():
        found = stored_link(store, url, config=config)
        for field, value in changes.items():
            if field == "target":
                retarget(store, found, str(value), config=config, who=who(), now=now)
            else:
                links.change(store, found, field, value, who=who(), now=now)
    return found


def _name(found: Link, config: Config) -> str:
    return short_url(found.domain, found.code, domains=config.domains)


@link.command("retire")
@click.argument("url", metavar="SHORT_URL")
@with_store
def retire(session: Session, store: Store, url: str) -> None:
    """Switch a short link off: readers see that it is gone, its counts stay."""
    found = _change(store, url, {"status": "retired"}, config=session.config)
    click.echo(
        f"{_name(found, session.config)}: retired. `shortener link set … --status active` takes it back."
    )


class _Row(Struct, frozen=True):
    """A usable line of an import."""

    line: int
    host: str
    code: str
    target: str
    title: str


@link.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@with_store
def import_links(session: Session, store: Store, file: Path) -> None:
    """Take short links in from a CSV file: short_url,target[,title]. All of them or, if one is bad, none."""
    faults: list[tuple[int, str]] = []
    given = list(read_csv(file, required=("short_url", "target")))
    rows = list(_usable(_with_bar(given, "Reading"), faults, config=session.config))
    with store.writing():
        new, same = _put(store, _with_bar(rows, "Storing"), faults, config=session.config)
        if faults:
            report_faults(file, sorted(faults), rows=len(given))
    click.echo(f"{file}: {new:,} new, {same:,} known already.")


def _with_bar(items: list[_Item], what: str) -> Iterable[_Item]:
    hidden = len(items) < BAR_FROM or not sys.stderr.isatty()
    return track(items, what, console=Console(stderr=True), disable=hidden, transient=True)


def _usable(
    rows: Iterable[tuple[int, dict[str, str]]], faults: list[tuple[int, str]], *, config: Config
) -> Iterator[_Row]:
    """The rows that can be stored; the others are put among the faults."""
    for line, cells in rows:
        try:
            host, code = short_key(cells["short_url"], config=config)
            target = checked_target(cells["target"], config=config)
        except ShortenerError as error:
            faults.append((line, str(error)))
        else:
            yield _Row(line, host, code, target, cells.get("title", ""))


def _put(
    store: Store, rows: Iterable[_Row], faults: list[tuple[int, str]], *, config: Config
) -> tuple[int, int]:
    """Store the rows; how many were new, and how many were known with this target or without one."""
    now, new, same = int(time.time()), 0, 0
    for row in rows:
        found = links.find(store, row.host, row.code)
        if found is None:
            links.add(store, row.host, row.code, target=row.target, title=row.title, now=now)
            new += 1
        elif found.target in {None, row.target}:
            retarget(store, found, row.target, config=config, who=who(), now=now)
            if row.title and not found.title:
                links.change(store, found, "title", row.title, who=who(), now=now)
            same += 1
        else:
            said = f"{row.host}/{row.code} leads to {found.target} already, not to {row.target}"
            faults.append((row.line, said))
    return new, same


COMMANDS = [link]
