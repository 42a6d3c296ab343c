"""Error responses: a page for browsers, JSON for programs. Unexpected errors are logged."""

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
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

ErrorHandler = Callable[[Exception], ResponseReturnValue]
EDITOR_PATH = "/-/"
_TEMPLATES = {404: "errors/missing.html", 410: "errors/gone.html", 503: "errors/unavailable.html"}
"""Templates by HTTP status, for errors that readers of a newsletter can see."""
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
"""HTTP status of each error class. The first match applies, so subclasses come before their parent class."""

_MESSAGES = {413: "The upload is too large: an issue may have 5 MB, without its images."}
"""Messages by HTTP status that replace the messages of Flask."""

MAX_DRAIN_BYTES = 64 * 1024 * 1024
"""Largest body of a refused request that is read to its end, in bytes."""
DRAIN_TIMEOUT_SECONDS = 20.0
"""Longest time for reading a refused request body."""


def init_app(app: Flask, *, other_handlers: Mapping[str, ErrorHandler]) -> None:
    """Register the error handler of an app. ``other_handlers`` are those of paths with other forms of errors.

    Their keys are the beginnings of these paths.
    """

    def handle(error: Exception) -> ResponseReturnValue:
        handler = next((other_handlers[prefix] for prefix in other_handlers if request.path.startswith(prefix)), None)
        return (handler or handle_error)(error)

    app.register_error_handler(Exception, handle)
    app.after_request(drain_request)


def drain_request(response: Response) -> Response:
    """Read the rest of a refused request's body, then return ``response``.

    A browser reads the response only after it has sent the whole body. If the connection closed earlier, it would show
    a connection error.
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
    """Return the response to an error that a view raised. It shows the error's message if that is meant for users."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        if status < 400:
            return error.get_response()
        message = error.description if error.description != type(error).description else None
        return render_error_page(status, message if status != 404 else None)
    status = http_status(error)
    # The path may contain control characters, which must not be written to the log.
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
    """Return the error response: JSON for data, an editors' page for a path below /-/, else a page for readers."""
    phrase, message = HTTPStatus(status).phrase, message or _MESSAGES.get(status)
    if request.path.endswith((".json", "/live")) and request.path.startswith(EDITOR_PATH):
        return jsonify(error=message or phrase), status
    for_editors = request.path.startswith(EDITOR_PATH) and status < 500
    template = "errors/trouble.html" if for_editors else _TEMPLATES.get(status, "errors/error.html")
    return render_template(template, config=config(), status=status, phrase=phrase, message=message), status
