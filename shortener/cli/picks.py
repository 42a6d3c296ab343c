"""``shortener picks``: the draft of the next issue's section, and what editors decide about it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click

from shortener.cli import Session, pass_session, with_store
from shortener.cli.files import read_bytes, replace_file
from shortener.cli.options import TIME, who
from shortener.cli.output import (
    FORMATS,
    format_option,
    iso,
    local,
    plain,
    print_csv,
    print_json,
    print_line,
    print_table,
)
from shortener.errors import InputError
from shortener.ranking.picks import needed
from shortener.ranking.render import shipped
from shortener.services import draft_picks
from shortener.services.draft_picks import Draft, DraftShown, Entry
from shortener.store import Store, decisions
from shortener.store.decisions import Action, Decision

MOST_TEMPLATE = 1024 * 1024  # bytes
TEMPLATES = {"markdown": "picks.md.j2", "html": "picks.html.j2"}
COLUMNS = (
    "origin",
    "rank",
    "url",
    "title",
    "short_url",
    "clicks",
    "expected",
    "appeal",
    "who",
    "at",
    "reason",
)
MONTH = click.option("--month", metavar="YYYY-MM", required=True, help="The month whose picks it is about.")


@click.group(invoke_without_command=True)
@click.option("--month", metavar="YYYY-MM", help="Pick from the articles that were last shown in this month.")
@click.option("--top", type=click.IntRange(1, 100), help="Most articles of the list (default: as published).")
@click.option("--gems", type=click.IntRange(0, 100), help="Most hidden gems (default: [ranking] gems).")
@click.option("--as-of", type=TIME, help="As it was known at this time (default: now).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html", *FORMATS.choices]),
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
@pass_session
@click.pass_context
def picks(
    ctx: click.Context,
    session: Session,
    month: str | None,
    top: int | None,
    gems: int | None,
    as_of: int | None,
    form: str,
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
    if form in FORMATS.choices and (template or output):
        raise click.UsageError("--template and --output belong to --format markdown and html")
    now = int(time.time())
    store = session.store()
    try:
        made = draft_picks.draft(
            store,
            month,
            config=session.config,
            as_of=now if as_of is None else as_of,
            top=top,
            gems=gems,
        )
        if form in TEMPLATES:
            _write(session, store, made, form, template, output, now=now)
        else:
            made = draft_picks.link(store, made, config=session.config, now=now) if links else made
            _SHOW[form](draft_picks.show(made), session)
    finally:
        store.close()


def _write(
    session: Session,
    store: Store,
    made: Draft,
    form: Any,
    template: Path | None,
    output: Path | None,
    *,
    now: int,
) -> None:
    """The section with its links; where it cannot be written, no link is made either."""
    text = None if template is None else _template(template)
    with replace_file(output) as written, store.writing():
        linked = draft_picks.link(store, made, config=session.config, now=now)
        written.write(_section(linked, form, text, template).encode())
    new = sum(not made.facts[url].short_url for url in needed(made.picks))
    click.echo(f"{_sum_up(linked)}; {new} new short links.", err=True)
    for warning in linked.picks.warnings:
        click.echo(f"Note: {plain(warning)}", err=True)
    click.echo(f"{plain(linked.picks.footer)}.", err=True)


def _template(path: Path) -> str:
    try:
        return read_bytes(path, most=MOST_TEMPLATE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None


def _section(made: Draft, form: Literal["markdown", "html"], text: str | None, path: Path | None) -> str:
    try:
        return draft_picks.render_draft(made, form, template=text)
    except InputError as error:
        raise InputError(f"{path}: {error}" if path else str(error)) from None


def _sum_up(made: Draft) -> str:
    featured, lesser = len(made.picks.featured), len(made.picks.lesser_known)
    excluded = len(made.picks.excluded)
    return f"{made.month}: {featured} articles, {lesser} lesser known, {excluded} excluded"


def _show_table(shown: DraftShown, session: Session) -> None:
    print_table(
        f"Picks of {shown.month}",
        ("", "by", "rank", "title", "clicks", "expected", "appeal", "short link", "decided"),
        (_table_row(part, each, session) for part, each in _entries(shown)),
        empty="Nothing is picked.",
    )
    for warning in shown.warnings:
        print_line(f"Note: {warning}")
    print_line(f"{shown.footer}.")


def _entries(shown: DraftShown) -> Iterator[tuple[str, Entry]]:
    for part, entries in (
        ("list", shown.featured),
        ("lesser known", shown.lesser_known),
        ("left out", shown.excluded),
    ):
        for each in entries:
            yield part, each


def _table_row(part: str, each: Entry, session: Session) -> list[Any]:
    ranked, decision = each.ranked, each.decision
    figures: list[Any] = [None, None, None, None]
    if ranked:
        figures = [ranked.rank, ranked.clicks, f"{ranked.expected:,.1f}", f"\u00d7{ranked.appeal:.2f}"]
    said = None
    if decision:
        when = local(decision.at.timestamp(), session.config.zone)
        said = f"{each.origin} by {decision.who}, {when}: {decision.reason}"
    by = "editor" if decision else "ranking"
    return [part, by, figures[0], each.title, *figures[1:], each.short_url, said]


def _show_csv(shown: DraftShown, session: Session) -> None:
    print_csv(COLUMNS, (_csv_row(each) for _, each in _entries(shown)))


def _csv_row(each: Entry) -> list[Any]:
    ranked, decision = each.ranked, each.decision
    figures = [getattr(ranked, name, None) for name in ("clicks", "expected", "appeal")]
    said = [getattr(decision, name, None) for name in ("who", "at", "reason")]
    rank = ranked.rank if ranked else None
    return [each.origin, rank, each.url, each.title, each.short_url, *figures, *said]


_SHOW = {"table": _show_table, "json": lambda shown, session: print_json(shown), "csv": _show_csv}


@picks.command("template")
@click.option(
    "--format", "form", type=click.Choice(list(TEMPLATES)), default="markdown", help="Of which format."
)
def template(form: str) -> None:
    """Print the template that is used, as a start for your own."""
    click.echo(shipped(TEMPLATES[form]), nl=False)


def _decide(session: Session, store: Store, action: Action, given: dict[str, Any]) -> None:
    made = draft_picks.decide(
        store,
        given["month"],
        given["url"],
        action=action,
        reason=given["reason"],
        who=given["name"] or who(),
        config=session.config,
        now=int(time.time()),
    )
    print_line(f"{made.month}: {made.url}: {_DONE[made.action]} by {made.who}.")


_DONE = {"pin": "pinned", "exclude": "excluded", "choose": "chosen"}


def _deciding(command: Any) -> Any:
    """Give a command what a decision needs."""
    name = click.option("--who", "name", help="Who decided (default: the user who runs the command).")
    reason = click.option("--reason", required=True, help="Why; editors read it, readers never do.")
    return click.argument("url")(MONTH(reason(name(with_store(command)))))


@picks.command("pin")
@_deciding
def pin(session: Session, store: Store, **given: Any) -> None:
    """Put an article at the head of the list, whatever its rank."""
    _decide(session, store, "pin", given)


@picks.command("exclude")
@_deciding
def exclude(session: Session, store: Store, **given: Any) -> None:
    """Leave an article out of the section."""
    _decide(session, store, "exclude", given)


@picks.command("choose")
@_deciding
def choose(session: Session, store: Store, **given: Any) -> None:
    """Put an article among the lesser known, because it deserves readers."""
    _decide(session, store, "choose", given)


@picks.command("undo")
@click.argument("url")
@click.option("--month", metavar="YYYY-MM", help="Of which month (default: the only one it was decided in).")
@with_store
def undo(session: Session, store: Store, url: str, month: str | None) -> None:
    """Take back what was decided about an article."""
    made = draft_picks.undo(store, url, month=month, config=session.config, now=int(time.time()))
    print_line(f"{made.month}: {made.url}: no longer {_DONE[made.action]}.")


@picks.command("decisions")
@click.option("--month", metavar="YYYY-MM", help="Only of this month.")
@format_option
@with_store
def list_decisions(session: Session, store: Store, month: str | None, form: str) -> None:
    """What was decided: by whom, when, and why."""
    found = decisions.listing(store) if month is None else decisions.of_month(store, month)
    columns = Decision.__struct_fields__
    if form == "json":
        print_json([_exported(each) for each in found])
    elif form == "csv":
        print_csv(columns, (list(_exported(each).values()) for each in found))
    else:
        zone = session.config.zone
        cells = ([*list(_exported(each).values())[:-1], local(each.at, zone)] for each in found)
        print_table("", columns, cells, empty="Nothing was decided.")


def _exported(each: Decision) -> dict[str, Any]:
    return {name: getattr(each, name) for name in Decision.__struct_fields__} | {"at": iso(each.at)}


COMMANDS = [picks]
