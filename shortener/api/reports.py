"""Operations that return reports: of an issue, a link and the site, and a comparison of two issues."""

from typing import Annotated, Any

from flask import Response
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from shortener.api.fields import Since, Until, to_query_seconds
from shortener.api.operations import operation
from shortener.api.problems import ApiError
from shortener.api.responses import json_answer, tagged_answer
from shortener.ranking import Comparison
from shortener.reporting.counts import to_datetime
from shortener.reporting.issue_report import IssueReport, build_issue_report
from shortener.reporting.link_report import LinkReport, build_link_report
from shortener.reporting.outlook import build_outlook
from shortener.reporting.ranking import compare_stored_issues
from shortener.reporting.summary import Summary, build_summary
from shortener.services import edit_links
from shortener.web.context import config, now, store
from shortener.web.ranking_cache import remaining_shares, reruns


class RangeQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of a report: the time range that it covers."""

    since: Since | UnsetType = UNSET
    until: Until | UnsetType = UNSET


class ComparisonQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of a comparison: the two issues, and the age in hours at which they are compared."""

    issues: Annotated[str, Meta(description="Slugs of two issues, separated by a comma.", pattern="^[^,]+,[^,]+$")]
    hours: (
        Annotated[float, Meta(gt=0, le=1_000_000, description="Hours after sending (default: the younger one's age).")]
        | UnsetType
    ) = UNSET


@operation("GET", "/reports/issues/{slug}", answers={200: IssueReport}, scope="read", etag=True)
def report_issue(slug: str) -> Response:
    """Report the clicks of an issue by article, by placement (one use of a link) and by hour."""
    report = build_issue_report(store(), slug, as_of=now(), domains=config().domains, zone=config().zone)
    outlook = build_outlook(store(), slug, remaining_share=remaining_shares().get(slug), now=now())
    return _report_answer(structs.replace(report, reruns=reruns(slug, wait=True) or (), outlook=outlook))


@operation("GET", "/reports/links/{domain}/{code}", answers={200: LinkReport}, scope="read", etag=True)
def report_link(domain: str, code: str) -> Response:
    """Report the clicks of a link by placement (one use of the link in an issue) and by hour."""
    key = edit_links.link_key(domain, code, config=config())
    return _report_answer(build_link_report(store(), *key, as_of=now(), domains=config().domains, zone=config().zone))


@operation("GET", "/reports/summary", answers={200: Summary}, scope="read", query=RangeQuery, etag=True)
def report_summary(query: RangeQuery) -> Response:
    """Report all issues, the most clicked links, and misses (requests that were not redirected)."""
    since, until = to_query_seconds(query.since, "since"), to_query_seconds(query.until, "until")
    if since is not None and until is not None and since >= until:
        raise ApiError("query", "since: it is not before until.")
    return _report_answer(
        build_summary(store(), since=since, until=until, as_of=now(), domains=config().domains, zone=config().zone)
    )


def _report_answer(report: Any) -> Response:
    # The ETag must not change as time passes, but the comparison with earlier issues and the forecast do.
    timeless = {"as_of": to_datetime(0)} | ({"outlook": None} if isinstance(report, IssueReport) else {})
    return tagged_answer(report, tagged=structs.replace(report, **timeless))


@operation(
    "GET", "/reports/compare", answers={200: Comparison}, scope="read", query=ComparisonQuery, problems=("not-found",)
)
def report_comparison(query: ComparisonQuery) -> Response:
    """Compare the clicks of two issues at the same time after sending."""
    first, second = query.issues.split(",")
    hours = None if query.hours is UNSET else query.hours
    return json_answer(compare_stored_issues(store(), first, second, as_of=now(), hours=hours))
