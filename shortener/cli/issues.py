"""``shortener issue``: list, show and export issues; the other commands of the group are in modules of their own."""

import time
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from msgspec import structs

from shortener.cli import CliContext, with_store
from shortener.cli.files import open_atomic
from shortener.cli.groups import Command, Group
from shortener.cli.output import (
    format_local_time,
    format_option,
    or_unknown,
    print_as,
    print_csv,
    print_json,
    print_table,
    print_titled_list,
)
from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_contents import (
    ArticleContents,
    IssueContents,
    load_issue_contents,
    load_other_links,
)
from shortener.reporting.issue_list import IssueRow, list_issue_rows
from shortener.store import Store, issues

MAIL_STORED = (
    "of its headers only Subject, Date, MIME-Version and Content-* are stored; the written file has all of them"
)
MODULES = {
    "add": "issue_add",
    "list": "issues",
    "show": "issues",
    "set": "issue_set",
    "export": "issues",
    "archive": "issue_status",
    "remove": "issue_status",
    "reread": "issue_status",
}
"""Modules of the group's commands, so that listing the issues does not load what only adding one needs."""


@click.group(cls=Group, sections={"Commands": MODULES})
def issue() -> None:
    """Issues of the newsletter and their articles."""


@click.command("list", cls=Command, examples=("shortener issue list", "shortener issue list --all --format csv"))
@click.option("--all", "with_hidden", is_flag=True, help="List archived and removed issues too.")
@format_option
@with_store
def list_issues(context: CliContext, store: Store, with_hidden: bool, output_format: str) -> None:
    """List the issues, latest issue first.

    Archived and removed issues are listed only with --all.
    """
    rows = list_issue_rows(store, now=int(time.time()), with_hidden=with_hidden)
    zone, columns = context.config.zone, IssueRow.__struct_fields__
    print_as(
        output_format,
        json=lambda: print_json(rows),
        csv=lambda: print_csv(columns, struct_rows(rows, columns)),
        table=lambda: print_table(
            "",
            [column.replace("sent_at", "sent") for column in columns],
            (_table_row(row, zone) for row in rows),
            empty_message="No issues yet. `shortener issue add FILE` adds one.",
            optional=("links", "articles", "recipients", "clicks", "status"),
        ),
    )


def _table_row(row: IssueRow, zone: ZoneInfo) -> list[object]:
    shown = {"sent_at": format_local_time(row.sent_at, zone), "visitors": or_unknown(row.visitors)}
    return list((structs.asdict(row) | shown).values())


@click.command(
    "show", cls=Command, examples=("shortener issue show 2026-11", "shortener issue show 2026-11 --format json")
)
@click.argument("slug")
@format_option
@with_store
def show(context: CliContext, store: Store, slug: str, output_format: str) -> None:
    """Show the articles and links of an issue.

    A placement is one use of a link in the issue, listed as kind and number, such as title/2.
    """
    contents = load_issue_contents(store, slug, config=context.config, now=int(time.time()))
    if output_format == "json":
        print_json(contents)
        return
    columns = ("position", "title", "author", "section", "short link", "placements", "target")
    rows = _link_rows(contents, load_other_links(store, slug, config=context.config))
    if output_format == "csv":
        print_csv(columns, rows)
        return
    sent = format_local_time(contents.sent_at, context.config.zone) if contents.sent_at else "not yet"
    title = f"{contents.title} · {contents.slug} · sent {sent} · {contents.recipients or 'unknown'} recipients"
    print_table(
        title,
        columns,
        rows,
        empty_message="This issue has no tracked links.",
        optional=("section", "author", "target", "placements"),
    )
    print_titled_list("Links without a target", contents.todo)


def _link_rows(contents: IssueContents, other_links: Iterable[ArticleContents]) -> list[list[object]]:
    targets = {link.short_url: link.target for link in contents.links}
    return [
        [
            article.position,
            article.title,
            article.author,
            article.section,
            link.short_url,
            " ".join(f"{placement.kind}/{placement.n}" for placement in link.placements),
            targets.get(link.short_url) or "(no target yet)",
        ]
        for article in (*contents.articles, *other_links)
        for link in article.links
    ]


@click.command(
    "export",
    cls=Command,
    examples=("shortener issue export 2026-11 --output issue.out.md", "shortener issue export 2026-11 --source"),
)
@click.argument("slug")
@click.option("--output", type=click.Path(path_type=Path), help="File to write (default: the terminal).")
@click.option("--source", is_flag=True, help="The issue as it was added, without short links.")
@with_store
def export(context: CliContext, store: Store, slug: str, output: Path | None, source: bool) -> None:
    """Write the document of an issue, with its short links."""
    stored = issues.get(store, slug)
    documents = issues.get_documents(store, stored.id)
    with open_atomic(output) as file:
        file.write(documents[0] if source else documents[1])
    if stored.format == "eml":
        click.echo(f"This is a mail: {MAIL_STORED}.", err=True)


COMMANDS: list[click.Command] = [issue, list_issues, show, export]
