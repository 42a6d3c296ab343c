"""Views of the list of links: search, filters, order, CSV and JSON, and retiring several links at once."""

from datetime import datetime
from typing import get_args

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from msgspec import Struct
from werkzeug.wrappers import Response as BaseResponse

from shortener.durations import DAY_SECONDS
from shortener.errors import FieldError, InputError
from shortener.messages import Message
from shortener.reporting.counts import to_datetime_or_none
from shortener.reporting.formatting import struct_rows
from shortener.reporting.link_records import LinkRecord, build_link_record, search_text, search_words
from shortener.services import edit_links, history
from shortener.store import links, listings, reports
from shortener.store.links import Link
from shortener.store.listings import IssueSummary, LinkDetails, LinkFilter, LinkSort, StatusFilter
from shortener.web.components import TableOrder, url_with
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.field_errors import refuse
from shortener.web.forms import read_clamped_integer
from shortener.web.languages import gettext as _
from shortener.web.languages import ngettext
from shortener.web.responses import csv_response, json_response, redirect_after_edit
from shortener.web.views.history import LINKS_PAGE, undoable

blueprint = Blueprint("link_list", __name__, url_prefix="/-")

PAGE_SIZES = (25, 50, 100)
DEFAULT_PAGE_SIZE = 50
MAX_JSON_LINKS = 1_000
"""Largest number of links in one JSON response. The parameter ``page`` selects the part of the list."""
MAX_CSV_LINKS = 250_000
"""Largest number of links in one CSV file."""
MAX_SELECTED_LINKS = 100
RECENT_DAYS = 7
"""Days whose clicks are counted before links are retired."""
DEFAULT_ORDER = "-new"
STATUSES: tuple[StatusFilter, ...] = get_args(StatusFilter)
_SORTS: tuple[LinkSort, ...] = get_args(LinkSort)
_FORMER_ORDERS = {"new": "-new", "clicks": "-visitors", "-clicks": "-visitors", "changed": "-changed"}
"""Orders of addresses from before columns could be sorted in both directions, and before the list showed visitors."""
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


class LinkListPage(Struct, frozen=True):
    """One page of the list of links. ``page`` is from 1 to ``pages``; ``total`` is the number of all matching links."""

    total: int
    page: int
    pages: int
    links: tuple[LinkRecord, ...]


class LinkRow(Struct, frozen=True):
    """A link in the list. ``last_click`` is the time of the last human click, rounded down to the hour."""

    link: LinkRecord
    last_click: datetime | None


@blueprint.get("/links")
@role_required("viewer")
def list_links() -> ResponseReturnValue:
    """Show a page of the links that match the search and filters."""
    status, order = 200, _read_order(DEFAULT_ORDER)
    try:
        order = _read_order(request.args.get("sort"))
        link_filter = _read_filter(order)
    except FieldError as error:
        link_filter, status = LinkFilter(), refuse("filter", error.field, error)
    size = read_clamped_integer(request.args, "size", minimum=1, maximum=100, default=DEFAULT_PAGE_SIZE)
    size = size if size in PAGE_SIZES else DEFAULT_PAGE_SIZE
    listed, details = _list_page(link_filter, size)
    hours = listings.last_clicked_hours(store(), [each.id for each in details])
    page = render_template(
        "links.html",
        listed=listed,
        rows=[
            LinkRow(link, to_datetime_or_none(hours.get(each.id)))
            for link, each in zip(listed.links, details, strict=True)
        ],
        size=size,
        sizes=PAGE_SIZES,
        page_sizes=[(each, url_with(size=each, page=None), each == size) for each in PAGE_SIZES],
        query_string=_export_query_string(),
        order=order,
        link_filter=link_filter,
        is_filtered=bool(link_filter.words or link_filter.status or link_filter.issue or link_filter.domain),
        statuses=STATUSES,
        query=_search_text(),
        issues=_issue_menu(),
        changes=history.list_changes(store(), LINKS_PAGE),
    )
    return page, status


def _export_query_string() -> str:
    query = url_with(page=None, size=None).partition("?")[2]
    return f"?{query}" if query else ""


def _issue_menu() -> list[IssueSummary]:
    return listings.list_issues(store(), with_hidden=True)


@blueprint.get("/links.json")
@role_required("viewer")
def list_links_json() -> Response:
    """Return one page of the matching links as JSON. ``limit`` is the number of links on a page."""
    limit = read_clamped_integer(request.args, "limit", minimum=1, maximum=MAX_JSON_LINKS, default=MAX_JSON_LINKS)
    return json_response(_list_page(_read_filter(_read_order(request.args.get("sort"))), limit)[0])


