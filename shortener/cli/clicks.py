"""``shortener clicks`` and ``reclassify``: the single clicks, why each has its verdict, and judging them again."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from msgspec import Struct
from rich.progress import Progress

from shortener.cli import CliContext, with_store
from shortener.cli.options import TIME
from shortener.cli.output import (
    emit,
    format_local_time,
    format_option,
    print_csv,
    print_json,
    print_json_lines,
    print_line,
    print_table,
)
from shortener.cli.reports import date_range_options
from shortener.collector.reclassify import ReclassifyResult
from shortener.collector.reclassify import reclassify as judge_again
from shortener.config import Domain
from shortener.reporting.click_explanation import ClickExplanation, explain_click
from shortener.reporting.summary import check_time_range
from shortener.short_urls import build_short_url
from shortener.store import Store
from shortener.store import nearby_clicks as judged
from shortener.store import reports as sql
from shortener.store.reports import ClickRow


@click.group()
def clicks() -> None:
    """The single clicks, as long as they are kept."""


class ExportedClick(Struct, frozen=True):
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
@date_range_options
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["json", "csv"]),
    default="json",
    show_default=True,
    help="json: one object a line.",
)
@with_store
def export(
    context: CliContext, store: Store, since: int | None, until: int | None, output_format: str
) -> None:
    """Every click with its verdict and reason, oldest first, one JSON object a line (or CSV)."""
    check_time_range(since, until)
    domains = context.config.domains
    rows = (_to_exported_click(row, domains) for row in sql.export_clicks(store, since=since, until=until))
    if output_format == "csv":
        columns = ExportedClick.__struct_fields__
        print_csv(columns, ([getattr(row, name) for name in columns] for row in rows))
    else:
        print_json_lines(rows)


def _to_exported_click(row: ClickRow, domains: Sequence[Domain]) -> ExportedClick:
    when = datetime.fromtimestamp(row.ts // 1000, UTC)
    return ExportedClick(
        id=row.id,
        ts=f"{when:%Y-%m-%dT%H:%M:%S}.{row.ts % 1000:03d}Z",
        short_url=build_short_url(row.domain, row.code, domains=domains),
        n=row.n or None,
        verdict=row.verdict,
        reason=row.reason,
        rules=row.rules_version,
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
def explain(context: CliContext, store: Store, click_id: str, output_format: str) -> None:
    """Why a click has its verdict: every rule that spoke, what else was noticed, and its neighbours."""
    made = explain_click(store, click_id, config=context.config, now=int(time.time()))
    emit(
        output_format,
        json=lambda: print_json(made),
        csv=lambda: print_csv(_RULE_COLUMNS, _rule_rows(made)),
        table=lambda: _print_explanation(made, context),
    )


_RULE_COLUMNS = ("", "rule", "verdict", "how sure", "says", "because")


def _rule_rows(explanation: ClickExplanation) -> list[list[str]]:
    return [
        [
            "decided" if rule.decided else "",
            *(rule.reason, rule.verdict, rule.precision, rule.words),
            "; ".join(rule.evidence),
        ]
        for rule in explanation.spoken
    ]


def _print_explanation(explanation: ClickExplanation, context: CliContext) -> None:
    when = f"{format_local_time(explanation.at.timestamp(), context.config.zone)}:{explanation.at:%S}"
    after = explanation.seconds_after_sending
    told = (
        f", {_format_duration(after)} after the sending of {explanation.issue}" if after is not None else ""
    )
    print_line(
        f"{explanation.id}: {explanation.verdict}, because: {explanation.words} "
        f"({explanation.reason}; rules {explanation.rules})"
    )
    print_line(f"{explanation.short_url}{f'/{explanation.n}' if explanation.n else ''}, {when}{told}")
    print_table("Rules that spoke", _RULE_COLUMNS, _rule_rows(explanation), empty_message="No rule spoke.")
    noticed = [[words] for words in explanation.noticed]
    print_table(
        "Noticed",
        ("what the request and its neighbours show",),
        noticed,
        empty_message="Nothing else was noticed.",
    )
    print_table(
        "Clicks around it",
        ("sharing", "within", "clicks", "links", "networks", "browsers", "nearest"),
        (
            [
                *(
                    each.shared,
                    _format_duration(each.seconds),
                    each.clicks,
                    each.links,
                    each.networks,
                    each.agents,
                ),
                _format_duration(each.nearest),
            ]
            for each in explanation.neighbours
        ),
        empty_message="No other click shares an address, a network or a browser with it, near enough to count.",
    )
    request = explanation.request
    print_line(f"{request.method} from {request.network or 'a network that was not kept'}")
    print_line(f"user agent: {_format_header(request.user_agent)}")
    print_line(f"language: {_format_header(request.language)}; referrer: {_format_header(request.referrer)}")
    sent = ", ".join(f"{name}: {value}" for name, value in (request.headers or {}).items())
    print_line(f"headers: {sent or 'none that count'}")
    if not explanation.judged:
        print_line("Its neighbours have not been asked yet: the collector does that within seconds.")
    elif not explanation.settled:
        print_line("Still settling: what comes in within 15 minutes of it may change the verdict.")


def _format_header(text: str | None) -> str:
    return "none, or not to be kept" if text is None else text or "(empty)"


def _format_duration(seconds: float) -> str:
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
def reclassify(context: CliContext, store: Store, since: int | None, output_format: str) -> None:
    """Judge stored clicks again by today's rules and lists, and say what changed.

    Worth it after an upgrade with new rules or a change of [verdicts] datacenters. Interrupted, the same command goes
    on where it stopped; the collector may go on meanwhile, started again if the lists are new.
    """
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Judging clicks", total=None)
        outcome = judge_again(
            store,
            config=context.config,
            since=since or 0,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    slugs = judged.slugs_by_issue(store)
    rows = [
        _VerdictChange(slugs.get(issue or 0), before, after, clicks)
        for (issue, before, after), clicks in outcome.verdict_changes.items()
    ]
    rows.sort(key=lambda row: (row.issue or "", row.before, row.after))
    columns = ("issue", "from", "to", "clicks")
    emit(
        output_format,
        json=lambda: print_json(_ReclassifyResult(outcome.clicks, outcome.resumed, tuple(rows))),
        csv=lambda: print_csv(columns, ([getattr(row, f) for f in row.__struct_fields__] for row in rows)),
        table=lambda: _print_outcome(outcome, rows, columns),
    )


class _VerdictChange(Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """So many clicks of an issue (null: of none) that had one verdict and have another."""

    issue: str | None
    before: str
    after: str
    clicks: int


class _ReclassifyResult(Struct, frozen=True):
    """What ``reclassify`` prints as JSON."""

    clicks: int
    resumed: bool
    changed: tuple[_VerdictChange, ...]


def _print_outcome(outcome: ReclassifyResult, rows: Sequence[_VerdictChange], columns: Sequence[str]) -> None:
    went_on = (
        " (the rest of an interrupted run; what that one changed is not listed)" if outcome.resumed else ""
    )
    print_table(
        "Verdicts that changed",
        columns,
        ([row.issue or "(no issue)", row.before, row.after, row.clicks] for row in rows),
        empty_message="No verdict changed.",
    )
    print_line(f"Judged {outcome.clicks:,} clicks again{went_on}.")


COMMANDS = [clicks, reclassify]
