"""``shortener clicks`` and ``reclassify``: export single clicks, explain the verdict (human, bot, …) of a click, and
classify stored clicks again.
"""

import sys
import time
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import click
from msgspec import Struct
from rich.progress import Progress

from shortener.cli import CliContext, with_store
from shortener.cli.groups import Command, Group
from shortener.cli.options import TIME, date_range_options
from shortener.cli.output import (
    format_duration,
    format_local_time,
    format_option,
    print_as,
    print_csv,
    print_json,
    print_json_lines,
    print_line,
    print_table,
)
from shortener.collector.reclassify import ReclassifyResult
from shortener.collector.reclassify import reclassify as reclassify_clicks
from shortener.reporting.click_explanation import ClickExplanation, RequestDetails, explain_click
from shortener.reporting.click_export import ExportedClick, list_exported_clicks
from shortener.reporting.formatting import struct_rows
from shortener.reporting.summary import check_time_range
from shortener.store import Store
from shortener.store.nearby_clicks import slugs_by_issue


@click.group(cls=Group)
def clicks() -> None:
    """Export single clicks, and explain their verdicts.

    A verdict says what kind of client made a click: human, bot, scanner, preview or prefetch. Clicks are deleted after
    [privacy] keep_clicks days.
    """


@clicks.command(
    "export",
    examples=(
        "shortener clicks export --since 2026-11-24 > clicks.jsonl",
        "shortener clicks export --format csv > clicks.csv",
    ),
)
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
def export(context: CliContext, store: Store, since: int | None, until: int | None, output_format: str) -> None:
    """Export all clicks with verdict and reason.

    The oldest click is first. A verdict is human, bot, scanner, preview or prefetch. The reason is the rule that
    decided it.
    """
    check_time_range(since, until)
    rows = list_exported_clicks(store, since=since, until=until, domains=context.config.domains)
    if output_format == "csv":
        columns = ExportedClick.__struct_fields__
        print_csv(columns, struct_rows(rows, columns))
    else:
        print_json_lines(rows)


@clicks.command(
    "explain", examples=("shortener clicks explain 01a-17", "shortener clicks explain 01a-17 --format json")
)
@click.argument("click_id", metavar="ID")
@format_option
@with_store
def explain(context: CliContext, store: Store, click_id: str, output_format: str) -> None:
    """Explain the verdict of a click by rules and evidence.

    ID is the value of "id" in the output of `shortener clicks export`. Other clicks at about the same time are
    summarized too.
    """
    explanation = explain_click(store, click_id, config=context.config, now=int(time.time()))
    print_as(
        output_format,
        json=lambda: print_json(explanation),
        csv=lambda: print_csv(_RULE_COLUMNS, _rule_rows(explanation)),
        table=lambda: _print_explanation(explanation, context.config.zone),
    )


_RULE_COLUMNS = ("", "rule", "verdict", "how sure", "says", "because")
_RULE_HEADINGS = ("", "rule", "verdict", "certainty", "meaning", "because")


def _rule_rows(explanation: ClickExplanation) -> list[list[str]]:
    return [
        [
            "decided" if rule.decided else "",
            *(rule.reason, rule.verdict, rule.precision, rule.words),
            "; ".join(rule.evidence),
        ]
        for rule in explanation.spoken
    ]


