"""Issues: the list, taking one in, what it consists of, corrections, the checks before it is sent."""

import base64
import binascii
import csv
import io

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from msgspec import Struct
from werkzeug.wrappers import Response as BaseResponse

from shortener import editing, newsletter
from shortener.errors import InputError, NotFound, ShortenerError
from shortener.intake import Request, Taken, read_targets, take_in
from shortener.reachability import reach
from shortener.reporting.checklist import checklist
from shortener.reporting.issues import IssueShown, show_issue
from shortener.reporting.overview import IssueOverview, overview
from shortener.shorturl import parse_short_url
from shortener.store import Store, issues, links
from shortener.web.answers import as_csv, as_file, as_json, struct_rows
from shortener.web.asking import config, editor, needs, now, store
from shortener.web.changing import retarget
from shortener.web.figures import to_come
from shortener.web.forms import local_time, number, optional, text
from shortener.web.keeping import forget, keep

blueprint = Blueprint("issues", __name__, url_prefix="/-")

MOST_RECIPIENTS = 1_000_000_000
MOST_TARGETS = 1_000_000  # characters of pasted targets
PASTED = "issue.md"
_COLUMNS = (
    "slug",
    "title",
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

Page = str | BaseResponse | tuple[str, int]


@blueprint.get("/issues")
@needs("viewer")
def list_issues() -> str:
    """All issues, the latest first."""
    return render_template("issues.html", issues=_overview())


@blueprint.get("/issues.json")
@needs("viewer")
def list_issues_json() -> Response:
    """The same list as JSON."""
    return as_json(_overview())


@blueprint.get("/issues.csv")
@needs("viewer")
def list_issues_csv() -> Response:
    """The same list as CSV."""
    return as_csv("issues", _COLUMNS, struct_rows(_overview(), _COLUMNS))


def _overview() -> tuple[IssueOverview, ...]:
    return overview(store(), to_come=to_come(), now=now())


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
    return render_template("new_issue.html", error="", found=None, kept="", name="", pasted="")


@blueprint.post("/new-issue")
@needs("editor")
def add_issue() -> Page:
    """Look at an issue, or take it in."""
    kept, name, pasted = "", "", ""
    try:
        source, name, uploaded = _source()
        kept = base64.b64encode(source).decode() if uploaded and len(source) <= newsletter.MAX_BYTES else ""
        pasted = "" if uploaded else source.decode()
        asked = _request(source, name)
        if request.form.get("action") == "take":
            taken = take_in(store(), asked, config=config(), now=now())
            forget()
            flash(_taken_words(taken))
            return redirect(url_for("issues.show_contents", slug=taken.slug), 303)
        found = _look(asked)
    except (ShortenerError, UnicodeDecodeError) as wrong:
        page = render_template(
            "new_issue.html", error=str(wrong), found=None, kept=kept, name=name, pasted=pasted
        )
        return page, 400
    return render_template("new_issue.html", error="", found=found, kept=kept, name=name, pasted=pasted)


def _source() -> tuple[bytes, str, bool]:
    """The issue, its file's name, and whether it was uploaded (then its bytes are kept as they are).

    Raises InputError when there is none.
    """
    file = request.files.get("file")
    if file is not None and file.filename:
        return file.read(newsletter.MAX_BYTES + 1), file.filename[-200:], True
    kept = request.form.get("kept", "")
    if kept:
        try:
            return base64.b64decode(kept, validate=True), request.form.get("name", PASTED)[-200:], True
        except (binascii.Error, ValueError):
            raise InputError("the file that was uploaded before got lost; choose it again") from None
    pasted = request.form.get("source", "")
    if not pasted.strip():
        raise InputError("there is no issue yet: paste its text, or choose its file")
    # Browsers send the lines of a text area with CR LF, however they were written.
    return pasted.replace("\r\n", "\n").encode("utf-8", "replace"), PASTED, False


def _request(source: bytes, name: str) -> Request:
    """What the form says of the issue. Raises InputError."""
    slug = optional(request.form, "slug", most=100, what="the slug")
    if slug is None and name == PASTED:
        slug = _slug_of(optional(request.form, "title", most=500, what="the title"))
    return Request(
        source=source,
        name=name,
        slug=slug,
        title=optional(request.form, "title", most=500, what="the title"),
        sent_at=local_time(request.form, "sent_at", zone=config().zone, what="sent on"),
        recipients=number(
            request.form, "recipients", least=1, most=MOST_RECIPIENTS, what="the number of recipients"
        ),
        targets=read_targets(_pasted_targets(), config=config()),
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
    for line, row in enumerate(csv.reader(io.StringIO(pasted)), start=1):
        if not row or row[0].strip().lower() == "short_url":
            continue
        if len(row) < 2:
            raise InputError(f"the targets, line {line}: expected short_url,target")
        rows.append((line, row[0].strip(), row[1].strip()))
    return rows


def _look(asked: Request) -> Look:
    """Take an issue in and undo it, so that what is shown is what would be stored. Raises InputError, Conflict."""
    found = None
    try:
        with store().writing():
            taken = take_in(store(), asked, config=config(), now=now())
            found = Look(taken, show_issue(store(), taken.slug, config=config()))
            raise _Looked
    except _Looked:
        assert found is not None  # noqa: S101 - raised one line after it was set
        return found


def _taken_words(taken: Taken) -> str:
    if not taken.changed:
        return "This issue was taken in before; nothing has changed."
    adopted = f", {taken.adopted} adopted" if taken.adopted else ""
    return f"Taken in: {taken.articles} articles, {taken.new_links} new short links{adopted}."


@blueprint.get("/issues/<slug>/contents")
@needs("viewer")
def show_contents(slug: str) -> str:
    """What an issue consists of, and what should be looked at before it is sent."""
    return _contents(slug)


def _contents(slug: str, *, reached: object = None) -> str:
    shown = show_issue(store(), slug, config=config())
    return render_template(
        "contents.html", issue=shown, checks=checklist(shown), untouched=_untouched(slug), reached=reached
    )


def _untouched(slug: str) -> tuple[str, ...]:
    """The links that were left as they are, with their reasons; reading the issue again takes a moment."""

    def compute(store: Store) -> tuple[str, ...]:
        issue = issues.get(store, slug)
        source = issues.documents(store, issue.id)[0]
        left = newsletter.parse(source, format="html" if issue.format == "html" else "markdown").untouched
        return tuple(f"line {each.line}: {each.url}: {each.reason}" for each in left)

    return keep(("untouched", slug, issues.get(store(), slug).updated_at), compute)


@blueprint.get("/issues/<slug>/contents.json")
@needs("viewer")
def show_contents_json(slug: str) -> Response:
    """The contents as JSON, as ``issue show`` prints them."""
    return as_json(show_issue(store(), slug, config=config()))


@blueprint.get("/issues/<slug>/contents.csv")
@needs("viewer")
def show_contents_csv(slug: str) -> Response:
    """The placements as CSV, a line each."""
    shown = show_issue(store(), slug, config=config())
    positions = {article.url: (article.position, article.title) for article in shown.articles}
    rows = sorted(
        (
            each.n,
            each.kind,
            each.text,
            link.short_url,
            link.target,
            *positions.get(link.article or "", (None, "")),
        )
        for link in shown.links
        for each in link.placements
    )
    columns = ("n", "kind", "text", "short_url", "target", "position", "title")
    return as_csv(f"{slug}-contents", columns, rows)


@blueprint.get("/issues/<slug>/download")
@needs("viewer")
def download(slug: str) -> Response:
    """The issue with its short links, every other byte as it was handed in."""
    issue = issues.get(store(), slug)
    suffix, kind = ("html", "text/html") if issue.format == "html" else ("md", "text/markdown")
    output = issues.documents(store(), issue.id)[1]
    return as_file(output, name=f"{slug}.out.{suffix}", kind=f"{kind}; charset=utf-8")


@blueprint.post("/issues/<slug>/facts")
@needs("editor")
def set_facts(slug: str) -> Page:
    """Correct an issue's title, time of sending and number of recipients."""
    editing.correct_issue(
        store(),
        slug,
        now=now(),
        title=text(request.form, "title", most=500, what="the title"),
        sent_at=local_time(request.form, "sent_at", zone=config().zone, what="sent on"),
        recipients=number(
            request.form, "recipients", least=1, most=MOST_RECIPIENTS, what="the number of recipients"
        ),
    )
    return _changed(slug, "Saved.")


@blueprint.post("/issues/<slug>/article")
@needs("editor")
def set_article(slug: str) -> Page:
    """Correct an article: what it is called, by whom it is, and its place; what was left as it is stays so."""
    form, url = request.form, text(request.form, "url", most=10_000)
    known = next(
        (each for each in show_issue(store(), slug, config=config()).articles if each.url == url), None
    )
    if known is None:
        raise NotFound("this issue has no such article any more; load the page again")
    title = text(form, "title", most=500, what="the title")
    author = text(form, "author", most=500, what="the author")
    position = number(form, "position", least=1, most=10_000, what="the place")
    corrected = editing.correct_article(
        store(),
        slug,
        url,
        config=config(),
        title=None if title == known.title else title,
        author=None if author == known.author else author,
        position=None if position == known.position else position,
        is_article=position is not None,
    )
    return _changed(slug, f"{corrected.title or corrected.url}: corrected.")


@blueprint.post("/issues/<slug>/target")
@needs("editor")
def set_target(slug: str) -> Page:
    """Say where a short link of the issue leads that has no target yet."""
    key = parse_short_url(text(request.form, "short_url", most=500), domains=config().domains)
    if key is None:
        raise NotFound("that is no short link of ours")
    link = links.get(store(), *key)
    target = text(request.form, "target", most=10_000, what="the target")
    retarget(store(), link, target, config=config(), who=editor().name, now=now())
    return _changed(slug, f"{'/'.join(key)} has its target.")


def _changed(slug: str, said: str) -> BaseResponse:
    forget()
    flash(said)
    return redirect(url_for("issues.show_contents", slug=slug), 303)


@blueprint.post("/issues/<slug>/reach")
@needs("editor")
def check_targets(slug: str) -> str:
    """Ask the targets whether they answer: only now, only public addresses, and only for so long."""
    shown = show_issue(store(), slug, config=config())
    targets = sorted({link.target for link in shown.links if link.target})
    return _contents(slug, reached=reach(targets, agent=f"shortener (+{config().base_url})"))
