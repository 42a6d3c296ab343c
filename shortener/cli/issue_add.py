"""``shortener issue add``: add an issue and write its document with short links."""

import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, get_args

import click
from msgspec.structs import replace

from shortener.cli import CliContext, with_new_store
from shortener.cli.files import open_atomic, read_bytes, read_csv
from shortener.cli.groups import Command
from shortener.cli.issues import MAIL_STORED
from shortener.cli.options import TIME, force_option, save_confirmed
from shortener.cli.output import MAX_LISTED_LINES, print_titled_list
from shortener.cli.whole_number import WholeNumber
from shortener.collector.classifier import run_reclassification_queue
from shortener.errors import InputError
from shortener.newsletter import MAX_ISSUE_BYTES, Format
from shortener.services.add_issue import AddRequest, AddResult, add_or_update_issue, parse_targets
from shortener.store import Store


@click.command(
    "add",
    cls=Command,
    examples=(
        "shortener issue add issue.md --sent-at 2026-11-24T08:00 --recipients 1500",
        "shortener issue add issue.html --slug 2026-12 --output to-send.html",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--slug", help="Short name of the issue (default: the file's name).")
@click.option("--title", help="Title (default: the issue's first heading).")
@click.option("--sent-at", type=TIME, help="When it is or was sent, as 2026-11-24T08:00 (in the site's zone).")
@click.option("--recipients", type=WholeNumber(1), help="How many people it is sent to.")
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
@click.option(
    "--format",
    "document_format",
    type=click.Choice(get_args(Format)),
    help="Format of FILE (default: found by its content and name).",
)
@click.option("--take-over-tracking", is_flag=True, help="Replace links that listmonk tracks by {{ TrackLink }}.")
@click.option("--break-signature", is_flag=True, help="Replace links in signed parts of a mail too.")
@click.option("--copy", is_flag=True, help="Add the output of another issue as a new issue.")
@force_option
@with_new_store
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
    document_format: str | None,
    take_over_tracking: bool,
    break_signature: bool,
    copy: bool,
    force: bool,
) -> None:
    """Add an issue and write it with short links.

    Only URLs in it are replaced; every other byte stays unchanged. FILE is Markdown, HTML, MJML or a mail (.eml); -
    reads standard input and writes standard output. Adding the same issue again changes nothing.
    """
    source = read_bytes(file, max_bytes=MAX_ISSUE_BYTES)
    output = output or (file if str(file) == "-" else file.with_name(f"{file.stem}.out{file.suffix}"))
    request = AddRequest(
        source=source,
        filename=file.name if str(file) != "-" else slug or "stdin",
        slug=slug,
        title=title,
        sent_at=sent_at,
        recipients=recipients,
        domain=domain,
        targets=_read_targets_file(context, targets),
        number_placements=not no_placements,
        add_honeypot=trap,
        recipient_tag=copy_tag,
        format=document_format,
        take_over_tracking=take_over_tracking,
        break_signature=break_signature,
        allow_copy=copy,
    )
    to_terminal = str(output) == "-"
    with open_atomic(None if to_terminal else output, protected=file) as output_file:
        result = save_confirmed(partial(_add_and_write, context, store, request, output_file), force=force)
    _print_result(result, output, to_stderr=to_terminal)
    reclassify_queued(store, to_stderr=to_terminal)


def _add_and_write(
    context: CliContext, store: Store, request: AddRequest, output_file: BinaryIO, confirmed: bool
) -> AddResult:
    request = replace(request, confirmed=confirmed)
    # If the document cannot be written, the issue is not added.
    with store.transaction():
        result = add_or_update_issue(store, request, config=context.config, now=int(time.time()))
        output_file.write(result.output)
        output_file.flush()
    return result


def _read_targets_file(context: CliContext, path: Path | None) -> dict[tuple[str, str], str]:
    if path is None:
        return {}
    rows = [(line, row["short_url"], row["target"]) for line, row in read_csv(path, required=("short_url", "target"))]
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
    for title, lines, limit in (
        ("Skipped by [newsletter] skip", result.skipped, MAX_LISTED_LINES),
        ("Left alone", result.untouched, None),
        ("Warnings (`shortener issue set SLUG --article URL` corrects an article)", result.warnings, MAX_LISTED_LINES),
        (
            "Links without a target (set it with `shortener link set SHORT_URL --target URL`)",
            result.links_without_target,
            MAX_LISTED_LINES,
        ),
    ):
        print_titled_list(title, lines, to_stderr=to_stderr, limit=limit)
    if result.format == "eml":
        _print_mail_notes(result, to_stderr=to_stderr)
    _print_honeypot(result, to_stderr=to_stderr)
    _print_recipient_token(result, to_stderr=to_stderr)
    if not to_stderr:
        click.echo(f"Written to {output}")


def _print_mail_notes(result: AddResult, *, to_stderr: bool) -> None:
    click.echo(f"Mail: {MAIL_STORED}.", err=to_stderr)
    if result.date_in_headers is not None and result.created:
        date = datetime.fromtimestamp(result.date_in_headers, UTC).isoformat().replace("+00:00", "Z")
        click.echo(
            f"  Its header says {date}; set it with `shortener issue set {result.slug} --sent-at {date}` if that is "
            "when it was sent.",
            err=to_stderr,
        )


def _print_honeypot(result: AddResult, *, to_stderr: bool) -> None:
    if result.honeypot_html:
        click.echo(
            f"Honeypot link {result.honeypot_url} at the end of the body, which no reader sees:",
            err=to_stderr,
        )
        click.echo(f"  {result.honeypot_html}", err=to_stderr)
        click.echo(
            "  Clients that follow it are classified as machines. Screen readers skip it. "
            "Leave it out of a plain-text part.",
            err=to_stderr,
        )
    elif result.honeypot_url:
        click.echo(f"Honeypot link: {result.honeypot_url}", err=to_stderr)


def _print_recipient_token(result: AddResult, *, to_stderr: bool) -> None:
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
            click.echo("  The program that turns the Markdown into HTML must not change the tag.", err=to_stderr)


def reclassify_queued(store: Store, *, to_stderr: bool = False) -> None:
    """Reclassify the clicks of all queued issues, and print which verdicts changed.

    Issues are queued when their sending time or their honeypot links change.
    """
    changes = run_reclassification_queue(store)
    for (_, before, after), clicks in sorted(changes.items(), key=lambda item: -item[1]):
        click.echo(f"Reclassified: {clicks:,} clicks from {before} to {after}.", err=to_stderr)


COMMANDS = [add]
