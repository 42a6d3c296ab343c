"""View of the overview: how the last issue did, the latest issues, open tasks, and the best articles."""

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup
from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.ranking import RankedArticle
from shortener.reporting.issue_list import IssueListItem, build_issue_list
from shortener.reporting.overview import Overview, RecentIssue, build_overview, latest_sent
from shortener.services.domain_check import DomainStatus
from shortener.store import accounts
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.domain_status import latest_domain_statuses
from shortener.web.issue_sentence import describe_counted, describe_issue
from shortener.web.languages import gettext as _
from shortener.web.month_draft import prepare_newest_month
from shortener.web.ranking_cache import (
    RankingKey,
    cached_outlooks,
    counted_articles,
    ranking_if_ready,
    remaining_shares,
)
from shortener.web.rate_chart import build_rate_chart, shows_rates
from shortener.web.responses import json_response
from shortener.web.results_quality import store_completeness_text

blueprint = Blueprint("overview", __name__, url_prefix="/-")

PERIOD_MONTHS = (3, 6, 12)
DEFAULT_MONTHS = 6
BEST_ARTICLES = 5
DAYS_OF_A_MONTH = 30.44


class FirstSteps(Struct, frozen=True):
    """The checklist for a new installation.

    ``domains`` are the results of the domain checks, None if not known yet.
    """

    domains: tuple[DomainStatus, ...] | None
    has_issue: bool
    has_sent_issue: bool
    has_colleague: bool


class OverviewFile(Struct, frozen=True):
    """Content of ``/-/overview.json``.

    ``best_articles`` has the best articles of the last ``months`` months; None while the ranking is computed.
    """

    overview: Overview
    months: int
    best_articles: tuple[RankedArticle, ...] | None


@blueprint.get("/")
@role_required("viewer")
def show_overview() -> str:
    """Show how the last issue did, the click rates of the latest issues, what is left to do, and the best articles."""
    issues = _list_items()
    overview = _overview(issues)
    months = _months()
    rate_chart = build_rate_chart(overview)
    best = _best_articles(issues, months=months)
    prepare_newest_month()
    return render_template(
        "overview.html",
        overview=overview,
        issue_count=len(issues),
        completeness=store_completeness_text(store(), as_of=now()),
        lead=_lead(overview.issues[0]) if overview.issues else "",
        chart=rate_chart.chart if rate_chart else None,
        cut_off=rate_chart.cut_off if rate_chart else (),
        shows_rates=shows_rates(overview),
        months=months,
        best=best,
        most_clicked=_describe_most_clicked(months) if best is None else "",
        first_steps=_first_steps(issues),
    )


@blueprint.get("/overview.json")
@role_required("viewer")
def overview_json() -> Response:
    """Return the content of the overview as JSON."""
    issues, months = _list_items(), _months()
    return json_response(OverviewFile(_overview(issues), months, _best_articles(issues, months=months)))


def _list_items() -> tuple[IssueListItem, ...]:
    return build_issue_list(store(), remaining_shares=remaining_shares(), now=now(), with_course=False)


def _overview(issues: tuple[IssueListItem, ...]) -> Overview:
    outlooks = cached_outlooks(tuple(issue.slug for issue in latest_sent(issues)))
    return build_overview(store(), issues, outlooks=outlooks, config=config(), now=now())


def _months() -> int:
    text = request.args.get("months", "")
    return next((months for months in PERIOD_MONTHS if text == str(months)), DEFAULT_MONTHS)


def _best_articles(issues: tuple[IssueListItem, ...], *, months: int) -> tuple[RankedArticle, ...] | None:
    ranking = ranking_if_ready()
    if ranking is None:
        return None
    since = datetime.fromtimestamp(now(), UTC) - timedelta(days=months * DAYS_OF_A_MONTH)
    sent = {issue.slug for issue in issues if issue.sent_at and issue.sent_at >= since}
    # Articles with too few clicks to compare them are left out.
    return tuple(each for each in ranking.articles if each.issue in sent and each.is_comparable)[:BEST_ARTICLES]


def _describe_most_clicked(months: int) -> Markup | str:
    today = now() // DAY_SECONDS * DAY_SECONDS
    return describe_counted(counted_articles(RankingKey(since=today - int(months * DAYS_OF_A_MONTH) * DAY_SECONDS)))


def _first_steps(issues: tuple[IssueListItem, ...]) -> FirstSteps | None:
    has_sent_issue = any(issue.status == "sent" for issue in issues)
    if has_sent_issue and current_user().role != "admin":
        return None
    domains = latest_domain_statuses()
    # Admins see the checklist again while a domain does not answer. A domain with a private address counts as working,
    # because some installations serve only one network.
    is_broken = any(status.result not in {"answers", "private"} for status in domains or ())
    if has_sent_issue and not is_broken:
        return None
    return FirstSteps(
        domains=domains,
        has_issue=bool(issues),
        has_sent_issue=has_sent_issue,
        has_colleague=accounts.count_users(store()) > 1,
    )


def _lead(issue: RecentIssue) -> Markup:
    return _("No clicks yet.") if issue.outlook is None else describe_issue(issue.outlook)
