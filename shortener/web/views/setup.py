"""Views of the tab Setup of an issue: its details, articles, links, status, document, and checks before sending."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec
from flask import Blueprint, Response, render_template, request, url_for
from msgspec import UNSET, UnsetType
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import InputError
from shortener.messages import Message
from shortener.reporting.checklist import build_checklist
from shortener.reporting.issue_contents import ArticleContents, IssueContents, load_issue_contents, load_other_links
from shortener.services import edit, history, issue_status
from shortener.services.add_issue import untouched_links
from shortener.services.article_rows import find_corrections, reading_order
from shortener.short_urls import parse_short_url
from shortener.store import Store, issues, links
from shortener.web.cache import get_or_compute
from shortener.web.components import read_page
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.error_pages import sentence
from shortener.web.field_errors import form_view
from shortener.web.filters import format_datetime_local
from shortener.web.forms import (
    MAX_RECIPIENTS,
    ROWS_PER_PAGE,
    read_article_rows,
    read_integer,
    read_local_time,
    read_text,
)
from shortener.web.languages import gettext as _
from shortener.web.languages import ngettext, translated_text
from shortener.web.link_checks import load_check
from shortener.web.responses import (
    Notice,
    attachment_response,
    csv_response,
    json_response,
    redirect_after_edit,
    redirect_with_notice,
)
from shortener.web.uploads import MAX_TARGET_FIELDS, read_target_fields, read_target_files
from shortener.web.views.history import ISSUE_PAGES, undoable

blueprint = Blueprint("setup", __name__, url_prefix="/-/issues/<slug>")

DOWNLOAD_TYPES = {
    "html": ("html", "text/html; charset=utf-8"),
    "markdown": ("md", "text/markdown; charset=utf-8"),
    "mjml": ("mjml", "text/plain; charset=utf-8"),
    "eml": ("eml", "message/rfc822"),
}
"""Suffix and media type of a downloaded issue, by its format."""


@blueprint.get("/setup")
@role_required("viewer")
def show_setup(slug: str) -> str:
    """Show the articles and links of an issue, its details, and the checks to pass before it is sent."""
    return _render_setup(slug)


def _render_setup(slug: str) -> str:
    contents = load_issue_contents(store(), slug, config=config(), now=now())
    return render_template(
        "setup.html",
        issue=contents,
        page=read_page(_rows_in_reading_order(contents), page_size=ROWS_PER_PAGE),
        seen=_fingerprint(slug),
        checks=build_checklist(contents),
        untouched=_untouched_links(slug),
        max_targets=MAX_TARGET_FIELDS,
        check=load_check(issues.get(store(), slug).id),
        changes=history.list_changes(store(), f"{ISSUE_PAGES}{slug}"),
    )


def _rows_in_reading_order(contents: IssueContents) -> tuple[ArticleContents, ...]:
    others = load_other_links(store(), contents.slug, config=config())
    return reading_order((*contents.articles, *others), _first_placement)


def _first_placement(target: ArticleContents) -> int:
    return min((placement.n for link in target.links for placement in link.placements), default=0)


def _fingerprint(slug: str) -> str:
    # A form with another fingerprint is refused, because the articles were changed meanwhile.
    return hashlib.sha256(msgspec.json.encode(history.issue_articles(store(), slug))).hexdigest()[:16]


def _untouched_links(slug: str) -> tuple[str, ...]:
    settings, at = config(), now()

    def compute(store: Store) -> tuple[str, ...]:
        return untouched_links(store, slug, config=settings, now=at)

    # Cached, because the document has to be parsed.
    return get_or_compute(("untouched", slug, issues.get(store(), slug).updated_at), compute)


@blueprint.get("/setup.json")
@role_required("viewer")
def show_setup_json(slug: str) -> Response:
    """Return the contents of an issue as JSON, as ``issue show --format json`` prints them."""
    return json_response(load_issue_contents(store(), slug, config=config(), now=now()))


@blueprint.get("/checks.json")
@role_required("viewer")
def show_checks_json(slug: str) -> Response:
    """Return as JSON the results of the checks that an issue should pass before it is sent."""
    return json_response(build_checklist(load_issue_contents(store(), slug, config=config(), now=now())))


@blueprint.get("/setup.csv")
@role_required("viewer")
def show_setup_csv(slug: str) -> Response:
    """Return the links in the text of an issue as CSV, in the order of the text."""
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
    return csv_response(f"{slug}-setup", columns, rows)


@blueprint.get("/download")
@role_required("viewer")
def download(slug: str) -> Response:
    """Return the issue's document with short links. Everything else in it is unchanged, byte for byte."""
    issue = issues.get(store(), slug)
    suffix, media_type = DOWNLOAD_TYPES.get(issue.format, DOWNLOAD_TYPES["markdown"])
    output = issues.get_documents(store(), issue.id)[1]
    return attachment_response(output, file_name=f"{slug}.out.{suffix}", content_type=media_type)


@blueprint.post("/facts")
@role_required("editor")
@form_view("details", "title", page=_render_setup)
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
    notice = change_details(slug, title=title, sent_at=sent_at, recipients=recipients)
    return redirect_after_edit(notice, "setup.show_setup", slug=slug)


