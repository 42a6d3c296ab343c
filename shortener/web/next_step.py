"""The next step of an editor with an issue, as a button on the pages Results, Click map and Audience."""

from datetime import UTC, datetime

from flask import url_for
from msgspec import Struct

from shortener.reporting.issue_report import IssueReport
from shortener.reporting.overview import month_to_pick
from shortener.store import articles, draft_links, issues
from shortener.web.article_list import month_of
from shortener.web.context import config, now, store
from shortener.web.filters import format_month
from shortener.web.languages import gettext as _


class NextStep(Struct, frozen=True):
    """A button: its text, and where it leads. ``is_open`` says whether the step still has to be done."""

    text: str
    url: str
    is_open: bool


def find_next_step(report: IssueReport) -> NextStep | None:
    """Return the button for the next step with an issue; None if there is no step, as before the first click."""
    issue = issues.get(store(), report.slug)
    status = issues.status(issue, now=now())
    setup = url_for("setup.show_setup", slug=issue.slug)
    if status == "draft":
        return NextStep(_("Prepare the issue for sending"), setup, is_open=True)
    if status != "sent" or issue.sent_at is None or not report.totals.clicks.human:
        return None
    if issue.recipients is None:
        return NextStep(_("Enter the number of recipients"), setup, is_open=True)
    month = month_of(issue.sent_at)
    picks = url_for("picks.show_picks", month=month)
    if draft_links.links_by_article(store(), month):
        return NextStep(_("See the picks of {month}", month=format_month(month)), picks, is_open=False)
    sent = articles.list_sent_issues(store(), now=now())
    if month == month_to_pick(datetime.fromtimestamp(sent[0].sent_at, UTC), zone=config().zone, now=now()):
        return NextStep(_("Choose the picks for {month}", month=format_month(month)), picks, is_open=True)
    if len(sent) == 1:
        return None
    return NextStep(
        _("Compare its articles with all others"), url_for("articles.show_articles", period="all"), is_open=False
    )
