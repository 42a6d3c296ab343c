"""A new issue: pasted or uploaded, looked at and corrected before anything is stored, then taken in."""

import base64
import binascii
import csv
import io
from collections.abc import Iterator

from flask import Blueprint, flash, redirect, render_template, request, url_for
from msgspec import Struct, structs
from werkzeug.wrappers import Response

from shortener import newsletter
from shortener.errors import InputError, ShortenerError
from shortener.reporting.issue_contents import IssueContents, load_issue_contents
from shortener.services import edit
from shortener.services.add_issue import (
    AddRequest,
    AddResult,
    add_or_update_issue,
    parse_targets,
)
from shortener.services.issue_links import ShortLinkKey
from shortener.short_urls import parse_short_url
from shortener.web.cache import clear_cache
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
from shortener.web.sandbox import check_in_sandbox

blueprint = Blueprint("intake", __name__, url_prefix="/-")

MAX_TARGETS_LENGTH = 1_000_000  # characters of pasted targets
MAX_FORM_ROWS = 120
"""Articles, and links without a target, that the form has fields for; the others are corrected afterwards."""
PASTED_FILE_NAME = "issue.md"

PageResponse = str | Response | tuple[str, int]


class Submission(Struct, frozen=True):
    """What was handed in. The bytes of an upload are kept as they are, so that it need not be sent again."""

    source: bytes = b""
    name: str = ""
    uploaded: bool = False

    @property
    def encoded_source(self) -> str:
        """An upload as the form carries it to the next step."""
        small = self.uploaded and len(self.source) <= newsletter.MAX_ISSUE_BYTES
        return base64.b64encode(self.source).decode() if small else ""

    @property
    def pasted_text(self) -> str:
        """A text as it was pasted."""
        return "" if self.uploaded else self.source.decode()


class Preview(Struct, frozen=True):
    """What would come of taking an issue in: nothing of it is stored."""

    result: AddResult
    issue: IssueContents


class _Rollback(Exception):
    """Ends the transaction in which an issue was taken in only to be looked at."""


@blueprint.get("/new-issue")
@role_required("editor")
def new_issue() -> str:
    """The form: paste an issue, or choose its file."""
    return _render_form(Submission())


@blueprint.post("/new-issue")
@role_required("editor")
def create_issue() -> PageResponse:
    """Look at an issue, or take it in."""
    handed = Submission()
    try:
        handed = _read_submission()
        check_in_sandbox(handed.source, name=handed.name)
        asked = _build_request(handed)
        if request.form.get("action") != "take":
            return _render_form(handed, preview=_preview(asked))
        with store().transaction():
            taken = add_or_update_issue(store(), asked, config=config(), now=now())
            _apply_corrections(taken.slug, asked)
    except ShortenerError as wrong:
        # Who pasted a text gave it no name.
        said = str(wrong) if handed.uploaded else str(wrong).removeprefix(f"{PASTED_FILE_NAME}: ")
        return _render_form(handed, error=said), http_status(wrong)
    clear_cache()
    flash(_result_message(taken))
    return redirect(url_for("issues.show_contents", slug=taken.slug), 303)


def _render_form(submission: Submission, *, error: str = "", preview: Preview | None = None) -> str:
    return render_template(
        "new_issue.html",
        error=error,
        found=preview,
        handed=submission,
        given=dict(_read_target_rows()),
        most=MAX_FORM_ROWS,
        most_bytes=newsletter.MAX_ISSUE_BYTES,
    )


def _read_submission() -> Submission:
    """The issue as it was handed in. Raises InputError when there is none."""
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
            raise InputError("the file that was uploaded before got lost; choose it again") from None
    pasted = request.form.get("source", "")
    if not pasted.strip():
        raise InputError("there is no issue yet: paste its text, or choose its file")
    # Browsers send the lines of a text area with CR LF, however they were written.
    return Submission(pasted.replace("\r\n", "\n").encode("utf-8", "replace"), PASTED_FILE_NAME)