def change_details(
    slug: str, *, title: str | None, sent_at: int | UnsetType | None, recipients: int | UnsetType | None
) -> Notice:
    """Change the details of an issue, and return a notice for the next page.

    Raises InputError, and Doubtful for a value that the user must confirm.
    """
    with _recorded(slug, lambda: history.issue_details(store(), slug), _("Details changed")) as recorder:
        edit.correct_issue(
            store(),
            slug,
            now=now(),
            title=title,
            sent_at=sent_at,
            recipients=recipients,
            confirmed="confirmed" in request.form,
        )
    is_scheduled = issues.status(issues.get(store(), slug), now=now()) == "scheduled"
    scheduled = _("Saved. The issue is scheduled; it counts as sent from that time on.")
    return undoable(scheduled if is_scheduled else _("Saved."), recorder.change_id)


def _recorded(slug: str, state: Callable[[], history.State], summary: str) -> AbstractContextManager[history.Recorder]:
    page = f"{ISSUE_PAGES}{slug}"
    return history.recorded(
        store(), state, page=page, summary=translated_text(summary), who=current_user().name, now=now()
    )


@blueprint.post("/articles")
@role_required("editor")
@form_view("articles", "selected", page=_render_setup)
def set_articles(slug: str) -> BaseResponse:
    """Correct several articles and links of an issue, for example their positions, titles and roles."""
    page = request.form.get("page", "1")
    here = {"slug": slug, "page": None if page == "1" else page, "_anchor": "articles"}
    if request.form.get("seen") != _fingerprint(slug):
        changed = Notice(
            _("The articles were changed in another window. Here they are as they are now."), is_error=True
        )
        return redirect_with_notice(changed, "setup.show_setup", **here)
    rows = _rows_in_reading_order(load_issue_contents(store(), slug, config=config(), now=now()))
    corrections = find_corrections(rows, read_article_rows(request.form, rows))
    if not corrections:
        return redirect_with_notice(_("Nothing was changed."), "setup.show_setup", **here)
    summary = ngettext("{count} link corrected", "{count} links corrected", len(corrections))
    with _recorded(slug, lambda: history.issue_articles(store(), slug), summary) as recorder:
        edit.correct_articles(store(), slug, corrections, config=config())
    return redirect_after_edit(undoable(sentence(summary), recorder.change_id), "setup.show_setup", **here)


STATUS_CHANGES: dict[str, str] = {"remove": "restore", "restore": "", "archive": "unarchive", "unarchive": ""}
"""The action that undoes each change of an issue's status, '' for none."""


@blueprint.post("/status")
@role_required("editor")
@form_view("status", "action", page=_render_setup)
def set_status(slug: str) -> BaseResponse:
    """Remove a draft, restore a removed one, archive a sent issue, or bring it back from the archive."""
    action, who = request.form.get("action", ""), current_user().name
    if action not in STATUS_CHANGES:
        raise InputError(Message("choose what to do with the issue"))
    if action == "remove":
        issue_status.remove_issue(store(), slug, who=who, now=now())
    elif action == "restore":
        issue_status.restore_issue(store(), slug, who=who, now=now())
    else:
        issue_status.archive_issue(store(), slug, now=now(), undo=action == "unarchive")
    messages = {
        "remove": _("{issue} was removed. Its links show readers that they are retired.", issue=slug),
        "restore": _("{issue} is restored, with its links.", issue=slug),
        "archive": _("{issue} is archived.", issue=slug),
        "unarchive": _("{issue} is in the list again.", issue=slug),
    }
    inverse = STATUS_CHANGES[action]
    notice = Notice(
        messages[action],
        url_for("setup.set_status", slug=slug) if inverse else "",
        {"action": inverse} if inverse else {},
    )
    if inverse:
        return redirect_after_edit(notice, "issues.list_issues")
    return redirect_after_edit(notice, "setup.show_setup", slug=slug)


@blueprint.post("/targets")
@role_required("editor")
@form_view("targets", "targets_file", page=_render_setup)
def set_targets(slug: str) -> BaseResponse:
    """Set targets of an issue's short links, from fields and a CSV file."""
    targets = {short_url: target for short_url, target in read_target_fields().items() if target}
    targets |= read_target_files("targets_file")
    own = {(link.domain, link.code): link for link in links.list_by_issue(store(), issues.get(store(), slug).id)}
    # Replacing a target can be undone; setting the first one cannot.
    known = [link.id for link in own.values() if link.target is not None]
    saved = ngettext("{count} destination saved.", "{count} destinations saved.", len(targets))
    with _recorded(slug, lambda: history.link_targets(store(), known), saved) as recorder:
        for short_url, target in targets.items():
            link = own.get(parse_short_url(short_url, domains=config().domains) or ("", ""))
            if link is None:
                raise InputError(Message("{link} is no short link of this issue", link=short_url))
            edit.retarget(store(), link, target, config=config(), who=current_user().name, now=now())
    if not targets:
        raise InputError(Message("enter a destination or choose a CSV file"))
    return redirect_after_edit(undoable(saved, recorder.change_id), "setup.show_setup", slug=slug)
