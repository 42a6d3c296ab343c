"""The report of an issue, its click map, and the small answer that keeps an open report up to date."""

from typing import Any

from flask import Blueprint, Response, render_template, url_for
from msgspec import Struct

from shortener.ranking.wording import format_expected
from shortener.reporting.counts import Breakdown
from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_list import CumulativeClicks, compare_cumulative_clicks
from shortener.reporting.issue_report import ArticleReport, IssueReport, OtherLinkReport, build_issue_report
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store import issues, listings
from shortener.store.clicks import HOUR_SECONDS
from shortener.web import clickmap
from shortener.web.context import config, now, role_required, store
from shortener.web.figures import article_results, remaining_shares
from shortener.web.filters import format_number, format_percent
from shortener.web.responses import csv_response, json_response

blueprint = Blueprint("reports", __name__, url_prefix="/-/issues")

_ARTICLE_COLUMNS = ("position", "url", "title", "author", "clicks", "visitors", "rate", "unplaced", "other")
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
    """An edit of a target, at its age in hours since the issue was sent."""

    hours: float
    short_url: str
    at: int
    who: str
    new: str | None


@blueprint.get("/<slug>")
@role_required("viewer")
def show_report(slug: str) -> str:
    """Who clicked what, and when."""
    report = _report(slug)
    lines = compare_cumulative_clicks(store(), slug, now=now())
    marks = _target_edits(slug, report)
    return render_template(
        "report.html",
        report=report,
        standings=article_results(slug),
        to_come=remaining_shares().get(slug),
        courses=lines,
        marks=marks,
        chart=_chart_data(lines, marks),
        dimensions=DIMENSIONS,
    )


def _report(slug: str) -> IssueReport:
    return build_issue_report(store(), slug, as_of=now(), domains=config().domains)


def _target_edits(slug: str, report: IssueReport) -> list[TargetEdit]:
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
    """What the chart draws: hours and clicks in pairs, so that the page stays small."""
    return {
        "courses": [
            {
                "title": line.title or line.slug,
                "own": line.own,
                "points": [[point.hours, point.clicks] for point in line.points],
            }
            for line in series
        ],
        "marks": [round(mark.hours, 2) for mark in edits],
    }


@blueprint.get("/<slug>/report.json")
@role_required("viewer")
def report_json(slug: str) -> Response:
    """The report as ``report issue`` prints it."""
    return json_response(_report(slug))


@blueprint.get("/<slug>/report.csv")
@role_required("viewer")
def report_csv(slug: str) -> Response:
    """The articles of the report, a line each."""
    return csv_response(
        f"{slug}-articles", _ARTICLE_COLUMNS, struct_rows(_report(slug).articles, _ARTICLE_COLUMNS)
    )


@blueprint.get("/<slug>/placements.csv")
@role_required("viewer")
def placements_csv(slug: str) -> Response:
    """The placements of the report, a line each, those of other links at the end."""
    report = _report(slug)
    rows = [
        (
            each.n,
            each.kind,
            each.text,
            each.short_url,
            article.position,
            article.title,
            each.clicks,
            each.visitors,
        )
        for article in report.articles
        for each in article.placements
    ]
    rest = [
        (each.n, each.kind, each.text, each.short_url, None, link.title, each.clicks, each.visitors)
        for link in report.links
        for each in link.placements
    ]
    columns = ("n", "kind", "text", "short_url", "position", "title", "clicks", "visitors")
    return csv_response(f"{slug}-placements", columns, [*rows, *rest])


@blueprint.get("/<slug>/timeline.csv")
@role_required("viewer")
def timeline_csv(slug: str) -> Response:
    """The clicks by hour."""
    columns = ("hour", "human", "other")
    return csv_response(f"{slug}-timeline", columns, struct_rows(_report(slug).timeline, columns))


@blueprint.get("/<slug>/breakdown.csv")
@role_required("viewer")
def breakdown_csv(slug: str) -> Response:
    """Where people's clicks came from and with what."""
    return csv_response(f"{slug}-breakdown", BREAKDOWN_COLUMNS, breakdown_rows(_report(slug).breakdown))


