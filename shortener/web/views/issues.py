"""Views of the list of issues and of an issue's contents: corrections, checks before sending, link check, download."""

import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager

from flask import Blueprint, Flask, Response, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from msgspec import UNSET, UnsetType
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import InputError, NotFound
from shortener.reporting.checklist import build_checklist
from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_contents import load_issue_contents, load_other_links
from shortener.reporting.issue_list import IssueListItem, build_issue_list
from shortener.reporting.link_records import search_words
from shortener.services import edit, history, issue_status
from shortener.services.add_issue import untouched_links
from shortener.services.host_throttle import HostThrottle
from shortener.services.link_checker import check_links
from shortener.short_urls import parse_short_url, validate_target
from shortener.store import Store, issues, links, listings
from shortener.web.cache import get_or_compute
from shortener.web.components import read_order, read_page
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.field_errors import form_view
from shortener.web.filters import format_datetime_local
from shortener.web.forms import MAX_RECIPIENTS, read_article_edit, read_integer, read_local_time, read_text
from shortener.web.ranking_cache import cached_outlooks, remaining_shares
from shortener.web.responses import (
    Notice,
    attachment_response,
    csv_response,
    json_response,
    redirect_after_edit,
    redirect_with_notice,
)
from shortener.web.views.history import ISSUE_PAGES, undoable

blueprint = Blueprint("issues", __name__, url_prefix="/-")

MAX_NAME_LENGTH = 80
"""Characters of an article's name in a message."""
MAX_SELECTED_LINKS = 5_000
"""Largest number of links whose role is changed at once."""
CHECK_QUEUE_TIMEOUT_SECONDS = 2.0
"""Time that a link check waits while others run."""
DOWNLOAD_TYPES = {
    "html": ("html", "text/html; charset=utf-8"),
    "markdown": ("md", "text/markdown; charset=utf-8"),
    "mjml": ("mjml", "text/plain; charset=utf-8"),
    "eml": ("eml", "message/rfc822"),
}
"""Suffix and media type of a downloaded issue, by its format."""
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


def init_app(app: Flask) -> None:
    """Create the app's throttle for link checks, which all editors share."""
    app.extensions["host_throttle"] = HostThrottle()


