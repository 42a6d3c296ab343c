"""Links: search and sort them by the thousand, look at one, change where it leads, print its code."""

import functools
import io
from typing import Any, Literal, get_args

import segno
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from msgspec import Struct
from werkzeug.wrappers import Response as BaseResponse

from shortener.codes import check_code, new_code
from shortener.config import Domain
from shortener.errors import InputError, NotFound
from shortener.reporting.counts import moment, moment_or_none
from shortener.reporting.link_report import LinkReport, link_report, status_name
from shortener.services import edit
from shortener.short_urls import checked_target, parse_short_url, short_url
from shortener.store import links, listings
from shortener.store.clicks import DAY_SECONDS
from shortener.store.links import Link
from shortener.store.listings import Asked, Sort, Status
from shortener.urls import homograph_warning
from shortener.web.cache import forget
from shortener.web.context import config, editor, needs, now, store
from shortener.web.forms import clamped, optional, text
from shortener.web.responses import as_csv, as_json
from shortener.web.views.reports import BREAKDOWN, DIMENSIONS, breakdown_rows

blueprint = Blueprint("links", __name__, url_prefix="/-")

PER_PAGE = 50
MOST_JSON = 1_000
"""Links in one answer; the next page has the next."""
MOST_CSV = 250_000
MOST_WORDS, MOST_QUERY = 6, 200
"""Words that are searched for, and characters of a search that are looked at."""
MOST_TARGET = 10_000  # characters
QR_SCALES = (1, 40)
QR_BORDER = 4
MOST_QR = 2_331
"""Bytes that a QR code of error level M holds (ISO/IEC 18004); nobody could scan so many."""
SORTS: tuple[Sort, ...] = get_args(Sort)
STATUSES: tuple[Status, ...] = get_args(Status)
_COLUMNS = (
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
Page = str | BaseResponse | tuple[str, int]


class LinkListed(Struct, frozen=True):
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


class Listed(Struct, frozen=True):
    """One page of the list: of ``total`` links those of ``page``, from 1."""

    total: int
    page: int
    pages: int
    links: tuple[LinkListed, ...]


@blueprint.get("/links")
@needs("viewer")
def list_links() -> str:
    """A page of the links that were asked for."""
    asked = _asked()
    return render_template(
        "links.html",
        listed=_listed(asked, PER_PAGE),
        asked=asked,
        sorts=SORTS,
        statuses=STATUSES,
        query=_query(),
    )


@blueprint.get("/links.json")
@needs("viewer")
def list_links_json() -> Response:
    """The same as JSON; ``page`` and ``limit`` go through all."""
    limit = clamped(request.args, "limit", least=1, most=MOST_JSON, otherwise=MOST_JSON)
    return as_json(_listed(_asked(), limit))


@blueprint.get("/links.csv")
@needs("viewer")
def list_links_csv() -> Response:
    """All the links that were asked for as CSV."""
    found = listings.links(store(), _asked(), now=now(), limit=MOST_CSV)
    rows = map(_line, found)
    return as_csv("links", _COLUMNS, ([getattr(row, name) for name in _COLUMNS] for row in rows))


def _asked() -> Asked:
    """What the query asks for; what no list knows is refused."""
    sort, status = request.args.get("sort") or "new", request.args.get("status") or None
    if sort not in SORTS or (status is not None and status not in STATUSES):
        abort(400, "There is no such order or state; use the form above the list.")
    return Asked(
        words=tuple(_query().split()[:MOST_WORDS]),
        status=next((each for each in STATUSES if each == status), None),
        issue=request.args.get("issue", "")[:100] or None,
        sort=next(each for each in SORTS if each == sort),
    )


def _query() -> str:
    """The search as it was typed; a short link stands for its code."""
    typed = request.args.get("q", "").replace("\0", "").strip()[:MOST_QUERY]
    key = parse_short_url(typed, domains=config().domains) if "/" in typed else None
    return key[1] if key else typed


def _listed(asked: Asked, limit: int) -> Listed:
    total = listings.count_links(store(), asked, now=now())
    pages = max(1, -(-total // limit))
    page = clamped(request.args, "page", least=1, most=pages, otherwise=1)
    found = listings.links(store(), asked, now=now(), limit=limit, offset=(page - 1) * limit) if total else ()
    return Listed(total, page, pages, tuple(map(_line, found)))


def _line(row: listings.LinkLine) -> LinkListed:
    return LinkListed(
        short_url=short_url(row.domain, row.code, domains=config().domains),
        domain=row.domain,
        code=row.code,
        target=row.target,
        title=row.title,
        issue=row.issue,
        status=status_name(row.status, expires_at=row.expires_at, target=row.target, now=now()),
        clicks=row.clicks,
        visitors=row.visitors,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        expires_at=moment_or_none(row.expires_at),
    )


@blueprint.get("/new-link")
@needs("editor")
def new_link() -> str:
    """The form for a link made by hand."""
    return render_template("new_link.html", error="")


@blueprint.post("/new-link")
@needs("editor")
def add_link() -> Page:
    """Make a short link, under a code of one's own or a new one."""
    try:
        domain = _domain(request.form.get("domain", ""))
        target = checked_target(
            text(request.form, "target", most=MOST_TARGET, what="the target"), config=config()
        )
        title = text(request.form, "title", most=500, what="the title")
        with store().writing():
            code = _code(domain, optional(request.form, "code", most=200, what="the code"))
            links.add(store(), domain.host, code, target=target, title=title, now=now())
    except InputError as wrong:
        return render_template("new_link.html", error=str(wrong)), 400
    warning = homograph_warning(target)
    flash(f"The link is made.{f' Look twice: {warning}' if warning else ''}")
    return redirect(url_for("links.show_link", host=domain.host, code=code), 303)


def _domain(host: str) -> Domain:
    """The domain of a form's choice. Raises InputError."""
    for domain in config().domains:
        if domain.host == host.lower():
            return domain
    raise InputError("choose one of the domains of this installation")


def _code(domain: Domain, wanted: str | None) -> str:
    """The code that was chosen, or a new one. Raises CodeRefused."""
    if wanted is not None:
        return check_code(wanted, case_sensitive=domain.case_sensitive)

    def taken(code: str) -> bool:
        return links.find(store(), domain.host, code if domain.case_sensitive else code.lower()) is not None

    made = new_code(length=config().codes.length, alphabet=config().codes.alphabet, taken=taken)
    return check_code(made, case_sensitive=domain.case_sensitive)


@blueprint.get("/link")
@needs("viewer")
def find_link() -> BaseResponse:
    """From a short URL to its page."""
    key = parse_short_url(request.args.get("short_url", "")[:500], domains=config().domains)
    if key is None:
        raise NotFound("that is no short link of ours")
    return redirect(url_for("links.show_link", host=key[0], code=key[1]), 303)


@blueprint.get("/links/<host>/<code>")
@needs("viewer")
def show_link(host: str, code: str) -> str:
    """Where a link leads, what it got, how it was changed, and its code to print."""
    return _link_page(host, code)


def _link_page(host: str, code: str, error: str = "") -> str:
    report = _report(host, code)
    return render_template(
        "link.html",
        report=report,
        host=host,
        code=code,
        error=error,
        bars=_bars(report),
        dimensions=DIMENSIONS,
        here=url_for("links.show_link", host=host, code=code),
    )


def _report(host: str, code: str) -> LinkReport:
    return link_report(store(), *_key(host, code), as_of=now(), domains=config().domains)


def _key(host: str, code: str) -> tuple[str, str]:
    """Host and code in the domain's own case; also of a domain that is not configured any more."""
    sensitive = any(domain.host == host.lower() and domain.case_sensitive for domain in config().domains)
    return host.lower(), code if sensitive else code.lower()


def _link(host: str, code: str) -> Link:
    return links.get(store(), *_key(host, code))


def _bars(report: LinkReport) -> list[dict[str, Any]]:
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
@needs("viewer")
def link_json(host: str, code: str) -> Response:
    """The report of a link as ``report link`` prints it."""
    return as_json(_report(host, code))


@blueprint.get("/links/<host>/<code>/timeline.csv")
@needs("viewer")
def link_csv(host: str, code: str) -> Response:
    """The clicks of a link by hour."""
    rows = ((row.hour, row.human, row.other) for row in _report(host, code).timeline)
    return as_csv(f"{code}-timeline", ("hour", "human", "other"), rows)


@blueprint.get("/links/<host>/<code>/breakdown.csv")
@needs("viewer")
def breakdown_csv(host: str, code: str) -> Response:
    """Where people's clicks on a link came from and with what."""
    return as_csv(f"{code}-breakdown", BREAKDOWN, breakdown_rows(_report(host, code).breakdown))


@blueprint.post("/links/<host>/<code>/target")
@needs("editor")
def set_target(host: str, code: str) -> Page:
    """Lead readers somewhere else from the next click on; what was counted stays."""
    try:
        target = checked_target(
            text(request.form, "target", most=MOST_TARGET, what="the target"), config=config()
        )
        with store().writing():
            link = _link(host, code)
            if request.form.get("was", "") != (link.target or ""):
                raise InputError("somebody else changed the target meanwhile; look at it and try again")
            edit.retarget(store(), link, target, config=config(), who=editor().name, now=now())
    except InputError as wrong:
        return _link_page(host, code, str(wrong)), 400
    return _changed(host, code, "The target is changed; the next click goes there.")


@blueprint.post("/links/<host>/<code>/title")
@needs("editor")
def set_title(host: str, code: str) -> Page:
    """Call a link something else."""
    title = text(request.form, "title", most=500, what="the title")
    links.change(store(), _link(host, code), "title", title, who=editor().name, now=now())
    return _changed(host, code, "The title is changed.")


@blueprint.post("/links/<host>/<code>/status")
@needs("editor")
def set_status(host: str, code: str) -> Page:
    """Retire a link, or take its retirement back."""
    status = request.form.get("status", "")
    if status not in {"active", "retired"}:
        raise InputError(f"{status!r} is no state of a link; active or retired")
    links.change(store(), _link(host, code), "status", status, who=editor().name, now=now())
    said = (
        "The link is retired: readers see a page that says so."
        if status == "retired"
        else "The link is active."
    )
    return _changed(host, code, said)


def _changed(host: str, code: str, said: str) -> BaseResponse:
    forget()
    flash(said)
    return redirect(url_for("links.show_link", host=host, code=code), 303)


@blueprint.get("/links/<host>/<code>/qr.svg")
@needs("viewer")
def qr_svg(host: str, code: str) -> Response:
    """The short link as a QR code to print at any size."""
    return Response(_qr(_printed(host, code), "svg", _scale()), mimetype="image/svg+xml")


@blueprint.get("/links/<host>/<code>/qr.png")
@needs("viewer")
def qr_png(host: str, code: str) -> Response:
    """The same as a picture of points."""
    return Response(_qr(_printed(host, code), "png", _scale()), mimetype="image/png")


def _scale() -> int:
    """Pixels of a module, drawn into its bounds."""
    least, most = QR_SCALES
    return clamped(request.args, "scale", least=least, most=most, otherwise=8)


def _printed(host: str, code: str) -> str:
    """The short URL of a link that fits into a QR code."""
    link = _link(host, code)
    url = short_url(link.domain, link.code, domains=config().domains)
    if len(url) > MOST_QR:
        abort(422, f"This short URL has {len(url):,} characters; a QR code holds {MOST_QR:,} at the most.")
    return url


@functools.lru_cache(maxsize=256)
def _qr(url: str, kind: Literal["svg", "png"], scale: int) -> bytes:
    file = io.BytesIO()
    code = segno.make_qr(url, error="m")
    if kind == "svg":
        code.save(file, kind="svg", scale=scale, border=QR_BORDER, xmldecl=False, light="white")
    else:
        code.save(file, kind="png", scale=scale, border=QR_BORDER)
    return file.getvalue()