def _build_request(submission: Submission) -> AddRequest:
    """What the form says of the issue. Raises InputError."""
    slug = read_optional_text(request.form, "slug", max_length=100, label="the slug")
    if slug is None and submission.name == PASTED_FILE_NAME:
        slug = _slug_from_title(read_optional_text(request.form, "title", max_length=500, label="the title"))
    return AddRequest(
        source=submission.source,
        filename=submission.name,
        slug=slug,
        title=read_optional_text(request.form, "title", max_length=500, label="the title"),
        sent_at=read_local_time(request.form, "sent_at", zone=config().zone, label="sent on"),
        recipients=read_integer(
            request.form, "recipients", minimum=1, maximum=MAX_RECIPIENTS, label="the number of recipients"
        ),
        targets=parse_targets(_read_pasted_targets(), config=config()) | _read_row_targets(),
    )


def _slug_from_title(title: str | None) -> str:
    """A slug for a pasted issue. Raises InputError where there is nothing to make one from."""
    if title is None:
        raise InputError(
            "a pasted issue needs a slug or a title: a short name for its address, such as 2026-11"
        )
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())[:80]


def _read_pasted_targets() -> list[tuple[int, str, str]]:
    """The rows short_url,target that were pasted. Raises InputError."""
    pasted = read_text(request.form, "targets", max_length=MAX_TARGETS_LENGTH, label="the targets")
    rows = []
    try:
        for line, row in enumerate(csv.reader(io.StringIO(pasted)), start=1):
            if not row or row[0].strip().lower() == "short_url":
                continue
            if len(row) < 2:
                raise InputError(f"the targets, line {line}: expected short_url,target")
            rows.append((line, row[0].strip(), row[1].strip()))
    except csv.Error as error:
        raise InputError(f"the targets: not one short_url,target a line ({error})") from None
    return rows


def _read_target_rows() -> Iterator[tuple[str, str]]:
    """The short URLs that have a field for their target, and what was written there."""
    for index in range(MAX_FORM_ROWS):
        short = request.form.get(f"todo-{index}", "")[:500]
        if short:
            yield short, read_text(request.form, f"target-{index}", max_length=10_000, label=short)


def _read_row_targets() -> dict[ShortLinkKey, str]:
    """The targets that were written beside their short URLs. Raises InputError."""
    found: dict[ShortLinkKey, str] = {}
    for short, target in _read_target_rows():
        if target:
            try:
                found |= parse_targets([(1, short, target)], config=config())
            except InputError as refused:
                raise InputError(f"{short}: {str(refused).removeprefix('line 1: ')}") from None
    return found


def _preview(issue_request: AddRequest) -> Preview:
    """Take an issue in and undo it, so that what is shown is what would be stored. Raises InputError, Conflict."""
    found = None
    try:
        with store().transaction():
            taken = add_or_update_issue(store(), issue_request, config=config(), now=now())
            _apply_corrections(taken.slug, issue_request)
            found = Preview(taken, load_issue_contents(store(), taken.slug, config=config()))
            raise _Rollback
    except _Rollback:
        assert found is not None  # noqa: S101 - raised one line after it was set
        return found


def _apply_corrections(slug: str, issue_request: AddRequest) -> None:
    """Correct the articles as the form says, those that the issue has: its file may have been replaced."""
    known = {article.url for article in load_issue_contents(store(), slug, config=config()).articles}
    said = []
    for index in range(MAX_FORM_ROWS):
        want = read_article_edit(request.form, suffix=f"-{index}")
        # It went by its short link as long as nobody had said where that leads.
        key = parse_short_url(want.url, domains=config().domains)
        want = structs.replace(want, url=issue_request.targets.get(key, want.url) if key else want.url)
        if want.url in known:
            said.append(want)
    edit.correct_articles(store(), slug, said, config=config())


def _result_message(result: AddResult) -> str:
    if not result.changed:
        return "This issue was taken in before; nothing has changed."
    adopted = f", {result.adopted} adopted" if result.adopted else ""
    return f"Taken in: {result.articles} articles, {result.new_links} new short links{adopted}."
