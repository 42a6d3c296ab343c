"""Gzip compression of responses, except where their size could reveal a secret to another website."""

import gzip
from http import HTTPStatus

from flask import Flask, Response, g, request

MIN_BYTES = 500
"""Size of a body from which compression is worth its time."""
LARGE_BYTES = 1_000_000
"""Size of a body from which it is compressed fast instead of well."""
PAGE_LEVEL, LARGE_LEVEL, STATIC_LEVEL = 5, 1, 9
STATIC_ENDPOINT = "static"
COMPRESSED_TYPES = frozenset(
    {
        "application/health+json",
        "application/javascript",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)
_OWN_SITES = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site of requests from our own pages, and of addresses that the user entered."""


def init_app(app: Flask) -> None:
    """Let an app compress its responses."""
    # Static files do not change while the app runs, so that each is compressed only once.
    static_files: dict[str, bytes] = {}

    def compress(response: Response) -> Response:
        if response.mimetype not in COMPRESSED_TYPES:
            return response
        response.vary.add("Accept-Encoding")
        is_static = request.endpoint == STATIC_ENDPOINT
        if not _may_compress(response, is_static=is_static):
            return response
        if is_static:
            body = _compress_file(response, static_files)
        else:
            data = response.get_data()
            if len(data) < MIN_BYTES:
                return response
            body = gzip.compress(data, LARGE_LEVEL if len(data) >= LARGE_BYTES else PAGE_LEVEL, mtime=0)
        response.set_data(body)
        response.headers["Content-Encoding"] = "gzip"
        etag, _is_weak = response.get_etag()
        if etag is not None:
            response.set_etag(etag, weak=True)  # the bytes are others than those without compression
        return response

    app.after_request(compress)


def _compress_file(response: Response, compressed: dict[str, bytes]) -> bytes:
    key = response.headers["ETag"]  # not the path: a file has endless ones, such as x/../site.css
    file = response.response
    response.call_on_close(file.close)  # type: ignore[union-attr]  # the response to a file is a file wrapper
    response.direct_passthrough = False
    if key not in compressed:
        compressed[key] = gzip.compress(response.get_data(), STATIC_LEVEL, mtime=0)
    return compressed[key]


def leave_uncompressed() -> None:
    """Prevent compression of the response to the current request, because it contains a secret."""
    g.has_secret = True


def _may_compress(response: Response, *, is_static: bool) -> bool:
    if request.method != "GET" or response.status_code != HTTPStatus.OK or "Content-Encoding" in response.headers:
        return False
    if request.accept_encodings["gzip"] <= 0:
        return False
    if is_static:
        return True
    # A strong ETag is compared byte by byte in conditional requests.
    if response.is_streamed or "ETag" in response.headers or g.get("has_secret", False):
        return False
    # Another website can make a browser send requests with a cookie, and could guess a secret on the page from the
    # sizes of compressed responses (the BREACH attack).
    return not request.cookies or request.headers.get("Sec-Fetch-Site") in _OWN_SITES