def _print_explanation(explanation: ClickExplanation, zone: ZoneInfo) -> None:
    time_text = format_local_time(explanation.at, zone, seconds=True)
    if explanation.seconds_after_sending is not None:
        age = format_duration(explanation.seconds_after_sending)
        time_text += f", {age} after the sending of {explanation.issue}"
    print_line(
        f"{explanation.id}: {explanation.verdict}, because: {explanation.words} "
        f"({explanation.reason}; rules {explanation.rules})"
    )
    print_line(f"{explanation.short_url}{f'/{explanation.n}' if explanation.n else ''}, {time_text}")
    print_table("Matching rules", _RULE_HEADINGS, _rule_rows(explanation), empty_message="No rule matches.")
    print_table(
        "Evidence",
        ("from the request and nearby clicks",),
        ([words] for words in explanation.noticed),
        empty_message="No other evidence.",
    )
    print_table(
        "Nearby clicks",
        ("sharing", "within", "clicks", "links", "networks", "browsers", "nearest"),
        (
            [
                *(group.shared, format_duration(group.seconds), group.clicks, group.links, group.networks),
                *(group.agents, format_duration(group.nearest)),
            ]
            for group in explanation.neighbours
        ),
        empty_message="No nearby click has the same address, network or browser.",
    )
    _print_request(explanation.request)
    if not explanation.judged:
        print_line("Group rules have not run yet: the collector runs them within seconds.")
    elif not explanation.settled:
        print_line("Still settling: clicks that arrive within 15 minutes of it can change the verdict.")


def _print_request(request: RequestDetails) -> None:
    print_line(f"{request.method} from {request.network or 'an unknown network'}")
    print_line(f"user agent: {_format_header(request.user_agent)}")
    print_line(f"language: {_format_header(request.language)}; referrer: {_format_header(request.referrer)}")
    headers = ", ".join(f"{name}: {value}" for name, value in (request.headers or {}).items())
    print_line(f"headers: {headers or 'none that rules use'}")


def _format_header(text: str | None) -> str:
    return "none, or not stored" if text is None else text or "(empty)"


@click.command(cls=Command, examples=("shortener reclassify", "shortener reclassify --since 2026-11-01"))
@click.option("--since", type=TIME, help="Only clicks from this time on, as 2026-11-24T08:00 (in the site's zone).")
@format_option
@with_store
def reclassify(context: CliContext, store: Store, since: int | None, output_format: str) -> None:
    """Classify stored clicks again by the current rules.

    Run it after an upgrade with new rules, or after a change of [verdicts] datacenters and a restart of the server. If
    it is interrupted, the next run continues where it stopped.
    """
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Reclassifying clicks", total=None)
        result = reclassify_clicks(
            store,
            config=context.config,
            since=since or 0,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    slugs = slugs_by_issue(store)
    rows = [
        VerdictChange(slugs.get(issue_id or 0), before, after, count)
        for (issue_id, before, after), count in result.verdict_changes.items()
    ]
    rows.sort(key=lambda row: (row.issue or "", row.before, row.after))
    columns = ("issue", "from", "to", "clicks")
    print_as(
        output_format,
        json=lambda: print_json(ReclassifyReport(result.clicks, result.resumed, tuple(rows))),
        csv=lambda: print_csv(columns, struct_rows(rows, VerdictChange.__struct_fields__)),
        table=lambda: _print_result(result, rows, columns),
    )


class VerdictChange(Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """Number of clicks of an issue whose verdict changed, for example from "human" to "bot"."""

    issue: str | None
    """Slug of the issue; None for clicks on links that belong to no issue."""
    before: str
    after: str
    clicks: int


class ReclassifyReport(Struct, frozen=True):
    """The JSON output of ``reclassify``: number of classified clicks, and the changed verdicts by issue."""

    clicks: int
    resumed: bool
    """Whether the run continued an interrupted run."""
    changed: tuple[VerdictChange, ...]
    """Changes of this run, without those of an interrupted run before it."""


def _print_result(result: ReclassifyResult, rows: Sequence[VerdictChange], columns: Sequence[str]) -> None:
    rest = " (the rest of an interrupted run, whose changes are not listed)" if result.resumed else ""
    print_table(
        "Changed verdicts",
        columns,
        ([row.issue or "(no issue)", row.before, row.after, row.clicks] for row in rows),
        empty_message="No verdict changed.",
    )
    print_line(f"Reclassified {result.clicks:,} clicks{rest}.")


COMMANDS = [clicks, reclassify]
