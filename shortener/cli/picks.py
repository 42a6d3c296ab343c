"""``shortener picks``: write a section with the recommended articles of a month, and store the decisions of editors."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click

from shortener.cli import CliContext, pass_cli_context, with_store
from shortener.cli.files import open_atomic, read_text
from shortener.cli.groups import Group
from shortener.cli.options import TIME, system_username
from shortener.cli.output import (
    OUTPUT_FORMATS,
    format_local_time,
    format_option,
    print_as,
    print_csv,
    print_json,
    print_line,
    print_table,
    sanitize_line,
    wide_option,
)
from shortener.cli.whole_number import WholeNumber
from shortener.errors import InputError
from shortener.ranking.picks import picked_urls
from shortener.ranking.render import bundled_template
from shortener.reporting.formatting import struct_rows
from shortener.services import draft_picks
from shortener.services.draft_picks import Draft, DraftEntry, DraftReport, MonthDecision
from shortener.store import Store, decisions
from shortener.store.decisions import Action

MAX_TEMPLATE_BYTES = 1024 * 1024
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


@click.group(
    cls=Group,
    invoke_without_command=True,
    examples=(
        "shortener picks --month 2026-11 --output picks.md",
        "shortener picks --month 2026-11 --top 5 --format table",
    ),
)
@click.option("--month", metavar="YYYY-MM", help="Pick from the articles whose last issue was sent in this month.")
@click.option("--top", type=WholeNumber(1, 100), help="Length of the top list (default: [ranking] top).")
@click.option("--gems", type=WholeNumber(0, 100), help="Largest number of hidden gems (default: [ranking] gems).")
@click.option("--as-of", type=TIME, help="Count only clicks until this time (default: now).")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["markdown", "html", *OUTPUT_FORMATS.choices]),
    default="markdown",
    show_default=True,
    help="markdown and html: the section with short links; the others: its articles, and why they are in it.",
)
@wide_option
@click.option("--links", is_flag=True, help="Create missing short links also for table, json and csv.")
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    help="Your own Jinja template; `shortener picks template` prints one to start from.",
)
@click.option("--output", type=click.Path(path_type=Path), help="File for the section (default: the terminal).")
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
    """Write the picks section for the next issue.

    Picks are recommended articles: the top of a month's ranking, and hidden gems (good articles that few readers saw).

    Each article of the section gets a short link. Later drafts of the month use the same short links.
    """
    if ctx.invoked_subcommand is not None:
        if month is not None:
            raise click.UsageError(f"put --month after {ctx.invoked_subcommand}")
        return
    if month is None:
        raise click.UsageError("Missing option '--month': give the month of the articles, as 2026-11.")
    if output_format in OUTPUT_FORMATS.choices and (template or output):
        raise click.UsageError("--template and --output need --format markdown or html")
    now = int(time.time())
    store = context.open_store()
    try:
        draft = draft_picks.build_draft(
            store,
            month,
            config=context.config,
            as_of=now if as_of is None else as_of,
            top=top,
            gems=gems,
        )
        if output_format in TEMPLATE_FILES:
            _write_section(context, store, draft, output_format, template, output, now=now)
        else:
            if links:
                draft = draft_picks.add_short_links(store, draft, config=context.config, now=now)
            _DRAFT_PRINTERS[output_format](draft_picks.report_draft(draft), context)
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
    text = None if template is None else read_text(template, max_bytes=MAX_TEMPLATE_BYTES)
    # If the section cannot be written, no link is created.
    with open_atomic(output) as file, store.transaction():
        linked = draft_picks.add_short_links(store, draft, config=context.config, now=now)
        file.write(_render_section(linked, output_format, text, template).encode())
    new = sum(not draft.details[url].short_url for url in picked_urls(draft.picks))
    click.echo(f"{_summary_line(linked)}; {new} new short links.", err=True)
    for warning in linked.picks.warnings:
        click.echo(f"Note: {sanitize_line(warning)}", err=True)
    click.echo(f"{sanitize_line(linked.picks.footer)}.", err=True)


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
    picks = draft.picks
    counts = len(picks.featured), len(picks.lesser_known), len(picks.excluded)
    return "{}: {} articles, {} hidden gems, {} excluded".format(draft.month, *counts)


def _print_table(draft: DraftReport, context: CliContext) -> None:
    print_table(
        f"Picks of {draft.month}",
        ("", "by", "rank", "title", draft.counted, "typical", "vs typical", "short link", "decided"),
        (_table_row(group, entry, draft.counted, context) for group, entry in _entries(draft)),
        empty_message="No articles are picked.",
        optional=("by", "typical", "rank", "vs typical"),
        note="decided",
    )
    for warning in draft.warnings:
        print_line(f"Note: {warning}")
    print_line(f"{draft.footer}.")


def _entries(draft: DraftReport) -> Iterator[tuple[str, DraftEntry]]:
    for group, entries in (
        ("list", draft.featured),
        ("hidden gems", draft.lesser_known),
        ("excluded", draft.excluded),
    ):
        for entry in entries:
            yield group, entry


def _table_row(group: str, entry: DraftEntry, counted: str, context: CliContext) -> list[Any]:
    ranked, decision = entry.ranked, entry.decision
    figures: list[Any] = [None, None, None, None]
    if ranked:
        count = getattr(ranked, counted)
        figures = [ranked.rank, count, f"{ranked.expected:,.1f}", f"{ranked.appeal:.2f}\u00d7"]
    decided = None
    if decision:
        time_text = format_local_time(decision.at, context.config.zone)
        decided = f"{entry.origin} by {decision.who}, {time_text}: {decision.reason}"
    by = "editor" if decision else "ranking"
    return [group, by, figures[0], entry.title, *figures[1:], entry.short_url, decided]


def _print_csv(draft: DraftReport, context: CliContext) -> None:
    print_csv(CSV_COLUMNS, (_csv_row(entry) for _, entry in _entries(draft)))


def _csv_row(entry: DraftEntry) -> list[Any]:
    ranked, decision = entry.ranked, entry.decision
    figures = [getattr(ranked, name, None) for name in ("visitors", "clicks", "expected", "appeal")]
    details = [getattr(decision, name, None) for name in ("who", "at", "reason")]
    rank = ranked.rank if ranked else None
    return [entry.origin, rank, entry.url, entry.title, entry.short_url, *figures, *details]


_DRAFT_PRINTERS = {"table": _print_table, "json": lambda draft, context: print_json(draft), "csv": _print_csv}


@picks.command(
    "template", examples=("shortener picks template > picks.md.j2", "shortener picks template --format html")
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(list(TEMPLATE_FILES)),
    default="markdown",
    help="Format of the template.",
)
def template(output_format: str) -> None:
    """Print the bundled template of the picks section.

    Change a copy of it, and give it to `shortener picks --template`.
    """
    click.echo(bundled_template(TEMPLATE_FILES[output_format]), nl=False)


_PAST_PARTICIPLES: dict[Action, str] = {"pin": "pinned", "exclude": "excluded", "choose": "chosen"}
_DECISION_EXAMPLES = (
    'shortener picks {} 7pk3e --month 2026-11 --reason "best of the year"',
    'shortener picks {} 7pk3e --month 2026-11 --reason "old news" --who Ada',
)
_DECISION_HELP: dict[Action, str] = {
    "pin": "Feature an article at the top of the section.",
    "exclude": "Leave an article out of the section.",
    "choose": "Add an article to the hidden gems as an editor's pick.",
}


def _add_decision_command(action: Action) -> None:
    @picks.command(action, help=_DECISION_HELP[action], examples=[text.format(action) for text in _DECISION_EXAMPLES])
    @click.argument("url")
    @click.option("--month", metavar="YYYY-MM", required=True, help="Month of the picks.")
    @click.option("--reason", required=True, help="Reason for editors; readers never see it.")
    @click.option("--who", help="Editor who decided (default: the user who runs the command).")
    @with_store
    def decide(context: CliContext, store: Store, url: str, month: str, reason: str, who: str | None) -> None:
        decision = draft_picks.decide(
            store,
            month,
            url,
            action=action,
            reason=reason,
            who=who or system_username(),
            config=context.config,
            now=int(time.time()),
        )
        print_line(f"{decision.month}: {decision.url}: {_PAST_PARTICIPLES[decision.action]} by {decision.who}.")


for _action in _DECISION_HELP:
    _add_decision_command(_action)


@picks.command(
    "undo", examples=("shortener picks undo 7pk3e", "shortener picks undo https://example.org/spring --month 2026-11")
)
@click.argument("url")
@click.option("--month", metavar="YYYY-MM", help="Month of the decision (default: the only one with a decision).")
@with_store
def undo(context: CliContext, store: Store, url: str, month: str | None) -> None:
    """Remove the decision (pin, choose, exclude) on an article."""
    decision = draft_picks.undo_decision(store, url, month=month, config=context.config, now=int(time.time()))
    print_line(f"{decision.month}: {decision.url}: no longer {_PAST_PARTICIPLES[decision.action]}.")


@picks.command(
    "decisions", examples=("shortener picks decisions", "shortener picks decisions --month 2026-11 --format csv")
)
@click.option("--month", metavar="YYYY-MM", help="Only decisions of this month.")
@format_option
@with_store
def list_decisions(context: CliContext, store: Store, month: str | None, output_format: str) -> None:
    """List the decisions with editor, time and reason.

    A decision pins, chooses or excludes an article in the picks of a month.
    """
    found = decisions.list_all(store) if month is None else decisions.list_by_month(store, month)
    rows = [draft_picks.report_month_decision(decision) for decision in found]
    zone, columns = context.config.zone, MonthDecision.__struct_fields__
    print_as(
        output_format,
        json=lambda: print_json(rows),
        csv=lambda: print_csv(columns, struct_rows(rows, columns)),
        table=lambda: print_table(
            "",
            columns,
            ([*values[:-1], format_local_time(values[-1], zone)] for values in struct_rows(rows, columns)),
            empty_message="No decisions.",
            optional=("month", "at", "who"),
        ),
    )


COMMANDS = [picks]
