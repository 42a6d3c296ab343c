"""HTTP responses of the redirect. Most are rendered once, when a link is loaded, and not for each request."""

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
    """A response without a body: ``headers`` are for WSGI servers, ``head`` is for our own server."""

    status: int
    headers: Headers
    head: bytes
    """Status line and headers as bytes, without the ``Date`` header and without the empty line at the end."""


def make_response(status: int, headers: Headers) -> Response:
    """Return a response with this status and these headers, which must not contain line ends."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return Response(status, headers, "\r\n".join([*lines, ""]).encode("latin-1", "replace"))


def redirect_response(target: str, *, status: int) -> Response:
    """Return the redirect to a canonical target, which is ASCII without line ends and needs no escaping."""
    return make_response(status, [("Location", target), *_REDIRECT_HEADERS])
