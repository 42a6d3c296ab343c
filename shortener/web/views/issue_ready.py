"""Views of the last step of a new issue: its document to copy, the link check, and marking the issue as sent."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import FieldError
from shortener.messages import Message
from shortener.reporting.issue_contents import load_issue_contents
from shortener.store import issues
from shortener.web.context import config, now, role_required, store
from shortener.web.field_errors import form_view
from shortener.web.forms import MAX_RECIPIENTS, read_integer, read_local_time
from shortener.web.languages import gettext as _
from shortener.web.link_checks import load_check, start_check
from shortener.web.responses import Notice, json_response, redirect_after_edit, redirect_with_notice
from shortener.web.views.setup import change_details

blueprint = Blueprint("issue_ready", __name__, url_prefix="/-/issues/<slug>")

MAX_COPIED_BYTES = 300_000
"""Largest document in bytes that the page contains to copy it. A larger one can be downloaded."""
PAGES = {"ready": "issue_ready.show_ready", "setup": "setup.show_setup"}
"""Pages that show the link check, by the value of a form's field ``page``."""


@blueprint.get("/ready")
@role_required("viewer")
def show_ready(slug: str) -> str:
    """Show the document with short links to copy or download, and the tasks before and after sending it."""
    return _render_ready(slug)


def _render_ready(slug: str) -> str:
    issue = issues.get(store(), slug)
    output = issues.get_documents(store(), issue.id)[1]
    can_copy = issue.format != "eml" and len(output) <= MAX_COPIED_BYTES
    return render_template(
        "issue_ready.html",
        issue=load_issue_contents(store(), slug, config=config(), now=now()),
        output=output.decode("utf-8", "replace") if can_copy else "",
        check=load_check(issue.id),
    )


@blueprint.post("/sent")
@role_required("editor")
@form_view("sent", "sent_at", page=_render_ready)
def mark_sent(slug: str) -> BaseResponse:
    """Mark an issue as sent, now or at a given time, and store its number of recipients."""
    sent_at: int | None = now()
    if request.form.get("when") == "date":
        sent_at = read_local_time(request.form, "sent_at", zone=config().zone)
        if sent_at is None:
            raise FieldError(Message("enter when you sent it"), field="sent_at")
    recipients = read_integer(request.form, "recipients", minimum=1, maximum=MAX_RECIPIENTS)
    notice = change_details(slug, title=None, sent_at=sent_at, recipients=recipients)
    return redirect_after_edit(notice, "issue_ready.show_ready", slug=slug)


@blueprint.post("/link-check")
@role_required("editor")
def check_targets(slug: str) -> BaseResponse:
    """Start a link check, which requests each target of an issue once."""
    contents = load_issue_contents(store(), slug, config=config(), now=now())
    targets = sorted({link.target for link in contents.links if link.target})
    endpoint = PAGES.get(request.form.get("page", ""), PAGES["setup"])
    if not start_check(issues.get(store(), slug).id, targets):
        busy = Notice(_("Another link check is running. Try again in a minute."), is_error=True)
        return redirect_with_notice(busy, endpoint, slug=slug)
    return redirect(url_for(endpoint, slug=slug, _anchor="link-check"), 303)


@blueprint.get("/link-check.json")
@role_required("viewer")
def show_check_json(slug: str) -> Response:
    """Return the last link check of an issue as JSON: progress while the check runs, then the results by host."""
    return json_response(load_check(issues.get(store(), slug).id))
