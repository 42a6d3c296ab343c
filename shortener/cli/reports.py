"""``shortener report``: clicks of an issue, of a link, of the whole site, and two issues compared."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import click

from shortener.cli import CliContext, with_store
from shortener.cli.groups import Group
from shortener.cli.options import date_range_options, parse_link_key
from shortener.cli.output import (
    format_local_time,
    format_option,
    format_percent,
    or_unknown,
    print_as,
    print_csv,
    print_json,
    print_line,
    print_table,
)
from shortener.cli.report_compare import compare
from shortener.reporting.completeness import describe_completeness
from shortener.reporting.counts import Breakdown, TimelineHour, Totals
from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_report import (
    ArticleReport,
    IssueReport,
    OtherLinkReport,
    RerunSuggestion,
    build_issue_report,
)
from shortener.reporting.link_report import LinkReport, build_link_report
from shortener.reporting.outlook import describe_outlook
from shortener.reporting.quality import Quality
from shortener.reporting.summary import Summary, build_summary
from shortener.store import Store

PLACEMENT_KINDS = ("image", "title", "more", "text", "button", "footer")
"""Kinds of placements. Each has a column in the CSV of an issue's report."""
MAX_LISTED_VALUES = 5
"""Limit of the values that are printed of a breakdown, and of the busiest hours that are printed."""


@click.group(cls=Group)
def report() -> None:
    """Clicks and visitors of issues, links and the whole site."""


reasons_option = click.option(
    "--reasons",
    is_flag=True,
    help="Show the verdicts by reason (as a table; JSON always has them).",
)


@report.command("issue", examples=("shortener report issue 2026-11", "shortener report issue 2026-11 --reasons"))
@click.argument("slug")
@reasons_option
@format_option
@with_store
def report_issue(context: CliContext, store: Store, slug: str, reasons: bool, output_format: str) -> None:
    """Report the clicks of an issue by article and placement.

    A placement is one use of a link in the issue.
    """
    now = int(time.time())
    result = build_issue_report(store, slug, as_of=now, domains=context.config.domains, zone=context.config.zone)
    if output_format == "json" or (output_format == "table" and not reasons):
        # imports numpy, which the other formats do not need
        from shortener.reporting.ranking import complete_report

        result = complete_report(store, result, config=context.config, as_of=now)
    print_as(
        output_format,
        json=lambda: print_json(result),
        csv=lambda: print_csv(_ARTICLE_COLUMNS, _article_rows(result)),
        table=lambda: (
            _print_reasons(result, context.config.zone) if reasons else _print_issue(result, context.config.zone)
        ),
    )


_ARTICLE_COLUMNS = (
    "position",
    "url",
    "title",
    "author",
    "section",
    "clicks",
    "visitors",
    "rate",
    *(f"clicks_{kind}" for kind in PLACEMENT_KINDS),
    "clicks_unplaced",
    "other_clicks",
    "short_urls",
)


def _article_rows(result: IssueReport) -> Iterator[list[Any]]:
    for article in result.articles:
        details = (article.position, article.url, article.title, article.author, article.section)
        yield [*details, *_counts(article), " ".join(article.short_urls)]
    for link in result.links:
        yield [None, link.target, link.title, "", "", *_counts(link), link.short_url]


def _counts(item: ArticleReport | OtherLinkReport) -> list[float | None]:
    clicks_by_kind = (
        sum(placement.clicks for placement in item.placements if placement.kind == kind) for kind in PLACEMENT_KINDS
    )
    return [item.clicks, item.visitors, item.rate, *clicks_by_kind, item.unplaced, item.other]


