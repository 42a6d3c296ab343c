"""``shortener clicks`` and ``reclassify``: the single clicks, why each has its verdict, and judging them again."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from msgspec import Struct
from rich.progress import Progress

from shortener.cli import Session, with_store
from shortener.cli.options import TIME
from shortener.cli.output import (
    format_option,
    local,
    print_csv,
    print_json,
    print_json_lines,
    print_line,
    print_table,
    show,
)
from shortener.cli.reports import bounded
from shortener.collector.reclassify import Outcome
from shortener.collector.reclassify import reclassify as judge_again
from shortener.config import Domain
from shortener.reporting.click_explanation import ClickExplained, explain_click
from shortener.reporting.summary import check_order
from shortener.short_urls import short_url
from shortener.store import Store
from shortener.store import nearby_clicks as judged
from shortener.store import reports as sql
from shortener.store.reports import ClickRow


@click.group()
def clicks() -> None:
    """The single clicks, as long as they are kept."""


class ClickExported(Struct, frozen=True):
    """A line of ``clicks export``; ``n`` is null for a click without a placement."""

    id: str
    ts: str
    short_url: str
    n: int | None
    verdict: str
    reason: str
    rules: int
    country: str
    browser: str
    os: str
    device: str
    referrer: str


@clicks.command("export")
@bounded
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv"]),
    default="json",
    show_default=True,
    help="json: one object a line.",
)
@with_store
def export(session: Session, store: Store, since: int | None, until: int | None, form: str) -> None:
    """Every click with its verdict and reason, oldest first, one JSON object a line (or CSV)."""
    check_order(since, until)
    domains = session.config.domains
    rows = (_exported(row, domains) for row in sql.clicks(store, since=since, until=until))
    if form == "csv":
        columns = ClickExported.__struct_fields__
        print_csv(columns, ([getattr(row, name) for name in columns] for row in rows))
    else:
        print_json_lines(rows)


def _exported(row: ClickRow, domains: Sequence[Domain]) -> ClickExported:
    when = datetime.fromtimestamp(row.ts // 1000, UTC)
    return ClickExported(
        id=row.id,
        ts=f"{when:%Y-%m-%dT%H:%M:%S}.{row.ts % 1000:03d}Z",
        short_url=short_url(row.domain, row.code, domains=domains),
        n=row.n or None,
        verdict=row.verdict,
        reason=row.reason,
        rules=row.rules,
        country=row.country,
        browser=row.browser,
        os=row.os,
        device=row.device,
        referrer=row.referrer,
    )


@clicks.command("explain")
@click.argument("click_id", metavar="ID")
@format_option
@with_store
def explain(session: Session, store: Store, click_id: str, form: str) -> None:
    """Why a click has its verdict: every rule that spoke, what else was noticed, and its neighbours."""
    made = explain_click(store, click_id, config=session.config, now=int(time.time()))
    show(
        form,
        json=lambda: print_json(made),
        csv=lambda: print_csv(_SPOKEN, _spoken_rows(made)),
        table=lambda: _print_explained(made, session),
    )


_SPOKEN = ("", "rule", "verdict", "how sure", "says", "because")


def _spoken_rows(made: ClickExplained) -> list[list[str]]:
    return [
        [
            "decided" if rule.decided else "",
            *(rule.reason, rule.verdict, rule.precision, rule.words),
            "; ".join(rule.evidence),
        ]
        for rule in made.spoken
    ]


def _print_explained(made: ClickExplained, session: Session) -> None:
    when = f"{local(made.at.timestamp(), session.config.zone)}:{made.at:%S}"
    after = made.seconds_after_sending
    told = f", {_duration(after)} after the sending of {made.issue}" if after is not None else ""
    print_line(f"{made.id}: {made.verdict}, because: {made.words} ({made.reason}; rules {made.rules})")
    print_line(f"{made.short_url}{f'/{made.n}' if made.n else ''}, {when}{told}")
    print_table("Rules that spoke", _SPOKEN, _spoken_rows(made), empty="No rule spoke.")
    noticed = [[words] for words in made.noticed]
    print_table(
        "Noticed", ("what the request and its neighbours show",), noticed, empty="Nothing else was noticed."
    )
    print_table(
        "Clicks around it",
        ("sharing", "within", "clicks", "links", "networks", "browsers", "nearest"),
        (
            [
                *(each.shared, _duration(each.seconds), each.clicks, each.links, each.networks, each.agents),
                _duration(each.nearest),
            ]
            for each in made.neighbours
        ),
        empty="No other click shares an address, a network or a browser with it, near enough to count.",
    )
    request = made.request
    print_line(f"{request.method} from {request.network or 'a network that was not kept'}")
    print_line(f"user agent: {_kept(request.user_agent)}")
    print_line(f"language: {_kept(request.language)}; referrer: {_kept(request.referrer)}")
    sent = ", ".join(f"{name}: {value}" for name, value in (request.headers or {}).items())
    print_line(f"headers: {sent or 'none that count'}")
    if not made.judged:
        print_line("Its neighbours have not been asked yet: the collector does that within seconds.")
    elif not made.settled:
        print_line("Still settling: what comes in within 15 minutes of it may change the verdict.")


def _kept(text: str | None) -> str:
    return "none, or not to be kept" if text is None else text or "(empty)"


def _duration(seconds: float) -> str:
    """A stretch of time as people say it."""
    if seconds < 120:
        return f"{seconds:,.1f} s".replace(".0 ", " ")
    for unit, length in (("days", 86_400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds / 60:,.0f} min"


@click.command()
@click.option("--since", type=TIME, help="Only clicks from this time on, with a zone.")
@format_option
@with_store
def reclassify(session: Session, store: Store, since: int | None, form: str) -> None:
    """Judge stored clicks again by today's rules and lists, and say what changed.

    Worth it after an upgrade with new rules or a change of [verdicts] datacenters. Interrupted, the same command goes
    on where it stopped; the collector may go on meanwhile, started again if the lists are new.
    """
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Judging clicks", total=None)
        outcome = judge_again(
            store,
            config=session.config,
            since=since or 0,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    slugs = judged.issue_slugs(store)
    rows = [
        _Turned(slugs.get(issue or 0), before, after, clicks)
        for (issue, before, after), clicks in outcome.turned.items()
    ]
    rows.sort(key=lambda row: (row.issue or "", row.before, row.after))
    columns = ("issue", "from", "to", "clicks")
    show(
        form,
        json=lambda: print_json(_Reclassified(outcome.clicks, outcome.resumed, tuple(rows))),
        csv=lambda: print_csv(columns, ([getattr(row, f) for f in row.__struct_fields__] for row in rows)),
        table=lambda: _print_outcome(outcome, rows, columns),
    )


class _Turned(Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """So many clicks of an issue (null: of none) that had one verdict and have another."""

    issue: str | None
    before: str
    after: str
    clicks: int


class _Reclassified(Struct, frozen=True):
    """What ``reclassify`` prints as JSON."""

    clicks: int
    resumed: bool
    changed: tuple[_Turned, ...]


def _print_outcome(outcome: Outcome, rows: Sequence[_Turned], columns: Sequence[str]) -> None:
    went_on = (
        " (the rest of an interrupted run; what that one changed is not listed)" if outcome.resumed else ""
    )
    print_table(
        "Verdicts that changed",
        columns,
        ([row.issue or "(no issue)", row.before, row.after, row.clicks] for row in rows),
        empty="No verdict changed.",
    )
    print_line(f"Judged {outcome.clicks:,} clicks again{went_on}.")


COMMANDS = [clicks, reclassify]
