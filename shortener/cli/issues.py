"""``shortener issue``: add, list, show, set and export issues."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from msgspec import UNSET, UnsetType

from shortener.cli import CliContext, with_store
from shortener.cli.files import open_atomic, read_bytes, read_csv
from shortener.cli.options import COUNT_OR_UNKNOWN, NEVER, TIME, TIME_OR_NEVER, UNKNOWN, system_username
from shortener.cli.output import (
    format_local_time,
    format_option,
    print_csv,
    print_json,
    print_list,
    print_table,
)
from shortener.collector.classifier import run_reclassification_queue
from shortener.errors import InputError
from shortener.newsletter import MAX_ISSUE_BYTES
from shortener.reporting.counts import to_datetime_or_none
from shortener.reporting.issue_contents import (
    ArticleContents,
    IssueContents,
    load_issue_contents,
    load_other_links,
)
from shortener.services import edit
from shortener.services.add_issue import AddRequest, AddResult, add_or_update_issue, parse_targets
from shortener.short_urls import build_short_url
from shortener.store import Store, issues, listings


@click.group()
def issue() -> None:
    """Issues of the newsletter and their articles."""


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
    help="CSV (short_url,target) for short links that it already contains.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where to write the issue (default: FILE with .out; - for the terminal).",
)
@click.option("--no-placements", is_flag=True, help="Leave the placement number out of short URLs.")
@click.option(
    "--trap",
    is_flag=True,
    help="Add a honeypot link to an HTML issue: readers do not see it, scanners follow it.",
)
@click.option(
    "--copy-tag",
    metavar="TAG",
    help="Merge tag that differs for each recipient, as *|UNIQID|*, added to every short URL ('' for none). "
    "A link of its own for each reader may need the readers' consent.",
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
    """Add an issue (Markdown or HTML) and write it with short links. Every other byte stays unchanged.

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
    with open_atomic(None if to_terminal else output, protected=file) as output_file:
        result = add_or_update_issue(store, request, config=context.config, now=int(time.time()))
        output_file.write(result.output)
    _print_result(result, output, to_stderr=to_terminal)
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
        action = "added" if result.created else "updated"
        click.echo(
            f"{result.slug}: {action}. {result.articles} articles, {result.new_links} new short links, "
            f"{result.adopted} adopted.",
            err=to_stderr,
        )
    else:
        click.echo(f"{result.slug}: nothing changed.", err=to_stderr)
    for title, lines in (
        ("Skipped by [newsletter] skip", result.skipped),
        ("Left alone", result.untouched),
        ("Warnings (`shortener issue set SLUG --article URL` corrects an article)", result.warnings),
        (
            "Links without a target (set it with `shortener link set SHORT_URL --target URL`)",
            result.links_without_target,
        ),
    ):
        _print_titled_list(title, lines, to_stderr=to_stderr)
    _print_honeypot(result, to_stderr=to_stderr)
    _print_recipient_token(result, to_stderr=to_stderr)
    if not to_stderr:
        click.echo(f"Written to {output}")


def _print_honeypot(result: AddResult, *, to_stderr: bool) -> None:
    """Print the honeypot link, its HTML, and what it means for readers."""
    if result.honeypot_html:
        click.echo(
            f"Honeypot link {result.honeypot_url} at the end of the body, which no reader sees:",
            err=to_stderr,
        )
        click.echo(f"  {result.honeypot_html}", err=to_stderr)
        click.echo(
            "  Clients that follow it are classified as bots. Screen readers skip it. "
            "Leave it out of a plain-text part.",
            err=to_stderr,
        )
    elif result.honeypot_url:
        click.echo(f"Honeypot link: {result.honeypot_url}", err=to_stderr)


def _print_recipient_token(result: AddResult, *, to_stderr: bool) -> None:
    """Print what the recipient token means for privacy, and what to check in a test email."""
    if result.changed and result.recipient_tag:
        click.echo(
            f"Every short URL ends in ?_c={result.recipient_tag}, which your sender replaces for each recipient.\n"
            "  It helps to tell scanners from readers. It is stored only as a hash, whose key is destroyed within two "
            "days, but it gives each reader a link of their own: say so in your privacy notice, and check whether your "
            "readers need to consent.\n"
            "  Check a link of a test send: the tag must have been replaced in it.",
            err=to_stderr,
        )
        if result.format == "markdown":
            click.echo(
                "  The program that turns the Markdown into HTML must not change the tag.", err=to_stderr
            )