def _print_issue(result: IssueReport, zone: ZoneInfo) -> None:
    sent = "sent at an unknown time"
    if result.sent_at:
        word = "sent" if result.sent_at <= result.as_of else "scheduled for"
        sent = f"{word} {format_local_time(result.sent_at, zone)}"
    recipients = f"{result.recipients:,}" if result.recipients else "an unknown number of"
    print_line(f"{result.title or result.slug}: {sent} to {recipients} recipients")
    _print_totals(result.totals, result.quality, zone, click_rate=result.rate, settling=result.settling)
    if result.outlook is not None and (outlook := describe_outlook(result.outlook)):
        print_line(outlook)
    print_table(
        "Articles",
        ("", "title", "clicks", "visitors", "click rate", "by placement", "short link"),
        (
            [
                *(article.position, article.title or article.url, article.clicks, or_unknown(article.visitors)),
                *(or_unknown(format_percent(article.rate)), _format_placements(article), " ".join(article.short_urls)),
            ]
            for article in result.articles
        ),
        empty_message="This issue has no articles.",
        optional=("by placement", "clicks"),
    )
    if result.links:
        print_table(
            "Inline and other links",
            ("target", "clicks", "visitors", "by placement", "short link"),
            (
                [
                    *(_target_or_honeypot(link), link.clicks, or_unknown(link.visitors)),
                    *(_format_placements(link), link.short_url),
                ]
                for link in result.links
            ),
            empty_message="",
            optional=("by placement",),
        )
    _print_breakdown(result.breakdown)
    _print_timeline(result.timeline, zone)
    for suggestion in result.reruns:
        print_line(_format_rerun(suggestion))


def _format_rerun(rerun: RerunSuggestion) -> str:
    """Return a line that suggests showing an article again at another position, and says whether this was done."""
    state = "" if rerun.open else "; not done yet"
    if rerun.shown_again:
        state = f"; done: position {rerun.shown_position} in {rerun.shown_again}"
    return (
        f"Worth showing again: {rerun.title} at position {rerun.new_position} instead of {rerun.position} "
        f"({format_percent(rerun.uncertainty_removed)} less uncertainty about what a position is worth){state}"
    )


def _target_or_honeypot(link: OtherLinkReport) -> str | None:
    return f"(honeypot link; {link.other:,} automated requests)" if link.trap else link.target


def _format_placements(item: ArticleReport | OtherLinkReport) -> str:
    counts = [f"{placement.kind} {placement.clicks:,}" for placement in item.placements if placement.clicks]
    return ", ".join(counts + ([f"no placement {item.unplaced:,}"] if item.unplaced else []))


def _print_reasons(result: IssueReport | LinkReport, zone: ZoneInfo) -> None:
    """Print the totals, the requests by verdict and reason, and the low, best and high estimate of human clicks."""
    _print_totals(result.totals, result.quality, zone, settling=result.settling)
    print_table(
        "Verdicts by reason",
        ("verdict", "reason", "meaning", "requests", "share"),
        (
            [share.verdict, share.reason, share.words, share.clicks, format_percent(share.share)]
            for share in result.quality.reasons
        ),
        empty_message="No click has been classified yet.",
    )
    human_range = result.quality.band
    if human_range is not None:
        print_line(
            f"Human clicks: low estimate {human_range.strict:,}, best estimate {human_range.usual:,}, high estimate "
            f"{human_range.lenient:,}. `shortener clicks explain ID` explains the verdict of a single click."
        )


def _print_totals(
    totals: Totals, quality: Quality, zone: ZoneInfo, *, click_rate: float | None = None, settling: bool = False
) -> None:
    share = f" ({format_percent(click_rate)} of the recipients)" if click_rate is not None else ""
    visitors = "an unknown number of" if totals.visitors is None else f"{totals.visitors:,}"
    print_line(f"{totals.clicks.human:,} clicks by {visitors} visitors{share}; {quality.sentence}.")
    if settling:
        print_line("Still settling: verdicts of the last 15 minutes can change as more clicks arrive.")
    for line in describe_completeness(
        quality, format_time=partial(format_local_time, zone=zone), format_day=lambda day: day.date().isoformat()
    ):
        print_line(line)


def _print_breakdown(breakdown: Breakdown) -> None:
    for dimension, parts in breakdown.items():
        values = [
            f"{'others' if part.value is None else part.value or 'unknown'} {format_percent(part.share)}"
            for part in parts[:MAX_LISTED_VALUES]
        ]
        if values:
            print_line(f"{dimension:<9} {', '.join(values)}{', …' if len(parts) > MAX_LISTED_VALUES else ''}")


def _print_timeline(hours: Sequence[TimelineHour], zone: ZoneInfo) -> None:
    """Print the MAX_LISTED_VALUES hours with the most human clicks, in order of time."""
    busiest = sorted(sorted(hours, key=lambda hour: -hour.human)[:MAX_LISTED_VALUES], key=lambda hour: hour.hour)
    texts = [f"{format_local_time(hour.hour, zone)} ({hour.human:,})" for hour in busiest if hour.human]
    if texts:
        print_line(f"{'busiest':<9} {', '.join(texts)}")


