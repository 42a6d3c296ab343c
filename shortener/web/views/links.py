"""Links: search and sort them by the thousand, look at one, change where it leads, print its code."""

import functools
import io
from typing import Any, Literal, get_args

import segno
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from msgspec import Struct
from werkzeug.wrappers import Response as BaseResponse

from shortener.config import Domain
from shortener.errors import InputError, NotFound
from shortener.reporting.counts import to_datetime, to_datetime_or_none
from shortener.reporting.link_report import LinkReport, build_link_report, link_status
from shortener.services import edit
from shortener.services.new_code import choose_code
from shortener.short_urls import build_short_url, parse_short_url, validate_target
from shortener.store import links, listings
from shortener.store.clicks import DAY_SECONDS
from shortener.store.links import Link
from shortener.store.listings import LinkFilter, LinkSort, StatusFilter
from shortener.urls import homograph_warning
from shortener.web.cache import clear_cache
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.forms import read_clamped_integer, read_optional_text, read_text
from shortener.web.responses import csv_response, json_response
from shortener.web.views.reports import BREAKDOWN_COLUMNS, DIMENSIONS, breakdown_rows

blueprint = Blueprint("links", __name__, url_prefix="/-")

PAGE_SIZE = 50
MAX_JSON_LINKS = 1_000
"""Links in one answer; the next page has the next."""
MAX_CSV_LINKS = 250_000
MAX_SEARCH_WORDS, MAX_SEARCH_LENGTH = 6, 200
"""Words that are searched for, and characters of a search that are looked at."""
MAX_TARGET_LENGTH = 10_000  # characters
QR_SCALE_RANGE = (1, 40)
QR_QUIET_ZONE_MODULES = 4
MAX_QR_BYTES = 2_331
"""Bytes that a QR code of error level M holds (ISO/IEC 18004); nobody could scan so many."""
SORT_ORDERS: tuple[LinkSort, ...] = get_args(LinkSort)
STATUSES: tuple[StatusFilter, ...] = get_args(StatusFilter)
_LINK_COLUMNS = (
    "short_url",
    "target",
    "title",
    "issue",
    "status",
    "clicks",
    "visitors",
    "created_at",
    "updated_at",
)
PageResponse = str | BaseResponse | tuple[str, int]


class LinkListItem(Struct, frozen=True):
    """A link in the list; clicks are people's."""

    short_url: str
    domain: str
    code: str
    target: str | None
    title: str
    issue: str | None
    status: str
    clicks: int
    visitors: int
    created_at: Any
    updated_at: Any
    expires_at: Any


class LinkListPage(Struct, frozen=True):
    """One page of the list: of ``total`` links those of ``page``, from 1."""

    total: int
    page: int
    pages: int
    links: tuple[LinkListItem, ...]


@blueprint.get("/links")
@role_required("viewer")
def list_links() -> str:
    """A page of the links that were asked for."""
    asked = _read_filter()
    return render_template(
        "links.html",
        listed=_list_page(asked, PAGE_SIZE),
        asked=asked,
        sorts=SORT_ORDERS,
        statuses=STATUSES,
        query=_search_text(),
    )


@blueprint.get("/links.json")
@role_required("viewer")
def list_links_json() -> Response:
    """The same as JSON; ``page`` and ``limit`` go through all."""
    limit = read_clamped_integer(
        request.args, "limit", minimum=1, maximum=MAX_JSON_LINKS, default=MAX_JSON_LINKS
    )
    return json_response(_list_page(_read_filter(), limit))


@blueprint.get("/links.csv")
@role_required("viewer")
def list_links_csv() -> Response:
    """All the links that were asked for as CSV."""
    found = listings.search_links(store(), _read_filter(), now=now(), limit=MAX_CSV_LINKS)
    rows = map(_to_list_item, found)
    return csv_response(
        "links", _LINK_COLUMNS, ([getattr(row, name) for name in _LINK_COLUMNS] for row in rows)
    )


def _read_filter() -> LinkFilter:
    """What the query asks for; what no list knows is refused."""
    sort, status = request.args.get("sort") or "new", request.args.get("status") or None
    if sort not in SORT_ORDERS or (status is not None and status not in STATUSES):
        abort(400, "There is no such order or state; use the form above the list.")
    return LinkFilter(
        words=tuple(_search_text().split()[:MAX_SEARCH_WORDS]),
        status=next((each for each in STATUSES if each == status), None),
        issue=request.args.get("issue", "")[:100] or None,
        sort=next(each for each in SORT_ORDERS if each == sort),
    )


