"""Views to add an issue. An editor pastes or uploads it, corrects a preview, and then stores it."""

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Mapping

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from msgspec import Struct, structs

from shortener import newsletter
from shortener.errors import ErrorKind, FieldError, InputError, ShortenerError, UnreadableDocument
from shortener.reporting.issue_contents import load_issue_contents
from shortener.services.add_issue import (
    AddRequest,
    AddResult,
    add_or_update_issue,
    parse_targets,
    preview_issue,
)
from shortener.services.edit import ArticleEdit
from shortener.services.issue_plan import ShortLinkKey
from shortener.services.new_slug import slug_from_title
from shortener.services.plan_contents import PlanContents, plan_contents
from shortener.short_urls import parse_short_url, validate_target
from shortener.web.context import config, now, role_required, store
from shortener.web.error_pages import error_message
from shortener.web.field_errors import errors_at, refuse
from shortener.web.forms import (
    MAX_RECIPIENTS,
    read_article_edit,
    read_integer,
    read_local_time,
    read_optional_text,
    read_text,
)
from shortener.web.responses import redirect_after_edit
from shortener.web.sandbox import check_in_sandbox

blueprint = Blueprint("new_issue", __name__, url_prefix="/-")

MAX_TARGETS_LENGTH = 1_000_000  # characters of pasted targets
MAX_FORM_ROWS = 120
"""Limit of the articles that get fields in the form, and separately of the links without a target."""
PASTED_FILE_NAME = "issue.md"
_FIELDS: dict[ErrorKind, str] = {"invalid_slug": "slug", "issue_removed": "slug", "link_has_other_target": "targets"}
"""Fields of the form at which errors are shown, by kind of error. Others are shown at the document."""


class Submission(Struct, frozen=True):
    """A submitted document: the bytes of an uploaded file, or pasted text."""

    source: bytes = b""
    name: str = ""
    uploaded: bool = False

    @property
    def field(self) -> str:
        """Name of the form field of the document."""
        return "file" if self.uploaded else "source"

    @property
    def encoded_source(self) -> str:
        """Uploaded bytes in base64, for a hidden field of the next step's form; '' for pasted text."""
        usable = self.uploaded and len(self.source) <= newsletter.MAX_ISSUE_BYTES
        return base64.b64encode(self.source).decode() if usable else ""

    @property
    def pasted_text(self) -> str:
        """Pasted text, '' for an upload."""
        return "" if self.uploaded else self.source.decode()


@blueprint.get("/new-issue")
@role_required("editor")
def new_issue() -> str:
    """Show the form to paste or upload an issue."""
    return _render_form(Submission())


@blueprint.post("/new-issue")
@role_required("editor")
def create_issue() -> ResponseReturnValue:
    """Store the issue if the form's ``action`` is ``take``, else show a preview of it.

    An issue that exists already is updated only after a preview.
    """
    submission = Submission()
    try:
        submission = _read_submission()
        check_in_sandbox(submission.source, name=submission.name)
        issue_request = _build_request(submission)
        plan = preview_issue(store(), issue_request, config=config(), now=now())
        is_update = plan.changed and plan.issue_id is not None
        if request.form.get("action") != "take" or (is_update and request.form.get("reviewed") != plan.slug):
            return _render_form(submission, preview=plan_contents(plan, config=config()))
        result = add_or_update_issue(store(), issue_request, config=config(), now=now())
    except ShortenerError as error:
        field = _FIELDS.get(error.kind, submission.field) if error.kind else submission.field
        # Pasted text has no file, so the message must not show the placeholder's name.
        message = error_message(error).removeprefix("" if submission.uploaded else f"{PASTED_FILE_NAME}: ")
        status = refuse("issue", field, error, message=message)
        is_readable = not isinstance(error, UnreadableDocument) or not submission.uploaded
        return _render_form(submission if is_readable else Submission()), status
    return redirect_after_edit(_result_message(result), "issues.show_contents", slug=result.slug)


def _render_form(submission: Submission, *, preview: PlanContents | None = None) -> str:
    return render_template(
        "new_issue.html",
        preview=preview,
        existing=None
        if preview is None or preview.created
        else load_issue_contents(store(), preview.issue.slug, config=config(), now=now()),
        rows=(*preview.issue.articles, *preview.other_links) if preview else tuple(_submitted_rows()),
        submission=submission,
        targets={short_url: request.form.get(f"target-{index}", "") for index, short_url in _target_fields()},
        max_rows=MAX_FORM_ROWS,
        max_bytes=newsletter.MAX_ISSUE_BYTES,
    )


def _submitted_rows() -> Iterator[ArticleEdit]:
    """Yield the articles and links of a refused form with the values entered, to show them again."""
    for index in range(MAX_FORM_ROWS):
        url = request.form.get(f"url-{index}", "")
        if url:
            yield ArticleEdit(url=url, title=request.form.get(f"title-{index}", ""))


