"""Error responses: a page for browsers, JSON for programs. Unexpected errors are logged."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from shortener.errors import (
    Conflict,
    DocumentTooLarge,
    ErrorKind,
    FieldError,
    InputError,
    NotFound,
    ShortenerError,
    StoreError,
    UnreadableDocument,
)
from shortener.messages import Message, join_messages
from shortener.web.languages import EDITOR_PATH, current_language, translate
from shortener.web.languages import gettext as _

log = logging.getLogger(__name__)

ErrorHandler = Callable[[Exception], ResponseReturnValue]
_FIRST_WORD = re.compile(r"^[^\W\d_]+(?= )")
_FULL_STOPS = (".", "?", "!", "。", "？", "！")  # noqa: RUF001
_TEMPLATES = {404: "errors/missing.html", 410: "errors/gone.html", 503: "errors/unavailable.html"}
"""Templates by HTTP status, for errors that readers of a newsletter can see."""
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (StoreError, 503),
    (NotFound, 404),
    (Conflict, 409),
    (DocumentTooLarge, 413),
    (UnreadableDocument, 422),
    (InputError, 400),
    (ShortenerError, 400),
)
"""HTTP status of each error class. The first match applies, so subclasses come before their parent class."""

_STATUS_OF_UNKNOWN_METHOD = 405

REMEDIES: dict[ErrorKind, str] = {
    "code_taken": Message("choose another"),
    "doubtful_value": Message("correct it, or confirm it and save again"),
    "issue_not_draft": Message("archive it instead"),
    "issue_not_sent": Message("remove it instead"),
    "issue_removed": Message("restore it from the list of issues, or choose another slug"),
    "link_has_other_target": Message("change it on the page of the link"),
    "output_of_issue": Message("enter the slug of that issue to update it"),
}
"""Advice on pages by kind of error. It is appended to the error's message."""

MAX_DRAIN_BYTES = 64 * 1024 * 1024
"""Largest body of a refused request that is read to its end, in bytes."""
DRAIN_TIMEOUT_SECONDS = 20.0
"""Longest time for reading a refused request body."""


def init_app(
    app: Flask,
    *,
    other_handlers: Mapping[str, ErrorHandler],  # by beginning of the path, such as ``/-/api/``
) -> None:
    """Let ``handle_error`` handle the errors of an app, except at the paths of ``other_handlers``."""

    def handle(error: Exception) -> ResponseReturnValue:
        handler = next((other_handlers[prefix] for prefix in other_handlers if request.path.startswith(prefix)), None)
        return (handler or handle_error)(error)

    app.jinja_env.filters["sentence"] = sentence
    app.register_error_handler(Exception, handle)
    app.after_request(drain_request)


def drain_request(response: Response) -> Response:
    """Read the rest of the request body if ``response`` is an error. Return ``response`` unchanged."""
    # A browser reads the response only after it has sent the whole body. If the connection is closed earlier, it shows
    # a connection error.
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
    """Return the response to an error that a view raised."""
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
    return render_error_page(status, error_message(error) if status < 500 else None)


def error_message(error: Exception) -> str:
    """Return the message of an error for users, followed by advice for this kind of error, if any."""
    remedy = REMEDIES.get(error.kind) if isinstance(error, ShortenerError) and error.kind else None
    message = error.args[0] if error.args and isinstance(error.args[0], Message) else str(error)
    return join_messages((message, remedy)) if remedy else message


def http_status(error: Exception) -> int:
    """Return the HTTP status for an error; 500 for an unexpected one."""
    # A FieldError that was raised from another error only adds the form field.
    if isinstance(error, FieldError) and isinstance(error.__cause__, ShortenerError):
        error = error.__cause__
    return next((status for error_class, status in _STATUSES if isinstance(error, error_class)), 500)


def render_error_page(status: int, message: str | None = None) -> ResponseReturnValue:
    """Return an error response: JSON if the request is for JSON, else an HTML page."""
    if request.path.endswith((".json", "/live")) and request.path.startswith(EDITOR_PATH):
        return jsonify(error=message or HTTPStatus(status).phrase), status
    if request.path.startswith(EDITOR_PATH) and "accounts" in current_app.blueprints:  # not on a node
        template = "errors/trouble.html"
    else:
        template = _TEMPLATES.get(status, "errors/error.html")
    # A browser that opens the address of a form gets 405: for its user there is no such page.
    title, text = _title_and_text(404 if status == _STATUS_OF_UNKNOWN_METHOD else status)
    values = {"status": status, "title": title, "message": sentence(message) if message else text}
    return render_template(template, back=previous_page(), **values), status


def _title_and_text(status: int) -> tuple[str, str]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return _("One moment, please"), _(
                "This page cannot be shown right now. Nothing is lost. Try again in a minute."
            )
        return _("Something went wrong"), _("The error is on our side and was recorded. Please try again in a moment.")
    return {
        401: (_("Please sign in"), _("You are signed out, so nothing was saved.")),
        403: (_("You are not allowed to do this"), _("Ask an admin of this site.")),
        404: (_("This page does not exist"), _("The address may be mistyped, or the page was removed.")),
        409: (_("Someone changed this in the meantime"), _("Go back, reload the page and try again.")),
        413: (_("This is too large"), _("An issue may have 5 MB, without its images.")),
        422: (_("This cannot be read"), _("Go back and check what you entered.")),
        429: (_("Too many attempts"), _("Wait a few minutes and try again.")),
    }.get(
        status,
        (
            _("That did not work"),
            _("The form or the address has a part that cannot be understood. Go back and try again."),
        ),
    )


def previous_page() -> str | None:
    """Return the path and query string of the Referer header; None if it is not the URL of another editor page."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return None
    is_ours = parts.netloc == request.host and parts.path.startswith(EDITOR_PATH) and parts.path != request.path
    return (parts.path + (f"?{parts.query}" if parts.query else "")) if is_ours else None


def sentence(message: str) -> str:
    """Return a message as a sentence in the language of the page, with a capital letter and a full stop."""
    # The pattern does not match a name or a URL with dots or digits, so that it is not capitalized.
    text = _FIRST_WORD.sub(lambda word: word[0].capitalize() if word[0].islower() else word[0], translate(message))
    return text if text.endswith(_FULL_STOPS) else f"{text}{current_language().full_stop}"
