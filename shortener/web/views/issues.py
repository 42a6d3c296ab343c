"""Issues: the list, what one consists of, corrections, the checks before it is sent."""

from flask import Blueprint, Flask, Response, current_app, flash, redirect, render_template, request, url_for
from msgspec import UNSET, UnsetType
from werkzeug.wrappers import Response as BaseResponse

from shortener import newsletter
from shortener.errors import NotFound
from shortener.reporting.checklist import checklist
from shortener.reporting.issue_contents import show_issue
from shortener.reporting.issue_list import IssueOverview, overview
from shortener.services import edit
from shortener.services.host_throttle import Manners
from shortener.services.link_checker import reach
from shortener.short_urls import checked_target, parse_short_url
from shortener.store import Store, issues, links
from shortener.web.cache import forget, keep
from shortener.web.context import config, editor, needs, now, store
from shortener.web.figures import to_come
from shortener.web.filters import field
from shortener.web.forms import MOST_RECIPIENTS, local_time, number, text, wanted
from shortener.web.responses import as_csv, as_file, as_json, struct_rows

blueprint = Blueprint("issues", __name__, url_prefix="/-")

CHECK_WAIT_SECONDS = 2.0
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


def prepare(app: Flask) -> None:
    """Give the app its memory of whom it asked, which all editors share."""
    app.extensions["manners"] = Manners()


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


@blueprint.get("/issues/<slug>/checks.json")
@needs("viewer")
def show_checks_json(slug: str) -> Response:
    """What should be looked at before an issue is sent, as JSON."""
    return as_json(checklist(show_issue(store(), slug, config=config())))


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
def set_facts(slug: str) -> BaseResponse:
    """Correct an issue's title, time of sending and number of recipients; what is emptied is not known any more."""
    form, known = request.form, issues.get(store(), slug)
    sent_at: int | UnsetType | None = UNSET
    # The field has no seconds: what was left as it was shown is not a correction.
    if "sent_at" in form and form["sent_at"] != field(known.sent_at, config=config()):
        sent_at = local_time(form, "sent_at", zone=config().zone, what="sent on")
    recipients: int | UnsetType | None = UNSET
    if "recipients" in form:
        recipients = number(
            form, "recipients", least=1, most=MOST_RECIPIENTS, what="the number of recipients"
        )
    edit.correct_issue(
        store(),
        slug,
        now=now(),
        title=text(form, "title", most=500, what="the title") or None,
        sent_at=sent_at,
        recipients=recipients,
    )
    return _changed(slug, "Saved.")


@blueprint.post("/issues/<slug>/article")
@needs("editor")
def set_article(slug: str) -> BaseResponse:
    """Correct an article: what it is called, by whom it is, and its place; what was left as it is stays so."""
    said = wanted(request.form)
    edit.correct_articles(store(), slug, [said], config=config())
    return _changed(slug, f"{said.title or said.url}: corrected.")


@blueprint.post("/issues/<slug>/target")
@needs("editor")
def set_target(slug: str) -> BaseResponse:
    """Say where a short link of the issue leads that has no target yet."""
    key = parse_short_url(text(request.form, "short_url", most=500), domains=config().domains)
    if key is None:
        raise NotFound("that is no short link of ours")
    target = checked_target(text(request.form, "target", most=10_000, what="the target"), config=config())
    edit.retarget(store(), links.get(store(), *key), target, config=config(), who=editor().name, now=now())
    return _changed(slug, f"{'/'.join(key)} has its target.")


def _changed(slug: str, said: str) -> BaseResponse:
    forget()
    flash(said)
    return redirect(url_for("issues.show_contents", slug=slug), 303)


@blueprint.post("/issues/<slug>/reach")
@needs("editor")
def check_targets(slug: str) -> str | BaseResponse:
    """Ask the targets whether they answer: only now, only public addresses, and only for so long."""
    manners: Manners = current_app.extensions["manners"]
    shown = show_issue(store(), slug, config=config())
    targets = sorted({link.target for link in shown.links if link.target})
    if not manners.checks.acquire(timeout=CHECK_WAIT_SECONDS):
        flash("Targets of other issues are being asked at this moment; ask again in half a minute.")
        return redirect(url_for("issues.show_contents", slug=slug), 303)
    try:
        reached = reach(targets, agent=f"shortener (+{config().base_url})", manners=manners)
    finally:
        manners.checks.release()
    return _contents(slug, reached=reached)
