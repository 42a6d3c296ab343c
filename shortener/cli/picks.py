"""``shortener picks``: the draft of the next issue's section, and what editors decide about it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click

from shortener.cli import CliContext, pass_cli_context, with_store
from shortener.cli.files import open_atomic, read_bytes
from shortener.cli.options import TIME, system_username
from shortener.cli.output import (
    OUTPUT_FORMATS,
    format_iso,
    format_local_time,
    format_option,
    print_csv,
    print_json,
    print_line,
    print_table,
    sanitize_line,
)
from shortener.errors import InputError
from shortener.ranking.picks import picked_urls
from shortener.ranking.render import bundled_template
from shortener.services import draft_picks
from shortener.services.draft_picks import Draft, DraftEntry, DraftReport
from shortener.store import Store, decisions
from shortener.store.decisions import Action, Decision

MAX_TEMPLATE_BYTES = 1024 * 1024  # bytes
TEMPLATE_FILES = {"markdown": "picks.md.j2", "html": "picks.html.j2"}
CSV_COLUMNS = (
    "origin",
    "rank",
    "url",
    "title",
    "short_url",
    "visitors",
    "clicks",
    "expected",
    "appeal",
    "who",
    "at",
    "reason",
)
month_option = click.option(
    "--month", metavar="YYYY-MM", required=True, help="The month whose picks it is about."
)


@click.group(invoke_without_command=True)
@click.option("--month", metavar="YYYY-MM", help="Pick from the articles that were last shown in this month.")
@click.option("--top", type=click.IntRange(1, 100), help="Most articles of the list (default: as published).")
@click.option("--gems", type=click.IntRange(0, 100), help="Most hidden gems (default: [ranking] gems).")
@click.option("--as-of", type=TIME, help="As it was known at this time (default: now).")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["markdown", "html", *OUTPUT_FORMATS.choices]),
    default="markdown",
    show_default=True,
    help="markdown and html are the section, with short links; the others show who is in it and why.",
)
@click.option("--links", is_flag=True, help="Make the missing short links for table, json and csv too.")
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    help="Your own Jinja template (start: `shortener picks template`).",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Where to write the section (default: the terminal)."
)
@pass_cli_context
@click.pass_context
def picks(
    ctx: click.Context,
    context: CliContext,
    month: str | None,
    top: int | None,
    gems: int | None,
    as_of: int | None,
    output_format: str,
    links: bool,
    template: Path | None,
    output: Path | None,
) -> None:
    """The draft of the next issue's section: a month's best articles and its hidden gems.

    Every article of the draft gets a short link of its own; the same draft again has the same links. They belong
    to no issue until `shortener issue add` takes in the issue that carries them.
    """
    if ctx.invoked_subcommand is not None:
        if month is not None:
            raise click.UsageError(f"put --month behind {ctx.invoked_subcommand}")
        return
    if month is None:
        raise click.UsageError("Missing option '--month': say which month's articles, as 2026-11.")
    if output_format in OUTPUT_FORMATS.choices and (template or output):
        raise click.UsageError("--template and --output belong to --format markdown and html")
    now = int(time.time())
    store = context.open_store()
    try:
        made = draft_picks.build_draft(
            store,
            month,
            config=context.config,
            as_of=now if as_of is None else as_of,
            top=top,
            gems=gems,
        )
        if output_format in TEMPLATE_FILES:
            _write_section(context, store, made, output_format, template, output, now=now)
        else:
            made = draft_picks.add_short_links(store, made, config=context.config, now=now) if links else made
            _DRAFT_PRINTERS[output_format](draft_picks.report_draft(made), context)
    finally:
        store.close()


def _write_section(
    context: CliContext,
    store: Store,
    draft: Draft,
    output_format: Any,
    template: Path | None,
    output: Path | None,
    *,
    now: int,
) -> None:
    """The section with its links; where it cannot be written, no link is made either."""
    text = None if template is None else _read_template(template)
    with open_atomic(output) as written, store.transaction():
        linked = draft_picks.add_short_links(store, draft, config=context.config, now=now)
        written.write(_render_section(linked, output_format, text, template).encode())
    new = sum(not draft.details[url].short_url for url in picked_urls(draft.picks))
    click.echo(f"{_summary_line(linked)}; {new} new short links.", err=True)
    for warning in linked.picks.warnings:
        click.echo(f"Note: {sanitize_line(warning)}", err=True)
    click.echo(f"{sanitize_line(linked.picks.footer)}.", err=True)


def _read_template(path: Path) -> str:
    try:
        return read_bytes(path, max_bytes=MAX_TEMPLATE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None


def _render_section(
    draft: Draft,
    output_format: Literal["markdown", "html"],
    template_text: str | None,
    template_path: Path | None,
) -> str:
    try:
        return draft_picks.render_section(draft, output_format, template=template_text)
    except InputError as error:
        raise InputError(f"{template_path}: {error}" if template_path else str(error)) from None


def _summary_line(draft: Draft) -> str:
    featured, lesser = len(draft.picks.featured), len(draft.picks.lesser_known)
    excluded = len(draft.picks.excluded)
    return f"{draft.month}: {featured} articles, {lesser} lesser known, {excluded} excluded"


def _print_table(draft: DraftReport, context: CliContext) -> None:
    print_table(
        f"Picks of {draft.month}",
        ("", "by", "rank", "title", draft.counted, "expected", "appeal", "short link", "decided"),
        (_table_row(part, each, draft.counted, context) for part, each in _entries(draft)),
        empty_message="Nothing is picked.",
    )
    for warning in draft.warnings:
        print_line(f"Note: {warning}")
    print_line(f"{draft.footer}.")


def _entries(draft: DraftReport) -> Iterator[tuple[str, DraftEntry]]:
    for part, entries in (
        ("list", draft.featured),
        ("lesser known", draft.lesser_known),
        ("left out", draft.excluded),
    ):
        for each in entries:
            yield part, each


def _table_row(group: str, entry: DraftEntry, counted: str, context: CliContext) -> list[Any]:
    ranked, decision = entry.ranked, entry.decision
    figures: list[Any] = [None, None, None, None]
    if ranked:
        count = getattr(ranked, counted)
        figures = [ranked.rank, count, f"{ranked.expected:,.1f}", f"\u00d7{ranked.appeal:.2f}"]
    said = None
    if decision:
        when = format_local_time(decision.at.timestamp(), context.config.zone)
        said = f"{entry.origin} by {decision.who}, {when}: {decision.reason}"
    by = "editor" if decision else "ranking"
    return [group, by, figures[0], entry.title, *figures[1:], entry.short_url, said]


def _print_csv(draft: DraftReport, context: CliContext) -> None:
    print_csv(CSV_COLUMNS, (_csv_row(each) for _, each in _entries(draft)))


def _csv_row(entry: DraftEntry) -> list[Any]:
    ranked, decision = entry.ranked, entry.decision
    figures = [getattr(ranked, name, None) for name in ("visitors", "clicks", "expected", "appeal")]
    said = [getattr(decision, name, None) for name in ("who", "at", "reason")]
    rank = ranked.rank if ranked else None
    return [entry.origin, rank, entry.url, entry.title, entry.short_url, *figures, *said]


_DRAFT_PRINTERS = {"table": _print_table, "json": lambda shown, session: print_json(shown), "csv": _print_csv}


@picks.command("template")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(list(TEMPLATE_FILES)),
    default="markdown",
    help="Of which format.",
)
def template(output_format: str) -> None:
    """Print the template that is used, as a start for your own."""
    click.echo(bundled_template(TEMPLATE_FILES[output_format]), nl=False)


def _decide(context: CliContext, store: Store, action: Action, options: dict[str, Any]) -> None:
    made = draft_picks.decide(
        store,
        options["month"],
        options["url"],
        action=action,
        reason=options["reason"],
        who=options["name"] or system_username(),
        config=context.config,
        now=int(time.time()),
    )
    print_line(f"{made.month}: {made.url}: {_PAST_PARTICIPLES[made.action]} by {made.who}.")


_PAST_PARTICIPLES = {"pin": "pinned", "exclude": "excluded", "choose": "chosen"}


def _decision_options(command: Any) -> Any:
    """Give a command what a decision needs."""
    name = click.option("--who", "name", help="Who decided (default: the user who runs the command).")
    reason = click.option("--reason", required=True, help="Why; editors read it, readers never do.")
    return click.argument("url")(month_option(reason(name(with_store(command)))))


@picks.command("pin")
@_decision_options
def pin(context: CliContext, store: Store, **options: Any) -> None:
    """Put an article at the head of the list, whatever its rank."""
    _decide(context, store, "pin", options)


@picks.command("exclude")
@_decision_options
def exclude(context: CliContext, store: Store, **options: Any) -> None:
    """Leave an article out of the section."""
    _decide(context, store, "exclude", options)


@picks.command("choose")
@_decision_options
def choose(context: CliContext, store: Store, **options: Any) -> None:
    """Put an article among the lesser known, because it deserves readers."""
    _decide(context, store, "choose", options)


@picks.command("undo")
@click.argument("url")
@click.option("--month", metavar="YYYY-MM", help="Of which month (default: the only one it was decided in).")
@with_store
def undo(context: CliContext, store: Store, url: str, month: str | None) -> None:
    """Take back what was decided about an article."""
    made = draft_picks.undo_decision(store, url, month=month, config=context.config, now=int(time.time()))
    print_line(f"{made.month}: {made.url}: no longer {_PAST_PARTICIPLES[made.action]}.")


@picks.command("decisions")
@click.option("--month", metavar="YYYY-MM", help="Only of this month.")
@format_option
@with_store
def list_decisions(context: CliContext, store: Store, month: str | None, output_format: str) -> None:
    """What was decided: by whom, when, and why."""
    found = decisions.list_all(store) if month is None else decisions.list_by_month(store, month)
    columns = Decision.__struct_fields__
    if output_format == "json":
        print_json([_decision_row(each) for each in found])
    elif output_format == "csv":
        print_csv(columns, (list(_decision_row(each).values()) for each in found))
    else:
        zone = context.config.zone
        cells = (
            [*list(_decision_row(each).values())[:-1], format_local_time(each.at, zone)] for each in found
        )
        print_table("", columns, cells, empty_message="Nothing was decided.")


def _decision_row(decision: Decision) -> dict[str, Any]:
    return {name: getattr(decision, name) for name in Decision.__struct_fields__} | {
        "at": format_iso(decision.at)
    }


COMMANDS = [picks]
