"""HTTP responses of redirects."""

from typing import NamedTuple

Headers = list[tuple[str, str]]

_REDIRECT_HEADERS: Headers = [
    ("Cache-Control", "private, no-store"),
    ("Referrer-Policy", "origin"),
    ("X-Robots-Tag", "noindex"),
    ("Content-Length", "0"),
]


class Response(NamedTuple):
    """A complete response. No header may contain a line end."""

    status: int
    headers: Headers
    body: bytes = b""


def redirect_response(target: str, *, status: int) -> Response:
    """Return the redirect to a target URL in canonical form."""
    return Response(status, [("Location", target), *_REDIRECT_HEADERS])


def text_response(status: int, text: str, *headers: tuple[str, str]) -> Response:
    """Return a plain-text response that clients must not cache, with additional ``headers``."""
    body = f"{text}\n".encode()
    return Response(
        status,
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("Content-Length", str(len(body))),
            *headers,
        ],
        body,
    )
