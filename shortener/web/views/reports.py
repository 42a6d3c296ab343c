"""Views of an issue's report, and the data with which an open report page updates itself."""

from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Blueprint, Response, render_template
from msgspec import Struct

from shortener.durations import HOUR_SECONDS
from shortener.ranking import RankedArticle
from shortener.reporting.counts import Breakdown
from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_list import CumulativeClicks, compare_cumulative_clicks
from shortener.reporting.issue_report import IssueReport, build_issue_report
from shortener.reporting.outlook import Outlook, build_outlook
from shortener.short_urls import build_short_url
from shortener.store import issues, listings
from shortener.web.context import config, now, role_required, store
from shortener.web.filters import format_number, format_percent
from shortener.web.ranking_cache import article_results, remaining_shares, reruns
from shortener.web.responses import csv_response, json_response

blueprint = Blueprint("reports", __name__, url_prefix="/-/issues")

_ARTICLE_COLUMNS = ("position", "url", "title", "author", "clicks", "visitors", "rate", "unplaced", "other")
UNKNOWN = "unknown"
"""Shown in place of visitors and click rates that are not known."""
BREAKDOWN_COLUMNS = ("dimension", "value", "clicks", "share")
DIMENSIONS = (
    ("referrer", "Referrer"),
    ("browser", "Browser"),
    ("os", "System"),
    ("device", "Device"),
    ("country", "Country"),
    ("language", "Language"),
)


class TargetEdit(Struct, frozen=True):
    """A change of a link's target; ``at`` is in seconds since the epoch, ``hours`` are the hours since sending."""

    hours: float
    short_url: str
    at: int
    who: str
    new: str | None


@blueprint.get("/<slug>")
@role_required("viewer")
def show_report(slug: str) -> str:
    """Show the report of an issue."""
    report = _report(slug)
    series = compare_cumulative_clicks(store(), slug, now=now())
    edits = _target_edits(slug, report)
    results: Mapping[str, RankedArticle] | None = {}
    if report.sent_at or report.totals.clicks.human:  # a draft has no clicks to compare with what was expected
        results = article_results(slug)
    suggestions = reruns(slug, wait=False)
    return render_template(
        "report.html",
        report=report,
        results=results or {},
        is_ranking_ready=None not in (results, suggestions),
        reruns=suggestions or (),
        remaining_share=remaining_shares().get(slug),
        outlook=_outlook(slug),
        series=series,
        edits=edits,
        chart=_chart_data(series, edits),
        dimensions=DIMENSIONS,
    )


def _outlook(slug: str) -> Outlook | None:
    return build_outlook(store(), slug, remaining_share=remaining_shares().get(slug), now=now())


def _report(slug: str) -> IssueReport:
    return build_issue_report(store(), slug, as_of=now(), domains=config().domains, zone=config().zone)


def _target_edits(slug: str, report: IssueReport) -> list[TargetEdit]:
    """Return the changes of link targets since the issue was sent, or since its first click if that time is unknown."""
    start = report.sent_at or (report.timeline[0].hour if report.timeline else None)
    if start is None:
        return []
    return [
        TargetEdit(
            hours=(edit.at - start.timestamp()) / HOUR_SECONDS,
            short_url=build_short_url(edit.domain, edit.code, domains=config().domains),
            at=edit.at,
            who=edit.who,
            new=edit.new,
        )
        for edit in listings.list_target_edits(store(), issues.get(store(), slug).id)
        if edit.at > start.timestamp()
    ]


def _chart_data(series: tuple[CumulativeClicks, ...], edits: list[TargetEdit]) -> dict[str, Any]:
    """Return the chart's data. Each point is a pair (hours since sending, clicks), which keeps the page small."""
    return {
        "courses": [
            {
                "title": issue.title or issue.slug,
                "own": issue.own,
                "points": [[point.hours, point.clicks] for point in issue.points],
            }
            for issue in series
        ],
        "marks": [round(edit.hours, 2) for edit in edits],
    }


@blueprint.get("/<slug>/report.json")
@role_required("viewer")
def report_json(slug: str) -> Response:
    """Return the report of an issue as JSON, as ``report issue --format json`` prints it."""
    report = _report(slug)
    return json_response(msgspec.structs.replace(report, reruns=reruns(slug, wait=True) or (), outlook=_outlook(slug)))


@blueprint.get("/<slug>/report.csv")
@role_required("viewer")
def report_csv(slug: str) -> Response:
    """Return the articles of the report as CSV, one row each."""
    return csv_response(f"{slug}-articles", _ARTICLE_COLUMNS, struct_rows(_report(slug).articles, _ARTICLE_COLUMNS))


@blueprint.get("/<slug>/timeline.csv")
@role_required("viewer")
def timeline_csv(slug: str) -> Response:
    """Return the clicks of an issue by hour as CSV."""
    columns = ("hour", "human", "other")
    return csv_response(f"{slug}-timeline", columns, struct_rows(_report(slug).timeline, columns))


@blueprint.get("/<slug>/breakdown.csv")
@role_required("viewer")
def breakdown_csv(slug: str) -> Response:
    """Return the human clicks of an issue by referrer, browser, country and so on as CSV."""
    return csv_response(f"{slug}-breakdown", BREAKDOWN_COLUMNS, breakdown_rows(_report(slug).breakdown))


def breakdown_rows(breakdown: Breakdown) -> list[tuple[str, str, int, float]]:
    """Return a breakdown as CSV rows of dimension, value ('' if unknown), clicks, and share of clicks (0 to 1)."""
    return [
        (dimension, "all others" if part.value is None else part.value, part.clicks, round(part.share, 4))
        for dimension, parts in breakdown.items()
        for part in parts
    ]


@blueprint.get("/<slug>/live")
@role_required("viewer")
def live(slug: str) -> Response:
    """Return the formatted figures of a report as JSON. An open report page requests them to update itself."""
    report = _report(slug)
    figures = {
        "visitors": format_number(report.totals.visitors, UNKNOWN),
        "clicks": format_number(report.totals.clicks.human),
        "rate": format_percent(report.rate, UNKNOWN),
        "set-aside": format_number(report.totals.clicks.automated),
        "quality": report.quality.sentence[:1].upper() + report.quality.sentence[1:],
    }
    for article in report.articles:
        figures[f"clicks-{article.position}"] = format_number(article.clicks)
        figures[f"visitors-{article.position}"] = format_number(article.visitors, UNKNOWN)
        figures[f"rate-{article.position}"] = format_percent(article.rate, UNKNOWN)
    return json_response(figures)
