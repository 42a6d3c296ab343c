"""An imitation of the API of YOURLS 1.10 at ``/yourls-api.php``, for programs that were made for YOURLS.

docs/compatibility.md lists what these programs can do.
"""

import random
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import msgspec
from flask import Blueprint, Response, request

from shortener.api.authentication import authorize_text
from shortener.api.fields import MAX_TITLE_LENGTH
from shortener.api.problems import compatible_status, to_api_error
from shortener.codes import COMPATIBLE_PATHS
from shortener.errors import CodeRefused, Conflict, InputError
from shortener.services import edit_links
from shortener.services.tokens import Scope
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store import links, listings, visits
from shortener.store.listings import LinkDetails, LinkFilter, LinkSort
from shortener.urls import strip_port
from shortener.web.context import config, now, store
from shortener.web.forms import read_clamped_integer

PATH = COMPATIBLE_PATHS["yourls"]
VERSION = "1.10.2"
"""The version of YOURLS that clients are told."""
MAX_LINKS, DEFAULT_LINKS = 500, 10
MAX_START = 1_000_000_000
FORMATS = ("xml", "json", "simple")

blueprint = Blueprint("yourls", __name__)
Fields = dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """A response before it is formatted. ``simple`` is the text of the response in YOURLS's format "simple"."""

    fields: Fields
    status: int = 200
    simple: str = ""
    headers: Mapping[str, str] = {}


@blueprint.route(PATH, methods=["GET", "POST"])
def handle() -> Response:
    """Respond to a request of a program that was made for YOURLS."""
    if request.values.get("format", "xml") not in FORMATS:
        return _format(_failure(400, 'Unknown "format" parameter: expected json, simple or xml'), "json")
    try:
        answer = _answer()
    except Exception as error:
        return handle_error(error)
    return _format(answer, request.values.get("format", "xml"))


def handle_error(error: Exception) -> Response:
    """Return the response for an exception that a request to this API has raised."""
    problem = to_api_error(error)
    if problem.name == "internal":
        # The caller logs unexpected exceptions.
        raise error
    if problem.name in {"token-missing", "token-invalid"}:
        answer = _failure(403, "Please log in")
    else:
        answer = _failure(compatible_status(problem), problem.detail, headers=problem.headers)
    known = request.values.get("format", "xml")
    return _format(answer, known if known in FORMATS else "json")


def _answer() -> Answer:
    scope, action = _ACTIONS.get(request.values.get("action", ""), ("read", None))
    if request.method == "HEAD":
        return _failure(405, "Use GET or POST")
    if "timestamp" in request.values and "signature" in request.values:
        return _failure(
            403, "A signature with a timestamp is not supported: send the token itself as signature or as password"
        )
    authorize_text(request.values.get("signature") or request.values.get("password") or "", scope)
    if action is None:
        return _failure(400, 'Unknown or missing "action" parameter')
    return action()


