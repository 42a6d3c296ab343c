"""``shortener issue``: add, list, show, set, export."""

import time
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import UNSET, UnsetType

from shortener.cli import Session, with_store
from shortener.cli.files import read_bytes, read_csv, replace_file
from shortener.cli.options import COUNT_OR_UNKNOWN, NEVER, TIME, TIME_OR_NEVER, UNKNOWN, who
from shortener.cli.output import format_option, iso, local, print_csv, print_json, print_table
from shortener.collector.classifier import judge_asked
from shortener.errors import InputError
from shortener.newsletter import MAX_BYTES
from shortener.reporting.issue_contents import IssueShown, show_issue
from shortener.services import edit
from shortener.services.add_issue import Request, Taken, read_targets, take_in
from shortener.short_urls import short_url
from shortener.store import Store, issues


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
    session: Session,
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
    source = read_bytes(file, most=MAX_BYTES)
    output = output or file.with_name(f"{file.stem}.out{file.suffix}")
    request = Request(
        source=source,
        name=file.name if str(file) != "-" else slug or "",
        slug=slug,
        title=title,
        sent_at=sent_at,
        recipients=recipients,
        domain=domain,
        targets=_targets(session, targets),
        placements=not no_placements,
        trap=trap,
        copy_tag=copy_tag,
    )
    to_terminal = str(output) == "-"
    with replace_file(None if to_terminal else output, but=file) as written:
        taken = take_in(store, request, config=session.config, now=int(time.time()))
        written.write(taken.output)
    _tell(taken, output, err=to_terminal)
    _tell_judged(store, err=to_terminal)


