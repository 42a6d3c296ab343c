"""Add the API to the Flask application: operations, OPTIONS, CORS and the headers of every response."""

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from shortener.api import (
    authentication,
    clicks,
    documentation,
    issues,
    link_batches,
    links,
    me,
    operations,
    ranking,
    reports,
    webhooks,
)
from shortener.api.authentication import rate_headers
from shortener.api.operations import PREFIX
from shortener.config import Config
from shortener.web.context import config

VIEW_MODULES = (links, link_batches, issues, reports, ranking, clicks, me, webhooks, documentation)
"""Modules whose import registers operations."""
EXPOSED_HEADERS = "ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Watermark"
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Api-Key"
PREFLIGHT_SECONDS = 3600


def init_app(app: Flask, *, config: Config) -> None:
    """Add the API to a Flask application. Call it after the application's request context and cache are set up."""
    authentication.init_app(app, config=config)
    app.before_request(_answer_unrouted)
    app.after_request(_add_headers)
    app.register_blueprint(operations.blueprint)
    app.register_blueprint(documentation.blueprint)


def is_api_path(path: str) -> bool:
    """Return whether a path belongs to the API."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def _answer_unrouted() -> Response | None:
    # No view handles OPTIONS, a method that a path does not have, or an unknown path.
    if not is_api_path(request.path) or request.blueprint == operations.blueprint.name:
        return None
    methods = operations.methods_at(request.path.removeprefix(PREFIX))
    if not methods:
        raise NotFound
    if request.method != "OPTIONS":
        raise MethodNotAllowed(methods)
    response = Response(status=204, headers={"Allow": ", ".join(methods)})
    response.headers.pop("Content-Type", None)
    if request.headers.get("Access-Control-Request-Method") and _allowed_origin():
        response.headers["Access-Control-Allow-Methods"] = response.headers["Allow"]
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return response


def _allowed_origin() -> str | None:
    origin = request.headers.get("Origin")
    return origin if origin in config().api.origins else None


def _add_headers(response: Response) -> Response:
    if not is_api_path(request.path):
        return response
    response.headers.update(rate_headers())
    if config().api.origins:
        response.vary.add("Origin")
    origin = _allowed_origin()
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    return response
