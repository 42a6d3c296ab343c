"""``shortener issue``: list, show, set and export issues, and the commands of its other modules."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from msgspec import UNSET, UnsetType, structs

from shortener.cli import CliContext, with_store
from shortener.cli.files import open_atomic
from shortener.cli.issue_add import MAIL_STORED, add, reclassify_queued
from shortener.cli.issue_status import archive, remove, reread
from shortener.cli.options import COUNT_OR_UNKNOWN, NEVER, TIME_OR_NEVER, UNKNOWN, system_username
from shortener.cli.output import (
    format_local_time,
    format_option,
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
from shortener.services import edit
from shortener.short_urls import build_short_url
from shortener.store import Store, issues


@click.group()
def issue() -> None:
    """Issues of the newsletter and their articles."""


@issue.command("list")
@click.option("--all", "with_hidden", is_flag=True, help="List archived and removed issues too.")
@format_option
@with_store
def list_issues(context: CliContext, store: Store, with_hidden: bool, output_format: str) -> None:
    """List the issues, the latest first; archived and removed ones only with --all."""
    rows = list_issue_rows(store, now=int(time.time()), with_hidden=with_hidden)
    zone, columns = context.config.zone, IssueRow.__struct_fields__
    print_as(
        output_format,
        json=lambda: print_json(rows),
        csv=lambda: print_csv(columns, struct_rows(rows, columns)),
        table=lambda: print_table(
            "",
            columns,
            (
                [
                    format_local_time(cell, zone) if name == "sent_at" else cell
                    for name, cell in structs.asdict(row).items()
                ]
                for row in rows
            ),
            empty_message="No issues yet. `shortener issue add FILE` adds one.",
        ),
    )


def _table_row(row: IssueRow, zone: ZoneInfo) -> list[object]:
    return list((structs.asdict(row) | {"sent_at": format_local_time(row.sent_at, zone)}).values())


@issue.command("show")
@click.argument("slug")
@format_option
@with_store
def show(context: CliContext, store: Store, slug: str, output_format: str) -> None:
    """Show the articles and links of an issue, with their placements."""
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
    print_table(title, columns, rows, empty_message="This issue has no tracked links.")
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


@issue.command("set")
@click.argument("slug")
@click.option("--title", help="Title of the issue, or with --article of the article.")
@click.option(
    "--sent-at",
    type=TIME_OR_NEVER,
    metavar="ISO|never",
    help="When it is or was sent, with a zone; never removes the time.",
)
@click.option(
    "--recipients",
    type=COUNT_OR_UNKNOWN,
    metavar="N|unknown",
    help="How many people it was sent to; unknown removes the number.",
)
@click.option(
    "--article",
    "articles",
    metavar="URL",
    multiple=True,
    help="The article to correct: a short link of the issue, or its target; several with --role.",
)
@click.option("--role", type=click.Choice(edit.ROLES), help="Role of the links given by --article.")
@click.option("--author", help="Author of the article.")
@click.option("--summary", help="Summary of the article.")
@click.option("--position", type=click.IntRange(min=1), help="Position of the article; the others move.")
@click.option("--is-article/--not-article", default=None, help="Whether the link is an article.")
@click.option(
    "--trap",
    metavar="SHORT_URL",
    help="Mark a link as a honeypot: clients that follow it are classified as machines.",
)
@click.option("--not-trap", metavar="SHORT_URL", help="Mark a link as no honeypot.")
@with_store
def set_issue(
    context: CliContext,
    store: Store,
    slug: str,
    title: str | None,
    sent_at: int | None,
    recipients: int | None,
    articles: tuple[str, ...],
    role: str | None,
    author: str | None,
    summary: str | None,
    position: int | None,
    is_article: bool | None,
    trap: str | None,
    not_trap: str | None,
) -> None:
    """Correct an issue, or one of its articles (--article).

    If the sending time or a honeypot link changes, the clicks of the issue are reclassified.
    """
    article_options = {"author": author, "summary": summary, "position": position, "is_article": is_article}
    issue_options = {"sent_at": sent_at, "recipients": recipients, "trap": trap, "not_trap": not_trap}
    now = int(time.time())
    if not articles:
        if role is not None or any(value is not None for value in article_options.values()):
            raise click.UsageError("--author, --summary, --position, --role and --[is|not]-article need --article URL")
        for url, is_honeypot in ((trap, True), (not_trap, False)):
            if url is not None:
                _set_honeypot(context, store, slug, url, is_honeypot=is_honeypot, now=now)
        if any(value is not None for value in (title, sent_at, recipients)) or trap is not_trap is None:
            edit.correct_issue(
                store,
                slug,
                now=now,
                title=title,
                sent_at=_to_change(sent_at, clear_value=NEVER),
                recipients=_to_change(recipients, clear_value=UNKNOWN),
            )
            click.echo(f"{slug}: changed.")
        reclassify_queued(store)
        return
    if any(value is not None for value in issue_options.values()):
        raise click.UsageError("--sent-at, --recipients and --[not-]trap belong to the issue: leave --article out")
    if role is not None:
        _set_roles(context, store, slug, articles, role)
        if title is None and all(value is None for value in article_options.values()):
            return
    if len(articles) > 1:
        raise click.UsageError("only --role takes several --article: give the other corrections one by one")
    corrected = edit.correct_article(
        store,
        slug,
        articles[0],
        config=context.config,
        title=title,
        author=author,
        summary=summary,
        position=position,
        is_article=is_article,
    )
    state = f"position {corrected.position}" if corrected.position else "not an article"
    click.echo(f"{slug}: {corrected.title or corrected.url}: {state}.")


def _set_roles(context: CliContext, store: Store, slug: str, urls: Sequence[str], role: str) -> None:
    for article in edit.set_roles(store, slug, urls, role=role, config=context.config):
        state = f"position {article.position}" if article.position else f"{article.role} link"
        click.echo(f"{slug}: {article.title or article.url}: {state}.")


def _to_change(value: int | None, *, clear_value: int) -> int | UnsetType | None:
    """Return an option's value as a change: UNSET if it is absent, None if it is ``clear_value``, else the value."""
    return UNSET if value is None else None if value == clear_value else value


def _set_honeypot(context: CliContext, store: Store, slug: str, url: str, *, is_honeypot: bool, now: int) -> None:
    link = edit.mark_honeypot(
        store, slug, url, config=context.config, who=system_username(), now=now, is_honeypot=is_honeypot
    )
    short_url = build_short_url(link.domain, link.code, domains=context.config.domains)
    state = "is now a honeypot link, not an article" if is_honeypot else "is no longer a honeypot link"
    click.echo(f"{slug}: {short_url} {state}.")


@issue.command("export")
@click.argument("slug")
@click.option("--output", type=click.Path(path_type=Path), help="File to write (default: the terminal).")
@click.option("--source", is_flag=True, help="The issue as it was added, without short links.")
@with_store
def export(context: CliContext, store: Store, slug: str, output: Path | None, source: bool) -> None:
    """Write an issue with its short links."""
    stored = issues.get(store, slug)
    documents = issues.get_documents(store, stored.id)
    with open_atomic(output) as file:
        file.write(documents[0] if source else documents[1])
    if stored.format == "eml":
        click.echo(f"This is a mail: {MAIL_STORED}.", err=True)


for _command in (add, archive, remove, reread):
    issue.add_command(_command)

COMMANDS = [issue]
