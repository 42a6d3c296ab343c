"""HTTP requests in a form that does not depend on the web server, and their construction from a WSGI environ."""

from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct

from shortener.config import Domain

Environ = dict[str, Any]
QUERY_SAFE = "".join(map(chr, range(0x21, 0x7F)))
"""Characters that stay as they are in a query string: all of printable ASCII but the space."""


class Headers(Protocol):
    """Interface of request headers, which are found by their lower-case names."""

    def __contains__(self, name: str, /) -> bool:
        """Return whether the header was sent."""

    def get(self, name: str, /) -> str | None:
        """Return the first value of a header; None if it was not sent or cannot be read."""

    def get_all(self, name: str, /) -> list[str]:
        """Return all values of a header."""


class Request(Struct, gc=False):
    """An HTTP request without its body. ``peer`` is the address at the other end of the connection.

    The fields from ``domain`` on are set by ``Normalizer``.
    """

    method: str
    host: str | None
    """The requested host. None if the Host header has several values, or is missing although HTTP requires it."""
    path: str
    """The path, percent-decoded."""
    query: str
    """The query string without the question mark, in ASCII."""
    headers: Headers
    peer: str
    """IP address of the other end of the connection."""
    domain: Domain | None = None
    """The configured domain for ``host``; None if no configured domain matches."""
    code: str = ""
    """The code of the short link; empty if the path is that of a page."""
    placement: int | None = 0
    """The number after the code: 0 if it is missing, None if the path is invalid."""
    preview: bool = False
    """Whether the preview page of the link is requested. If so, ``path`` is ``/<code>+``."""
    token: str | None = None
    """The recipient token, which was removed from ``query``; None if there was none."""
    client: str = ""
    """IP address of the client, behind any trusted proxies; empty if the header X-Forwarded-For is unreadable."""


class EnvironHeaders:
    """The headers of a WSGI environ, in which several values of one header are joined with commas."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def __contains__(self, name: str) -> bool:
        return environ_key(name) in self._environ

    def get(self, name: str) -> str | None:
        """Return the value of a header, decoded from UTF-8."""
        value: str | None = self._environ.get(environ_key(name))
        return value if value is None or value.isascii() else _decode_wsgi_text(value)

    def get_all(self, name: str) -> list[str]:
        """Return the value of a header in a list, which is empty if the header was not sent."""
        value = self.get(name)
        return [] if value is None else [value]


def parse_environ(environ: Environ) -> Request:
    """Return the request that a WSGI environ describes."""
    headers = EnvironHeaders(environ)
    host = headers.get("host")
    if host is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        host = ""  # HTTP/1.0 does not require a Host header
    return Request(
        environ["REQUEST_METHOD"],
        host if host is None or "," not in host else None,
        _decode_wsgi_text(environ.get("PATH_INFO") or "/"),
        encode_query(environ.get("QUERY_STRING", ""), encoding="latin-1"),
        headers,
        environ.get("REMOTE_ADDR", ""),
    )


def encode_query(
    query: str,
    *,
    encoding: str = "utf-8",  # with which the server decoded the bytes of the query: Latin-1 for WSGI, UTF-8 for RSGI
) -> str:
    """Return a query string as ASCII (percent-encoded), without a fragment."""
    if "#" in query:
        query = query.partition("#")[0]
    return query if query.isascii() else quote(query, safe=QUERY_SAFE, encoding=encoding, errors="replace")


def environ_key(name: str) -> str:
    """Return the key that a request header has in a WSGI environ: ``User-Agent`` gives ``HTTP_USER_AGENT``."""
    return "HTTP_" + name.upper().replace("-", "_")


def _decode_wsgi_text(text: str) -> str:
    # A WSGI environ contains UTF-8 bytes as Latin-1 characters (PEP 3333).
    return text.encode("latin-1", "replace").decode("utf-8", "replace")