@blueprint.get("/links.csv")
@role_required("viewer")
def list_links_csv() -> Response:
    """Return the selected links as CSV, or all matching links if none is selected."""
    if selected := _selected_links():
        rows = list(listings.link_details_by_id(store(), [link.id for link in selected]).values())
    else:
        link_filter = _read_filter(_read_order(request.args.get("sort")))
        rows = listings.search_links(store(), link_filter, now=now(), limit=MAX_CSV_LINKS)
    return csv_response("links", _LINK_COLUMNS, struct_rows(map(_to_list_item, rows), _LINK_COLUMNS))


def _read_order(text: str | None) -> TableOrder:
    text = _FORMER_ORDERS.get(text or DEFAULT_ORDER, text or DEFAULT_ORDER)
    if text.removeprefix("-") not in _SORTS:
        raise FieldError(Message("this order is unknown; choose one"), field="sort")
    return TableOrder(text.removeprefix("-"), text.startswith("-"))


def _read_filter(order: TableOrder) -> LinkFilter:
    status = request.args.get("status") or None
    if status is not None and status not in STATUSES:
        raise FieldError(Message("this status is unknown; choose one"), field="status")
    sort = next(known for known in _SORTS if known == order.key)
    return LinkFilter(
        words=search_words(_search_text()),
        status=next((known for known in STATUSES if known == status), None),
        issue=request.args.get("issue", "")[:100] or None,
        domain=request.args.get("domain", "")[:255] or None,
        sort=sort,
        is_reversed=order.descending != listings.is_descending(sort),
    )


def _search_text() -> str:
    return search_text(request.args.get("q", ""), config=config())


def _list_page(link_filter: LinkFilter, limit: int) -> tuple[LinkListPage, list[LinkDetails]]:
    total = listings.count_links(store(), link_filter, now=now())
    pages = max(1, -(-total // limit))
    page = read_clamped_integer(request.args, "page", minimum=1, maximum=pages, default=1)
    rows = (
        listings.search_links(store(), link_filter, now=now(), limit=limit, offset=(page - 1) * limit) if total else []
    )
    return LinkListPage(total, page, pages, tuple(map(_to_list_item, rows))), rows


def _to_list_item(row: LinkDetails) -> LinkRecord:
    return build_link_record(row, config=config(), now=now())


def _selected_links() -> list[Link]:
    selected = list(dict.fromkeys(request.values.getlist("link")))
    if len(selected) > MAX_SELECTED_LINKS:
        raise InputError(Message("more than {limit} links were selected; select fewer", limit=MAX_SELECTED_LINKS))
    keys = (text.rpartition("/") for text in selected)
    return [links.get(store(), *edit_links.link_key(host, code, config=config())) for host, _slash, code in keys]


@blueprint.get("/links/retire")
@role_required("editor")
def confirm_retirement() -> ResponseReturnValue:
    """Ask whether to retire the selected links, and show how many people clicked them lately."""
    selected = [link for link in _selected_links() if link.status == "active"]
    if not selected:
        return redirect_after_edit(_("Select links that are not retired yet."), "link_list.list_links")
    since = now() - RECENT_DAYS * DAY_SECONDS
    recent = [reports.link_clicks_since(store(), link.id, since) for link in selected]
    return render_template(
        "retire_links.html",
        links=selected,
        clicks=sum(each.clicks for each in recent),
        days=RECENT_DAYS,
    )


@blueprint.post("/links/retire")
@role_required("editor")
def retire() -> BaseResponse:
    """Retire the selected links."""
    selected = [link for link in _selected_links() if link.status == "active"]
    if not selected:
        return redirect(url_for("link_list.list_links"), 303)
    summary = ngettext("{count} link retired", "{count} links retired", len(selected))
    ids = [link.id for link in selected]
    with history.recorded(
        store(),
        lambda: history.link_statuses(store(), ids),
        page=LINKS_PAGE,
        summary=str(summary),
        who=current_user().name,
        now=now(),
    ) as recorder:
        for link in selected:
            links.update_field(store(), link, "status", "retired", who=current_user().name, now=now())
    return redirect_after_edit(
        undoable(_("{summary}. Readers see a page that says so.", summary=summary), recorder.change_id),
        "link_list.list_links",
    )
