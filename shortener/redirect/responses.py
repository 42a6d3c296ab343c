"""HTTP responses of redirects, rendered before the request where possible."""

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
    """A response without a body, for WSGI (``headers``) and as the bytes that are sent (``head``)."""

    status: int
    headers: Headers
    head: bytes
    """Status line and headers, without ``Date`` and the empty line."""


def make_response(status: int, headers: Headers) -> Response:
    """Return a response with these headers, none of which may contain a line end."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return Response(status, headers, "\r\n".join([*lines, ""]).encode("latin-1", "replace"))


def redirect_response(target: str, *, status: int) -> Response:
    """Return the redirect to a canonical target, which is ASCII without line ends and needs no escaping."""
    return make_response(status, [("Location", target), *_REDIRECT_HEADERS])