def breakdown_rows(breakdown: Breakdown) -> list[tuple[str, str, int, float]]:
    """The lines of a breakdown's CSV; a value that is not known is empty."""
    return [
        (dimension, "all others" if each.value is None else each.value, each.clicks, round(each.share, 4))
        for dimension, parts in breakdown.items()
        for each in parts
    ]


@blueprint.get("/<slug>/live")
@role_required("viewer")
def live(slug: str) -> Response:
    """The figures of an open report, as they are written there; asked for every few seconds."""
    report = _report(slug)
    figures = {
        "visitors": format_number(report.totals.visitors),
        "clicks": format_number(report.totals.clicks.human),
        "rate": format_percent(report.rate),
        "set-aside": format_number(report.totals.clicks.other),
        "quality": report.quality.sentence[:1].upper() + report.quality.sentence[1:],
    }
    for article in report.articles:
        figures[f"clicks-{article.position}"] = format_number(article.clicks)
        figures[f"visitors-{article.position}"] = format_number(article.visitors)
        figures[f"rate-{article.position}"] = format_percent(article.rate)
    return json_response(figures)


@blueprint.get("/<slug>/map")
@role_required("viewer")
def show_map(slug: str) -> str:
    """The issue with its clicks on it, and beside it the articles with their placements."""
    report = _report(slug)
    return render_template(
        "map.html", report=report, total=_max_and_total_clicks(report)[1], count=format_expected
    )


@blueprint.get("/<slug>/map.json")
@role_required("viewer")
def map_json(slug: str) -> Response:
    """What each placement got, by article and by link."""
    report = _report(slug)
    return json_response(
        {"slug": report.slug, "as_of": report.as_of, "articles": report.articles, "links": report.links}
    )


@blueprint.get("/<slug>/map/issue")
@role_required("viewer")
def map_issue(slug: str) -> Response:
    """The issue itself, for the map's sandbox."""
    issue = issues.get(store(), slug)
    output = issues.get_documents(store(), issue.id)[1]
    document = clickmap.render_map(
        output,
        format="html" if issue.format == "html" else "markdown",
        shares=_link_shares(_report(slug)),
        domains=config().domains,
        stylesheet_url=url_for("static", filename="map.css"),
    )
    headers = {"Content-Security-Policy": clickmap.CONTENT_SECURITY_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(document, mimetype="text/html", headers=headers)


def _articles_and_links(report: IssueReport) -> list[ArticleReport | OtherLinkReport]:
    return [*report.articles, *report.links]


def _max_and_total_clicks(report: IssueReport) -> tuple[int, int]:
    """People's clicks on the most clicked placement, and on all of the issue (1 at least, to divide by)."""
    placed = [each.clicks for part in _articles_and_links(report) for each in part.placements]
    return max(placed, default=0), max(1, report.totals.clicks.human)


def _link_shares(report: IssueReport) -> clickmap.LinkShares:
    most, total = _max_and_total_clicks(report)
    found: dict[tuple[str, str, int], clickmap.LinkShare] = {}
    for part in _articles_and_links(report):
        for each in part.placements:
            key = parse_short_url(each.short_url, domains=config().domains)
            if key is not None:
                found[(*key, each.n)] = _link_share(each.clicks, part, max_clicks=most, total_clicks=total)
        if len(part.placements) == 1 and part.placements:
            key = parse_short_url(part.placements[0].short_url, domains=config().domains)
            if key is not None:
                found[(*key, 0)] = _link_share(part.clicks, part, max_clicks=most, total_clicks=total)
    return found


def _link_share(
    clicks: int, item: ArticleReport | OtherLinkReport, *, max_clicks: int, total_clicks: int
) -> clickmap.LinkShare:
    whole = f"place {item.position}, " if isinstance(item, ArticleReport) else ""
    words = (
        f"{format_number(clicks)} clicks here, {format_percent(clicks / total_clicks)} of all; "
        f"{whole}together {format_number(item.clicks)} clicks, {format_percent(item.clicks / total_clicks)}"
    )
    return clickmap.LinkShare(clicks, clicks / total_clicks, clickmap.heat_level(clicks, max_clicks), words)
