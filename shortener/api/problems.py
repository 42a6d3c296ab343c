"""Error responses of the API, called problems (RFC 9457). Each kind has a remedy."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Response, request
from msgspec import UNSET, Struct, UnsetType
from werkzeug.exceptions import HTTPException

from shortener.errors import (
    CodeRefused,
    Conflict,
    DocumentTooLarge,
    Doubtful,
    FieldError,
    InputError,
    NotFound,
    ShortenerError,
    StoreError,
    TargetRefused,
    UnreadableDocument,
)
from shortener.messages import message_text
from shortener.web.context import config

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
HELP_PATH = "/-/help/problems"
RETRY_SECONDS = 5
"""Time after which a client should try again if the store was locked."""
_COMPATIBLE_STATUSES = frozenset({403, 404, 405, 429, 503})
"""Statuses of problems that the APIs of other programs have too."""


class ProblemType(Struct, frozen=True):
    """A kind of error that the API responds with: HTTP status, title and remedy."""

    status: int
    title: str
    remedy: str


PROBLEM_TYPES: dict[str, ProblemType] = {
    "malformed": ProblemType(400, "The body is not JSON", "Send one JSON document in UTF-8."),
    "query": ProblemType(400, "A parameter is not valid", "Correct the parameter; the API reference lists them."),
    "cursor": ProblemType(400, "The cursor is not valid", "Follow the link in `next`, or begin without `after`."),
    "token-missing": ProblemType(401, "There is no token", "Send the header `Authorization: Bearer <token>`."),
    "token-invalid": ProblemType(401, "The token is not valid", "Use a token that is neither expired nor revoked."),
    "scope": ProblemType(403, "The token lacks a scope", "Use a token that has the scope."),
    "role": ProblemType(403, "The role of the token's owner is too low", "Use a token of a user with a higher role."),
    "not-found": ProblemType(404, "There is no such thing", "Check the address; lists show what there is."),
    "method": ProblemType(405, "This address does not have this method", "Use one of the methods in `Allow`."),
    "code-taken": ProblemType(409, "The code is taken", "Choose another code, or change the link that has it."),
    "conflict": ProblemType(409, "The request contradicts what is stored", "Read the present state and try again."),
    "idempotency-busy": ProblemType(
        409, "A request with this idempotency key is running", "Wait a moment and send the request again."
    ),
    "changed-meanwhile": ProblemType(
        412, "The object has changed", "Look at `current`, and send the request again with its `ETag`."
    ),
    "too-large": ProblemType(413, "The body is too large", "Split the request, or leave out what is not needed."),
    "media-type": ProblemType(415, "The body has the wrong media type", "Send `Content-Type: application/json`."),
    "invalid": ProblemType(422, "A value is not valid", "Correct what `detail` and `errors` name."),
    "idempotency-mismatch": ProblemType(
        422, "The idempotency key was used for another request", "Use a new key for each request."
    ),
    "if-match-required": ProblemType(
        428, "A change needs the header If-Match", "Read the object, and send its `ETag` in `If-Match`."
    ),
    "rate-limit": ProblemType(429, "Too many requests", "Wait as many seconds as `Retry-After` says."),
    "internal": ProblemType(500, "The server failed", "Try again; if it fails again, tell the operator the time."),
    "store-unavailable": ProblemType(
        503, "The store cannot be used at the moment", "Try again after as many seconds as `Retry-After` says."
    ),
}
"""Every kind of problem by its name, which ends the URL in the field ``type`` and never changes."""

_ERROR_TYPES: tuple[tuple[type[Exception], str], ...] = (
    (StoreError, "store-unavailable"),
    (NotFound, "not-found"),
    (Conflict, "conflict"),
    (DocumentTooLarge, "too-large"),
    (InputError, "invalid"),
    (ShortenerError, "invalid"),
)
"""Problem of each error class. The first match applies, so subclasses come before their parent class."""
_POINTERS: tuple[tuple[type[Exception], str], ...] = (
    (TargetRefused, "/target"),
    (CodeRefused, "/code"),
    (UnreadableDocument, "/document"),
)
"""Fields that the errors of a class concern, as JSON pointers."""
_KIND_POINTERS: dict[str, str] = {"code_taken": "/code", "invalid_slug": "/slug"}
"""Fields that errors of a kind concern, as JSON pointers."""
_HTTP_TYPES = {400: "malformed", 404: "not-found", 405: "method", 413: "too-large", 415: "media-type"}


class FieldProblem(Struct, frozen=True):
    """What is wrong with one field; ``pointer`` is its JSON pointer (RFC 6901) in the body."""

    pointer: str
    detail: str


class Problem(Struct, frozen=True):
    """An error response in the form of RFC 9457."""

    type: str
    """URL that explains the kind of error."""
    title: str
    status: int
    detail: str
    remedy: str
    errors: tuple[FieldProblem, ...] | UnsetType = UNSET
    current: Any | UnsetType = UNSET
    """With status 412: the stored object that the request would have changed."""


class ApiError(Exception):
    """Raised to respond with an error. ``name`` is a key of PROBLEM_TYPES, the kinds of errors."""

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        pointer: str | None = None,
        current: Any = UNSET,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail
        self.errors: tuple[FieldProblem, ...] | UnsetType = (
            UNSET if pointer is None else (FieldProblem(pointer, detail),)
        )
        self.current = current
        self.headers = dict(headers or {})


def handle_error(error: Exception) -> Response:
    """Return the error response for an exception in a request to the API, and log an unexpected one."""
    api_error = to_api_error(error)
    path = request.path.encode("unicode_escape").decode()
    if api_error.name == "internal":
        log.exception("%s", path)
    elif api_error.name == "store-unavailable":
        log.error("%s: %s", path, error)
    return problem_response(api_error)


def problem_response(error: ApiError) -> Response:
    """Return the response for an error of the API, with the headers that belong to its status."""
    response = Response(
        msgspec.json.encode(build_problem(error), enc_hook=message_text),
        PROBLEM_TYPES[error.name].status,
        content_type=MEDIA_TYPE,
    )
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers.update(error.headers)
    return response


def build_problem(error: ApiError) -> Problem:
    """Return the body of the response for an error of the API."""
    kind = PROBLEM_TYPES[error.name]
    return Problem(
        type=f"{config().base_url}{HELP_PATH}#{error.name}",
        title=kind.title,
        status=kind.status,
        detail=error.detail,
        remedy=kind.remedy,
        errors=error.errors,
        current=error.current,
    )


def to_api_error(error: Exception) -> ApiError:
    """Convert any exception to an error of the API."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, HTTPException):
        return _from_http_error(error)
    name = next((name for error_class, name in _ERROR_TYPES if isinstance(error, error_class)), "internal")
    if name == "internal":
        return ApiError(name, "An unexpected error has happened; it is in the log of the server.")
    if name == "store-unavailable":
        detail = "The store is locked by another process, or cannot be read or written."
        return ApiError(name, detail, headers={"Retry-After": str(RETRY_SECONDS)})
    pointer = next((pointer for error_class, pointer in _POINTERS if isinstance(error, error_class)), None)
    if isinstance(error, FieldError):
        pointer = f"/{error.field}"
    if isinstance(error, Doubtful):
        return ApiError(name, f"{error}; if it is right, send `confirmed`: true", pointer=pointer)
    if isinstance(error, ShortenerError) and error.kind in _KIND_POINTERS:
        pointer = _KIND_POINTERS[error.kind]
        name = "code-taken" if error.kind == "code_taken" else name
    return ApiError(name, str(error), pointer=pointer)


def compatible_status(error: ApiError) -> int:
    """Return the HTTP status of an error in an imitated API. A status that such APIs do not use is replaced by 400."""
    status = PROBLEM_TYPES[error.name].status
    return status if status in _COMPATIBLE_STATUSES else 400


def _from_http_error(error: HTTPException) -> ApiError:
    name = _HTTP_TYPES.get(error.code or 500, "internal" if (error.code or 500) >= 500 else "malformed")
    allowed = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(allowed)} if allowed else {}
    detail = {
        "not-found": f"There is nothing at {request.path}.",
        "method": f"{request.path} does not have the method {request.method}.",
    }
    return ApiError(name, detail.get(name, error.description or error.name), headers=headers)
