"""JSON responses of the API, with entity tags and conditional requests (RFC 9110, section 13)."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Response, request
from werkzeug.http import parse_etags

from shortener.api.operations import JSON
from shortener.api.problems import ApiError
from shortener.messages import message_text
from shortener.web.context import config


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as a JSON response."""
    return Response(
        msgspec.json.encode(value, enc_hook=message_text), status, headers=dict(headers or {}), content_type=JSON
    )


def no_content() -> Response:
    """Return a response without a body."""
    response = Response(status=204)
    response.headers.pop("Content-Type", None)
    return response


def tagged_answer(
    value: Any,
    *,
    tagged: Any = None,  # what the ETag is computed from; None for the whole value
    status: int = 200,
    location: str | None = None,
) -> Response:
    """Return a value as JSON with its ETag; 304 without a body if the client already has this version."""
    tag = entity_tag(value if tagged is None else tagged)
    headers = {"ETag": f'"{tag}"'} | ({"Location": location} if location else {})
    if request.method in {"GET", "HEAD"} and parse_etags(request.headers.get("If-None-Match")).contains_weak(tag):
        response = Response(status=304, headers=headers)
        response.headers.pop("Content-Type", None)
        return response
    return json_answer(value, status=status, headers=headers)


def entity_tag(value: Any) -> str:
    """Return the strong entity tag (ETag) of a value, without quotes."""
    return hashlib.sha256(msgspec.json.encode(value, enc_hook=message_text)).hexdigest()[:24]


def check_if_match(
    current: Any,  # the stored object; None if there is none
) -> None:
    """Raise ApiError if the header If-Match or If-None-Match forbids the change.

    Call this function in the transaction of the change.
    """
    excluded = parse_etags(request.headers.get("If-None-Match"))
    if current is not None and excluded.contains_weak(entity_tag(current)):
        raise ApiError("changed-meanwhile", "There is an object that If-None-Match excludes.", current=current)
    header = request.headers.get("If-Match")
    if header is None:
        if config().api.require_if_match and current is not None:
            raise ApiError("if-match-required", "The request has no If-Match.")
        return
    tags = parse_etags(header)
    if current is None or not (tags.star_tag or tags.is_strong(entity_tag(current))):
        raise ApiError("changed-meanwhile", "The object is not the one that If-Match names.", current=current)