@report.command(
    "link", examples=("shortener report link spring", "shortener report link go.example.com/spring --format csv")
)
@click.argument("url", metavar="SHORT_URL")
@reasons_option
@format_option
@with_store
def report_link(context: CliContext, store: Store, url: str, reasons: bool, output_format: str) -> None:
    """Report the clicks of a short link by placement.

    A placement is one use of the link in an issue. The CSV format lists the clicks by hour instead.
    """
    domain, code = parse_link_key(url, config=context.config)
    result = build_link_report(
        store, domain, code, as_of=int(time.time()), domains=context.config.domains, zone=context.config.zone
    )
    columns = TimelineHour.__struct_fields__
    print_as(
        output_format,
        json=lambda: print_json(result),
        csv=lambda: print_csv(columns, struct_rows(result.timeline, columns)),
        table=lambda: (
            _print_reasons(result, context.config.zone) if reasons else _print_link(result, context.config.zone)
        ),
    )


def _print_link(result: LinkReport, zone: ZoneInfo) -> None:
    print_line(f"{result.short_url} → {result.target or '(no target yet)'} ({result.status})")
    _print_totals(result.totals, result.quality, zone, settling=result.settling)
    if result.placements:
        columns = ("n", "kind", "text", "issue", "clicks", "visitors")
        rows = ([*row, or_unknown(visitors)] for *row, visitors in struct_rows(result.placements, columns))
        print_table("Placements", columns, rows, empty_message="")
    _print_breakdown(result.breakdown)
    _print_timeline(result.timeline, zone)


@report.command(
    "summary", examples=("shortener report summary", "shortener report summary --since 2026-11-01 --until 2026-12-01")
)
@date_range_options
@format_option
@with_store
def report_summary(context: CliContext, store: Store, since: int | None, until: int | None, output_format: str) -> None:
    """Report issues, top links, and requests not redirected.

    A request is not redirected if its code is unknown, or if its link has no target, is retired or has expired.
    """
    result = build_summary(
        store,
        since=since,
        until=until,
        as_of=int(time.time()),
        domains=context.config.domains,
        zone=context.config.zone,
    )
    columns = ("slug", "title", "sent_at", "recipients", "clicks", "visitors", "rate")
    print_as(
        output_format,
        json=lambda: print_json(result),
        csv=lambda: print_csv(
            (*columns, "since", "until"),
            ((*row, result.since, result.until) for row in struct_rows(result.issues, columns)),
        ),
        table=lambda: _print_summary(result, context.config.zone),
    )


def _print_summary(result: Summary, zone: ZoneInfo) -> None:
    for word, bound in (("since", result.since), ("until", result.until)):
        if bound is not None:
            print_line(f"{word:<9} {format_local_time(bound, zone)} ({result.timezone})")
    _print_totals(result.totals, result.quality, zone)
    print_table(
        "Issues",
        ("issue", "title", "sent", "recipients", "clicks", "visitors", "click rate"),
        (
            [
                *(issue.slug, issue.title, format_local_time(issue.sent_at, zone), issue.recipients),
                *(issue.clicks, or_unknown(issue.visitors), or_unknown(format_percent(issue.rate))),
            ]
            for issue in result.issues
        ),
        empty_message="No issue with clicks. `shortener issue add FILE` adds an issue.",
        optional=("recipients", "clicks", "sent"),
    )
    if result.links:
        print_table(
            "Most clicked links",
            ("short link", "title", "target", "issue", "clicks", "visitors"),
            (
                [*row, or_unknown(visitors)]
                for *row, visitors in struct_rows(
                    result.links, ("short_url", "title", "target", "issue", "clicks", "visitors")
                )
            ),
            empty_message="",
            optional=("target", "issue", "clicks"),
        )
    if result.misses:
        print_table(
            "Requests without a link",
            ("host", "code", "status", "requests"),
            ([miss.domain, miss.code or "(others)", miss.status, miss.requests] for miss in result.misses),
            empty_message="",
        )


report.add_command(compare)

COMMANDS = [report]
