"""The report of an issue, its click map, and the small answer that keeps an open report up to date."""

from typing import Any

from flask import Blueprint, Response, render_template, url_for
from msgspec import Struct

from shortener.ranking.wording import count
from shortener.reporting.counts import Breakdown
from shortener.reporting.issue_list import Course, courses
from shortener.reporting.issue_report import ArticleReport, IssueReport, LinkCount, issue_report
from shortener.short_urls import parse_short_url, short_url
from shortener.store import issues, listings
from shortener.store.clicks import HOUR_SECONDS
from shortener.web import clickmap
from shortener.web.context import config, needs, now, store
from shortener.web.figures import standings, to_come
from shortener.web.filters import number, percent
from shortener.web.responses import as_csv, as_json, struct_rows

blueprint = Blueprint("reports", __name__, url_prefix="/-/issues")

_ARTICLE = ("position", "url", "title", "author", "clicks", "visitors", "rate", "unplaced", "other")
BREAKDOWN = ("dimension", "value", "clicks", "share")
DIMENSIONS = (
    ("referrer", "Referrer"),
    ("browser", "Browser"),
    ("os", "System"),
    ("device", "Device"),
    ("country", "Country"),
    ("language", "Language"),
)


class Mark(Struct, frozen=True):
    """An edit of a target, at its age in hours since the issue was sent."""

    hours: float
    short_url: str
    at: int
    who: str
    new: str | None


@blueprint.get("/<slug>")
@needs("viewer")
def show_report(slug: str) -> str:
    """Who clicked what, and when."""
    report = _report(slug)
    lines = courses(store(), slug, now=now())
    marks = _marks(slug, report)
    return render_template(
        "report.html",
        report=report,
        standings=standings(slug),
        to_come=to_come().get(slug),
        courses=lines,
        marks=marks,
        chart=_chart(lines, marks),
        dimensions=DIMENSIONS,
    )


def _report(slug: str) -> IssueReport:
    return issue_report(store(), slug, as_of=now(), domains=config().domains)


def _marks(slug: str, report: IssueReport) -> list[Mark]:
    start = report.sent_at or (report.timeline[0].hour if report.timeline else None)
    if start is None:
        return []
    return [
        Mark(
            hours=(edit.at - start.timestamp()) / HOUR_SECONDS,
            short_url=short_url(edit.domain, edit.code, domains=config().domains),
            at=edit.at,
            who=edit.who,
            new=edit.new,
        )
        for edit in listings.target_edits(store(), issues.get(store(), slug).id)
        if edit.at > start.timestamp()
    ]


def _chart(lines: tuple[Course, ...], marks: list[Mark]) -> dict[str, Any]:
    """What the chart draws: hours and clicks in pairs, so that the page stays small."""
    return {
        "courses": [
            {
                "title": line.title or line.slug,
                "own": line.own,
                "points": [[point.hours, point.clicks] for point in line.points],
            }
            for line in lines
        ],
        "marks": [round(mark.hours, 2) for mark in marks],
    }


@blueprint.get("/<slug>/report.json")
@needs("viewer")
def report_json(slug: str) -> Response:
    """The report as ``report issue`` prints it."""
    return as_json(_report(slug))


@blueprint.get("/<slug>/report.csv")
@needs("viewer")
def report_csv(slug: str) -> Response:
    """The articles of the report, a line each."""
    return as_csv(f"{slug}-articles", _ARTICLE, struct_rows(_report(slug).articles, _ARTICLE))


@blueprint.get("/<slug>/placements.csv")
@needs("viewer")
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
    return as_csv(f"{slug}-placements", columns, [*rows, *rest])


@blueprint.get("/<slug>/timeline.csv")
@needs("viewer")
def timeline_csv(slug: str) -> Response:
    """The clicks by hour."""
    columns = ("hour", "human", "other")
    return as_csv(f"{slug}-timeline", columns, struct_rows(_report(slug).timeline, columns))


