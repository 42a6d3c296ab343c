"""Views of the first step of a new issue: uploading its text, and replacing or deleting it."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from shortener import newsletter
from shortener.errors import FieldError, InputError
from shortener.messages import Message
from shortener.services import new_issue as service
from shortener.store import uploads
from shortener.store.uploads import Upload
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.error_pages import error_message, sentence
from shortener.web.field_errors import form_view
from shortener.web.forms import MAX_ID, read_text
from shortener.web.languages import gettext as _
from shortener.web.responses import json_response, redirect_with_notice
from shortener.web.uploads import Submission, read_submission

blueprint = Blueprint("new_issue", __name__, url_prefix="/-/new-issue")

MAX_LISTED_UPLOADS = 5
UPLOAD_PATH = f"/<int(max={MAX_ID}):upload_id>"
MAX_SHOWN_TEXT_LENGTH = 200_000
"""Largest size in bytes of a pasted text that is shown in the form again."""


def _render_text(upload_id: int | None = None) -> str:
    upload = None if upload_id is None else uploads.get(store(), upload_id)
    is_pasted = upload is not None and not upload.name and len(upload.source) <= MAX_SHOWN_TEXT_LENGTH
    return render_template(
        "new_issue.html",
        upload=upload,
        text=upload.source.decode("utf-8", "replace") if upload is not None and is_pasted else "",
        unfinished=service.list_unfinished(store(), limit=MAX_LISTED_UPLOADS) if upload is None else (),
        max_bytes=newsletter.MAX_ISSUE_BYTES,
    )


@blueprint.get("")
@role_required("editor")
def new_issue() -> str:
    """Show the form to upload or paste an issue."""
    return _render_text()


@blueprint.post("")
@role_required("editor")
@form_view("issue", "source", page=_render_text)
def add_text() -> BaseResponse:
    """Store the text of a new issue for its review."""
    submission = read_submission()
    if submission is None or not submission.has_document:
        raise FieldError(Message("choose a file or paste the text of the issue"), field="source")
    upload_id = service.add_upload(
        store(),
        submission.source,
        name=submission.name,
        targets=submission.targets,
        config=config(),
        who=current_user().name,
        now=now(),
    )
    return redirect(url_for("issue_review.show_review", upload_id=upload_id), 303)


@blueprint.get("/slug.json")
@role_required("editor")
def check_slug() -> Response:
    """Return as JSON the reason why a new issue cannot have this slug, or '' if it can."""
    try:
        service.check_new_slug(store(), read_text(request.args, "slug"))
    except InputError as error:
        return json_response({"error": sentence(error_message(error))})
    return json_response({"error": ""})


@blueprint.get(f"{UPLOAD_PATH}/text")
@role_required("editor")
def show_text(upload_id: int) -> ResponseReturnValue:
    """Show the uploaded text of a new issue, so that it can be replaced."""
    upload = uploads.get(store(), upload_id)
    return created_issue_page(upload) or _render_text(upload_id)


@blueprint.post(f"{UPLOAD_PATH}/text")
@role_required("editor")
@form_view("issue", "source", page=_render_text)
def replace_text(upload_id: int) -> BaseResponse:
    """Replace the uploaded text of a new issue. Corrections made in its review are kept."""
    upload = uploads.get(store(), upload_id)
    if (created := created_issue_page(upload)) is not None:
        return created
    submission = read_submission() or Submission(b"", "", {})
    source, name = (submission.source, submission.name) if submission.has_document else (upload.source, upload.name)
    service.replace_text(store(), upload, source, name=name, targets=submission.targets, config=config(), now=now())
    return redirect(url_for("issue_review.show_review", upload_id=upload_id), 303)


@blueprint.post(f"{UPLOAD_PATH}/discard")
@role_required("editor")
def discard(upload_id: int) -> BaseResponse:
    """Delete an uploaded text whose review is not finished."""
    with store().transaction():
        uploads.delete(store(), upload_id)
    return redirect_with_notice(_("The text was discarded."), "new_issue.new_issue")


def created_issue_page(upload: Upload) -> BaseResponse | None:
    """Return a redirect to the issue that was created from an uploaded text; None before the issue is created."""
    if upload.issue_slug is None:
        return None
    return redirect(url_for("issue_ready.show_ready", slug=upload.issue_slug), 303)
