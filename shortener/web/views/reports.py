"""Views of an issue's report, and of the figures with which an open report page updates itself."""

import msgspec
from flask import Blueprint, Response, render_template

from shortener.reporting.counts import Breakdown
from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_report import IssueReport, build_issue_report
from shortener.reporting.outlook import (
    Outlook,
    UsualFigures,
    build_outlook,
    compare_issue,
    find_compared_issues,
    usual_figures,
)
from shortener.web.context import config, now, role_required, store
from shortener.web.filters import capitalized, format_number, format_percent, plain_text
from shortener.web.issue_sentence import describe_issue, describe_most
from shortener.web.languages import gettext as _
from shortener.web.month_draft import prepare_newest_month
from shortener.web.next_step import find_next_step
from shortener.web.ranking_cache import arrivals, article_results, remaining_shares, reruns
from shortener.web.responses import csv_response, json_response
from shortener.web.results_articles import build_table
from shortener.web.results_course import CSV_COLUMNS, build_panel, csv_rows, read_course
from shortener.web.results_figures import build_figures
from shortener.web.results_quality import completeness_text, reason_rows, verdict_shares

blueprint = Blueprint("reports", __name__, url_prefix="/-/issues")

_ARTICLE_COLUMNS = ("position", "url", "title", "author", "clicks", "visitors", "rate", "unplaced", "other")
BREAKDOWN_COLUMNS = ("dimension", "value", "clicks", "share")


@blueprint.get("/<slug>")
@role_required("viewer")
def show_report(slug: str) -> str:
    """Show the report of an issue."""
    report = load_report(slug)
    found = find_compared_issues(store(), slug)
    has_evidence = report.totals.clicks.human > 0
    arrived = arrivals()
    course = read_course(found, arrived)
    results = article_results(slug) if has_evidence else {}
    suggestions = reruns(slug, wait=False) if has_evidence else ()
    prepare_newest_month()
    outlook = compare_issue(store(), found, remaining_share=arrived.remaining_shares.get(slug), now=now())
    return render_template(
        "report.html",
        report=report,
        slug=slug,
        sentence=describe_issue(outlook) if outlook else "",
        judgement=outlook.judgement if outlook else None,
        figures=build_figures(report, outlook, usual_figures(store(), found, now=now())),
        table=build_table(report, results or {}, issue_id=found.issue.id, start=course.start),
        panel=build_panel(found, course) if report.quality.requests else None,
        is_ranking_ready=None not in (results, suggestions),
        most_clicked=describe_most(report.articles, counted="clicks" if report.totals.visitors is None else "visitors"),
        next_step=find_next_step(report),
        reruns=suggestions or (),
        verdicts=verdict_shares(report.quality),
        reasons=reason_rows(report.quality),
        completeness=completeness_text(report.quality),
    )


def _outlook(slug: str) -> Outlook | None:
    return build_outlook(store(), slug, remaining_share=remaining_shares().get(slug), now=now())


def load_report(slug: str) -> IssueReport:
    """Return the report of an issue as of now, with times in the site's time zone. Raises NotFound."""
    return build_issue_report(store(), slug, as_of=now(), domains=config().domains, zone=config().zone)


@blueprint.get("/<slug>/report.json")
@role_required("viewer")
def report_json(slug: str) -> Response:
    """Return the report of an issue as JSON, as ``report issue --format json`` prints it."""
    report = load_report(slug)
    return json_response(msgspec.structs.replace(report, reruns=reruns(slug, wait=True) or (), outlook=_outlook(slug)))


@blueprint.get("/<slug>/report.csv")
@role_required("viewer")
def report_csv(slug: str) -> Response:
    """Return the articles of the report as CSV, one row each."""
    return csv_response(f"{slug}-articles", _ARTICLE_COLUMNS, struct_rows(load_report(slug).articles, _ARTICLE_COLUMNS))


@blueprint.get("/<slug>/timeline.csv")
@role_required("viewer")
def timeline_csv(slug: str) -> Response:
    """Return the number of human and other clicks of an issue in each hour as CSV."""
    columns = ("hour", "human", "other")
    return csv_response(f"{slug}-timeline", columns, struct_rows(load_report(slug).timeline, columns))


@blueprint.get("/<slug>/course.csv")
@role_required("viewer")
def course_csv(slug: str) -> Response:
    """Return the visitors or clicks of an issue over time as CSV, with the usual range and the forecast."""
    course = read_course(find_compared_issues(store(), slug), arrivals())
    return csv_response(f"{slug}-course", CSV_COLUMNS, csv_rows(course))


@blueprint.get("/<slug>/breakdown.csv")
@role_required("viewer")
def breakdown_csv(slug: str) -> Response:
    """Return the human clicks of an issue by referrer, browser, country and so on as CSV."""
    return csv_response(f"{slug}-breakdown", BREAKDOWN_COLUMNS, breakdown_rows(load_report(slug).breakdown))


def breakdown_rows(breakdown: Breakdown) -> list[tuple[str, str, int, float]]:
    """Return a breakdown, such as clicks by browser, as rows (dimension, value, clicks, share of clicks).

    The value '' means unknown.
    """
    return [
        (dimension, "all others" if part.value is None else part.value, part.clicks, round(part.share, 4))
        for dimension, parts in breakdown.items()
        for part in parts
    ]


@blueprint.get("/<slug>/live")
@role_required("viewer")
def live(slug: str) -> Response:
    """Return the figures of a report as JSON, formatted for a report page that updates itself."""
    report, outlook = load_report(slug), _outlook(slug)
    figures = {figure.live: figure.value for figure in build_figures(report, outlook, UsualFigures(None, None))}
    figures |= {
        "sentence": plain_text(describe_issue(outlook)) if outlook else "",
        "quality": capitalized(report.quality.sentence),
        "completeness": completeness_text(report.quality),
    }
    for article in report.articles:
        figures[f"clicks-{article.position}"] = format_number(article.clicks)
        figures[f"visitors-{article.position}"] = format_number(article.visitors, _("unknown"))
        figures[f"rate-{article.position}"] = format_percent(article.rate, _("unknown"))
    return json_response(figures)
