"""``shortener report``: what was counted."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from shortener.cli import CliContext, with_store
from shortener.cli.options import TIME, parse_link_key
from shortener.cli.output import (
    emit,
    format_local_time,
    format_option,
    format_percent,
    print_csv,
    print_json,
    print_line,
    print_table,
)
from shortener.errors import NotFound
from shortener.reporting.counts import Breakdown, TimelineHour, Totals
from shortener.reporting.issue_report import ArticleReport, IssueReport, OtherLinkReport, build_issue_report
from shortener.reporting.link_report import LinkReport, build_link_report
from shortener.reporting.quality import Quality
from shortener.reporting.summary import Summary, build_summary
from shortener.store import Store

if TYPE_CHECKING:
    from shortener.ranking import ComparedIssue, Comparison

PLACEMENT_KINDS = ("image", "title", "more", "text", "button", "footer")
MAX_LISTED_VALUES = 5
"""Values of a breakdown that a table names."""


def date_range_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--since`` and ``--until``."""
    until = click.option("--until", type=TIME, help="Only what came before this time, with a zone.")
    since = click.option("--since", type=TIME, help="Only what came from this time on, with a zone.")
    return since(until(command))


@click.group()
def report() -> None:
    """What was counted: of an issue, of a link, of everything."""


reasons_option = click.option(
    "--reasons",
    is_flag=True,
    help="Show what was set aside, and why, rule by rule (a table; JSON has it always).",
)