@blueprint.get("/<slug>/breakdown.csv")
@needs("viewer")
def breakdown_csv(slug: str) -> Response:
    """Where people's clicks came from and with what."""
    return as_csv(f"{slug}-breakdown", BREAKDOWN, breakdown_rows(_report(slug).breakdown))


def breakdown_rows(breakdown: Breakdown) -> list[tuple[str, str, int, float]]:
    """The lines of a breakdown's CSV; a value that is not known is empty."""
    return [
        (dimension, "all others" if each.value is None else each.value, each.clicks, round(each.share, 4))
        for dimension, parts in breakdown.items()
        for each in parts
    ]


@blueprint.get("/<slug>/live")
@needs("viewer")
def live(slug: str) -> Response:
    """The figures of an open report, as they are written there; asked for every few seconds."""
    report = _report(slug)
    figures = {
        "visitors": number(report.totals.visitors),
        "clicks": number(report.totals.clicks.human),
        "rate": percent(report.rate),
        "set-aside": number(report.totals.clicks.other),
        "quality": report.quality.sentence[:1].upper() + report.quality.sentence[1:],
    }
    for article in report.articles:
        figures[f"clicks-{article.position}"] = number(article.clicks)
        figures[f"visitors-{article.position}"] = number(article.visitors)
        figures[f"rate-{article.position}"] = percent(article.rate)
    return as_json(figures)


@blueprint.get("/<slug>/map")
@needs("viewer")
def show_map(slug: str) -> str:
    """The issue with its clicks on it, and beside it the articles with their placements."""
    report = _report(slug)
    return render_template("map.html", report=report, total=_most(report)[1], count=count)


@blueprint.get("/<slug>/map.json")
@needs("viewer")
def map_json(slug: str) -> Response:
    """What each placement got, by article and by link."""
    report = _report(slug)
    return as_json(
        {"slug": report.slug, "as_of": report.as_of, "articles": report.articles, "links": report.links}
    )


@blueprint.get("/<slug>/map/issue")
@needs("viewer")
def map_issue(slug: str) -> Response:
    """The issue itself, for the map's sandbox."""
    issue = issues.get(store(), slug)
    output = issues.documents(store(), issue.id)[1]
    document = clickmap.render(
        output,
        format="html" if issue.format == "html" else "markdown",
        shares=_shares(_report(slug)),
        domains=config().domains,
        style=url_for("static", filename="map.css"),
    )
    headers = {"Content-Security-Policy": clickmap.POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(document, mimetype="text/html", headers=headers)


def _parts(report: IssueReport) -> list[ArticleReport | LinkCount]:
    return [*report.articles, *report.links]


def _most(report: IssueReport) -> tuple[int, int]:
    """People's clicks on the most clicked placement, and on all of the issue (1 at least, to divide by)."""
    placed = [each.clicks for part in _parts(report) for each in part.placements]
    return max(placed, default=0), max(1, report.totals.clicks.human)


def _shares(report: IssueReport) -> clickmap.Shares:
    most, total = _most(report)
    found: dict[tuple[str, str, int], clickmap.Share] = {}
    for part in _parts(report):
        for each in part.placements:
            key = parse_short_url(each.short_url, domains=config().domains)
            if key is not None:
                found[(*key, each.n)] = _share(each.clicks, part, most=most, total=total)
        if len(part.placements) == 1 and part.placements:
            key = parse_short_url(part.placements[0].short_url, domains=config().domains)
            if key is not None:
                found[(*key, 0)] = _share(part.clicks, part, most=most, total=total)
    return found


def _share(clicks: int, part: ArticleReport | LinkCount, *, most: int, total: int) -> clickmap.Share:
    whole = f"place {part.position}, " if isinstance(part, ArticleReport) else ""
    words = (
        f"{number(clicks)} clicks here, {percent(clicks / total)} of all; "
        f"{whole}together {number(part.clicks)} clicks, {percent(part.clicks / total)}"
    )
    return clickmap.Share(clicks, clicks / total, clickmap.heat(clicks, most), words)
