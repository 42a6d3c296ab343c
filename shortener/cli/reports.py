"""``shortener report``: what was counted."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from shortener.cli import Session, with_store
from shortener.cli.options import TIME, short_key
from shortener.cli.output import (
    format_option,
    local,
    percent,
    print_csv,
    print_json,
    print_line,
    print_table,
    show,
)
from shortener.reporting.counts import Breakdown, Hour, Totals
from shortener.reporting.issue_report import ArticleReport, IssueReport, LinkCount, issue_report
from shortener.reporting.link_report import LinkReport, link_report
from shortener.reporting.quality import Quality
from shortener.reporting.summary import Summary, summary
from shortener.store import Store

if TYPE_CHECKING:
    from shortener.ranking import Comparison, Side

KINDS = ("image", "title", "more", "text", "button", "footer")
FEW = 5
"""Values of a breakdown that a table names."""


def bounded(command: Callable[..., Any]) -> Callable[..., Any]:
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
def report_issue(session: Session, store: Store, slug: str, reasons: bool, form: str) -> None:
    """The clicks of an issue by article and placement."""
    made = issue_report(store, slug, as_of=int(time.time()), domains=session.config.domains)
    show(
        form,
        json=lambda: print_json(made),
        csv=lambda: print_csv(_ARTICLE_COLUMNS, _article_rows(made)),
        table=lambda: _print_reasons(made) if reasons else _print_issue(made, session.config.zone),
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
    *(f"clicks_{kind}" for kind in KINDS),
    "clicks_unplaced",
    "other_clicks",
    "short_urls",
)


def _article_rows(made: IssueReport) -> Iterator[list[Any]]:
    for each in made.articles:
        yield [
            *(each.position, each.url, each.title, each.author, each.section),
            *(each.clicks, each.visitors, each.rate, *_by_kind(each), each.unplaced, each.other),
            " ".join(each.short_urls),
        ]
    for link in made.links:
        yield [
            *(None, link.target, link.title, "", ""),
            *(link.clicks, link.visitors, link.rate, *_by_kind(link), link.unplaced, link.other),
            link.short_url,
        ]


def _by_kind(each: ArticleReport | LinkCount) -> list[int]:
    return [sum(placed.clicks for placed in each.placements if placed.kind == kind) for kind in KINDS]


def _print_issue(made: IssueReport, zone: ZoneInfo) -> None:
    sent = local(made.sent_at.timestamp(), zone) if made.sent_at else "at an unknown time"
    to = f"{made.recipients:,} recipients" if made.recipients else "an unknown number of recipients"
    print_line(f"{made.title or made.slug}: sent {sent} to {to}")
    _print_totals(made.totals, made.quality, made.rate, settling=made.settling)
    print_table(
        "Articles",
        ("", "title", "clicks", "visitors", "rate", "by placement", "short link"),
        (
            [
                *(each.position, each.title or each.url, each.clicks, each.visitors, percent(each.rate)),
                *(_placements(each), " ".join(each.short_urls)),
            ]
            for each in made.articles
        ),
        empty="This issue has no articles.",
    )
    if made.links:
        print_table(
            "Other links",
            ("target", "clicks", "visitors", "by placement", "short link"),
            (
                [_led_to(each), each.clicks, each.visitors, _placements(each), each.short_url]
                for each in made.links
            ),
            empty="",
        )
    _print_breakdown(made.breakdown)
    _print_timeline(made.timeline, zone)


def _led_to(each: LinkCount) -> str | None:
    return f"(hidden link; {each.other:,} requests by machines)" if each.trap else each.target


def _placements(each: ArticleReport | LinkCount) -> str:
    clicked = [f"{placed.kind} {placed.clicks:,}" for placed in each.placements if placed.clicks]
    return ", ".join(clicked + ([f"no placement {each.unplaced:,}"] if each.unplaced else []))


def _print_reasons(made: IssueReport | LinkReport) -> None:
    """Every verdict by its reason, and between which counts the truth should lie."""
    _print_totals(made.totals, made.quality, settling=made.settling)
    print_table(
        "Verdicts by reason",
        ("verdict", "reason", "says", "requests", "share"),
        (
            [each.verdict, each.reason, each.words, each.clicks, percent(each.share)]
            for each in made.quality.reasons
        ),
        empty="No click has been judged yet.",
    )
    band = made.quality.band
    if band is not None:
        print_line(
            f"Human clicks by the strictest rules {band.strict:,}, by the usual ones {band.usual:,}, by the surest "
            f"alone {band.lenient:,}. `shortener clicks explain ID` tells why of a single one."
        )


def _print_totals(
    totals: Totals, quality: Quality, share: float | None = None, *, settling: bool = False
) -> None:
    of_all = f" ({percent(share)} of the recipients)" if share is not None else ""
    print_line(f"{totals.clicks.human:,} clicks by {totals.visitors:,} visitors{of_all}; {quality.sentence}.")
    if settling:
        print_line(
            "Still settling: what comes in may yet show machines among the clicks of the last 15 minutes."
        )


def _print_breakdown(breakdown: Breakdown) -> None:
    for dimension, parts in breakdown.items():
        named = [
            f"{'others' if part.value is None else part.value or 'unknown'} {percent(part.share)}"
            for part in parts[:FEW]
        ]
        if named:
            print_line(f"{dimension:<9} {', '.join(named)}{', …' if len(parts) > FEW else ''}")


def _print_timeline(hours: Sequence[Hour], zone: ZoneInfo) -> None:
    """The busiest hours: all of them are in JSON."""
    busiest = sorted(sorted(hours, key=lambda hour: -hour.human)[:FEW], key=lambda hour: hour.hour)
    told = [f"{local(hour.hour.timestamp(), zone)} ({hour.human:,})" for hour in busiest if hour.human]
    if told:
        print_line(f"{'busiest':<9} {', '.join(told)}")


@report.command("link")
@click.argument("url", metavar="SHORT_URL")
@reasons_option
@format_option
@with_store
def report_link(session: Session, store: Store, url: str, reasons: bool, form: str) -> None:
    """The clicks of a short link by placement and hour (CSV: the hours)."""
    domain, code = short_key(url, config=session.config)
    made = link_report(store, domain, code, as_of=int(time.time()), domains=session.config.domains)
    show(
        form,
        json=lambda: print_json(made),
        csv=lambda: print_csv(
            ("hour", "human", "other"), ([each.hour, each.human, each.other] for each in made.timeline)
        ),
        table=lambda: _print_reasons(made) if reasons else _print_link(made, session.config.zone),
    )


def _print_link(made: LinkReport, zone: ZoneInfo) -> None:
    print_line(f"{made.short_url} → {made.target or '(no target yet)'} ({made.status})")
    _print_totals(made.totals, made.quality, settling=made.settling)
    if made.placements:
        print_table(
            "Placements",
            ("n", "kind", "text", "issue", "clicks", "visitors"),
            ([p.n, p.kind, p.text, p.issue, p.clicks, p.visitors] for p in made.placements),
            empty="",
        )
    _print_breakdown(made.breakdown)
    _print_timeline(made.timeline, zone)


@report.command("summary")
@bounded
@format_option
@with_store
def report_summary(session: Session, store: Store, since: int | None, until: int | None, form: str) -> None:
    """All issues side by side, and the most clicked links."""
    made = summary(store, since=since, until=until, as_of=int(time.time()), domains=session.config.domains)
    columns = ("slug", "title", "sent_at", "recipients", "clicks", "visitors", "rate")
    show(
        form,
        json=lambda: print_json(made),
        csv=lambda: print_csv(columns, ([getattr(each, name) for name in columns] for each in made.issues)),
        table=lambda: _print_summary(made, session.config.zone),
    )


def _print_summary(made: Summary, zone: ZoneInfo) -> None:
    _print_totals(made.totals, made.quality)
    print_table(
        "Issues",
        ("issue", "title", "sent", "recipients", "clicks", "visitors", "rate"),
        (
            [
                *(each.slug, each.title, local(each.sent_at.timestamp() if each.sent_at else None, zone)),
                *(each.recipients, each.clicks, each.visitors, percent(each.rate)),
            ]
            for each in made.issues
        ),
        empty="No issue was clicked: `shortener issue add FILE` takes one in.",
    )
    if made.links:
        print_table(
            "Most clicked links",
            ("short link", "title", "target", "issue", "clicks", "visitors"),
            ([e.short_url, e.title, e.target, e.issue, e.clicks, e.visitors] for e in made.links),
            empty="",
        )
    if made.misses:
        print_table(
            "Asked for in vain",
            ("host", "code", "status", "requests"),
            ([miss.domain, miss.code or "(others)", miss.status, miss.requests] for miss in made.misses),
            empty="",
        )


@report.command("compare")
@click.argument("first", metavar="SLUG")
@click.argument("second", metavar="SLUG")
@click.option("--hours", type=float, help="Hours after sending (default: the age of the younger issue).")
@click.option("--as-of", type=TIME, help="As it was known at this time (default: now).")
@format_option
@with_store
def report_compare(
    session: Session,
    store: Store,
    first: str,
    second: str,
    hours: float | None,
    as_of: int | None,
    form: str,
) -> None:
    """Two issues at the same age, with the share of clicks still to come."""
    from shortener.reporting.ranking import comparison  # brings numpy, which the other reports do without

    moment = int(time.time()) if as_of is None else as_of
    made = comparison(store, first, second, as_of=moment, hours=hours)
    show(
        form,
        json=lambda: print_json(made),
        csv=lambda: print_csv(_SIDE_COLUMNS, (_side_row(made, side) for side in (made.first, made.second))),
        table=lambda: _print_comparison(made),
    )


_SIDE_COLUMNS = ("slug", "title", "recipients", "hours", "clicks", "rate", "to_come_then", "to_come_now")


def _side_row(made: "Comparison", side: "Side") -> list[Any]:
    counts = [round(made.hours, 2), round(side.clicks, 1), side.rate, made.to_come, side.to_come]
    return [side.slug, side.title, side.recipients, *counts]


def _print_comparison(made: "Comparison") -> None:
    print_table(
        f"{made.hours:,.1f} hours after sending",
        ("issue", "title", "recipients", "clicks by then", "rate", "to come then", "to come now"),
        (
            [
                *(side.slug, side.title, side.recipients, round(side.clicks), percent(side.rate)),
                *(percent(made.to_come), percent(side.to_come)),
            ]
            for side in (made.first, made.second)
        ),
        empty="",
    )
    print_line(f"{made.text}.")


COMMANDS = [report]