def _read_submission() -> Submission:
    """Return the submitted document: a new file, the file of the step before, or pasted text. Raises FieldError."""
    file = request.files.get("file")
    if file is not None and file.filename:
        return Submission(file.read(newsletter.MAX_ISSUE_BYTES + 1), file.filename[-200:], True)
    kept = request.form.get("kept", "")
    if kept:
        try:
            return Submission(
                base64.b64decode(kept, validate=True), request.form.get("name", PASTED_FILE_NAME)[-200:], True
            )
        except (binascii.Error, ValueError):
            raise FieldError("the uploaded file was lost; choose it again", field="file") from None
    text = request.form.get("source", "")
    if not text.strip():
        raise FieldError("choose a file or paste the text of the issue", field="source")
    # Browsers send CR LF line ends from a text area, whichever line ends were pasted.
    return Submission(text.replace("\r\n", "\n").encode("utf-8", "replace"), PASTED_FILE_NAME)


def _build_request(submission: Submission) -> AddRequest:
    """Return the AddRequest that the form describes. Raises FieldError."""
    slug = read_optional_text(request.form, "slug", max_length=100)
    title = read_optional_text(request.form, "title", max_length=500)
    if slug is None and submission.name == PASTED_FILE_NAME:
        slug = _slug_from_title(title or _first_heading(submission))
    with errors_at("targets"):
        targets = parse_targets(_read_pasted_targets(), config=config())
    targets |= _read_row_targets()
    return AddRequest(
        source=submission.source,
        filename=submission.name,
        slug=slug,
        title=title,
        sent_at=read_local_time(request.form, "sent_at", zone=config().zone),
        recipients=read_integer(request.form, "recipients", minimum=1, maximum=MAX_RECIPIENTS),
        targets=targets,
        corrections=_read_corrections(targets),
        confirmed="confirmed" in request.form,
    )


def _first_heading(submission: Submission) -> str:
    """Return the title found in the document, or ''. Raises UnreadableDocument."""
    document_format = newsletter.detect_format(submission.name, submission.source)
    document = newsletter.parse(submission.source, format=document_format)
    return newsletter.extract_articles(document, [link.url for link in document.links]).title or ""


def _slug_from_title(title: str) -> str:
    """Return a slug made from the title of a pasted issue. Raises FieldError if it has no letter and no digit."""
    slug = slug_from_title(title)
    if not slug:
        raise FieldError("enter a slug such as 2026-11, because the issue has no title", field="slug")
    return slug


def _read_pasted_targets() -> list[tuple[int, str, str]]:
    """Return line number, short URL and target of each pasted CSV row. Raises InputError."""
    text = read_text(request.form, "targets", max_length=MAX_TARGETS_LENGTH)
    rows = []
    try:
        for line, row in enumerate(csv.reader(io.StringIO(text)), start=1):
            if not row or row[0].strip().lower() == "short_url":
                continue
            if len(row) < 2:
                raise InputError(f"line {line}: expected short_url,destination")
            rows.append((line, row[0].strip(), row[1].strip()))
    except csv.Error as error:
        raise InputError(f"expected one short_url,destination per line ({error})") from None
    return rows


def _target_fields() -> Iterator[tuple[int, str]]:
    """Yield (index, short URL) for each short URL that has its own target field in the form."""
    for index in range(MAX_FORM_ROWS):
        short_url = request.form.get(f"todo-{index}", "")[:500]
        if short_url:
            yield index, short_url


def _read_row_targets() -> dict[ShortLinkKey, str]:
    """Return the targets of the form's target fields, by short link. Raises FieldError."""
    targets: dict[ShortLinkKey, str] = {}
    for index, short_url in _target_fields():
        target = read_text(request.form, f"target-{index}", max_length=10_000)
        with errors_at(f"target-{index}"):
            key = parse_short_url(short_url, domains=config().domains)
            if key is None:
                raise InputError(f"{short_url} is not a short link of this installation")
            if target:
                targets[key] = validate_target(target, config=config())
    return targets


def _read_corrections(targets: Mapping[ShortLinkKey, str]) -> tuple[ArticleEdit, ...]:
    """Return the form's edits of articles. Raises FieldError.

    The preview named an article without a target by its short URL; the form may have set the target since.
    """
    edits = []
    for index in range(MAX_FORM_ROWS):
        article = read_article_edit(request.form, suffix=f"-{index}")
        key = parse_short_url(article.url, domains=config().domains)
        if key:
            article = structs.replace(article, url=targets.get(key, article.url))
        if article.url:
            edits.append(article)
    return tuple(edits)


def _result_message(result: AddResult) -> str:
    if not result.changed:
        return "This issue is unchanged."
    adopted = f", {result.adopted} adopted" if result.adopted else ""
    change = "created" if result.created else "updated"
    return f"Issue {change}: {result.articles} articles, {result.new_links} new short links{adopted}."
