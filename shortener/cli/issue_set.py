"""``shortener issue set``: correct an issue, its articles and its honeypot links."""

import time
from collections.abc import Sequence
from functools import partial

import click
from msgspec import UNSET, Struct, UnsetType

from shortener.cli import CliContext, with_store
from shortener.cli.groups import Command
from shortener.cli.issue_add import reclassify_queued
from shortener.cli.options import (
    COUNT_OR_UNKNOWN,
    NEVER,
    TIME_OR_NEVER,
    UNKNOWN,
    force_option,
    save_confirmed,
    system_username,
)
from shortener.cli.whole_number import WholeNumber
from shortener.services import edit
from shortener.short_urls import build_short_url
from shortener.store import Store


@click.command(
    "set",
    cls=Command,
    examples=(
        "shortener issue set 2026-11 --recipients 1480 --sent-at 2026-11-24T08:00",
        'shortener issue set 2026-11 --article 7pk3e --title "A better title"',
    ),
)
@click.argument("slug")
@click.option("--title", help="Title of the issue, or with --article of the article.")
@click.option(
    "--sent-at",
    type=TIME_OR_NEVER,
    metavar="ISO|never",
    help="When it is or was sent, as 2026-11-24T08:00 (in the site's zone); never removes the time.",
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
@click.option("--position", type=WholeNumber(1), help="Position of the article; the others move.")
@click.option("--is-article/--not-article", default=None, help="Whether the link is an article.")
@click.option(
    "--trap",
    metavar="SHORT_URL",
    help="Mark a link as a honeypot: clients that follow it are classified as machines.",
)
@click.option("--not-trap", metavar="SHORT_URL", help="Mark a link as no honeypot.")
@force_option
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
    force: bool,
) -> None:
    """Correct an issue, or one of its articles (--article).

    If the sending time or a honeypot link changes, the clicks of the issue are reclassified. The command asks before it
    saves an unlikely value, such as fewer recipients than visitors or a sending time after the first clicks.
    """
    article_options = {"author": author, "summary": summary, "position": position, "is_article": is_article}
    issue_options = {"sent_at": sent_at, "recipients": recipients, "trap": trap, "not_trap": not_trap}
    now = int(time.time())
    if not articles:
        if role is not None or any(value is not None for value in article_options.values()):
            raise click.UsageError("--author, --summary, --position, --role and --[is|not]-article need --article URL")
        changes = _IssueChanges(title, sent_at, recipients, trap, not_trap)
        for message in save_confirmed(partial(_save_changes, context, store, slug, changes, now), force=force):
            click.echo(message)
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


class _IssueChanges(Struct, frozen=True):
    """The options of ``issue set`` about the issue itself. None means that an option is not given."""

    title: str | None
    sent_at: int | None
    recipients: int | None
    trap: str | None
    not_trap: str | None


def _save_changes(
    context: CliContext, store: Store, slug: str, changes: _IssueChanges, now: int, confirmed: bool
) -> list[str]:
    messages = []
    with store.transaction():
        for url, is_honeypot in ((changes.trap, True), (changes.not_trap, False)):
            if url is not None:
                messages.append(_mark_honeypot(context, store, slug, url, is_honeypot=is_honeypot, now=now))
        if any(value is not None for value in (changes.title, changes.sent_at, changes.recipients)) or not messages:
            edit.correct_issue(
                store,
                slug,
                now=now,
                title=changes.title,
                sent_at=_new_field_value(changes.sent_at, clear_value=NEVER),
                recipients=_new_field_value(changes.recipients, clear_value=UNKNOWN),
                confirmed=confirmed,
            )
            messages.append(f"{slug}: changed.")
    return messages


def _set_roles(context: CliContext, store: Store, slug: str, urls: Sequence[str], role: str) -> None:
    for article in edit.set_roles(store, slug, urls, role=role, config=context.config):
        state = f"position {article.position}" if article.position else f"{article.role} link"
        click.echo(f"{slug}: {article.title or article.url}: {state}.")


def _new_field_value(option: int | None, *, clear_value: int) -> int | UnsetType | None:
    # UNSET leaves the field unchanged; None makes it empty.
    return UNSET if option is None else None if option == clear_value else option


def _mark_honeypot(context: CliContext, store: Store, slug: str, url: str, *, is_honeypot: bool, now: int) -> str:
    link = edit.mark_honeypot(
        store, slug, url, config=context.config, who=system_username(), now=now, is_honeypot=is_honeypot
    )
    short_url = build_short_url(link.domain, link.code, domains=context.config.domains)
    state = "is now a honeypot link, not an article" if is_honeypot else "is no longer a honeypot link"
    return f"{slug}: {short_url} {state}."


COMMANDS = [set_issue]
