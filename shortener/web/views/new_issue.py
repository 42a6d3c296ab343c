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
from shortener.reporting.issue_contents import IssueShown, show_issue
from shortener.services import edit
from shortener.services.add_issue import Request, ShortKey, Taken, read_targets, take_in
from shortener.short_urls import parse_short_url
from shortener.web.cache import forget
from shortener.web.context import config, needs, now, store
from shortener.web.error_pages import status_of
from shortener.web.forms import MOST_RECIPIENTS, local_time, number, optional, text, wanted
from shortener.web.sandbox import try_reading

blueprint = Blueprint("intake", __name__, url_prefix="/-")

MOST_TARGETS = 1_000_000  # characters of pasted targets
MOST_ROWS = 120
"""Articles, and links without a target, that the form has fields for; the others are corrected afterwards."""
PASTED = "issue.md"

Page = str | Response | tuple[str, int]


class Handed(Struct, frozen=True):
    """What was handed in. The bytes of an upload are kept as they are, so that it need not be sent again."""

    source: bytes = b""
    name: str = ""
    uploaded: bool = False

    @property
    def kept(self) -> str:
        """An upload as the form carries it to the next step."""
        small = self.uploaded and len(self.source) <= newsletter.MAX_BYTES
        return base64.b64encode(self.source).decode() if small else ""

    @property
    def pasted(self) -> str:
        """A text as it was pasted."""
        return "" if self.uploaded else self.source.decode()


class Look(Struct, frozen=True):
    """What would come of taking an issue in: nothing of it is stored."""

    taken: Taken
    issue: IssueShown


class _Looked(Exception):
    """Ends the transaction in which an issue was taken in only to be looked at."""


@blueprint.get("/new-issue")
@needs("editor")
def new_issue() -> str:
    """The form: paste an issue, or choose its file."""
    return _form(Handed())


@blueprint.post("/new-issue")
@needs("editor")
def add_issue() -> Page:
    """Look at an issue, or take it in."""
    handed = Handed()
    try:
        handed = _handed()
        try_reading(handed.source, name=handed.name)
        asked = _request(handed)
        if request.form.get("action") != "take":
            return _form(handed, found=_look(asked))
        with store().writing():
            taken = take_in(store(), asked, config=config(), now=now())
            _correct(taken.slug, asked)
    except ShortenerError as wrong:
        # Who pasted a text gave it no name.
        said = str(wrong) if handed.uploaded else str(wrong).removeprefix(f"{PASTED}: ")
        return _form(handed, error=said), status_of(wrong)
    forget()
    flash(_taken_words(taken))
    return redirect(url_for("issues.show_contents", slug=taken.slug), 303)


def _form(handed: Handed, *, error: str = "", found: Look | None = None) -> str:
    return render_template(
        "new_issue.html",
        error=error,
        found=found,
        handed=handed,
        given=dict(_given()),
        most=MOST_ROWS,
        most_bytes=newsletter.MAX_BYTES,
    )


def _handed() -> Handed:
    """The issue as it was handed in. Raises InputError when there is none."""
    file = request.files.get("file")
    if file is not None and file.filename:
        return Handed(file.read(newsletter.MAX_BYTES + 1), file.filename[-200:], True)
    kept = request.form.get("kept", "")
    if kept:
        try:
            return Handed(
                base64.b64decode(kept, validate=True), request.form.get("name", PASTED)[-200:], True
            )
        except (binascii.Error, ValueError):
            raise InputError("the file that was uploaded before got lost; choose it again") from None
    pasted = request.form.get("source", "")
    if not pasted.strip():
        raise InputError("there is no issue yet: paste its text, or choose its file")
    # Browsers send the lines of a text area with CR LF, however they were written.
    return Handed(pasted.replace("\r\n", "\n").encode("utf-8", "replace"), PASTED)


def _request(handed: Handed) -> Request:
    """What the form says of the issue. Raises InputError."""
    slug = optional(request.form, "slug", most=100, what="the slug")
    if slug is None and handed.name == PASTED:
        slug = _slug_of(optional(request.form, "title", most=500, what="the title"))
    return Request(
        source=handed.source,
        name=handed.name,
        slug=slug,
        title=optional(request.form, "title", most=500, what="the title"),
        sent_at=local_time(request.form, "sent_at", zone=config().zone, what="sent on"),
        recipients=number(
            request.form, "recipients", least=1, most=MOST_RECIPIENTS, what="the number of recipients"
        ),
        targets=read_targets(_pasted_targets(), config=config()) | _given_targets(),
    )


def _slug_of(title: str | None) -> str:
    """A slug for a pasted issue. Raises InputError where there is nothing to make one from."""
    if title is None:
        raise InputError(
            "a pasted issue needs a slug or a title: a short name for its address, such as 2026-11"
        )
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())[:80]


def _pasted_targets() -> list[tuple[int, str, str]]:
    """The rows short_url,target that were pasted. Raises InputError."""
    pasted = text(request.form, "targets", most=MOST_TARGETS, what="the targets")
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


def _given() -> Iterator[tuple[str, str]]:
    """The short URLs that have a field for their target, and what was written there."""
    for index in range(MOST_ROWS):
        short = request.form.get(f"todo-{index}", "")[:500]
        if short:
            yield short, text(request.form, f"target-{index}", most=10_000, what=short)


def _given_targets() -> dict[ShortKey, str]:
    """The targets that were written beside their short URLs. Raises InputError."""
    found: dict[ShortKey, str] = {}
    for short, target in _given():
        if target:
            try:
                found |= read_targets([(1, short, target)], config=config())
            except InputError as refused:
                raise InputError(f"{short}: {str(refused).removeprefix('line 1: ')}") from None
    return found


def _look(asked: Request) -> Look:
    """Take an issue in and undo it, so that what is shown is what would be stored. Raises InputError, Conflict."""
    found = None
    try:
        with store().writing():
            taken = take_in(store(), asked, config=config(), now=now())
            _correct(taken.slug, asked)
            found = Look(taken, show_issue(store(), taken.slug, config=config()))
            raise _Looked
    except _Looked:
        assert found is not None  # noqa: S101 - raised one line after it was set
        return found


def _correct(slug: str, asked: Request) -> None:
    """Correct the articles as the form says, those that the issue has: its file may have been replaced."""
    known = {article.url for article in show_issue(store(), slug, config=config()).articles}
    said = []
    for index in range(MOST_ROWS):
        want = wanted(request.form, suffix=f"-{index}")
        # It went by its short link as long as nobody had said where that leads.
        key = parse_short_url(want.url, domains=config().domains)
        want = structs.replace(want, url=asked.targets.get(key, want.url) if key else want.url)
        if want.url in known:
            said.append(want)
    edit.correct_articles(store(), slug, said, config=config())


def _taken_words(taken: Taken) -> str:
    if not taken.changed:
        return "This issue was taken in before; nothing has changed."
    adopted = f", {taken.adopted} adopted" if taken.adopted else ""
    return f"Taken in: {taken.articles} articles, {taken.new_links} new short links{adopted}."