@blueprint.get("/issues")
@role_required("viewer")
def list_issues() -> str:
    """Show a page of the issues that match the search and the status, by default the latest first."""
    hidden = [issue for issue in listings.list_issues(store(), with_hidden=True) if issue.is_hidden]
    order, words, status = read_order(tuple(_SORT_VALUES), default="-sent"), _search_words(), request.args.get("status")
    found = [issue for issue in _issue_list() if _matches(issue, words, status)]
    page = read_page(order.sort(found, _SORT_VALUES), page_size=PAGE_SIZE)
    return render_template(
        "issues.html",
        page=page,
        order=order,
        is_filtered=bool(words or status),
        statuses=LISTED_STATUSES,
        outlooks=cached_outlooks(tuple(issue.slug for issue in page.rows)),
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


def _issue_list() -> tuple[IssueListItem, ...]:
    return build_issue_list(store(), remaining_shares=remaining_shares(), now=now())


@blueprint.get("/issues/<slug>/contents")
@role_required("viewer")
def show_contents(slug: str) -> str:
    """Show the articles and links of an issue, and the checks before sending."""
    return _render_contents(slug)


def _render_contents(slug: str, *, link_statuses: object = None) -> str:
    contents = load_issue_contents(store(), slug, config=config(), now=now())
    return render_template(
        "contents.html",
        issue=contents,
        other_links=load_other_links(store(), slug, config=config()),
        checks=build_checklist(contents),
        untouched=_untouched_links(slug),
        link_statuses=link_statuses,
        changes=history.list_changes(store(), f"{ISSUE_PAGES}{slug}"),
    )


def _untouched_links(slug: str) -> tuple[str, ...]:
    """Return one line of text for each link that was not replaced: line number, URL and reason.

    The result is cached, because the function parses the document.
    """

    settings, at = config(), now()

    def compute(store: Store) -> tuple[str, ...]:
        return untouched_links(store, slug, config=settings, now=at)

    return get_or_compute(("untouched", slug, issues.get(store(), slug).updated_at), compute)


@blueprint.get("/issues/<slug>/contents.json")
@role_required("viewer")
def show_contents_json(slug: str) -> Response:
    """Return the contents of an issue as JSON, as ``issue show --format json`` prints them."""
    return json_response(load_issue_contents(store(), slug, config=config(), now=now()))


@blueprint.get("/issues/<slug>/checks.json")
@role_required("viewer")
def show_checks_json(slug: str) -> Response:
    """Return the checks before sending as JSON."""
    return json_response(build_checklist(load_issue_contents(store(), slug, config=config(), now=now())))


@blueprint.get("/issues/<slug>/contents.csv")
@role_required("viewer")
def show_contents_csv(slug: str) -> Response:
    """Return the placements of an issue as CSV, one row each."""
    contents = load_issue_contents(store(), slug, config=config(), now=now())
    positions = {
        link.short_url: (article.position, article.title)
        for article in (*contents.articles, *load_other_links(store(), slug, config=config()))
        for link in article.links
    }
    rows = sorted(
        (
            placement.n,
            placement.kind,
            placement.text,
            link.short_url,
            link.target,
            *positions.get(link.short_url, (None, "")),
        )
        for link in contents.links
        for placement in link.placements
    )
    columns = ("n", "kind", "text", "short_url", "target", "position", "title")
    return csv_response(f"{slug}-contents", columns, rows)


@blueprint.get("/issues/<slug>/download")
@role_required("viewer")
def download(slug: str) -> Response:
    """Return the issue's document with short links; all other bytes are unchanged."""
    issue = issues.get(store(), slug)
    suffix, media_type = DOWNLOAD_TYPES.get(issue.format, DOWNLOAD_TYPES["markdown"])
    output = issues.get_documents(store(), issue.id)[1]
    return attachment_response(output, file_name=f"{slug}.out.{suffix}", content_type=media_type)


@blueprint.post("/issues/<slug>/facts")
@role_required("editor")
@form_view("details", "title", page=_render_contents)
def set_details(slug: str) -> BaseResponse:
    """Change the title, sending time and number of recipients of an issue; an empty field means unknown."""
    form, issue = request.form, issues.get(store(), slug)
    sent_at: int | UnsetType | None = UNSET
    # The form field has no seconds. If the editor did not change it, the stored time keeps its seconds.
    if "sent_at" in form and form["sent_at"] != format_datetime_local(issue.sent_at):
        sent_at = read_local_time(form, "sent_at", zone=config().zone)
    recipients: int | UnsetType | None = UNSET
    if "recipients" in form:
        recipients = read_integer(form, "recipients", minimum=1, maximum=MAX_RECIPIENTS)
    title = read_text(form, "title", max_length=500) or None
    with _recorded(slug, lambda: history.issue_details(store(), slug), "Details changed") as recorder:
        edit.correct_issue(
            store(),
            slug,
            now=now(),
            title=title,
            sent_at=sent_at,
            recipients=recipients,
            confirmed="confirmed" in form,
        )
    is_scheduled = issues.status(issues.get(store(), slug), now=now()) == "scheduled"
    message = "Saved. The issue is scheduled; it counts as sent from that time on." if is_scheduled else "Saved."
    return redirect_after_edit(undoable(message, recorder.change_id), "issues.show_contents", slug=slug)


def _recorded(slug: str, state: Callable[[], history.State], summary: str) -> AbstractContextManager[history.Recorder]:
    """Record the changes of an issue in the block, so that they can be undone."""
    page = f"{ISSUE_PAGES}{slug}"
    return history.recorded(store(), state, page=page, summary=summary, who=current_user().name, now=now())


@blueprint.post("/issues/<slug>/article")
@role_required("editor")
@form_view("article", "title", page=_render_contents)
def set_article(slug: str) -> BaseResponse:
    """Correct title, author, summary or position of an article."""
    article = read_article_edit(request.form)
    name = textwrap.shorten(article.title or article.url, MAX_NAME_LENGTH, placeholder="…")
    with _recorded(slug, lambda: history.issue_articles(store(), slug), f"{name} corrected") as recorder:
        edit.correct_articles(store(), slug, [article], config=config())
    return redirect_after_edit(undoable(f"{name}: corrected.", recorder.change_id), "issues.show_contents", slug=slug)


@blueprint.post("/issues/<slug>/roles")
@role_required("editor")
@form_view("roles", "role", page=_render_contents)
def set_roles(slug: str) -> BaseResponse:
    """Make the selected links articles, inline links or other links."""
    urls = request.form.getlist("url")[:MAX_SELECTED_LINKS]
    role = read_text(request.form, "role", max_length=10)
    count = "1 link" if len(urls) == 1 else f"{len(urls)} links"
    with _recorded(slug, lambda: history.issue_articles(store(), slug), f"Role of {count} changed") as recorder:
        edit.set_roles(store(), slug, urls, role=role, config=config())
    return redirect_after_edit(undoable(f"{count} changed.", recorder.change_id), "issues.show_contents", slug=slug)


STATUS_CHANGES: dict[str, tuple[str, str]] = {
    "remove": ("{} was removed. Its links show readers that they are retired.", "restore"),
    "restore": ("{} is restored, with its links.", ""),
    "archive": ("{} is archived.", "unarchive"),
    "unarchive": ("{} is in the list again.", ""),
}
"""Message of each change of an issue's status, and the action that undoes it."""


@blueprint.post("/issues/<slug>/status")
@role_required("editor")
@form_view("status", "action", page=_render_contents)
def set_status(slug: str) -> BaseResponse:
    """Remove a draft, archive a sent issue, or undo either of them."""
    action, who = request.form.get("action", ""), current_user().name
    if action not in STATUS_CHANGES:
        raise InputError("choose what to do with the issue")
    if action == "remove":
        issue_status.remove_issue(store(), slug, who=who, now=now())
    elif action == "restore":
        issue_status.restore_issue(store(), slug, who=who, now=now())
    else:
        issue_status.archive_issue(store(), slug, now=now(), undo=action == "unarchive")
    message, inverse = STATUS_CHANGES[action]
    notice = Notice(
        message.format(slug),
        url_for("issues.set_status", slug=slug) if inverse else "",
        {"action": inverse} if inverse else {},
    )
    if inverse:
        return redirect_after_edit(notice, "issues.list_issues")
    return redirect_after_edit(notice, "issues.show_contents", slug=slug)


@blueprint.post("/issues/<slug>/target")
@role_required("editor")
@form_view("target", "target", page=_render_contents)
def set_target(slug: str) -> BaseResponse:
    """Set the target of a short link of the issue that has none."""
    key = parse_short_url(read_text(request.form, "short_url", max_length=500), domains=config().domains)
    if key is None:
        raise NotFound("this is not a short link of this installation")
    target = validate_target(read_text(request.form, "target", max_length=10_000), config=config())
    edit.retarget(store(), links.get(store(), *key), target, config=config(), who=current_user().name, now=now())
    return redirect_after_edit(f"{'/'.join(key)}: destination saved.", "issues.show_contents", slug=slug)


@blueprint.post("/issues/<slug>/reach")
@role_required("editor")
def check_targets(slug: str) -> ResponseReturnValue:
    """Request each target of an issue once, within a time limit, and show which ones answer."""
    throttle: HostThrottle = current_app.extensions["host_throttle"]
    contents = load_issue_contents(store(), slug, config=config(), now=now())
    targets = sorted({link.target for link in contents.links if link.target})
    if not throttle.check_slots.acquire(timeout=CHECK_QUEUE_TIMEOUT_SECONDS):
        busy = Notice("Another link check is running. Try again in 30 seconds.", is_error=True)
        return redirect_with_notice(busy, "issues.show_contents", slug=slug)
    try:
        link_statuses = check_links(targets, user_agent=f"shortener (+{config().base_url})", throttle=throttle)
    finally:
        throttle.check_slots.release()
    return _render_contents(slug, link_statuses=link_statuses)
