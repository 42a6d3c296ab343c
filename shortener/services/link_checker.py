"""Whether targets answer: asked only when an editor asks, bounded in every way, and never inside our own network.

A name is resolved once, all its addresses are checked, and the connection goes to a checked address with the name
in the request: what the name means a moment later does not matter. Nothing of the answer but its status is used.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from shortener.errors import TargetRefused
from shortener.services.host_throttle import HostThrottle, SlotTimeout
from shortener.urls import canonicalize_target

MAX_TARGETS = 200
"""Targets that one check asks."""
MAX_THREADS = 6
MAX_REDIRECTS = 5
DEFAULT_PORTS = {"http": 80, "https": 443}
SOCKET_TIMEOUT_SECONDS = 3.0
"""How long a connection, and then each piece of an answer, may take."""
TARGET_TIMEOUT_SECONDS = 6.0
"""How long one target may take, all redirects included, waiting for turns not."""
TOTAL_TIMEOUT_SECONDS = 25.0
"""How long all of it may take; what is not asked by then is reported as not asked."""
JOIN_GRACE_SECONDS = 1.0
"""How long after that is waited for threads that are just ending."""
MAX_HEAD_BYTES = 32_768
"""Most of an answer's head that is read."""

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], list[str]]
CheckResult = Literal["answers", "trouble", "refused", "unasked"]

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
"""IPv4 that is not the public internet (RFC 6890 and its successors; multicast and reserved are in 224.0.0.0/3)."""
_GLOBAL_V6 = ip_network("2000::/3")
_NON_PUBLIC_V6 = tuple(ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
"""Teredo and its neighbours, documentation, 6to4: none of them is a plain public host."""


class LinkStatus(Struct, frozen=True):
    """What came of asking one target; ``words`` say it for an editor."""

    target: str
    result: CheckResult
    message: str


def is_public_address(address_text: str) -> bool:
    """Whether an address is a plain host of the public internet, no other network in disguise.

    ``ipaddress.is_global`` alone says so of several kinds of address that are not (mapped, translated, multicast).
    """
    try:
        address = ip_address(address_text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NON_PUBLIC_V4)
    return (
        address in _GLOBAL_V6
        and address.is_global
        and not any(address in network for network in _NON_PUBLIC_V6)
    )


def resolve_host(host: str, port: int) -> list[str]:
    """All addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def check_links(
    targets: Iterable[str],
    *,
    user_agent: str,
    throttle: HostThrottle,
    resolver: Resolver = resolve_host,
    is_allowed: Callable[[str], bool] = is_public_address,
    ports: dict[str, int] = DEFAULT_PORTS,
    timeout_seconds: float = TOTAL_TIMEOUT_SECONDS,
) -> tuple[LinkStatus, ...]:
    """Ask each target whether it answers; in the order given. Takes ``seconds`` at the most, and a moment.

    What answered a short time ago is not asked again. ``resolve``, ``public`` and ``ports`` say what the network is
    like, for tests that have one of their own.
    """
    asked = list(targets)
    prober = LinkChecker(
        user_agent, throttle, resolver, is_allowed, ports, time.monotonic() + timeout_seconds
    )
    results: dict[str, LinkStatus] = {}
    groups: dict[str, list[str]] = {}
    for target in asked:
        if words := throttle.cached_answer(target):
            results[target] = LinkStatus(target, "answers", words)
        elif sum(map(len, groups.values())) < MAX_TARGETS:
            groups.setdefault(urlsplit(target).netloc, []).append(target)
    _run_in_threads(
        [*groups.values()], lambda group: prober.check_host(group, results), deadline=prober.deadline
    )
    unasked = "not asked: too many targets, or too little time; ask again"
    return tuple(results.get(target) or LinkStatus(target, "unasked", unasked) for target in asked)


def _run_in_threads(
    groups: list[list[str]], check_group: Callable[[list[str]], None], *, deadline: float
) -> None:
    """Ask groups of targets, some at once. A thread that hangs in a system call is left to itself in the end."""
    waiting: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    for group in groups:
        waiting.put(group)

    def work() -> None:
        while time.monotonic() < deadline:
            try:
                group = waiting.get_nowait()
            except queue.Empty:
                return
            check_group(group)

    threads = [
        threading.Thread(target=work, name="reach", daemon=True) for _ in range(min(MAX_THREADS, len(groups)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline + JOIN_GRACE_SECONDS - time.monotonic()))


class AddressRefused(Exception):
    """Raised when a URL leads to an address that we do not connect to."""


class LinkChecker(Struct, frozen=True):
    """Asks targets until a point of the monotonic clock."""

    user_agent: str
    throttle: HostThrottle
    resolver: Resolver
    is_allowed: Callable[[str], bool]
    ports: dict[str, int]
    deadline: float

    def check_host(self, targets: list[str], results: dict[str, LinkStatus]) -> None:
        """Ask targets of one host, one after the other."""
        for target in targets:
            try:
                results[target] = self.check(target)
            except SlotTimeout:
                return

    def check(self, target: str) -> LinkStatus:
        """Ask one target, following redirects; each hop is checked as the first was. Raises TooLate."""
        url, left = target, TARGET_TIMEOUT_SECONDS
        try:
            for _ in range(MAX_REDIRECTS + 1):
                host, address = self._resolve_allowed(url)
                # Many names may lead to one machine: it has turns of its own.
                with (
                    self.throttle.slot(f"name {host}", deadline=self.deadline),
                    self.throttle.slot(f"address {address}", deadline=self.deadline),
                ):
                    begun = time.monotonic()
                    status, location = self._send_request(url, address, min(self.deadline, begun + left))
                    left -= time.monotonic() - begun
                if status in {301, 302, 303, 307, 308} and location:
                    url = canonicalize_target(urljoin(url, location))
                    continue
                return self._classify_status(target, status)
        except (AddressRefused, TargetRefused):
            return LinkStatus(target, "refused", "not asked: it leads to an address that is not public")
        except ssl.SSLError:
            return LinkStatus(target, "trouble", "its certificate cannot be verified")
        except (OSError, HTTPException, ValueError):
            return LinkStatus(target, "trouble", "no answer")
        return LinkStatus(target, "trouble", f"more than {MAX_REDIRECTS} redirects")

    def _classify_status(self, target: str, status: int) -> LinkStatus:
        if status < 400:
            self.throttle.cache_answer(target, f"answers ({status})")
            return LinkStatus(target, "answers", f"answers ({status})")
        if status in {401, 403, 405, 429, 999}:
            return LinkStatus(target, "answers", f"answers machines with {status}; look at it yourself")
        return LinkStatus(target, "trouble", f"answers with {status}")

    def _resolve_allowed(self, url: str) -> tuple[str, str]:
        """The host of a URL and an address of it, after a look at all of them. Raises Refused, OSError."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        if DEFAULT_PORTS.get(parts.scheme) != port:
            raise AddressRefused
        addresses = self.resolver(host, port)
        if not addresses or not all(self.is_allowed(address) for address in addresses):
            raise AddressRefused
        return host, addresses[0]

    def _send_request(self, url: str, address: str, deadline: float) -> tuple[int, str]:
        """Status and Location of one request to an address that was checked. Raises OSError, HTTPException."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nUser-Agent: {self.user_agent}\r\n"
            "Accept: text/html,*/*;q=0.5\r\nConnection: close\r\n\r\n"
        ).encode("ascii")
        plain = socket.create_connection(
            (address, self.ports[parts.scheme]), timeout=_remaining_seconds(deadline)
        )
        with _wrap_tls(plain, parts.hostname or "") if parts.scheme == "https" else plain as connection:
            connection.settimeout(_remaining_seconds(deadline))
            connection.sendall(head)
            return _read_head(connection, deadline)


def _wrap_tls(connection: socket.socket, host: str) -> socket.socket:
    """The connection under TLS, with a certificate that was verified for the name. Raises SSLError, OSError."""
    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _remaining_seconds(deadline: float) -> float:
    """Seconds that the next step may take. Raises TimeoutError when none are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, SOCKET_TIMEOUT_SECONDS)


def _read_head(connection: socket.socket, deadline: float) -> tuple[int, str]:
    """Status and Location of an answer, which may have interim ones before it. Raises HTTPException, OSError.

    No byte of its body is read on purpose.
    """
    read, total = b"", 0
    while total <= MAX_HEAD_BYTES:
        head, end, rest = read.partition(b"\r\n\r\n" if b"\r\n\r\n" in read else b"\n\n")
        if end:
            status, location = _parse_head(head)
            if status >= 200:
                return status, location
            read = rest
            continue
        connection.settimeout(_remaining_seconds(deadline))
        piece = connection.recv(4096)
        if not piece:
            break
        read, total = read + piece, total + len(piece)
    status, location = _parse_head(read)
    if status < 200:
        raise HTTPException("no final answer")
    return status, location


def _parse_head(head: bytes) -> tuple[int, str]:
    lines = head.decode("latin-1").splitlines()
    words = lines[0].split(None, 2) if lines else []
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isdigit() and len(words[1]) == 3):
        raise HTTPException("no HTTP")
    location = next(
        (line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("location:")), ""
    )
    return int(words[1]), location
