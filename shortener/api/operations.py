"""Operations of the API: the decorator that registers an operation, and the checks of each request before its view
runs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, request
from msgspec import Struct

from shortener.api import idempotency
from shortener.api.authentication import authorize
from shortener.api.problems import ApiError
from shortener.errors import InputError
from shortener.services.tokens import Scope
from shortener.web.cache import clear_cache

PREFIX = "/-/api/v1"
JSON = "application/json"
MAX_BODY_BYTES = 1024 * 1024

blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
View = TypeVar("View", bound=Callable[..., Response])


class Operation(Struct, frozen=True):
    """An operation of the API: a method and a path, with its view and what the OpenAPI document says about it."""

    name: str
    method: str
    path: str
    """Path without the prefix of the API. ``{name}`` is a path parameter; that of ``{+name}`` may contain slashes."""
    view: Callable[..., Response]
    scope: Scope | None
    """Scope that the token of a request needs; None if any token is accepted."""
    public: bool
    """Whether no token is needed."""
    body: type | None
    """Type to which the JSON body of a request is decoded; None if the view takes no body."""
    query: type | None
    """Type to which the query string of a request is decoded; None if the view takes no query parameters."""
    answers: Mapping[int, Any]
    """For each HTTP status: the Python type of a JSON body, the media types of another body, or None for no body."""
    problems: tuple[str, ...]
    """Names of errors such as "code-taken" that few operations have; the common errors are in ``all_problems``."""
    etag: bool
    """Whether responses have an ETag. Clients can then send If-None-Match, or If-Match with a change."""
    hidden_field: str | None
    """Field of the response with a secret. It is null when a repeated request gets the stored response again."""
    max_body_bytes: int
    prepare: Callable[[Any], None] | None
    """Called with the decoded body before the transaction of a POST begins, for slow work such as network requests."""

    @property
    def path_parameters(self) -> list[str]:
        """Names of the parameters in the path."""
        return re.findall(r"{\+?(\w+)}", self.path)

    @property
    def all_problems(self) -> list[str]:
        """Names of all problems (kinds of errors) with which the operation can respond."""
        names = [] if self.public else ["token-missing", "token-invalid", "rate-limit"]
        names += ["scope", "role"] if self.scope else []
        names += ["query"] if self.query or self.method == "POST" else []
        names += ["not-found"] if self.path_parameters else []
        names += ["malformed", "too-large", "media-type", "invalid"] if self.body else []
        names += ["idempotency-busy", "idempotency-mismatch"] if self.method == "POST" else []
        names += ["changed-meanwhile", "if-match-required"] if self.etag and self.method != "GET" else []
        names += [] if self.public else ["internal", "store-unavailable"]
        return list(dict.fromkeys([*names, *self.problems]))


OPERATIONS: list[Operation] = []
"""Every operation, in the order in which the modules with their views are imported."""


def operation(
    method: str,
    path: str,
    *,
    answers: Mapping[int, Any],
    scope: Scope | None = None,
    public: bool = False,
    body: type | None = None,
    query: type | None = None,
    problems: Sequence[str] = (),
    etag: bool = False,
    hidden_field: str | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    prepare: Callable[[Any], None] | None = None,
) -> Callable[[View], View]:
    """Return a decorator that registers a view as an operation of the API.

    ``Operation`` describes the arguments.
    """

    def register(view: View) -> View:
        registered = Operation(
            view.__name__,
            method,
            path,
            view,
            scope,
            public,
            body,
            query,
            answers,
            tuple(problems),
            etag,
            hidden_field,
            max_body_bytes,
            prepare,
        )
        OPERATIONS.append(registered)
        _add_rule(registered)
        return view

    return register


def _add_rule(registered: Operation) -> None:
    def respond(**path_values: str) -> Response:
        return _handle_request(registered, path_values)

    respond.__doc__ = registered.view.__doc__
    rule = re.sub(r"{(\w+)}", r"<\1>", re.sub(r"{\+(\w+)}", r"<path:\1>", registered.path))
    blueprint.add_url_rule(
        rule,
        endpoint=registered.name,
        view_func=respond,
        methods=[registered.method],
        provide_automatic_options=False,
    )


def methods_at(
    path: str,  # without the prefix of the API
) -> list[str]:
    """Return the HTTP methods that a path of the API allows; an empty list if there is no such path."""
    methods = {each.method for each in OPERATIONS if re.fullmatch(_path_pattern(each.path), path)}
    implied = ({"HEAD"} if "GET" in methods else set()) | ({"OPTIONS"} if methods else set())
    return sorted(methods | implied)


def _path_pattern(path: str) -> str:
    return re.sub(r"{\w+}", "[^/]+", re.sub(r"{\+\w+}", ".+", path))


def _handle_request(registered: Operation, path_values: Mapping[str, str]) -> Response:
    if not registered.public:
        authorize(registered.scope)
    values: dict[str, Any] = dict(path_values)
    if registered.query is not None:
        values["query"] = decode_query(registered.query)
    if registered.body is not None:
        values["body"] = _decode_body(registered.body, max_bytes=registered.max_body_bytes)
    elif (request.content_length or 0) > registered.max_body_bytes:
        raise _too_large(registered.max_body_bytes)

    if registered.prepare is not None:
        registered.prepare(values["body"])

    def run() -> Response:
        try:
            return registered.view(**values)
        except InputError as error:
            if registered.query is None or registered.body is not None:
                raise
            raise ApiError("query", str(error)) from None

    response = idempotency.run_once(run, hidden_field=registered.hidden_field) if registered.method == "POST" else run()
    if registered.method != "GET":
        clear_cache()
    return response


Value = TypeVar("Value")


def decode_query(kind: type[Value]) -> Value:
    """Decode the query string of this request to a struct of the type ``kind``. Raises ApiError."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise ApiError("query", f"{name}: given {len(values)} times; give it once.")
    try:
        query = msgspec.convert(request.args.to_dict(), type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError("query", explain_validation_error(error)[1]) from None
    for name, text in request.args.items():
        # Without strict checking msgspec reads a number as seconds of the UTC epoch, so that 2026 is a time of 1970.
        if isinstance(getattr(query, name), datetime) and re.fullmatch(r"[-+\d.eE]*", text):
            raise ApiError("query", f"{name}: expected a time in ISO 8601 with a zone, as 2026-11-24T08:00:00Z")
    return query


def _decode_body(kind: type, *, max_bytes: int) -> Any:
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    if request.mimetype != JSON:
        raise ApiError("media-type", f"The body has the type {request.mimetype or '(none)'}, not {JSON}.")
    data = request.get_data()
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # A body of a wrong shape can also be invalid JSON behind the place where decoding stopped.
        _check_json(data)
        pointer, detail = explain_validation_error(error)
        raise ApiError("invalid", detail, pointer=pointer) from None


def _check_json(data: bytes) -> None:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("malformed", f"The body is not JSON: {error}") from None


def _too_large(max_bytes: int) -> ApiError:
    return ApiError("too-large", f"The body may have {max_bytes:,} bytes.")


def explain_validation_error(error: Exception) -> tuple[str, str]:
    """Convert an error of decoding: return (JSON pointer of the invalid field, what is wrong with it)."""
    message, _, place = str(error).partition(" - at `$")
    # "[...]" is the place of a value in an object with free keys; msgspec does not say which one.
    pointer = re.sub(r"\[(\d+)\]", r".\1", place.rstrip("`").replace("[...]", "")).replace(".", "/")
    field = re.search(r"(?:unknown|required) field `(.*)`", message)
    if field:
        name = field[1].replace("~", "~0").replace("/", "~1")
        problem = "there is no such field" if "unknown" in message else "the field is missing"
        return f"{pointer}/{name}", f"{name}: {problem}"
    names = [part for part in pointer.split("/") if part and not part.isdigit()]
    return pointer, f"{names[-1] if names else 'the body'}: {message[:1].lower()}{message[1:]}"