@report.command("issue")
@click.argument("slug")
@reasons_option
@format_option
@with_store
def report_issue(context: CliContext, store: Store, slug: str, reasons: bool, output_format: str) -> None:
    """The clicks of an issue by article and placement."""
    made = build_issue_report(store, slug, as_of=int(time.time()), domains=context.config.domains)
    emit(
        output_format,
        json=lambda: print_json(made),
        csv=lambda: print_csv(_ARTICLE_COLUMNS, _article_rows(made)),
        table=lambda: _print_reasons(made) if reasons else _print_issue(made, context.config.zone),
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
    for each in result.articles:
        yield [
            *(each.position, each.url, each.title, each.author, each.section),
            *(each.clicks, each.visitors, each.rate, *_clicks_by_kind(each), each.unplaced, each.other),
            " ".join(each.short_urls),
        ]
    for link in result.links:
        yield [
            *(None, link.target, link.title, "", ""),
            *(link.clicks, link.visitors, link.rate, *_clicks_by_kind(link), link.unplaced, link.other),
            link.short_url,
        ]


def _clicks_by_kind(item: ArticleReport | OtherLinkReport) -> list[int]:
    return [
        sum(placed.clicks for placed in item.placements if placed.kind == kind) for kind in PLACEMENT_KINDS
    ]


def _print_issue(result: IssueReport, zone: ZoneInfo) -> None:
    sent = format_local_time(result.sent_at.timestamp(), zone) if result.sent_at else "at an unknown time"
    to = f"{result.recipients:,} recipients" if result.recipients else "an unknown number of recipients"
    print_line(f"{result.title or result.slug}: sent {sent} to {to}")
    _print_totals(result.totals, result.quality, result.rate, settling=result.settling)
    print_table(
        "Articles",
        ("", "title", "clicks", "visitors", "rate", "by placement", "short link"),
        (
            [
                *(
                    each.position,
                    each.title or each.url,
                    each.clicks,
                    each.visitors,
                    format_percent(each.rate),
                ),
                *(_format_placements(each), " ".join(each.short_urls)),
            ]
            for each in result.articles
        ),
        empty_message="This issue has no articles.",
    )
    if result.links:
        print_table(
            "Other links",
            ("target", "clicks", "visitors", "by placement", "short link"),
            (
                [
                    _target_or_honeypot(each),
                    each.clicks,
                    each.visitors,
                    _format_placements(each),
                    each.short_url,
                ]
                for each in result.links
            ),
            empty_message="",
        )
    _print_breakdown(result.breakdown)
    _print_timeline(result.timeline, zone)


def _target_or_honeypot(link: OtherLinkReport) -> str | None:
    return f"(hidden link; {link.other:,} requests by machines)" if link.trap else link.target


def _format_placements(item: ArticleReport | OtherLinkReport) -> str:
    clicked = [f"{placed.kind} {placed.clicks:,}" for placed in item.placements if placed.clicks]
    return ", ".join(clicked + ([f"no placement {item.unplaced:,}"] if item.unplaced else []))


def _print_reasons(result: IssueReport | LinkReport) -> None:
    """Every verdict by its reason, and between which counts the truth should lie."""
    _print_totals(result.totals, result.quality, settling=result.settling)
    print_table(
        "Verdicts by reason",
        ("verdict", "reason", "says", "requests", "share"),
        (
            [each.verdict, each.reason, each.words, each.clicks, format_percent(each.share)]
            for each in result.quality.reasons
        ),
        empty_message="No click has been judged yet.",
    )
    band = result.quality.band
    if band is not None:
        print_line(
            f"Human clicks by the strictest rules {band.strict:,}, by the usual ones {band.usual:,}, by the surest "
            f"alone {band.lenient:,}. `shortener clicks explain ID` tells why of a single one."
        )


def _print_totals(
    totals: Totals, quality: Quality, click_rate: float | None = None, *, settling: bool = False
) -> None:
    of_all = f" ({format_percent(click_rate)} of the recipients)" if click_rate is not None else ""
    print_line(f"{totals.clicks.human:,} clicks by {totals.visitors:,} visitors{of_all}; {quality.sentence}.")
    if settling:
        print_line(
            "Still settling: what comes in may yet show machines among the clicks of the last 15 minutes."
        )


def _print_breakdown(breakdown: Breakdown) -> None:
    for dimension, parts in breakdown.items():
        named = [
            f"{'others' if part.value is None else part.value or 'unknown'} {format_percent(part.share)}"
            for part in parts[:MAX_LISTED_VALUES]
        ]
        if named:
            print_line(f"{dimension:<9} {', '.join(named)}{', …' if len(parts) > MAX_LISTED_VALUES else ''}")


def _print_timeline(hours: Sequence[TimelineHour], zone: ZoneInfo) -> None:
    """The busiest hours: all of them are in JSON."""
    busiest = sorted(
        sorted(hours, key=lambda hour: -hour.human)[:MAX_LISTED_VALUES], key=lambda hour: hour.hour
    )
    told = [
        f"{format_local_time(hour.hour.timestamp(), zone)} ({hour.human:,})" for hour in busiest if hour.human
    ]
    if told:
        print_line(f"{'busiest':<9} {', '.join(told)}")


@report.command("link")
@click.argument("url", metavar="SHORT_URL")
@reasons_option
@format_option
@with_store
def report_link(context: CliContext, store: Store, url: str, reasons: bool, output_format: str) -> None:
    """The clicks of a short link by placement and hour (CSV: the hours)."""
    domain, code = parse_link_key(url, config=context.config)
    made = build_link_report(store, domain, code, as_of=int(time.time()), domains=context.config.domains)
    emit(
        output_format,
        json=lambda: print_json(made),
        csv=lambda: print_csv(
            ("hour", "human", "other"), ([each.hour, each.human, each.other] for each in made.timeline)
        ),
        table=lambda: _print_reasons(made) if reasons else _print_link(made, context.config.zone),
    )


def _print_link(result: LinkReport, zone: ZoneInfo) -> None:
    print_line(f"{result.short_url} → {result.target or '(no target yet)'} ({result.status})")
    _print_totals(result.totals, result.quality, settling=result.settling)
    if result.placements:
        print_table(
            "Placements",
            ("n", "kind", "text", "issue", "clicks", "visitors"),
            ([p.n, p.kind, p.text, p.issue, p.clicks, p.visitors] for p in result.placements),
            empty_message="",
        )
    _print_breakdown(result.breakdown)
    _print_timeline(result.timeline, zone)


@report.command("summary")
@date_range_options
@format_option
@with_store
def report_summary(
    context: CliContext, store: Store, since: int | None, until: int | None, output_format: str
) -> None:
    """All issues side by side, and the most clicked links."""
    made = build_summary(
        store, since=since, until=until, as_of=int(time.time()), domains=context.config.domains
    )
    columns = ("slug", "title", "sent_at", "recipients", "clicks", "visitors", "rate")
    emit(
        output_format,
        json=lambda: print_json(made),
        csv=lambda: print_csv(columns, ([getattr(each, name) for name in columns] for each in made.issues)),
        table=lambda: _print_summary(made, context.config.zone),
    )


def _print_summary(result: Summary, zone: ZoneInfo) -> None:
    _print_totals(result.totals, result.quality)
    print_table(
        "Issues",
        ("issue", "title", "sent", "recipients", "clicks", "visitors", "rate"),
        (
            [
                *(
                    each.slug,
                    each.title,
                    format_local_time(each.sent_at.timestamp() if each.sent_at else None, zone),
                ),
                *(each.recipients, each.clicks, each.visitors, format_percent(each.rate)),
            ]
            for each in result.issues
        ),
        empty_message="No issue was clicked: `shortener issue add FILE` takes one in.",
    )
    if result.links:
        print_table(
            "Most clicked links",
            ("short link", "title", "target", "issue", "clicks", "visitors"),
            ([e.short_url, e.title, e.target, e.issue, e.clicks, e.visitors] for e in result.links),
            empty_message="",
        )
    if result.misses:
        print_table(
            "Asked for in vain",
            ("host", "code", "status", "requests"),
            ([miss.domain, miss.code or "(others)", miss.status, miss.requests] for miss in result.misses),
            empty_message="",
        )


@report.command("compare")
@click.argument("first", metavar="SLUG")
@click.argument("second", metavar="SLUG")
@click.option("--hours", type=float, help="Hours after sending (default: the age of the younger issue).")
@click.option("--as-of", type=TIME, help="As it was known at this time (default: now).")
@format_option
@with_store
def report_compare(
    context: CliContext,
    store: Store,
    first: str,
    second: str,
    hours: float | None,
    as_of: int | None,
    output_format: str,
) -> None:
    """Two issues at the same age, with the share of clicks still to come."""
    from shortener.reporting.ranking import (
        compare_stored_issues,  # brings numpy, which the other reports do without
    )

    moment = int(time.time()) if as_of is None else as_of
    try:
        made = compare_stored_issues(store, first, second, as_of=moment, hours=hours)
    except NotFound as error:
        raise NotFound(f"{error}; see `shortener issue list`") from None
    emit(
        output_format,
        json=lambda: print_json(made),
        csv=lambda: print_csv(
            _COMPARISON_COLUMNS, (_comparison_row(made, side) for side in (made.first, made.second))
        ),
        table=lambda: _print_comparison(made),
    )


_COMPARISON_COLUMNS = (
    "slug",
    "title",
    "recipients",
    "hours",
    "visitors",
    "clicks",
    "rate",
    "to_come_then",
    "to_come_now",
)


def _comparison_row(result: "Comparison", side: "ComparedIssue") -> list[Any]:
    counts = [None if count is None else round(count, 1) for count in (side.visitors, side.clicks)]
    figures = [round(result.hours, 2), *counts, side.rate, result.to_come, side.to_come]
    return [side.slug, side.title, side.recipients, *figures]


def _print_comparison(result: "Comparison") -> None:
    sides = (result.first, result.second)
    units = sorted({side.counted for side in sides}, reverse=True)
    print_table(
        f"{result.hours:,.1f} hours after sending",
        (
            *("issue", "title", "recipients", *(f"{unit} by then" for unit in units)),
            *("rate", "to come then", "to come now"),
        ),
        (
            [
                *(side.slug, side.title, side.recipients),
                *(
                    None if count is None else round(count)
                    for count in (getattr(side, unit) for unit in units)
                ),
                *(format_percent(share) for share in (side.rate, result.to_come, side.to_come)),
            ]
            for side in sides
        ),
        empty_message="",
    )
    print_line(f"{result.text}.")


COMMANDS = [report]
