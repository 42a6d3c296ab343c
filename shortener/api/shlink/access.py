"""Common code of all requests to the imitated API of Shlink: CORS, token, errors, body, and finding the
requested link.
"""

from typing import TypeVar

import msgspec
from flask import Blueprint, Response, request

from shortener.api.authentication import authorize_text
from shortener.api.problems import ApiError, compatible_status, to_api_error
from shortener.api.shlink.objects import ShlinkError, invalid_data, problem_response
from shortener.codes import COMPATIBLE_PATHS
from shortener.services import edit_links
from shortener.services.tokens import Scope
from shortener.store import links
from shortener.store.links import Link
from shortener.web.context import config, store

PATH = COMPATIBLE_PATHS["shlink"]
PREFLIGHT_SECONDS = 3600
MAX_BODY_BYTES = 100_000
SINGLE_CLICK_ENDPOINTS = frozenset(
    f"shlink.{name}"
    for name in ("short_url_visits", "tag_visits", "domain_visits", "non_orphan_visits", "orphan_visits")
)
"""Endpoints that list single clicks."""

blueprint = Blueprint("shlink", __name__, url_prefix=PATH.rstrip("/"))
Body = TypeVar("Body")


@blueprint.before_request
def _check_request() -> Response | None:
    # A CORS preflight request has no token.
    if request.method == "OPTIONS":
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, PUT, DELETE, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "*")
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response
    if request.endpoint == f"{blueprint.name}.health":
        return None
    token = request.headers.get("X-Api-Key", "")
    if not token and request.endpoint == f"{blueprint.name}.shorten":
        token = request.args.get("apiKey", "")
    if not token:
        detail = 'Expected one of the following authentication headers, ["X-Api-Key"], but none were provided'
        raise ShlinkError(401, "missing-authentication", "Invalid authorization", detail)
    authorize_text(token, _required_scope())
    return None


def _required_scope() -> Scope:
    if request.method not in {"GET", "HEAD"} or request.endpoint == f"{blueprint.name}.shorten":
        return "links"
    return "clicks" if request.endpoint in SINGLE_CLICK_ENDPOINTS else "read"


@blueprint.after_request
def _allow_all_origins(response: Response) -> Response:
    # No cookie has an effect here, so any site may read what its user's token permits.
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def handle_error(error: Exception) -> Response:
    """Return the response for any exception at a path of this API."""
    if not isinstance(error, ShlinkError):
        error = _convert_error(error)
    return _allow_all_origins(problem_response(error))


def _convert_error(error: Exception) -> ShlinkError:
    problem: ApiError = to_api_error(error)
    if problem.name == "internal":
        raise error
    if problem.name == "token-invalid":
        detail = "Provided API key does not exist or is invalid."
        return ShlinkError(401, "invalid-api-key", "Invalid API key", detail)
    status = compatible_status(problem)
    title = "Service unavailable" if status == 503 else "Request refused"
    converted = ShlinkError(status, problem.name, title, problem.detail)
    converted.headers = problem.headers
    return converted


def decode_body(kind: type[Body]) -> Body:
    """Decode the JSON body of the request to the type ``kind``. Unknown fields are ignored. Raises ShlinkError."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise ShlinkError(413, "invalid-data", "Invalid data", f"The body may have {MAX_BODY_BYTES:,} bytes.")
    try:
        fields = msgspec.json.decode(request.get_data() or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        title = "Malformed request body"
        raise ShlinkError(400, "malformed-request-body", title, "The provided request does not contain JSON.") from None
    try:
        return msgspec.convert(fields, type=kind)
    except msgspec.ValidationError as error:
        element = str(error).rpartition("$.")[2].rstrip("`") if "$." in str(error) else "longUrl"
        raise invalid_data(element) from None


def find_link(code: str) -> Link:
    """Return the active link with this code on the requested domain, else on the default domain. Raises ShlinkError."""
    domain = request.args.get("domain", "")
    host = domain if domain not in {"", "DEFAULT"} else config().domains[0].host
    link = links.find(store(), *edit_links.link_key(host, code, config=config()))
    if link is None or link.status != "active":
        detail = f'No URL found with short code "{code}"' + (f' for domain "{domain}"' if domain else "")
        extra = {"shortCode": code} | ({"domain": domain} if domain else {})
        raise ShlinkError(404, "short-url-not-found", "Short URL not found", detail, **extra)
    return link
