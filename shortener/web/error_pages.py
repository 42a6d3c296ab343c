"""Errors as answers: a page for people, JSON for programs; what nobody foresaw is logged and apologised for."""

import logging
import sqlite3
import time
from http import HTTPStatus

from flask import Flask, current_app, jsonify, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from shortener.errors import Conflict, InputError, NotFound, ShortenerError, StoreError, TooLarge, Unreadable

log = logging.getLogger(__name__)

DESK = "/-/"
_TEMPLATES = {404: "missing.html", 410: "gone.html", 503: "unavailable.html"}
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (StoreError, 503),
    (sqlite3.Error, 503),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (Unreadable, 422),
    (InputError, 400),
    (ShortenerError, 400),
)

_WORDS = {413: "That is more than can be handed in: an issue has 5 MB at the most, without its images."}
"""What is said of errors that the framework found, where its own words help nobody."""

MOST_DRAINED = 64 * 1024 * 1024
DRAIN_SECONDS = 20.0
"""How much of a refused request is still taken off the line, and for how long."""

Answer = Response | tuple[Response, int] | tuple[str, int]


def prepare(app: Flask) -> None:
    """Let the app answer every error here."""
    app.register_error_handler(Exception, answer_error)
    app.after_request(drain)


def drain(response: Response) -> Response:
    """Let a client finish what it sends before it is refused: a browser in the middle of an upload hears nothing."""
    if response.status_code >= 400 and (request.content_length or 0) <= MOST_DRAINED:
        until = time.monotonic() + DRAIN_SECONDS
        left = request.content_length or 0
        while left > 0 and time.monotonic() < until:
            piece = request.environ["wsgi.input"].read(min(left, 1 << 16))
            if not piece:
                break
            left -= len(piece)
    return response


def answer_error(error: Exception) -> Answer:
    """The answer to an error: its own words where they are meant for people."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        if status < 400:
            return error.get_response()
        said = error.description if error.description != type(error).description else None
        return page(status, said if status != 404 else None)
    status = status_of(error)
    if status == 503:
        log.error("%s: %s", request.path.encode("unicode_escape").decode(), error)
    elif status == 500:
        log.exception("%s", request.path.encode("unicode_escape").decode())
    return page(status, str(error) if status < 500 else None)


def status_of(error: Exception) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def page(status: int, said: str | None = None) -> Answer:
    """The page of a status; one of a short link speaks to a reader, one of ours to an editor."""
    phrase, said = HTTPStatus(status).phrase, said or _WORDS.get(status)
    if request.path.endswith((".json", "/live")) and request.path.startswith(DESK):
        return jsonify(error=said or phrase), status
    desk = request.path.startswith(DESK) and status < 500
    template = "trouble.html" if desk else _TEMPLATES.get(status, "error.html")
    config = current_app.extensions["shortener"]
    return render_template(template, config=config, status=status, phrase=phrase, said=said), status
