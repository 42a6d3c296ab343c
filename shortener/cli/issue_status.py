"""``shortener issue archive``, ``remove`` and ``reread``: change the status of an issue, or read it again."""

import time

import click

from shortener.cli import CliContext, with_store
from shortener.cli.groups import Command
from shortener.cli.options import system_username
from shortener.cli.output import print_titled_list
from shortener.services import issue_status
from shortener.services.add_issue import reread_issue
from shortener.store import Store
from shortener.store.issues import REMOVED_DAYS


@click.command(
    "archive",
    cls=Command,
    examples=("shortener issue archive 2026-10", "shortener issue archive 2026-10 --undo"),
)
@click.argument("slug")
@click.option("--undo", is_flag=True, help="Show the issue in lists again.")
@with_store
def archive(context: CliContext, store: Store, slug: str, undo: bool) -> None:
    """Hide a sent issue from lists and comparisons.

    Its links still redirect, and its articles are still ranked.
    """
    issue_status.archive_issue(store, slug, now=int(time.time()), undo=undo)
    click.echo(f"{slug}: {'in the lists again' if undo else 'archived'}.")


@click.command(
    "remove", cls=Command, examples=("shortener issue remove 2026-12", "shortener issue remove 2026-12 --undo")
)
@click.argument("slug")
@click.option("--undo", is_flag=True, help="Bring a removed draft back.")
@with_store
def remove(context: CliContext, store: Store, slug: str, undo: bool) -> None:
    """Remove a draft issue, and retire its links.

    A draft has no sending time. Readers of a retired link get an error page, and its code is never given to another
    link.
    """
    now = int(time.time())
    if undo:
        issue_status.restore_issue(store, slug, who=system_username(), now=now)
        click.echo(f"{slug}: restored, with its links.")
        return
    issue_status.remove_issue(store, slug, who=system_username(), now=now)
    click.echo(
        f"{slug}: removed, and its links retired. `shortener issue remove {slug} --undo` brings it back "
        f"within {REMOVED_DAYS} days."
    )


@click.command(
    "reread", cls=Command, examples=("shortener issue reread 2026-11 --dry-run", "shortener issue reread 2026-11")
)
@click.argument("slug")
@click.option("--dry-run", is_flag=True, help="Print what would change, and store nothing.")
@with_store
def reread(context: CliContext, store: Store, slug: str, dry_run: bool) -> None:
    """Read a stored issue again.

    Run this command after an upgrade that changes how articles are found. Corrections by editors, codes of links, and
    the numbers at the end of short URLs are kept.
    """
    before = {article.url: article.role for article in issue_status.stored_targets(store, slug)}
    plan = reread_issue(store, slug, config=context.config, now=int(time.time()), dry_run=dry_run)
    changes = [
        f"{article.title or article.url}: {before.get(article.url, 'new')} → {article.role}"
        for article in plan.articles
        if before.get(article.url) != article.role
    ]
    articles = sum(article.position is not None for article in plan.articles)
    click.echo(f"{slug}: {articles} articles, {len(changes)} changed roles{' (nothing stored)' if dry_run else ''}.")
    print_titled_list("Changed roles", changes, limit=None)
    print_titled_list("Warnings", plan.warnings)


COMMANDS = [archive, remove, reread]