def _targets(session: Session, path: Path | None) -> dict[tuple[str, str], str]:
    if path is None:
        return {}
    rows = [
        (line, row["short_url"], row["target"])
        for line, row in read_csv(path, required=("short_url", "target"))
    ]
    try:
        return read_targets(rows, config=session.config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _tell(taken: Taken, output: Path, *, err: bool) -> None:
    if taken.changed:
        what = "added" if taken.created else "brought up to date"
        click.echo(
            f"{taken.slug}: {what}. {taken.articles} articles, {taken.new_links} new short links, "
            f"{taken.adopted} adopted.",
            err=err,
        )
    else:
        click.echo(f"{taken.slug}: nothing changed.", err=err)
    for title, lines in (
        ("Skipped by [newsletter] skip", taken.skipped),
        ("Left alone", taken.untouched),
        ("Look at", taken.warnings),
        ("Still without a target (shortener link set SHORT_URL --target URL)", taken.todo),
    ):
        _tell_list(title, lines, err=err)
    _tell_trap(taken, err=err)
    _tell_copies(taken, err=err)
    if not err:
        click.echo(f"Written to {output}")


def _tell_trap(taken: Taken, *, err: bool) -> None:
    """Say where the hidden link is, how it looks, and what is left to do for people's sake."""
    if taken.hidden:
        click.echo(f"Hidden link {taken.trap} at the end of the body, which no reader sees:", err=err)
        click.echo(f"  {taken.hidden}", err=err)
        click.echo(
            "  Whoever follows it counts as a machine. Screen readers pass over it; leave it out of a plain-text part.",
            err=err,
        )
    elif taken.trap:
        click.echo(f"Hidden link: {taken.trap}", err=err)


def _tell_copies(taken: Taken, *, err: bool) -> None:
    """Say what a copy tag means for readers, and for a tag that a renderer may change."""
    if taken.changed and taken.copy_tag:
        click.echo(
            f"Every short URL ends in ?_c={taken.copy_tag}, which your sender fills for each recipient.\n"
            "  It tells scanners' clicks from readers' and is kept only as a hash whose key is destroyed within two "
            "days, but it is a link of its own for each reader: your privacy notice should say so, and where you are "
            "it may need their consent.\n"
            "  Look at a link of a test send: the tag must have been replaced in it.",
            err=err,
        )
        if taken.format == "markdown":
            click.echo("  Whatever turns the Markdown into HTML must leave the tag as it is.", err=err)


def _tell_judged(store: Store, *, err: bool = False) -> None:
    """Judge clicks again whose issue has another time of sending or hidden link now, and say what changed."""
    turned = judge_asked(store)
    for (_, before, after), clicks in sorted(turned.items(), key=lambda item: -item[1]):
        click.echo(f"Judged again: {clicks:,} clicks are {after} now, not {before}.", err=err)


def _tell_list(title: str, lines: Sequence[str], *, err: bool) -> None:
    if lines:
        click.echo(f"{title}: {len(lines)}", err=err)
        for line in lines[:10]:
            click.echo(f"  {''.join(c if c.isprintable() else '�' for c in line)}", err=err)
        if len(lines) > 10:
            click.echo(f"  … and {len(lines) - 10} more", err=err)


@issue.command("list")
@format_option
@with_store
def list_issues(session: Session, store: Store, form: str) -> None:
    """All issues, latest first."""
    rows = list(issues.listing(store))
    if form == "json":
        print_json([{**row, "sent_at": iso(row["sent_at"])} for row in rows])
    elif form == "csv":
        print_csv(list(COLUMNS), ([*_cells(row | {"sent_at": iso(row["sent_at"])})] for row in rows))
    else:
        zone = session.config.zone
        cells = [_cells(row | {"sent_at": local(row["sent_at"], zone)}) for row in rows]
        print_table("", COLUMNS, cells, empty="No issue yet: `shortener issue add FILE` takes one in.")


COLUMNS = ("slug", "title", "sent_at", "recipients", "articles", "links", "clicks", "visitors")


def _cells(row: dict[str, object]) -> list[object]:
    return [row[column] for column in COLUMNS]


@issue.command("show")
@click.argument("slug")
@format_option
@with_store
def show(session: Session, store: Store, slug: str, form: str) -> None:
    """The articles of an issue, their links and where they stand."""
    shown = show_issue(store, slug, config=session.config)
    if form == "json":
        print_json(shown)
        return
    columns = ("position", "title", "author", "section", "short link", "placements", "target")
    rows = list(_rows(shown))
    if form == "csv":
        print_csv(columns, rows)
        return
    sent = local(shown.sent_at.timestamp(), session.config.zone) if shown.sent_at else "not yet"
    title = f"{shown.title} · {shown.slug} · sent {sent} · {shown.recipients or 'unknown'} recipients"
    print_table(title, columns, rows, empty="This issue has no links to track.")
    _tell_list("Still without a target", shown.todo, err=False)


def _rows(shown: IssueShown) -> list[list[object]]:
    targets = {link.short_url: link.target for link in shown.links}
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
        for article in shown.articles
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
    session: Session,
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
                _declare(session, store, slug, url, hidden=hidden, now=now)
        if any(value is not None for value in (title, sent_at, recipients)) or trap is not_trap is None:
            edit.correct_issue(
                store,
                slug,
                now=now,
                title=title,
                sent_at=_given(sent_at, nothing=NEVER),
                recipients=_given(recipients, nothing=UNKNOWN),
            )
            click.echo(f"{slug}: changed.")
        _tell_judged(store)
        return
    if any(value is not None for value in of_issue.values()):
        raise click.UsageError(
            "--sent-at, --recipients and --[not-]trap belong to the issue: leave --article out"
        )
    corrected = edit.correct_article(
        store,
        slug,
        article,
        config=session.config,
        title=title,
        author=author,
        summary=summary,
        position=position,
        is_article=is_article,
    )
    place = f"place {corrected.position}" if corrected.position else "no article"
    click.echo(f"{slug}: {corrected.title or corrected.url}: {place}.")


def _given(value: int | None, *, nothing: int) -> int | UnsetType | None:
    """An option as a change: UNSET where it was left out, None for the word that takes a value back."""
    return UNSET if value is None else None if value == nothing else value


def _declare(session: Session, store: Store, slug: str, url: str, *, hidden: bool, now: int) -> None:
    link = edit.declare_trap(store, slug, url, config=session.config, who=who(), now=now, trap=hidden)
    shown = short_url(link.domain, link.code, domains=session.config.domains)
    what = "is its hidden link now, and no article" if hidden else "is a link that readers see"
    click.echo(f"{slug}: {shown} {what}.")


@issue.command("export")
@click.argument("slug")
@click.option("--output", type=click.Path(path_type=Path), help="File to write (default: the terminal).")
@click.option("--source", is_flag=True, help="The issue as it came in, without short links.")
@with_store
def export(session: Session, store: Store, slug: str, output: Path | None, source: bool) -> None:
    """Write an issue with its short links."""
    documents = issues.documents(store, issues.get(store, slug).id)
    with replace_file(output) as written:
        written.write(documents[0] if source else documents[1])


COMMANDS = [issue]
