"""HTTP responses of redirects. Most are rendered once, when a link is loaded, and not for each request."""

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
    """A response without a body. WSGI servers use ``headers``; our own server sends the bytes ``head``."""

    status: int
    headers: Headers
    head: bytes
    """Status line and headers, without ``Date`` and the empty line."""


def make_response(status: int, headers: Headers) -> Response:
    """Return a response with these headers. No header may contain a line end."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return Response(status, headers, "\r\n".join([*lines, ""]).encode("latin-1", "replace"))


def redirect_response(target: str, *, status: int) -> Response:
    """Return the redirect to a canonical target. It needs no escaping, because it is ASCII without line ends."""
    return make_response(status, [("Location", target), *_REDIRECT_HEADERS])
