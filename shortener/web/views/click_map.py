"""Views of an issue's click map: the page, the document in its frame, and its figures as CSV and JSON."""

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Response, render_template, request, url_for

from shortener.newsletter import Format
from shortener.ranking import RankedArticle
from shortener.reporting.issue_report import ArticleReport, IssueReport
from shortener.store import issues
from shortener.web import clickmap, issue_document
from shortener.web.context import config, role_required, store
from shortener.web.issue_sentence import describe_most
from shortener.web.languages import gettext as _
from shortener.web.next_step import find_next_step
from shortener.web.ranking_cache import article_results
from shortener.web.responses import csv_response, json_response
from shortener.web.views.reports import load_report

blueprint = Blueprint("click_map", __name__, url_prefix="/-/issues")


@blueprint.get("/<slug>/map")
@role_required("viewer")
def show_map(slug: str) -> str:
    """Show the click map of an issue, and a table with the clicks on each article and on each link."""
    report, measure = load_report(slug), _chosen_measure()
    results = _results(report)
    rows = clickmap.map_rows(report, results=results or {}, domains=config().domains)
    return render_template(
        "map.html",
        report=report,
        measure=measure,
        format=issues.get(store(), slug).format,
        articles=[row for row in rows if row.position is not None],
        others=[row for row in rows if row.position is None],
        is_ranking_ready=results is not None,
        most_clicked=describe_most(report.articles, counted="clicks"),
        next_step=find_next_step(report),
        kind_names=clickmap.placement_kinds(),
        kinds=clickmap.clicks_by_kind(report),
        tone=clickmap.comparison,
        document_url=url_for("click_map.map_issue", slug=slug, by=measure),
    )


def _chosen_measure() -> clickmap.Measure:
    return "typical" if request.args.get("by") == "typical" else "share"


def _results(report: IssueReport) -> Mapping[str, RankedArticle] | None:
    return article_results(report.slug) if report.totals.clicks.human else {}


@blueprint.get("/<slug>/map.json")
@role_required("viewer")
def map_json(slug: str) -> Response:
    """Return the clicks on each link in the text of an issue as JSON, grouped by article."""
    report = load_report(slug)
    return json_response(
        {"slug": report.slug, "as_of": report.as_of, "articles": report.articles, "links": report.links}
    )


@blueprint.get("/<slug>/map/issue")
@role_required("viewer")
def map_issue(slug: str) -> Response:
    """Return the issue in its sender's design with badges at its links, for the frame on the page of the click map."""
    issue, report, measure = issues.get(store(), slug), load_report(slug), _chosen_measure()
    source = issues.get_documents(store(), issue.id)[1]
    badges = clickmap.badges(
        report,
        measure=measure,
        results=(_results(report) or {}) if measure == "typical" else {},
        domains=config().domains,
    )
    document = issue_document.read_document(source, format=cast(Format, issue.format))
    return document_response(document, clickmap.find_badge(badges, domains=config().domains), title=_("Click map"))


def document_response(
    document: issue_document.IssueDocument, find_badge: issue_document.FindBadge, *, title: str
) -> Response:
    """Return an issue's document with badges as a response. Only a sandboxed frame on our pages may show it."""
    html = document.render(find_badge, stylesheet_url=url_for("static", filename="issue_document.css"), title=title)
    headers = {"Content-Security-Policy": issue_document.CONTENT_SECURITY_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(html, mimetype="text/html", headers=headers)


@blueprint.get("/<slug>/placements.csv")
@role_required("viewer")
def placements_csv(slug: str) -> Response:
    """Return the clicks on each link in the text of an issue as CSV, links to articles first."""
    report = load_report(slug)
    rows = [
        (
            placement.n,
            placement.kind,
            placement.text,
            placement.short_url,
            item.position if isinstance(item, ArticleReport) else None,
            item.title,
            placement.clicks,
            placement.visitors,
        )
        for item in clickmap.articles_and_links(report)
        for placement in item.placements
    ]
    columns = ("n", "kind", "text", "short_url", "position", "title", "clicks", "visitors")
    return csv_response(f"{slug}-placements", columns, rows)
