"""Errors as answers: a page for people, JSON for programs; what nobody foresaw is logged and apologised for."""

import logging
import sqlite3
import time
from http import HTTPStatus

from flask import Flask, current_app, jsonify, render_template, request
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

log = logging.getLogger(__name__)

EDITOR_PATH = "/-/"
_TEMPLATES = {404: "missing.html", 410: "gone.html", 503: "unavailable.html"}
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

_MESSAGES = {413: "That is more than can be handed in: an issue has 5 MB at the most, without its images."}
"""What is said of errors that the framework found, where its own words help nobody."""

MAX_DRAIN_BYTES = 64 * 1024 * 1024
DRAIN_TIMEOUT_SECONDS = 20.0
"""How much of a refused request is still taken off the line, and for how long."""

ErrorResponse = Response | tuple[Response, int] | tuple[str, int]


def init_app(app: Flask) -> None:
    """Let the app answer every error here."""
    app.register_error_handler(Exception, handle_error)
    app.after_request(drain_request)


def drain_request(response: Response) -> Response:
    """Let a client finish what it sends before it is refused: a browser in the middle of an upload hears nothing."""
    if response.status_code >= 400 and (request.content_length or 0) <= MAX_DRAIN_BYTES:
        until = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        left = request.content_length or 0
        while left > 0 and time.monotonic() < until:
            piece = request.environ["wsgi.input"].read(min(left, 1 << 16))
            if not piece:
                break
            left -= len(piece)
    return response


def handle_error(error: Exception) -> ErrorResponse:
    """The answer to an error: its own words where they are meant for people."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        if status < 400:
            return error.get_response()
        said = error.description if error.description != type(error).description else None
        return render_error_page(status, said if status != 404 else None)
    status = http_status(error)
    if status == 503:
        log.error("%s: %s", request.path.encode("unicode_escape").decode(), error)
    elif status == 500:
        log.exception("%s", request.path.encode("unicode_escape").decode())
    return render_error_page(status, str(error) if status < 500 else None)


def http_status(error: Exception) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def render_error_page(status: int, message: str | None = None) -> ErrorResponse:
    """The page of a status; one of a short link speaks to a reader, one of ours to an editor."""
    phrase, message = HTTPStatus(status).phrase, message or _MESSAGES.get(status)
    if request.path.endswith((".json", "/live")) and request.path.startswith(EDITOR_PATH):
        return jsonify(error=message or phrase), status
    desk = request.path.startswith(EDITOR_PATH) and status < 500
    template = "trouble.html" if desk else _TEMPLATES.get(status, "error.html")
    config = current_app.extensions["config"]
    return render_template(template, config=config, status=status, phrase=phrase, said=message), status