def _search_text() -> str:
    """The search as it was typed; a short link stands for its code."""
    typed = request.args.get("q", "").replace("\0", "").strip()[:MAX_SEARCH_LENGTH]
    key = parse_short_url(typed, domains=config().domains) if "/" in typed else None
    return key[1] if key else typed


def _list_page(link_filter: LinkFilter, limit: int) -> LinkListPage:
    total = listings.count_links(store(), link_filter, now=now())
    pages = max(1, -(-total // limit))
    page = read_clamped_integer(request.args, "page", minimum=1, maximum=pages, default=1)
    found = (
        listings.search_links(store(), link_filter, now=now(), limit=limit, offset=(page - 1) * limit)
        if total
        else ()
    )
    return LinkListPage(total, page, pages, tuple(map(_to_list_item, found)))


def _to_list_item(row: listings.LinkDetails) -> LinkListItem:
    return LinkListItem(
        short_url=build_short_url(row.domain, row.code, domains=config().domains),
        domain=row.domain,
        code=row.code,
        target=row.target,
        title=row.title,
        issue=row.issue,
        status=link_status(row.status, expires_at=row.expires_at, target=row.target, now=now()),
        clicks=row.clicks,
        visitors=row.visitors,
        created_at=to_datetime(row.created_at),
        updated_at=to_datetime(row.updated_at),
        expires_at=to_datetime_or_none(row.expires_at),
    )


@blueprint.get("/new-link")
@role_required("editor")
def new_link() -> str:
    """The form for a link made by hand."""
    return render_template("new_link.html", error="")


@blueprint.post("/new-link")
@role_required("editor")
def add_link() -> PageResponse:
    """Make a short link, under a code of one's own or a new one."""
    try:
        domain = _chosen_domain(request.form.get("domain", ""))
        target = validate_target(
            read_text(request.form, "target", max_length=MAX_TARGET_LENGTH, label="the target"),
            config=config(),
        )
        title = read_text(request.form, "title", max_length=500, label="the title")
        with store().transaction():
            code = choose_code(
                store(),
                domain,
                read_optional_text(request.form, "code", max_length=200, label="the code"),
                config=config(),
            )
            links.add(store(), domain.host, code, target=target, title=title, now=now())
    except InputError as wrong:
        return render_template("new_link.html", error=str(wrong)), 400
    warning = homograph_warning(target)
    flash(f"The link is made.{f' Look twice: {warning}' if warning else ''}")
    return redirect(url_for("links.show_link", host=domain.host, code=code), 303)


def _chosen_domain(host: str) -> Domain:
    """The domain of a form's choice. Raises InputError."""
    for domain in config().domains:
        if domain.host == host.lower():
            return domain
    raise InputError("choose one of the domains of this installation")


@blueprint.get("/link")
@role_required("viewer")
def find_link() -> BaseResponse:
    """From a short URL to its page."""
    key = parse_short_url(request.args.get("short_url", "")[:500], domains=config().domains)
    if key is None:
        raise NotFound("that is no short link of ours")
    return redirect(url_for("links.show_link", host=key[0], code=key[1]), 303)


@blueprint.get("/links/<host>/<code>")
@role_required("viewer")
def show_link(host: str, code: str) -> str:
    """Where a link leads, what it got, how it was changed, and its code to print."""
    return _render_link(host, code)


def _render_link(host: str, code: str, error: str = "") -> str:
    report = _link_report(host, code)
    return render_template(
        "link.html",
        report=report,
        host=host,
        code=code,
        error=error,
        bars=_chart_data(report),
        dimensions=DIMENSIONS,
        here=url_for("links.show_link", host=host, code=code),
    )


def _link_report(host: str, code: str) -> LinkReport:
    return build_link_report(store(), *_link_key(host, code), as_of=now(), domains=config().domains)


def _link_key(host: str, code: str) -> tuple[str, str]:
    """Host and code in the domain's own case; also of a domain that is not configured any more."""
    sensitive = any(domain.host == host.lower() and domain.case_sensitive for domain in config().domains)
    return host.lower(), code if sensitive else code.lower()


def _get_link(host: str, code: str) -> Link:
    return links.get(store(), *_link_key(host, code))


def _chart_data(report: LinkReport) -> list[dict[str, Any]]:
    """People's clicks by hour, by day where there are many hours."""
    if not report.timeline:
        return []
    first, last = report.timeline[0].hour.timestamp(), report.timeline[-1].hour.timestamp()
    step: Literal["day", "hour"] = "day" if last - first > 4 * DAY_SECONDS else "hour"
    sums: dict[int, int] = {}
    for row in report.timeline:
        at = int(row.hour.timestamp())
        at -= at % DAY_SECONDS if step == "day" else 0
        sums[at] = sums.get(at, 0) + row.human
    return [{"at": at * 1000, "human": clicks, "step": step} for at, clicks in sums.items()]


@blueprint.get("/links/<host>/<code>/report.json")
@role_required("viewer")
def link_json(host: str, code: str) -> Response:
    """The report of a link as ``report link`` prints it."""
    return json_response(_link_report(host, code))


@blueprint.get("/links/<host>/<code>/timeline.csv")
@role_required("viewer")
def link_csv(host: str, code: str) -> Response:
    """The clicks of a link by hour."""
    rows = ((row.hour, row.human, row.other) for row in _link_report(host, code).timeline)
    return csv_response(f"{code}-timeline", ("hour", "human", "other"), rows)


@blueprint.get("/links/<host>/<code>/breakdown.csv")
@role_required("viewer")
def breakdown_csv(host: str, code: str) -> Response:
    """Where people's clicks on a link came from and with what."""
    return csv_response(
        f"{code}-breakdown", BREAKDOWN_COLUMNS, breakdown_rows(_link_report(host, code).breakdown)
    )


@blueprint.post("/links/<host>/<code>/target")
@role_required("editor")
def set_target(host: str, code: str) -> PageResponse:
    """Lead readers somewhere else from the next click on; what was counted stays."""
    try:
        target = validate_target(
            read_text(request.form, "target", max_length=MAX_TARGET_LENGTH, label="the target"),
            config=config(),
        )
        with store().transaction():
            link = _get_link(host, code)
            if request.form.get("was", "") != (link.target or ""):
                raise InputError("somebody else changed the target meanwhile; look at it and try again")
            edit.retarget(store(), link, target, config=config(), who=current_user().name, now=now())
    except InputError as wrong:
        return _render_link(host, code, str(wrong)), 400
    return _flash_and_redirect(host, code, "The target is changed; the next click goes there.")


@blueprint.post("/links/<host>/<code>/title")
@role_required("editor")
def set_title(host: str, code: str) -> PageResponse:
    """Call a link something else."""
    title = read_text(request.form, "title", max_length=500, label="the title")
    links.update_field(store(), _get_link(host, code), "title", title, who=current_user().name, now=now())
    return _flash_and_redirect(host, code, "The title is changed.")


@blueprint.post("/links/<host>/<code>/status")
@role_required("editor")
def set_status(host: str, code: str) -> PageResponse:
    """Retire a link, or take its retirement back."""
    status = request.form.get("status", "")
    if status not in {"active", "retired"}:
        raise InputError(f"{status!r} is no state of a link; active or retired")
    links.update_field(store(), _get_link(host, code), "status", status, who=current_user().name, now=now())
    said = (
        "The link is retired: readers see a page that says so."
        if status == "retired"
        else "The link is active."
    )
    return _flash_and_redirect(host, code, said)


def _flash_and_redirect(host: str, code: str, message: str) -> BaseResponse:
    clear_cache()
    flash(message)
    return redirect(url_for("links.show_link", host=host, code=code), 303)


@blueprint.get("/links/<host>/<code>/qr.svg")
@role_required("viewer")
def qr_svg(host: str, code: str) -> Response:
    """The short link as a QR code to print at any size."""
    return Response(_qr_image(_qr_url(host, code), "svg", _qr_scale()), mimetype="image/svg+xml")


@blueprint.get("/links/<host>/<code>/qr.png")
@role_required("viewer")
def qr_png(host: str, code: str) -> Response:
    """The same as a picture of points."""
    return Response(_qr_image(_qr_url(host, code), "png", _qr_scale()), mimetype="image/png")


def _qr_scale() -> int:
    """Pixels of a module, drawn into its bounds."""
    least, most = QR_SCALE_RANGE
    return read_clamped_integer(request.args, "scale", minimum=least, maximum=most, default=8)


def _qr_url(host: str, code: str) -> str:
    """The short URL of a link that fits into a QR code."""
    link = _get_link(host, code)
    url = build_short_url(link.domain, link.code, domains=config().domains)
    if len(url) > MAX_QR_BYTES:
        abort(
            422, f"This short URL has {len(url):,} characters; a QR code holds {MAX_QR_BYTES:,} at the most."
        )
    return url


@functools.lru_cache(maxsize=256)
def _qr_image(url: str, image_format: Literal["svg", "png"], scale: int) -> bytes:
    file = io.BytesIO()
    code = segno.make_qr(url, error="m")
    if image_format == "svg":
        code.save(file, kind="svg", scale=scale, border=QR_QUIET_ZONE_MODULES, xmldecl=False, light="white")
    else:
        code.save(file, kind="png", scale=scale, border=QR_QUIET_ZONE_MODULES)
    return file.getvalue()
