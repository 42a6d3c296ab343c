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
from shortener.errors import InputError, ShortenerError
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
from shortener.short_urls import parse_short_url
from shortener.web.context import config, now, role_required, store
from shortener.web.error_pages import http_status
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


class Submission(Struct, frozen=True):
    """Document that an editor submitted: the bytes of an uploaded file, or pasted text."""

    source: bytes = b""
    name: str = ""
    uploaded: bool = False

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
    """Store the issue if the form's ``action`` is ``take``, else show a preview of it."""
    submission = Submission()
    try:
        submission = _read_submission()
        check_in_sandbox(submission.source, name=submission.name)
        issue_request = _build_request(submission)
        if request.form.get("action") != "take":
            plan = preview_issue(store(), issue_request, config=config(), now=now())
            return _render_form(submission, preview=plan_contents(plan, config=config()))
        result = add_or_update_issue(store(), issue_request, config=config(), now=now())
    except ShortenerError as error:
        # Pasted text has no file, so the message must not show the placeholder's name.
        message = str(error) if submission.uploaded else str(error).removeprefix(f"{PASTED_FILE_NAME}: ")
        return _render_form(submission, error=message), http_status(error)
    return redirect_after_edit(_result_message(result), "issues.show_contents", slug=result.slug)


def _render_form(submission: Submission, *, error: str = "", preview: PlanContents | None = None) -> str:
    return render_template(
        "new_issue.html",
        error=error,
        preview=preview,
        submission=submission,
        targets=dict(_read_target_rows()),
        max_rows=MAX_FORM_ROWS,
        max_bytes=newsletter.MAX_ISSUE_BYTES,
    )


def _read_submission() -> Submission:
    """Return the submitted document: a new file, the file of the step before, or pasted text. Raises InputError."""
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
            raise InputError("the uploaded file was lost; choose it again") from None
    text = request.form.get("source", "")
    if not text.strip():
        raise InputError("choose a file or paste the text of the issue")
    # Browsers send CR LF line ends from a text area, whichever line ends were pasted.
    return Submission(text.replace("\r\n", "\n").encode("utf-8", "replace"), PASTED_FILE_NAME)


def _build_request(submission: Submission) -> AddRequest:
    """Return the AddRequest that the form describes. Raises InputError."""
    slug = read_optional_text(request.form, "slug", max_length=100, label="the slug")
    if slug is None and submission.name == PASTED_FILE_NAME:
        slug = _slug_from_title(read_optional_text(request.form, "title", max_length=500, label="the title"))
    targets = parse_targets(_read_pasted_targets(), config=config()) | _read_row_targets()
    return AddRequest(
        source=submission.source,
        filename=submission.name,
        slug=slug,
        title=read_optional_text(request.form, "title", max_length=500, label="the title"),
        sent_at=read_local_time(request.form, "sent_at", zone=config().zone, label="sent on"),
        recipients=read_integer(
            request.form, "recipients", minimum=1, maximum=MAX_RECIPIENTS, label="the number of recipients"
        ),
        targets=targets,
        corrections=_read_corrections(targets),
    )


def _slug_from_title(title: str | None) -> str:
    """Return a slug made from the title of a pasted issue. Raises InputError if there is no title."""
    if title is None:
        raise InputError("enter a title, or a slug such as 2026-11")
    return slug_from_title(title)


def _read_pasted_targets() -> list[tuple[int, str, str]]:
    """Return line number, short URL and target of each pasted CSV row. Raises InputError."""
    text = read_text(request.form, "targets", max_length=MAX_TARGETS_LENGTH, label="the destinations")
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


def _read_target_rows() -> Iterator[tuple[str, str]]:
    """Yield (short URL, target as typed) for each short URL that has its own target field in the form."""
    for index in range(MAX_FORM_ROWS):
        short_url = request.form.get(f"todo-{index}", "")[:500]
        if short_url:
            yield short_url, read_text(request.form, f"target-{index}", max_length=10_000, label=short_url)


def _read_row_targets() -> dict[ShortLinkKey, str]:
    """Return the targets of the form's target fields, by short link. Raises InputError."""
    targets: dict[ShortLinkKey, str] = {}
    for short_url, target in _read_target_rows():
        if target:
            try:
                targets |= parse_targets([(1, short_url, target)], config=config())
            except InputError as error:
                raise InputError(f"{short_url}: {str(error).removeprefix('line 1: ')}") from None
    return targets


def _read_corrections(targets: Mapping[ShortLinkKey, str]) -> tuple[ArticleEdit, ...]:
    """Return the form's edits of articles. Raises InputError.

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
