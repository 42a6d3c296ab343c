"""HTTP requests to hosts on the public internet only, for link checks and webhooks."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from ipaddress import IPv4Address, ip_address, ip_network
from urllib.parse import urlsplit

from msgspec import Struct

MAX_HEAD_BYTES = 32_768
"""Size in bytes of the largest response header that is read."""
BODY_TIMEOUT_SECONDS = 2.0
"""Limit for reading the body of a response, which is only shown to people."""

Resolver = Callable[[str, int], list[str]]

_NON_PUBLIC_V4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
"""IPv4 networks that are not public (RFC 6890 and its updates); 224.0.0.0/3 is multicast and reserved."""
_GLOBAL_V6 = ip_network("2000::/3")
_NON_PUBLIC_V6 = tuple(ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
"""IPv6 networks that are not public hosts: protocol assignments with Teredo, documentation, 6to4."""


class AddressRefused(Exception):
    """Raised when a URL leads to an address or port that is not allowed."""


class HTTPResponse(Struct, frozen=True):
    """Status, headers by lower-case name, and the first bytes of the body of an HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


def is_public_address(address_text: str) -> bool:
    """Return whether an IP address belongs to the public internet."""
    # ipaddress.is_global alone is also true for mapped, translated and multicast addresses.
    try:
        address = ip_address(address_text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NON_PUBLIC_V4)
    return address in _GLOBAL_V6 and address.is_global and not any(address in network for network in _NON_PUBLIC_V6)


def resolve_host(host: str, port: int) -> list[str]:
    """Return all IP addresses of a host name. Raises OSError."""
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def resolve_allowed(
    host: str, port: int, *, resolver: Resolver = resolve_host, is_allowed: Callable[[str], bool] = is_public_address
) -> str:
    """Return one of the IP addresses of a host, if all of them are allowed. Raises AddressRefused, OSError."""
    # All addresses are checked, and the request goes to one of them. So DNS rebinding has no effect.
    addresses = resolver(host, port)
    if not addresses or not all(is_allowed(address) for address in addresses):
        raise AddressRefused
    return addresses[0]


def send_request(
    url: str,
    *,
    address: str,
    port: int,
    headers: Mapping[str, str],
    deadline: float,
    socket_timeout_seconds: float,
    body: bytes | None = None,
    max_body_bytes: int = 0,
) -> HTTPResponse:
    """Send one request to ``address``, an IP address that the caller has checked: POST with ``body``, else GET.

    ``deadline`` is in monotonic seconds. Raises OSError, HTTPException.
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    request = "\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii") + (body or b"")
    limit = _Deadline(deadline, socket_timeout_seconds)
    tcp = socket.create_connection((address, port), timeout=limit.remaining_seconds())
    with _wrap_tls(tcp, parts.hostname or "") if parts.scheme == "https" else tcp as connection:
        connection.settimeout(limit.remaining_seconds())
        connection.sendall(request)
        status, response_headers, rest = _read_head(connection, limit)
        return HTTPResponse(status, response_headers, _read_body(connection, rest, limit, max_bytes=max_body_bytes))


class _Deadline(Struct, frozen=True):
    """When a request must have ended (monotonic seconds), and the longest time of one operation on its socket."""

    at: float
    socket_timeout_seconds: float

    def remaining_seconds(self) -> float:
        """Return the timeout for the next socket operation in seconds. Raises TimeoutError after the deadline."""
        remaining = self.at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return min(remaining, self.socket_timeout_seconds)


def _wrap_tls(connection: socket.socket, host: str) -> socket.socket:
    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _read_head(connection: socket.socket, limit: _Deadline) -> tuple[int, dict[str, str], bytes]:
    """Return (status, headers, first bytes of the body) of a response. Raises HTTPException, OSError."""
    received, total = b"", 0
    while total <= MAX_HEAD_BYTES:
        head, end, rest = received.partition(b"\r\n\r\n" if b"\r\n\r\n" in received else b"\n\n")
        if end:
            status, headers = _parse_head(head)
            if status >= 200:
                return status, headers, rest
            received = rest
            continue
        connection.settimeout(limit.remaining_seconds())
        chunk = connection.recv(4096)
        if not chunk:
            break
        received, total = received + chunk, total + len(chunk)
    status, headers = _parse_head(received)
    if status < 200:
        raise HTTPException("no final answer")
    return status, headers, b""


def _read_body(connection: socket.socket, received: bytes, limit: _Deadline, *, max_bytes: int) -> bytes:
    limit = _Deadline(min(limit.at, time.monotonic() + BODY_TIMEOUT_SECONDS), limit.socket_timeout_seconds)
    with contextlib.suppress(OSError):
        while len(received) < max_bytes:
            connection.settimeout(limit.remaining_seconds())
            chunk = connection.recv(max_bytes - len(received))
            if not chunk:
                break
            received += chunk
    return received[:max_bytes]


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    lines = head.decode("latin-1").splitlines()
    words = lines[0].split(None, 2) if lines else []
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isdigit() and len(words[1]) == 3):
        raise HTTPException("no HTTP")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return int(words[1]), headers
