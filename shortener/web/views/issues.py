"""Issues: the list, what one consists of, corrections, the checks before it is sent."""

from flask import Blueprint, Flask, Response, current_app, flash, redirect, render_template, request, url_for
from msgspec import UNSET, UnsetType
from werkzeug.wrappers import Response as BaseResponse

from shortener import newsletter
from shortener.errors import NotFound
from shortener.reporting.checklist import build_checklist
from shortener.reporting.formatting import struct_rows
from shortener.reporting.issue_contents import load_issue_contents
from shortener.reporting.issue_list import IssueListItem, build_issue_list
from shortener.services import edit
from shortener.services.host_throttle import HostThrottle
from shortener.services.link_checker import check_links
from shortener.short_urls import parse_short_url, validate_target
from shortener.store import Store, issues, links
from shortener.web.cache import clear_cache, get_or_compute
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.figures import remaining_shares
from shortener.web.filters import format_datetime_local
from shortener.web.forms import MAX_RECIPIENTS, read_article_edit, read_integer, read_local_time, read_text
from shortener.web.responses import attachment_response, csv_response, json_response

blueprint = Blueprint("issues", __name__, url_prefix="/-")

CHECK_QUEUE_TIMEOUT_SECONDS = 2.0
_ISSUE_COLUMNS = (
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


def init_app(app: Flask) -> None:
    """Give the app its memory of whom it asked, which all editors share."""
    app.extensions["host_throttle"] = HostThrottle()


@blueprint.get("/issues")
@role_required("viewer")
def list_issues() -> str:
    """All issues, the latest first."""
    return render_template("issues.html", issues=_issue_list())


@blueprint.get("/issues.json")
@role_required("viewer")
def list_issues_json() -> Response:
    """The same list as JSON."""
    return json_response(_issue_list())


@blueprint.get("/issues.csv")
@role_required("viewer")
def list_issues_csv() -> Response:
    """The same list as CSV."""
    return csv_response("issues", _ISSUE_COLUMNS, struct_rows(_issue_list(), _ISSUE_COLUMNS))


def _issue_list() -> tuple[IssueListItem, ...]:
    return build_issue_list(store(), remaining_shares=remaining_shares(), now=now())


@blueprint.get("/issues/<slug>/contents")
@role_required("viewer")
def show_contents(slug: str) -> str:
    """What an issue consists of, and what should be looked at before it is sent."""
    return _render_contents(slug)


def _render_contents(slug: str, *, link_statuses: object = None) -> str:
    shown = load_issue_contents(store(), slug, config=config())
    return render_template(
        "contents.html",
        issue=shown,
        checks=build_checklist(shown),
        untouched=_untouched_links(slug),
        reached=link_statuses,
    )


def _untouched_links(slug: str) -> tuple[str, ...]:
    """The links that were left as they are, with their reasons; reading the issue again takes a moment."""

    def compute(store: Store) -> tuple[str, ...]:
        issue = issues.get(store, slug)
        source = issues.get_documents(store, issue.id)[0]
        left = newsletter.parse(source, format="html" if issue.format == "html" else "markdown").untouched
        return tuple(f"line {each.line}: {each.url}: {each.reason}" for each in left)

    return get_or_compute(("untouched", slug, issues.get(store(), slug).updated_at), compute)


@blueprint.get("/issues/<slug>/contents.json")
@role_required("viewer")
def show_contents_json(slug: str) -> Response:
    """The contents as JSON, as ``issue show`` prints them."""
    return json_response(load_issue_contents(store(), slug, config=config()))


@blueprint.get("/issues/<slug>/checks.json")
@role_required("viewer")
def show_checks_json(slug: str) -> Response:
    """What should be looked at before an issue is sent, as JSON."""
    return json_response(build_checklist(load_issue_contents(store(), slug, config=config())))


@blueprint.get("/issues/<slug>/contents.csv")
@role_required("viewer")
def show_contents_csv(slug: str) -> Response:
    """The placements as CSV, a line each."""
    shown = load_issue_contents(store(), slug, config=config())
    positions = {
        link.short_url: (article.position, article.title)
        for article in (*shown.articles, *shown.other_links)
        for link in article.links
    }
    rows = sorted(
        (
            each.n,
            each.kind,
            each.text,
            link.short_url,
            link.target,
            *positions.get(link.short_url, (None, "")),
        )
        for link in shown.links
        for each in link.placements
    )
    columns = ("n", "kind", "text", "short_url", "target", "position", "title")
    return csv_response(f"{slug}-contents", columns, rows)


@blueprint.get("/issues/<slug>/download")
@role_required("viewer")
def download(slug: str) -> Response:
    """The issue with its short links, every other byte as it was handed in."""
    issue = issues.get(store(), slug)
    suffix, kind = ("html", "text/html") if issue.format == "html" else ("md", "text/markdown")
    output = issues.get_documents(store(), issue.id)[1]
    return attachment_response(
        output, file_name=f"{slug}.out.{suffix}", content_type=f"{kind}; charset=utf-8"
    )


@blueprint.post("/issues/<slug>/facts")
@role_required("editor")
def set_details(slug: str) -> BaseResponse:
    """Correct an issue's title, time of sending and number of recipients; what is emptied is not known any more."""
    form, known = request.form, issues.get(store(), slug)
    sent_at: int | UnsetType | None = UNSET
    # The field has no seconds: what was left as it was shown is not a correction.
    if "sent_at" in form and form["sent_at"] != format_datetime_local(known.sent_at, config=config()):
        sent_at = read_local_time(form, "sent_at", zone=config().zone, label="sent on")
    recipients: int | UnsetType | None = UNSET
    if "recipients" in form:
        recipients = read_integer(
            form, "recipients", minimum=1, maximum=MAX_RECIPIENTS, label="the number of recipients"
        )
    edit.correct_issue(
        store(),
        slug,
        now=now(),
        title=read_text(form, "title", max_length=500, label="the title") or None,
        sent_at=sent_at,
        recipients=recipients,
    )
    return _flash_and_redirect(slug, "Saved.")


@blueprint.post("/issues/<slug>/article")
@role_required("editor")
def set_article(slug: str) -> BaseResponse:
    """Correct an article: what it is called, by whom it is, and its place; what was left as it is stays so."""
    said = read_article_edit(request.form)
    edit.correct_articles(store(), slug, [said], config=config())
    return _flash_and_redirect(slug, f"{said.title or said.url}: corrected.")


@blueprint.post("/issues/<slug>/target")
@role_required("editor")
def set_target(slug: str) -> BaseResponse:
    """Say where a short link of the issue leads that has no target yet."""
    key = parse_short_url(read_text(request.form, "short_url", max_length=500), domains=config().domains)
    if key is None:
        raise NotFound("that is no short link of ours")
    target = validate_target(
        read_text(request.form, "target", max_length=10_000, label="the target"), config=config()
    )
    edit.retarget(
        store(), links.get(store(), *key), target, config=config(), who=current_user().name, now=now()
    )
    return _flash_and_redirect(slug, f"{'/'.join(key)} has its target.")


def _flash_and_redirect(slug: str, message: str) -> BaseResponse:
    clear_cache()
    flash(message)
    return redirect(url_for("issues.show_contents", slug=slug), 303)


@blueprint.post("/issues/<slug>/reach")
@role_required("editor")
def check_targets(slug: str) -> str | BaseResponse:
    """Ask the targets whether they answer: only now, only public addresses, and only for so long."""
    throttle: HostThrottle = current_app.extensions["host_throttle"]
    shown = load_issue_contents(store(), slug, config=config())
    targets = sorted({link.target for link in shown.links if link.target})
    if not throttle.check_slots.acquire(timeout=CHECK_QUEUE_TIMEOUT_SECONDS):
        flash("Targets of other issues are being asked at this moment; ask again in half a minute.")
        return redirect(url_for("issues.show_contents", slug=slug), 303)
    try:
        reached = check_links(targets, user_agent=f"shortener (+{config().base_url})", throttle=throttle)
    finally:
        throttle.check_slots.release()
    return _render_contents(slug, link_statuses=reached)
