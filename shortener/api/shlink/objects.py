"""Objects of the imitated REST API of Shlink: short URLs, visits (clicks), pages of lists, and errors."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Response, request
from msgspec import UNSET, Struct, UnsetType

from shortener.short_urls import build_short_url
from shortener.store import visits
from shortener.store.listings import LinkDetails, LinkSort
from shortener.store.visits import Visit, VisitCounts
from shortener.web.context import config, store
from shortener.web.forms import read_clamped_integer

PROBLEM_MEDIA_TYPE = "application/problem+json"
ERROR_BASE = "https://shlink.io/api/error/"
DEFAULT_LINKS, MAX_LINKS = 10, 500
DEFAULT_VISITS, MAX_VISITS = 500, 5_000
MAX_PAGE = 1_000_000
SORT_FIELDS: dict[str, tuple[LinkSort, str]] = {
    "dateCreated": ("new", "DESC"),
    "shortCode": ("code", "ASC"),
    "title": ("title", "ASC"),
    "visits": ("clicks", "DESC"),
    "nonBotVisits": ("clicks", "DESC"),
}
"""Order of our lists, and its direction, by field of ``orderBy``. A link's clicks are those of people."""


class ShlinkError(Exception):
    """Raised to respond with an error in Shlink's form.

    ``name`` is the last part of the response's field ``type``; ``extra`` are further fields of the response.
    """

    def __init__(self, status: int, name: str, title: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.headers: dict[str, str] = {}
        self.status = status
        self.fields = {"type": ERROR_BASE + name, "title": title, "detail": detail, "status": status, **extra}


def invalid_data(*elements: str) -> ShlinkError:
    """Return the error for invalid fields or parameters; ``elements`` are their names."""
    detail = "Provided data is not valid"
    return ShlinkError(400, "invalid-data", "Invalid data", detail, invalidElements=list(elements))


class NewShortUrl(Struct, frozen=True, rename="camel"):
    """The body of a request for a new short link. Shlink's other fields, such as tags, are ignored."""

    long_url: str
    custom_slug: str | None = None
    title: str | None = None
    domain: str | None = None
    valid_since: str | None = None
    valid_until: str | None = None
    max_visits: int | None = None
    find_if_exists: bool | None = None
    forward_query: bool | None = None


class ShortUrlChanges(Struct, frozen=True, rename="camel"):
    """The body of a request to change a short link. Fields that are missing stay unchanged."""

    long_url: str | UnsetType = UNSET
    title: str | UnsetType | None = UNSET
    valid_since: str | UnsetType | None = UNSET
    valid_until: str | UnsetType | None = UNSET
    max_visits: int | UnsetType | None = UNSET
    forward_query: bool | UnsetType = UNSET


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as a JSON response."""
    return Response(msgspec.json.encode(value), status, content_type="application/json")


def problem_response(error: ShlinkError) -> Response:
    """Return the response for an error of this API."""
    body = msgspec.json.encode(error.fields)
    return Response(body, error.status, headers=error.headers, content_type=PROBLEM_MEDIA_TYPE)


def short_urls(rows: Sequence[LinkDetails]) -> list[dict[str, Any]]:
    """Return links in Shlink's form, with the numbers of their clicks."""
    counts = visits.count_by_link(store(), [row.id for row in rows])
    return [_short_url(row, counts.get(row.id, VisitCounts())) for row in rows]


def _short_url(row: LinkDetails, counts: VisitCounts) -> dict[str, Any]:
    forward = row.forward or config().redirect.forward
    return {
        "shortCode": row.code,
        "shortUrl": build_short_url(row.domain, row.code, domains=config().domains),
        "longUrl": row.target or "",
        "dateCreated": format_time(row.created_at),
        "visitsSummary": visits_summary(counts.human, counts.automated),
        "tags": [row.issue] if row.issue else [],
        "meta": {
            "validSince": None,
            "validUntil": None if row.expires_at is None else format_time(row.expires_at),
            "maxVisits": None,
        },
        "domain": None if row.domain == config().domains[0].host else row.domain,
        "title": row.title or None,
        "crawlable": False,
        "forwardQuery": forward != "drop",
        "hasRedirectRules": False,
    }


def visits_summary(human: int, automated: int) -> dict[str, int]:
    """Return the numbers of human clicks and automated requests under the names that Shlink uses."""
    return {"total": human + automated, "nonBots": human, "bots": automated}


def visit(row: Visit) -> dict[str, Any]:
    """Return a click in Shlink's form. Its location has the country only."""
    country = row.country
    location = {
        "countryCode": country,
        "countryName": country,
        "regionName": "",
        "cityName": "",
        "latitude": 0.0,
        "longitude": 0.0,
        "timezone": "",
        "isEmpty": False,
    }
    return {
        "referer": row.referrer,
        "date": format_time(row.ts // 1000),
        "userAgent": row.user_agent,
        "visitLocation": location if country else None,
        "potentialBot": row.verdict != "human",
        "visitedUrl": build_short_url(row.domain, row.code, domains=config().domains),
        "redirectUrl": None,
    }


def format_time(at: int) -> str:
    """Format seconds of the UTC epoch in ISO 8601 with an offset, as Shlink does."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def parse_time(
    text: str,
    element: str,  # name of the field, for the error
) -> int:
    """Return a time in ISO 8601 as seconds of the UTC epoch. A time without an offset is UTC. Raises ShlinkError."""
    try:
        # A "+" that was not percent-encoded in a query string arrives as a space.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise invalid_data(element) from None
    if not 0 <= at < 253_402_214_400:
        raise invalid_data(element)
    return at


def time_parameter(name: str) -> int | None:
    """Return the time in a query parameter as seconds of the UTC epoch; None if it is missing. Raises ShlinkError."""
    text = request.args.get(name, "")
    return parse_time(text, name) if text else None


class PageRequest(Struct, frozen=True):
    """Which page of a list is requested: its number from 1, and the number of items on a page."""

    page: int
    size: int

    @property
    def offset(self) -> int:
        """The number of items on all earlier pages."""
        return (self.page - 1) * self.size


def requested_page(*, default: int, maximum: int) -> PageRequest:
    """Return which page of a list the query string requests. ``itemsPerPage=-1`` means ``maximum`` items."""
    page = read_clamped_integer(request.args, "page", minimum=1, maximum=MAX_PAGE, default=1)
    if request.args.get("itemsPerPage") == "-1":
        return PageRequest(page, maximum)
    size = read_clamped_integer(request.args, "itemsPerPage", minimum=1, maximum=maximum, default=default)
    return PageRequest(page, size)


def paginate(items: Sequence[Any], *, total: int, page: PageRequest) -> dict[str, Any]:
    """Return one page of a list in Shlink's form, with ``total``, the number of items on all pages."""
    pagination = {
        "currentPage": page.page,
        "pagesCount": -(-total // page.size),
        "itemsPerPage": page.size,
        "itemsInCurrentPage": len(items),
        "totalItems": total,
    }
    return {"data": list(items), "pagination": pagination}


def paginate_all(items: Sequence[Any]) -> dict[str, Any]:
    """Return a whole list in Shlink's form, as a single page."""
    return paginate(items, total=len(items), page=PageRequest(1, max(1, len(items))))
