"""Views of the second step of a new issue: the review of the articles and links that were found."""

from typing import cast, get_args

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from msgspec import structs
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import ErrorKind, FieldError, InputError, ShortenerError
from shortener.newsletter import Format
from shortener.services import new_issue as service
from shortener.services.new_issue import Choices, Review
from shortener.store import uploads
from shortener.store.uploads import Upload
from shortener.web import clickmap, issue_document
from shortener.web.cache import clear_cache
from shortener.web.components import read_page
from shortener.web.context import config, now, role_required, store
from shortener.web.error_pages import error_message
from shortener.web.field_errors import form_view
from shortener.web.forms import ROWS_PER_PAGE, read_article_rows, read_text
from shortener.web.issue_document import Badge
from shortener.web.languages import gettext as _
from shortener.web.languages import ngettext
from shortener.web.responses import Notice, redirect_with_notice, show_notice
from shortener.web.uploads import MAX_TARGET_FIELDS, read_target_fields, read_target_files
from shortener.web.views.click_map import document_response
from shortener.web.views.new_issue import UPLOAD_PATH, created_issue_page

blueprint = Blueprint("issue_review", __name__, url_prefix=f"/-/new-issue{UPLOAD_PATH}")

_FIELDS: dict[ErrorKind, str] = {
    "invalid_slug": "slug",
    "issue_removed": "slug",
    "link_has_other_target": "targets_file",
}
"""Fields of the form at which errors are shown, by kind of error."""


def _load(upload_id: int) -> Review:
    return service.load_review(store(), uploads.get(store(), upload_id), config=config(), now=now())


def _render_review(upload_id: int) -> str:
    review = _load(upload_id)
    todo = review.contents.links_without_target
    return render_template(
        "issue_review.html",
        review=review,
        page=read_page(review.rows, page_size=ROWS_PER_PAGE),
        targets={url: review.own_targets.get(url, "") for url in (*todo, *review.own_targets)},
        max_targets=MAX_TARGET_FIELDS,
        links=len(review.contents.issue.links),
    )


@blueprint.get("/review")
@role_required("editor")
def show_review(upload_id: int) -> ResponseReturnValue:
    """Show the articles and links that were found in the text of a new issue, to correct them."""
    created = created_issue_page(uploads.get(store(), upload_id))
    if created is not None:
        return created
    try:
        return _render_review(upload_id)
    except InputError as error:
        # A slug or target that was possible when it was entered may be taken or refused now.
        notice = Notice(error_message(error), is_error=True)
        return redirect_with_notice(notice, "new_issue.show_text", upload_id=upload_id)


@blueprint.post("/review")
@role_required("editor")
@form_view("review", "selected", page=_render_review)
def save_review(upload_id: int) -> BaseResponse:
    """Save the corrections of a review. If the button ``create`` was pressed, create the issue too."""
    upload = uploads.get(store(), upload_id)
    if (created := created_issue_page(upload)) is not None:
        return created
    if request.form.get("revision") != str(upload.revision):
        changed = Notice(_("This review was changed in another window. Here it is as it is now."), is_error=True)
        return redirect_with_notice(changed, "issue_review.show_review", upload_id=upload_id)
    review = service.load_review(store(), upload, config=config(), now=now())
    choices = service.correct(review, read_article_rows(request.form, review.rows), _read_choices(review))
    if choices != review.choices:
        changed_review = _load_changed(structs.replace(upload, choices=service.encode_choices(choices)))
        service.save_choices(store(), upload, service.with_size(choices, changed_review), now=now())
    action = request.form.get("action")
    if action == "create":
        return _create_issue(upload_id)
    if action == "back":
        return redirect(url_for("new_issue.show_text", upload_id=upload_id), 303)
    page = request.form.get("page", "1")
    return redirect(url_for("issue_review.show_review", upload_id=upload_id, page=None if page == "1" else page), 303)


def _load_changed(upload: Upload) -> Review:
    try:
        return service.load_review(store(), upload, config=config(), now=now())
    except ShortenerError as error:
        field = _FIELDS.get(error.kind, "selected") if error.kind else "selected"
        raise FieldError(error_message(error), field=field) from error


def _read_choices(review: Review) -> Choices:
    choices = review.choices
    title = read_text(request.form, "title", max_length=500)
    slug = read_text(request.form, "slug")
    known = request.form.get("known", review.known)
    fields = read_target_fields() | read_target_files("targets_file")
    targets = {short_url: target for short_url, target in (choices.targets | fields).items() if target}
    return structs.replace(
        choices,
        title=choices.title if title == review.title else title,
        slug=choices.slug if slug == review.plan.slug else slug,
        known=cast(service.KnownChoice, known) if known in get_args(service.KnownChoice) else "",
        known_slug=review.known_issue.slug if review.known_issue and known else "",
        targets=service.bounded_targets(targets, field="targets_file"),
    )


def _create_issue(upload_id: int) -> BaseResponse:
    result = service.create_issue(store(), uploads.get(store(), upload_id), config=config(), now=now())
    clear_cache()
    links = ngettext("{count} new short link", "{count} new short links", result.new_links)
    articles = ngettext("{count} article", "{count} articles", result.articles)
    if not result.changed:
        show_notice(_("The issue is unchanged."))
    elif result.created:
        show_notice(_("Issue created: {articles}, {links}.", articles=articles, links=links))
    else:
        show_notice(_("Issue updated: {articles}, {links}.", articles=articles, links=links))
    return redirect(url_for("issue_ready.show_ready", slug=result.slug), 303)


@blueprint.get("/preview")
@role_required("editor")
def show_preview(upload_id: int) -> Response:
    """Return the rendered text with the number of each article at its links, for the frame on the review page."""
    review = _load(upload_id)
    plan = review.plan
    badges: dict[clickmap.LinkKey, Badge] = {}
    for placement in plan.placements:
        article = plan.articles[placement.article]
        if article.position is not None:
            badge = Badge(str(article.position), article.title, tone="article")
            badges[(*plan.links[placement.link].key, placement.n)] = badge
    document = issue_document.read_document(plan.output, format=cast(Format, plan.format))
    find_badge = clickmap.find_badge(badges, domains=config().domains)
    return document_response(document, find_badge, title=_("The text of the new issue"))