def _reclassify_queued(store: Store, *, to_stderr: bool = False) -> None:
    """Reclassify the clicks of issues whose sending time or honeypot links changed, and print the new verdicts."""
    changes = run_reclassification_queue(store)
    for (_, before, after), clicks in sorted(changes.items(), key=lambda item: -item[1]):
        click.echo(f"Reclassified: {clicks:,} clicks from {before} to {after}.", err=to_stderr)


def _print_titled_list(title: str, lines: Sequence[str], *, to_stderr: bool = False) -> None:
    if lines:
        click.echo(f"{title}: {len(lines)}", err=to_stderr)
        print_list(lines, to_stderr=to_stderr)


@issue.command("list")
@format_option
@with_store
def list_issues(context: CliContext, store: Store, output_format: str) -> None:
    """List all issues, the latest first."""
    rows = [{name: getattr(row, name) for name in ISSUE_COLUMNS} for row in listings.list_issues(store)]
    if output_format == "json":
        print_json([row | {"sent_at": to_datetime_or_none(row["sent_at"])} for row in rows])
    elif output_format == "csv":
        cells = [_row_cells(row | {"sent_at": to_datetime_or_none(row["sent_at"])}) for row in rows]
        print_csv(ISSUE_COLUMNS, cells)
    else:
        zone = context.config.zone
        cells = [_row_cells(row | {"sent_at": format_local_time(row["sent_at"], zone)}) for row in rows]
        print_table(
            "", ISSUE_COLUMNS, cells, empty_message="No issues yet. `shortener issue add FILE` adds one."
        )


ISSUE_COLUMNS = ("slug", "title", "sent_at", "recipients", "articles", "links", "clicks", "visitors")


def _row_cells(row: dict[str, object]) -> list[object]:
    return [row[column] for column in ISSUE_COLUMNS]


@issue.command("show")
@click.argument("slug")
@format_option
@with_store
def show(context: CliContext, store: Store, slug: str, output_format: str) -> None:
    """Show the articles and other links of an issue, with their placements."""
    contents = load_issue_contents(store, slug, config=context.config)
    if output_format == "json":
        print_json(contents)
        return
    columns = ("position", "title", "author", "section", "short link", "placements", "target")
    rows = _link_rows(contents, load_other_links(store, slug, config=context.config))
    if output_format == "csv":
        print_csv(columns, rows)
        return
    sent = format_local_time(contents.sent_at, context.config.zone) if contents.sent_at else "not yet"
    title = (
        f"{contents.title} · {contents.slug} · sent {sent} · {contents.recipients or 'unknown'} recipients"
    )
    print_table(title, columns, rows, empty_message="This issue has no tracked links.")
    _print_titled_list("Links without a target", contents.todo)


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
    "--article", metavar="URL", help="The article to correct: a short link of the issue, or its target."
)
@click.option("--author", help="Author of the article.")
@click.option("--summary", help="Summary of the article.")
@click.option("--position", type=click.IntRange(min=1), help="Position of the article; the others move.")
@click.option("--is-article/--not-article", default=None, help="Whether the link is an article.")
@click.option(
    "--trap",
    metavar="SHORT_URL",
    help="Mark a link as a honeypot: clients that follow it are classified as bots.",
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
    article: str | None,
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
    if article is None:
        if any(value is not None for value in article_options.values()):
            raise click.UsageError(
                "--author, --summary, --position and --[is|not]-article need --article URL"
            )
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
        _reclassify_queued(store)
        return
    if any(value is not None for value in issue_options.values()):
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
    state = f"position {corrected.position}" if corrected.position else "not an article"
    click.echo(f"{slug}: {corrected.title or corrected.url}: {state}.")


def _to_change(value: int | None, *, clear_value: int) -> int | UnsetType | None:
    """Return an option's value as a change: UNSET if it is absent, None if it is ``clear_value``, else the value."""
    return UNSET if value is None else None if value == clear_value else value


def _set_honeypot(
    context: CliContext, store: Store, slug: str, url: str, *, is_honeypot: bool, now: int
) -> None:
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
    documents = issues.get_documents(store, issues.get(store, slug).id)
    with open_atomic(output) as file:
        file.write(documents[0] if source else documents[1])


COMMANDS = [issue]
