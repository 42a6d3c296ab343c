"""Idempotency keys: a POST that is repeated with the same key gets the first response again."""

# This follows draft-ietf-httpapi-idempotency-key-header-07.

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from flask import Response, request

from shortener.api.authentication import current_token
from shortener.api.problems import ApiError, problem_response, to_api_error
from shortener.durations import DAY_SECONDS
from shortener.store import tokens
from shortener.store.tokens import StoredAnswer
from shortener.web.context import now, store

HEADER = "Idempotency-Key"
KEEP_SECONDS = DAY_SECONDS
KEY_PATTERN = r"^[\x21-\x7e]{1,128}$"
_KEPT_HEADERS = ("Content-Type", "Location", "ETag")

_lock = threading.Lock()
_running: set[tuple[int, str]] = set()
"""Token and key of each request that is running in this process."""


def run_once(
    view: Callable[[], Response],
    *,
    hidden_field: str | None,  # field with a secret, which is null in a stored response
) -> Response:
    """Return the response of ``view``, or the stored one if the idempotency key was used before. Raises ApiError."""
    key = request.headers.get(HEADER)
    if key is None:
        return view()
    if not re.fullmatch(KEY_PATTERN, key):
        raise ApiError("query", f"{HEADER}: expected 1 to 128 visible ASCII characters.")
    with _reserve_key(current_token().id, key):
        return _stored_response(key) or _run_and_store(view, key, hidden_field)


@contextmanager
def _reserve_key(token_id: int, key: str) -> Iterator[None]:
    entry = (token_id, key)
    with _lock:
        if entry in _running:
            raise ApiError(
                "idempotency-busy", f"A request with the key {key} is running.", headers={"Retry-After": "1"}
            )
        _running.add(entry)
    try:
        yield
    finally:
        with _lock:
            _running.discard(entry)


def _stored_response(key: str) -> Response | None:
    answer = tokens.find_answer(store(), current_token().id, key, since=now() - KEEP_SECONDS)
    if answer is None:
        return None
    if answer.request_hash != _request_hash():
        raise ApiError("idempotency-mismatch", f"The key {key} belongs to another request.")
    response = Response(answer.body, answer.status)
    response.headers.pop("Content-Type", None)
    response.headers.update(msgspec.json.decode(answer.headers, type=dict[str, str]))
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _run_and_store(view: Callable[[], Response], key: str, hidden_field: str | None) -> Response:
    try:
        with store().transaction():
            # Another process may have answered the same request before this one got the write lock.
            replayed = _stored_response(key)
            if replayed is not None:
                return replayed
            # The changes and the response are stored in one transaction.
            response = view()
            _save(key, response, hidden_field)
            return response
    except Exception as error:
        # The view's changes were rolled back. Only the response is stored.
        response = problem_response(to_api_error(error))
        if response.status_code >= 500:
            raise
        _save_failure(key, response)
        return response


def _save_failure(key: str, response: Response) -> None:
    with store().transaction():
        _save(key, response, None)


def _save(key: str, response: Response, hidden_field: str | None) -> None:
    body = response.get_data()
    if hidden_field is not None and response.status_code < 400:
        document: dict[str, Any] = msgspec.json.decode(body)
        body = msgspec.json.encode(document | {hidden_field: None})
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    answer = StoredAnswer(_request_hash(), response.status_code, msgspec.json.encode(headers).decode(), body)
    tokens.save_answer(store(), current_token().id, key, answer, now=now(), keep_seconds=KEEP_SECONDS)


def _request_hash() -> str:
    digest = hashlib.sha256()
    for part in (request.method.encode(), request.full_path.encode(), request.get_data()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