def _failure(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer({"message": message, "errorCode": str(status)}, status, message, headers or {})


def _shorten() -> Answer:
    url = request.values.get("url", "").strip()
    keyword = request.values.get("keyword", "").strip() or None
    if not url:
        return _refusal("error:nourl", "Missing or malformed URL")
    if "://" not in url:
        url = f"http://{url}"
    if parse_short_url(url, domains=config().domains):
        return _refusal("error:noloop", "URL is a short URL")
    try:
        existing = None
        if keyword is None:
            existing = edit_links.find_reusable(store(), url, config=config(), now=now(), host=_host_or_default())
        if existing is None:
            title = request.values.get("title", "")[:MAX_TITLE_LENGTH]
            link = edit_links.add_link(
                store(), url, config=config(), now=now(), host=_host_or_default(), code=keyword, title=title
            )
            return _created(link, f"{url} added to database")
    except (CodeRefused, Conflict):
        return _refusal("error:keyword", f"Short URL {keyword} already exists in database or is reserved")
    except InputError:
        return _refusal("error:nourl", "Missing or malformed URL")
    if not config().api.yourls_strict:
        return _created(existing, f"{url} already exists in database")
    answer = _created(existing, "")
    refusal = _refusal("error:url", f"{url} already exists in database")
    return Answer(answer.fields | refusal.fields, 400, answer.simple)


def _created(link: links.Link, message: str) -> Answer:
    short_url = build_short_url(link.domain, link.code, domains=config().domains)
    fields = {
        "url": {
            "keyword": link.code,
            "url": link.target,
            "title": link.title,
            "date": _date(link.created_at),
            "ip": "",
        },
        "status": "success",
        "message": message,
        "title": link.title,
        "shorturl": short_url,
        "statusCode": "200",
    }
    return Answer(fields, simple=short_url)


def _refusal(code: str, message: str) -> Answer:
    fields = {"status": "fail", "code": code, "message": message, "errorCode": "400", "statusCode": "400"}
    return Answer(fields, 400, message)


def _expand() -> Answer:
    link = _requested_active_link()
    if link is None:
        return _missing()
    fields = {
        "keyword": link.code,
        "shorturl": build_short_url(link.domain, link.code, domains=config().domains),
        "longurl": link.target,
        "title": link.title,
        "message": "success",
        "statusCode": "200",
    }
    return Answer(fields, simple=link.target or "")


def _url_stats() -> Answer:
    link = _requested_active_link()
    if link is None:
        return _missing()
    details = listings.link_details_by_code(store(), link.domain, link.code)
    return Answer({"statusCode": "200", "message": "success", "link": _link_stats(details)})


def _missing() -> Answer:
    message = "Error: short URL not found"
    keyword = request.values.get("shorturl", "")
    return Answer({"keyword": keyword, "message": message, "errorCode": "404"}, 404, message)


def _stats() -> Answer:
    links_by_name = {f"link_{number}": _link_stats(row) for number, row in enumerate(_requested_links(), start=1)}
    fields = {"links": links_by_name, "stats": _site_stats(), "statusCode": "200", "message": "success"}
    return Answer(fields)


def _requested_links() -> list[LinkDetails]:
    chosen = request.values.get("filter", "top")
    limit = read_clamped_integer(request.values, "limit", minimum=0, maximum=MAX_LINKS, default=DEFAULT_LINKS)
    sort: LinkSort = "clicks" if chosen in {"top", "bottom"} else "new"
    link_filter = LinkFilter(sort=sort, with_retired=False)
    start = read_clamped_integer(request.values, "start", minimum=0, maximum=MAX_START, default=0)
    total = listings.count_links(store(), link_filter, now=now())
    if chosen in {"rand", "random"}:
        start = random.randrange(max(1, total - limit + 1))  # noqa: S311 - need not be unpredictable
    if chosen == "bottom":
        limit = max(0, min(limit, total - start))
        start = total - start - limit
    rows = listings.search_links(store(), link_filter, now=now(), limit=limit, offset=start)
    return rows[::-1] if chosen == "bottom" else rows


def _link_stats(row: LinkDetails) -> Fields:
    return {
        "shorturl": build_short_url(row.domain, row.code, domains=config().domains),
        "url": row.target or "",
        "title": row.title,
        "timestamp": _date(row.created_at),
        "ip": "",
        "clicks": str(row.clicks),
    }


def _db_stats() -> Answer:
    return Answer({"db-stats": _site_stats(), "statusCode": "200", "message": "success"})


def _site_stats() -> Fields:
    total = listings.count_links(store(), LinkFilter(with_retired=False), now=now())
    return {"total_links": str(total), "total_clicks": str(visits.count_all(store()).human)}


def _version() -> Answer:
    return Answer({"version": VERSION}, simple=VERSION)


_ACTIONS: dict[str, tuple[Scope, Callable[[], Answer] | None]] = {
    "shorturl": ("links", _shorten),
    "expand": ("read", _expand),
    "url-stats": ("read", _url_stats),
    "stats": ("read", _stats),
    "db-stats": ("read", _db_stats),
    "version": ("read", _version),
}
"""Scope and function of each action."""


def _host_or_default() -> str:
    host = request.host.lower()
    names = {host, strip_port(host)}
    return next((domain.host for domain in config().domains if domain.host in names), config().domains[0].host)


def _requested_active_link() -> links.Link | None:
    text = request.values.get("shorturl", "").strip()
    key = parse_short_url(text if "/" in text else f"{_host_or_default()}/{text}", domains=config().domains)
    link = links.find(store(), *key) if key else None
    is_active = link is not None and link.status == "active" and link.target is not None
    return link if link and is_active and (link.expires_at is None or now() < link.expires_at) else None


def _date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _format(answer: Answer, name: str) -> Response:
    if name == "json":
        body, content_type = msgspec.json.encode(answer.fields), "application/json"
    elif name == "simple":
        body, content_type = answer.simple.encode(), "text/plain; charset=utf-8"
    else:
        body, content_type = _to_xml(answer.fields), "application/xml; charset=utf-8"
    return Response(body, answer.status, headers=dict(answer.headers), content_type=content_type)


def _to_xml(fields: Fields) -> bytes:
    root = ElementTree.Element("root")
    _add_elements(root, fields)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _add_elements(parent: ElementTree.Element, fields: Fields) -> None:
    for name, value in fields.items():
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, dict):
            _add_elements(child, value)
        else:
            # XML 1.0 has no control characters.
            child.text = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", str(value))
