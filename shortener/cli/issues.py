"""``shortener issue``: add, list, show, set, export."""

import time
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import UNSET, UnsetType

from shortener.cli import CliContext, with_store
from shortener.cli.files import open_atomic, read_bytes, read_csv
from shortener.cli.options import COUNT_OR_UNKNOWN, NEVER, TIME, TIME_OR_NEVER, UNKNOWN, system_username
from shortener.cli.output import (
    format_iso,
    format_local_time,
    format_option,
    print_csv,
    print_json,
    print_table,
)
from shortener.collector.classifier import run_reclassification_queue
from shortener.errors import InputError
from shortener.newsletter import MAX_ISSUE_BYTES
from shortener.reporting.issue_contents import IssueContents, load_issue_contents
from shortener.services import edit
from shortener.services.add_issue import AddRequest, AddResult, add_or_update_issue, parse_targets
from shortener.short_urls import build_short_url
from shortener.store import Store, issues, listings


@click.group()
def issue() -> None:
    """Issues of the newsletter: links in, short links out."""


@issue.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--slug", help="Short name of the issue (default: the file's name).")
@click.option("--title", help="Title (default: the issue's first heading).")
@click.option("--sent-at", type=TIME, help="When it is or was sent, with a zone: 2026-11-24T08:00+01:00.")
@click.option("--recipients", type=click.IntRange(min=1), help="How many people it is sent to.")
@click.option("--domain", help="Domain for new codes (default: the first [[domain]]).")
@click.option(
    "--targets",
    type=click.Path(path_type=Path),
    help="CSV (short_url,target) for short links that stand in it.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where to write the issue (default: FILE with .out; - for the terminal).",
)
@click.option("--no-placements", is_flag=True, help="Leave the placement's number out of the short URLs.")
@click.option("--trap", is_flag=True, help="Hide a link in an HTML issue that only machines follow.")
@click.option(
    "--copy-tag",
    metavar="TAG",
    help="Merge tag that differs for each recipient, as *|UNIQID|*, put behind every short URL ('' for none). "
    "Links of one's own for each reader may need their consent.",
)
@with_store
def add(
    context: CliContext,
    store: Store,
    file: Path,
    slug: str | None,
    title: str | None,
    sent_at: int | None,
    recipients: int | None,
    domain: str | None,
    targets: Path | None,
    output: Path | None,
    no_placements: bool,
    trap: bool,
    copy_tag: str | None,
) -> None:
    """Take an issue in (Markdown or HTML) and write it back with short links, every other byte unchanged.

    Adding the same issue again changes nothing.
    """
    source = read_bytes(file, max_bytes=MAX_ISSUE_BYTES)
    output = output or file.with_name(f"{file.stem}.out{file.suffix}")
    request = AddRequest(
        source=source,
        filename=file.name if str(file) != "-" else slug or "",
        slug=slug,
        title=title,
        sent_at=sent_at,
        recipients=recipients,
        domain=domain,
        targets=_read_targets_file(context, targets),
        number_placements=not no_placements,
        add_honeypot=trap,
        recipient_tag=copy_tag,
    )
    to_terminal = str(output) == "-"
    with open_atomic(None if to_terminal else output, protected=file) as written:
        taken = add_or_update_issue(store, request, config=context.config, now=int(time.time()))
        written.write(taken.output)
    _print_result(taken, output, to_stderr=to_terminal)
    _reclassify_queued(store, to_stderr=to_terminal)


def _read_targets_file(context: CliContext, path: Path | None) -> dict[tuple[str, str], str]:
    if path is None:
        return {}
    rows = [
        (line, row["short_url"], row["target"])
        for line, row in read_csv(path, required=("short_url", "target"))
    ]
    try:
        return parse_targets(rows, config=context.config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _print_result(result: AddResult, output: Path, *, to_stderr: bool) -> None:
    if result.changed:
        what = "added" if result.created else "brought up to date"
        click.echo(
            f"{result.slug}: {what}. {result.articles} articles, {result.new_links} new short links, "
            f"{result.adopted} adopted.",
            err=to_stderr,
        )
    else:
        click.echo(f"{result.slug}: nothing changed.", err=to_stderr)
    for title, lines in (
        ("Skipped by [newsletter] skip", result.skipped),
        ("Left alone", result.untouched),
        ("Look at (shortener issue set SLUG --article URL corrects an article)", result.warnings),
        ("Still without a target (shortener link set SHORT_URL --target URL)", result.links_without_target),
    ):
        _print_list(title, lines, to_stderr=to_stderr)
    _print_honeypot(result, to_stderr=to_stderr)
    _print_recipient_token(result, to_stderr=to_stderr)
    if not to_stderr:
        click.echo(f"Written to {output}")


def _print_honeypot(result: AddResult, *, to_stderr: bool) -> None:
    """Say where the hidden link is, how it looks, and what is left to do for people's sake."""
    if result.honeypot_html:
        click.echo(
            f"Hidden link {result.honeypot_url} at the end of the body, which no reader sees:", err=to_stderr
        )
        click.echo(f"  {result.honeypot_html}", err=to_stderr)
        click.echo(
            "  Whoever follows it counts as a machine. Screen readers pass over it; leave it out of a plain-text part.",
            err=to_stderr,
        )
    elif result.honeypot_url:
        click.echo(f"Hidden link: {result.honeypot_url}", err=to_stderr)


def _print_recipient_token(result: AddResult, *, to_stderr: bool) -> None:
    """Say what a copy tag means for readers, and for a tag that a renderer may change."""
    if result.changed and result.recipient_tag:
        click.echo(
            f"Every short URL ends in ?_c={result.recipient_tag}, which your sender fills for each recipient.\n"
            "  It tells scanners' clicks from readers' and is kept only as a hash whose key is destroyed within two "
            "days, but it is a link of its own for each reader: your privacy notice should say so, and where you are "
            "it may need their consent.\n"
            "  Look at a link of a test send: the tag must have been replaced in it.",
            err=to_stderr,
        )
        if result.format == "markdown":
            click.echo("  Whatever turns the Markdown into HTML must leave the tag as it is.", err=to_stderr)


def _reclassify_queued(store: Store, *, to_stderr: bool = False) -> None:
    """Judge clicks again whose issue has another time of sending or hidden link now, and say what changed."""
    turned = run_reclassification_queue(store)
    for (_, before, after), clicks in sorted(turned.items(), key=lambda item: -item[1]):
        click.echo(f"Judged again: {clicks:,} clicks are {after} now, not {before}.", err=to_stderr)


def _print_list(title: str, lines: Sequence[str], *, to_stderr: bool) -> None:
    if lines:
        click.echo(f"{title}: {len(lines)}", err=to_stderr)
        for line in lines[:10]:
            click.echo(f"  {''.join(c if c.isprintable() else '�' for c in line)}", err=to_stderr)
        if len(lines) > 10:
            click.echo(f"  … and {len(lines) - 10} more", err=to_stderr)


@issue.command("list")
@format_option
@with_store
def list_issues(context: CliContext, store: Store, output_format: str) -> None:
    """All issues, latest first."""
    rows = [{name: getattr(row, name) for name in ISSUE_COLUMNS} for row in listings.list_issues(store)]
    if output_format == "json":
        print_json([{**row, "sent_at": format_iso(row["sent_at"])} for row in rows])
    elif output_format == "csv":
        print_csv(
            list(ISSUE_COLUMNS),
            ([*_row_cells(row | {"sent_at": format_iso(row["sent_at"])})] for row in rows),
        )
    else:
        zone = context.config.zone
        cells = [_row_cells(row | {"sent_at": format_local_time(row["sent_at"], zone)}) for row in rows]
        print_table(
            "", ISSUE_COLUMNS, cells, empty_message="No issue yet: `shortener issue add FILE` takes one in."
        )


ISSUE_COLUMNS = ("slug", "title", "sent_at", "recipients", "articles", "links", "clicks", "visitors")


def _row_cells(row: dict[str, object]) -> list[object]:
    return [row[column] for column in ISSUE_COLUMNS]


@issue.command("show")
@click.argument("slug")
@format_option
@with_store
def show(context: CliContext, store: Store, slug: str, output_format: str) -> None:
    """The articles of an issue, their links and where they stand."""
    shown = load_issue_contents(store, slug, config=context.config)
    if output_format == "json":
        print_json(shown)
        return
    columns = ("position", "title", "author", "section", "short link", "placements", "target")
    rows = list(_article_rows(shown))
    if output_format == "csv":
        print_csv(columns, rows)
        return
    sent = format_local_time(shown.sent_at.timestamp(), context.config.zone) if shown.sent_at else "not yet"
    title = f"{shown.title} · {shown.slug} · sent {sent} · {shown.recipients or 'unknown'} recipients"
    print_table(title, columns, rows, empty_message="This issue has no links to track.")
    _print_list("Still without a target", shown.todo, to_stderr=False)


def _article_rows(contents: IssueContents) -> list[list[object]]:
    targets = {link.short_url: link.target for link in contents.links}
    return [
        [
            article.position,
            article.title,
            article.author,
            article.section,
            link.short_url,
            " ".join(f"{placement.kind}/{placement.n}" for placement in link.placements),
            targets.get(link.short_url) or "(none yet)",
        ]
        for article in contents.articles
        for link in article.links
    ]


@issue.command("set")
@click.argument("slug")
@click.option("--title", help="Title of the issue, or with --article of the article.")
@click.option(
    "--sent-at",
    type=TIME_OR_NEVER,
    metavar="ISO|never",
    help="When it was sent, with a zone; never: not yet.",
)
@click.option(
    "--recipients",
    type=COUNT_OR_UNKNOWN,
    metavar="N|unknown",
    help="How many people it was sent to; unknown takes the number back.",
)
@click.option(
    "--article", metavar="URL", help="The article to correct: a short link of the issue, or its target."
)
@click.option("--author", help="Author of the article.")
@click.option("--summary", help="Summary of the article.")
@click.option("--position", type=click.IntRange(min=1), help="Place of the article; the others move.")
@click.option("--is-article/--not-article", default=None, help="Whether the link is an article at all.")
@click.option("--trap", metavar="SHORT_URL", help="A link hidden in it: whoever follows it is a machine.")
@click.option("--not-trap", metavar="SHORT_URL", help="A link that is not hidden after all.")
@with_store
def set_issue(
    context: CliContext,
    store: Store,
    slug: str,
    title: str | None,
    sent_at: int | None,
    recipients: int | None,
    article: str | None,
    author: str | None,
    summary: str | None,
    position: int | None,
    is_article: bool | None,
    trap: str | None,
    not_trap: str | None,
) -> None:
    """Correct what is known of an issue, or of one of its articles (--article).

    With another time of sending or hidden link its clicks are judged again.
    """
    of_article = {"author": author, "summary": summary, "position": position, "is_article": is_article}
    of_issue = {"sent_at": sent_at, "recipients": recipients, "trap": trap, "not_trap": not_trap}
    now = int(time.time())
    if article is None:
        if any(value is not None for value in of_article.values()):
            raise click.UsageError(
                "--author, --summary, --position and --[is|not]-article need --article URL"
            )
        for url, hidden in ((trap, True), (not_trap, False)):
            if url is not None:
                _set_honeypot(context, store, slug, url, is_honeypot=hidden, now=now)
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
        _reclassify_queued(store)
        return
    if any(value is not None for value in of_issue.values()):
        raise click.UsageError(
            "--sent-at, --recipients and --[not-]trap belong to the issue: leave --article out"
        )
    corrected = edit.correct_article(
        store,
        slug,
        article,
        config=context.config,
        title=title,
        author=author,
        summary=summary,
        position=position,
        is_article=is_article,
    )
    place = f"place {corrected.position}" if corrected.position else "no article"
    click.echo(f"{slug}: {corrected.title or corrected.url}: {place}.")


def _to_change(value: int | None, *, clear_value: int) -> int | UnsetType | None:
    """An option as a change: UNSET where it was left out, None for the word that takes a value back."""
    return UNSET if value is None else None if value == clear_value else value


def _set_honeypot(
    context: CliContext, store: Store, slug: str, url: str, *, is_honeypot: bool, now: int
) -> None:
    link = edit.mark_honeypot(
        store, slug, url, config=context.config, who=system_username(), now=now, is_honeypot=is_honeypot
    )
    shown = build_short_url(link.domain, link.code, domains=context.config.domains)
    what = "is its hidden link now, and no article" if is_honeypot else "is a link that readers see"
    click.echo(f"{slug}: {shown} {what}.")


@issue.command("export")
@click.argument("slug")
@click.option("--output", type=click.Path(path_type=Path), help="File to write (default: the terminal).")
@click.option("--source", is_flag=True, help="The issue as it came in, without short links.")
@with_store
def export(context: CliContext, store: Store, slug: str, output: Path | None, source: bool) -> None:
    """Write an issue with its short links."""
    documents = issues.get_documents(store, issues.get(store, slug).id)
    with open_atomic(output) as written:
        written.write(documents[0] if source else documents[1])


COMMANDS = [issue]
