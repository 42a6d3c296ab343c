"""Views of the list of issues."""

from collections.abc import Callable

from flask import Blueprint, Response, render_template, request

from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_list import IssueListItem, build_issue_list
from shortener.reporting.issue_names import name_issues
from shortener.reporting.link_records import search_words
from shortener.store import listings
from shortener.web.components import read_order, read_page
from shortener.web.context import now, role_required, store
from shortener.web.issue_sentence import describe_comparison, is_settled
from shortener.web.month_draft import prepare_newest_month
from shortener.web.ranking_cache import cached_outlooks, remaining_shares
from shortener.web.responses import csv_response, json_response

blueprint = Blueprint("issues", __name__, url_prefix="/-")

PAGE_SIZE = 25
LISTED_STATUSES = ("draft", "scheduled", "sent")
_SORT_VALUES: dict[str, Callable[[IssueListItem], object]] = {
    "sent": lambda issue: issue.sent_at or issue.created_at,
    "title": lambda issue: (issue.title or issue.slug).casefold(),
    "recipients": lambda issue: issue.recipients,
    "visitors": lambda issue: issue.visitors if issue.sent_at or issue.clicks else None,
    "rate": lambda issue: issue.rate,
}
"""Columns by which the list of issues can be sorted."""
_ISSUE_COLUMNS = (
    "slug",
    "title",
    "status",
    "sent_at",
    "recipients",
    "articles",
    "links",
    "todo",
    "clicks",
    "visitors",
    "rate",
    "to_come",
    "other",
)


@blueprint.get("/issues")
@role_required("viewer")
def list_issues() -> str:
    """Show a page of the issues that match the search and the status, by default the latest first."""
    hidden = [issue for issue in listings.list_issues(store(), with_hidden=True) if issue.is_hidden]
    order, words, status = read_order(tuple(_SORT_VALUES), default="-sent"), _search_words(), request.args.get("status")
    issues = _issue_list(with_course=False)
    found = [issue for issue in issues if _matches(issue, words, status)]
    page = read_page(order.sort(found, _SORT_VALUES), page_size=PAGE_SIZE)
    outlooks = cached_outlooks(tuple(issue.slug for issue in page.rows))
    prepare_newest_month()
    return render_template(
        "issues.html",
        page=page,
        names=name_issues(issues),
        order=order,
        is_filtered=bool(words or status),
        statuses=LISTED_STATUSES,
        outlooks=outlooks,
        unsettled={slug for slug, outlook in outlooks.items() if not is_settled(outlook)},
        describe_comparison=describe_comparison,
        hidden=hidden,
    )


def _search_words() -> tuple[str, ...]:
    return tuple(word.casefold() for word in search_words(request.args.get("q", "")))


def _matches(issue: IssueListItem, words: tuple[str, ...], status: str | None) -> bool:
    text = f"{issue.title} {issue.slug}".casefold()
    return (not status or issue.status == status) and all(word in text for word in words)


@blueprint.get("/issues.json")
@role_required("viewer")
def list_issues_json() -> Response:
    """Return the list of issues as JSON."""
    return json_response(_issue_list())


@blueprint.get("/issues.csv")
@role_required("viewer")
def list_issues_csv() -> Response:
    """Return the list of issues as CSV."""
    return csv_response("issues", _ISSUE_COLUMNS, struct_rows(_issue_list(), _ISSUE_COLUMNS))


def _issue_list(*, with_course: bool = True) -> tuple[IssueListItem, ...]:
    return build_issue_list(store(), remaining_shares=remaining_shares(), now=now(), with_course=with_course)
