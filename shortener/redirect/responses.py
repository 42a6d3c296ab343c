"""Answers of the hot path, made ahead of the request wherever they can be."""

from http import HTTPStatus
from typing import NamedTuple

Headers = list[tuple[str, str]]

_REDIRECT_HEADERS: Headers = [
    ("Cache-Control", "private, no-store"),
    ("Referrer-Policy", "origin"),
    ("X-Robots-Tag", "noindex"),
    ("Content-Length", "0"),
]


class Response(NamedTuple):
    """An answer without a body: as WSGI wants it, and as it goes over the wire."""

    status: int
    headers: Headers
    head: bytes
    """Status line and headers; ``Date`` and the empty line are still to come."""


def make_response(status: int, headers: Headers) -> Response:
    """An answer of these headers, none of which holds a line end."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return Response(status, headers, "\r\n".join([*lines, ""]).encode("latin-1", "replace"))


def redirect_response(target: str, *, status: int) -> Response:
    """The redirect to ``target``, which is canonical and so fit for a header as it is."""
    return make_response(status, [("Location", target), *_REDIRECT_HEADERS])
