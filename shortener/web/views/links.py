"""Views of one link: its report and its edits, and the form for a new link."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from shortener.durations import DAY_SECONDS
from shortener.errors import FieldError, InputError, NotFound
from shortener.homographs import homograph_warning
from shortener.messages import Message
from shortener.reporting.audience import fold_breakdown
from shortener.reporting.formatting import struct_rows
from shortener.reporting.link_report import LinkReport, build_link_report
from shortener.services import edit, edit_links
from shortener.short_urls import parse_short_url, validate_target
from shortener.store import issues, links, reports
from shortener.store.issues import Issue
from shortener.store.links import Link, LinkField
from shortener.web.clickmap import placement_kinds
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.field_errors import errors_at, form_view
from shortener.web.forms import read_integer, read_local_time, read_optional_text, read_text
from shortener.web.languages import gettext as _
from shortener.web.link_chart import build_link_clicks
from shortener.web.link_history import describe_edits, forward_modes, forward_result
from shortener.web.responses import Notice, csv_response, json_response, redirect_after_edit
from shortener.web.results_quality import completeness_text
from shortener.web.views.audience import build_panels
from shortener.web.views.reports import BREAKDOWN_COLUMNS, breakdown_rows

blueprint = Blueprint("links", __name__, url_prefix="/-")

MAX_TARGET_LENGTH = 10_000  # characters
RECENT_DAYS = 7
"""Days whose clicks are counted before a link is retired."""


@blueprint.get("/new-link")
@role_required("editor")
def new_link() -> str:
    """Show the form for a new link."""
    return _render_new_link()


def _render_new_link() -> str:
    return render_template("new_link.html")


@blueprint.post("/new-link")
@role_required("editor")
@form_view("link", "target", page=_render_new_link)
def add_link() -> BaseResponse:
    """Create a short link, with the code of the form or a generated one."""
    with errors_at("domain"):
        domain = edit_links.find_domain(request.form.get("domain", ""), config=config())
    target = validate_target(read_text(request.form, "target", max_length=MAX_TARGET_LENGTH), config=config())
    title = read_text(request.form, "title", max_length=500)
    custom_code = read_optional_text(request.form, "code", max_length=200)
    with errors_at("code"):
        link = edit_links.add_link(
            store(), target, config=config(), now=now(), host=domain.host, code=custom_code, title=title
        )
    warning = homograph_warning(target)
    message = _("Link created. It is ready to be copied.")
    if warning:
        message = _("Link created. Check the domain: {warning}", warning=warning)
    return redirect_after_edit(message, "links.show_link", host=link.domain, code=link.code)


@blueprint.get("/link")
@role_required("viewer")
def find_link() -> BaseResponse:
    """Redirect to the page of the link whose short URL is in the query string."""
    key = parse_short_url(request.args.get("short_url", "")[:500], domains=config().domains)
    if key is None:
        raise NotFound(Message("this is not a short link of this installation"))
    return redirect(url_for("links.show_link", host=key[0], code=key[1]), 303)


@blueprint.get("/links/<host>/<code>")
@role_required("viewer")
def show_link(host: str, code: str) -> str:
    """Show the report of a link with its edits and QR code, and the forms to change it."""
    return _render_link(host, code)


def _render_link(host: str, code: str) -> str:
    report, link = _link_report(host, code), get_link(host, code)
    revertible = {(field, last["at"]) for field, last in edit.last_edits(store(), link).items()}
    return render_template(
        "link.html",
        report=report,
        completeness=completeness_text(report.quality),
        host=host,
        code=code,
        changes=describe_edits(report.edits, revertible=revertible),
        forward_modes=forward_modes(),
        forward_result=forward_result(link.forward),
        kind_names=placement_kinds(),
        bars=build_link_clicks(report),
        panels=build_panels(fold_breakdown(reports.link_breakdown(store(), link.id), human=report.totals.clicks.human)),
        here=url_for("links.show_link", host=host, code=code),
    )


def _link_report(host: str, code: str) -> LinkReport:
    return build_link_report(
        store(),
        *edit_links.link_key(host, code, config=config()),
        as_of=now(),
        domains=config().domains,
        zone=config().zone,
    )


def get_link(host: str, code: str) -> Link:
    """Return the link with this host and code. Raises NotFound."""
    return links.get(store(), *edit_links.link_key(host, code, config=config()))


@blueprint.get("/links/<host>/<code>/report.json")
@role_required("viewer")
def link_json(host: str, code: str) -> Response:
    """Return the report of a link as JSON, as ``report link --format json`` prints it."""
    return json_response(_link_report(host, code))


@blueprint.get("/links/<host>/<code>/timeline.csv")
@role_required("viewer")
def link_csv(host: str, code: str) -> Response:
    """Return the clicks of a link by hour as CSV."""
    columns = ("hour", "human", "other")
    return csv_response(f"{code}-timeline", columns, struct_rows(_link_report(host, code).timeline, columns))


@blueprint.get("/links/<host>/<code>/breakdown.csv")
@role_required("viewer")
def breakdown_csv(host: str, code: str) -> Response:
    """Return the human clicks of a link by referrer, browser, country and so on as CSV."""
    return csv_response(f"{code}-breakdown", BREAKDOWN_COLUMNS, breakdown_rows(_link_report(host, code).breakdown))


@blueprint.post("/links/<host>/<code>/target")
@role_required("editor")
@form_view("target", "target", page=_render_link)
def set_target(host: str, code: str) -> BaseResponse:
    """Change the target of a link, unless the target was changed after the form was opened."""
    target = validate_target(read_text(request.form, "target", max_length=MAX_TARGET_LENGTH), config=config())
    with store().transaction():
        link = get_link(host, code)
        if request.form.get("was", "") != (link.target or ""):
            raise InputError(Message("another editor changed the destination meanwhile; check it and try again"))
        edit.retarget(store(), link, target, config=config(), who=current_user().name, now=now())
    notice = _revertible_notice(_("Destination changed. The next click goes there."), host, code, "target")
    return redirect_after_edit(notice, "links.show_link", host=host, code=code)


@blueprint.post("/links/<host>/<code>/title")
@role_required("editor")
@form_view("title", "title", page=_render_link)
def set_title(host: str, code: str) -> BaseResponse:
    """Change the title of a link."""
    title = read_text(request.form, "title", max_length=500)
    links.update_field(store(), get_link(host, code), "title", title, who=current_user().name, now=now())
    return redirect_after_edit(
        _revertible_notice(_("Title changed."), host, code, "title"), "links.show_link", host=host, code=code
    )


@blueprint.post("/links/<host>/<code>/expiry")
@role_required("editor")
@form_view("expiry", "expires_at", page=_render_link)
def set_expiry(host: str, code: str) -> BaseResponse:
    """Set or remove the time at which a link expires."""
    expires_at = read_local_time(request.form, "expires_at", zone=config().zone)
    if expires_at is not None and expires_at <= now():
        raise FieldError(Message("this time is over; choose a later one, or retire the link"), field="expires_at")
    links.update_field(store(), get_link(host, code), "expires_at", expires_at, who=current_user().name, now=now())
    text = _("The link no longer expires.") if expires_at is None else _("Expiry changed.")
    return redirect_after_edit(
        _revertible_notice(text, host, code, "expires_at"), "links.show_link", host=host, code=code
    )


@blueprint.post("/links/<host>/<code>/forward")
@role_required("editor")
@form_view("forward", "forward", page=_render_link)
def set_forward(host: str, code: str) -> BaseResponse:
    """Change how the query string of a click is added to the target of a link."""
    mode = request.form.get("forward", "")
    if mode not in forward_modes():
        raise InputError(Message("choose what happens to the extra parts of the address"))
    links.update_field(store(), get_link(host, code), "forward", mode or None, who=current_user().name, now=now())
    notice = _revertible_notice(_("Saved. It applies from the next click on."), host, code, "forward")
    return redirect_after_edit(notice, "links.show_link", host=host, code=code)


@blueprint.post("/links/<host>/<code>/status")
@role_required("editor")
@form_view("status", "status", page=_render_link)
def set_status(host: str, code: str) -> BaseResponse:
    """Retire a link, or restore a retired one. Retiring a link of a sent issue must be confirmed."""
    status = request.form.get("status", "")
    if status not in {"active", "retired"}:
        raise InputError(Message("choose what to do with the link"))
    link = get_link(host, code)
    if status == "retired" and not request.form.get("confirmed") and _sent_issues(_link_report(host, code)):
        return redirect(url_for("links.confirm_retirement", host=host, code=code), 303)
    links.update_field(store(), link, "status", status, who=current_user().name, now=now())
    notice = Notice(_("Link restored."))
    if status == "retired":
        undo_url = url_for("links.set_status", host=host, code=code)
        notice = Notice(_("Link retired. Readers see a page that says so."), undo_url, {"status": "active"})
    return redirect_after_edit(notice, "links.show_link", host=host, code=code)


@blueprint.get("/links/<host>/<code>/retire")
@role_required("editor")
def confirm_retirement(host: str, code: str) -> str:
    """Ask whether to retire a link of a sent issue, and show how many people clicked it lately."""
    report, link = _link_report(host, code), get_link(host, code)
    return render_template(
        "retire.html",
        report=report,
        host=host,
        code=code,
        sent_issues=_sent_issues(report),
        recent=reports.link_clicks_since(store(), link.id, now() - RECENT_DAYS * DAY_SECONDS),
        days=RECENT_DAYS,
    )


def _sent_issues(report: LinkReport) -> list[Issue]:
    slugs = dict.fromkeys([report.issue, *(placement.issue for placement in report.placements)])
    found = [issues.find(store(), slug) for slug in slugs if slug]
    return [issue for issue in found if issue is not None and issue.sent_at is not None and issue.sent_at <= now()]


@blueprint.post("/links/<host>/<code>/revert")
@role_required("editor")
@form_view("revert", "field", page=_render_link)
def revert(host: str, code: str) -> BaseResponse:
    """Revert the last edit of a field of a link."""
    field, at = request.form.get("field", ""), read_integer(request.form, "at", minimum=0, maximum=2**53)
    edit.revert_edit(
        store(), get_link(host, code), field, at=at or 0, config=config(), who=current_user().name, now=now()
    )
    return redirect_after_edit(_("Undone."), "links.show_link", host=host, code=code)


def _revertible_notice(text: str, host: str, code: str, field: LinkField) -> Notice:
    last = edit.last_edits(store(), get_link(host, code)).get(field)
    # Without a button if this request did not change the field.
    if last is None or last["at"] != now():
        return Notice(text)
    return Notice(text, url_for("links.revert", host=host, code=code), {"field": field, "at": str(last["at"])})
