"""Error responses: a page for browsers, JSON for programs. Unexpected errors are logged."""

import logging
import sqlite3
import time
from http import HTTPStatus

from flask import Flask, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from shortener.errors import (
    Conflict,
    DocumentTooLarge,
    InputError,
    NotFound,
    ShortenerError,
    StoreError,
    UnreadableDocument,
)
from shortener.web.context import config

log = logging.getLogger(__name__)

EDITOR_PATH = "/-/"
_TEMPLATES = {404: "errors/missing.html", 410: "errors/gone.html", 503: "errors/unavailable.html"}
"""Templates of the errors that readers of a newsletter can meet, by status."""
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (StoreError, 503),
    (sqlite3.Error, 503),
    (NotFound, 404),
    (Conflict, 409),
    (DocumentTooLarge, 413),
    (UnreadableDocument, 422),
    (InputError, 400),
    (ShortenerError, 400),
)
"""HTTP status of each error class; the first match applies, so that subclasses come before their parents."""

_MESSAGES = {413: "The upload is too large: an issue may have 5 MB, without its images."}
"""Messages that replace the framework's own, by status."""

MAX_DRAIN_BYTES = 64 * 1024 * 1024
"""Largest refused request body that is read to its end."""
DRAIN_TIMEOUT_SECONDS = 20.0
"""Time that is spent on reading a refused request body."""


def init_app(app: Flask) -> None:
    """Register the error handler of an app."""
    app.register_error_handler(Exception, handle_error)
    app.after_request(drain_request)


def drain_request(response: Response) -> Response:
    """Read the rest of a refused request's body, then return ``response``.

    A browser that is still uploading does not read a response; it reports a broken connection instead.
    """
    if response.status_code >= 400 and (request.content_length or 0) <= MAX_DRAIN_BYTES:
        deadline = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        remaining = request.content_length or 0
        while remaining > 0 and time.monotonic() < deadline:
            chunk = request.environ["wsgi.input"].read(min(remaining, 1 << 16))
            if not chunk:
                break
            remaining -= len(chunk)
    return response


def handle_error(error: Exception) -> ResponseReturnValue:
    """Return the response to an error that a view raised; the error's message is shown if it is meant for users."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        if status < 400:
            return error.get_response()
        message = error.description if error.description != type(error).description else None
        return render_error_page(status, message if status != 404 else None)
    status = http_status(error)
    # The path may have control characters, which must not reach the log.
    path = request.path.encode("unicode_escape").decode()
    if status == 503:
        log.error("%s: %s", path, error)
    elif status == 500:
        log.exception("%s", path)
    return render_error_page(status, str(error) if status < 500 else None)


def http_status(error: Exception) -> int:
    """Return the HTTP status of an error, 500 for an unexpected one."""
    return next((status for error_class, status in _STATUSES if isinstance(error, error_class)), 500)


def render_error_page(status: int, message: str | None = None) -> ResponseReturnValue:
    """Return the response for an HTTP status: JSON, a page for editors below /-/, or a page for readers."""
    phrase, message = HTTPStatus(status).phrase, message or _MESSAGES.get(status)
    if request.path.endswith((".json", "/live")) and request.path.startswith(EDITOR_PATH):
        return jsonify(error=message or phrase), status
    for_editors = request.path.startswith(EDITOR_PATH) and status < 500
    template = "errors/trouble.html" if for_editors else _TEMPLATES.get(status, "errors/error.html")
    return render_template(template, config=config(), status=status, phrase=phrase, message=message), status
