"""Link checks: whether targets answer, with limits on time, size and number, and never inside a private network.

A host name is resolved once, all its addresses are checked, and the request goes to a checked address, so that a later
DNS answer cannot redirect it (DNS rebinding). Only the status and the Location header of a response are used.
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
"""Maximum number of targets requested in one check; further ones are reported as not checked."""
MAX_THREADS = 6
MAX_REDIRECTS = 5
DEFAULT_PORTS = {"http": 80, "https": 443}
SOCKET_TIMEOUT_SECONDS = 3.0
"""Limit for connecting, and then for each read from the socket."""
TARGET_TIMEOUT_SECONDS = 6.0
"""Limit for one target with all its redirects, not counting the wait for other requests to the same host."""
TOTAL_TIMEOUT_SECONDS = 25.0
"""Limit for a whole check; targets not requested by then are reported as not checked."""
JOIN_GRACE_SECONDS = 1.0
"""Time after the deadline to wait for threads that are about to end."""
MAX_HEAD_BYTES = 32_768
"""Size in bytes of the largest response header that is read."""

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], list[str]]
CheckResult = Literal["answers", "trouble", "refused", "unasked"]
"""Result of checking a target: it ``answers``, or one of three problems.

``trouble``: an error; ``refused``: the address is not public; ``unasked``: not requested within the limits.
"""

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


class LinkStatus(Struct, frozen=True):
    """The result of checking one target; ``message`` describes it for an editor."""

    target: str
    result: CheckResult
    message: str


def is_public_address(address_text: str) -> bool:
    """Return whether an address belongs to a host of the public internet."""
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
    """Request each target and return the results in the same order, after about ``timeout_seconds`` at most.

    A target that answered recently is not requested again. ``resolver``, ``is_allowed`` and ``ports`` are replaced in
    tests, which have a network of their own.
    """
    targets = list(targets)
    checker = LinkChecker(user_agent, throttle, resolver, is_allowed, ports, time.monotonic() + timeout_seconds)
    results: dict[str, LinkStatus] = {}
    groups: dict[str, list[str]] = {}
    for target in targets:
        if message := throttle.cached_answer(target):
            results[target] = LinkStatus(target, "answers", message)
        elif sum(map(len, groups.values())) < MAX_TARGETS:
            groups.setdefault(urlsplit(target).netloc, []).append(target)
    _run_in_threads([*groups.values()], lambda group: checker.check_host(group, results), deadline=checker.deadline)
    unasked = "not checked: too many targets, or too little time; check again"
    return tuple(results.get(target) or LinkStatus(target, "unasked", unasked) for target in targets)


def _run_in_threads(groups: list[list[str]], check_group: Callable[[list[str]], None], *, deadline: float) -> None:
    """Check groups of targets in threads until the deadline; a thread that hangs in a system call is abandoned."""
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
        threading.Thread(target=work, name="link-check", daemon=True) for _ in range(min(MAX_THREADS, len(groups)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline + JOIN_GRACE_SECONDS - time.monotonic()))


class AddressRefused(Exception):
    """Raised when a URL leads to an address or port that is not allowed."""


class LinkChecker(Struct, frozen=True):
    """Checks targets until ``deadline``, in seconds of the monotonic clock."""

    user_agent: str
    throttle: HostThrottle
    resolver: Resolver
    is_allowed: Callable[[str], bool]
    ports: dict[str, int]
    deadline: float

    def check_host(self, targets: list[str], results: dict[str, LinkStatus]) -> None:
        """Check the targets of one host one after the other until the deadline, and add each status to ``results``."""
        for target in targets:
            try:
                results[target] = self.check(target)
            except SlotTimeout:
                return

    def check(self, target: str) -> LinkStatus:
        """Check one target; follow redirects while their addresses are allowed. Raises SlotTimeout at the deadline."""
        url, remaining = target, TARGET_TIMEOUT_SECONDS
        try:
            for _ in range(MAX_REDIRECTS + 1):
                host, address = self._resolve_allowed(url)
                # Many host names may share one machine, so the address is throttled as well.
                with (
                    self.throttle.slot(f"name {host}", deadline=self.deadline),
                    self.throttle.slot(f"address {address}", deadline=self.deadline),
                ):
                    started = time.monotonic()
                    status, location = self._send_request(url, address, min(self.deadline, started + remaining))
                    remaining -= time.monotonic() - started
                if status in {301, 302, 303, 307, 308} and location:
                    url = canonicalize_target(urljoin(url, location))
                    continue
                return self._classify_status(target, status)
        except (AddressRefused, TargetRefused):
            return LinkStatus(target, "refused", "not checked: it leads to an address that is not public")
        except ssl.SSLError:
            return LinkStatus(target, "trouble", "its certificate cannot be verified")
        except (OSError, HTTPException, ValueError):
            return LinkStatus(target, "trouble", "no answer")
        return LinkStatus(target, "trouble", f"more than {MAX_REDIRECTS} redirects")

    def _classify_status(self, target: str, status: int) -> LinkStatus:
        """Return the result of a check for an HTTP status, and cache it if the target answered."""
        if status < 400:
            self.throttle.cache_answer(target, f"answers ({status})")
            return LinkStatus(target, "answers", f"answers ({status})")
        # Many sites refuse every program with one of these (999: LinkedIn), although the page is there for readers.
        if status in {401, 403, 405, 429, 999}:
            return LinkStatus(target, "answers", f"answers programs with {status}; check it in a browser")
        return LinkStatus(target, "trouble", f"answers with {status}")

    def _resolve_allowed(self, url: str) -> tuple[str, str]:
        """Return the host of a URL and one of its addresses, if all are allowed. Raises AddressRefused, OSError."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        if DEFAULT_PORTS.get(parts.scheme) != port:
            raise AddressRefused
        addresses = self.resolver(host, port)
        if not addresses or not all(self.is_allowed(address) for address in addresses):
            raise AddressRefused
        return host, addresses[0]

    def _send_request(self, url: str, address: str, deadline: float) -> tuple[int, str]:
        """Return status and Location of one request to a checked address. Raises OSError, HTTPException."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nUser-Agent: {self.user_agent}\r\n"
            "Accept: text/html,*/*;q=0.5\r\nConnection: close\r\n\r\n"
        ).encode("ascii")
        tcp = socket.create_connection((address, self.ports[parts.scheme]), timeout=_remaining_seconds(deadline))
        with _wrap_tls(tcp, parts.hostname or "") if parts.scheme == "https" else tcp as connection:
            connection.settimeout(_remaining_seconds(deadline))
            connection.sendall(head)
            return _read_head(connection, deadline)


def _wrap_tls(connection: socket.socket, host: str) -> socket.socket:
    """Return the connection wrapped in TLS, its certificate verified for the host. Raises SSLError, OSError."""
    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _remaining_seconds(deadline: float) -> float:
    """Return the timeout of the next socket operation in seconds. Raises TimeoutError after the deadline."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return min(remaining, SOCKET_TIMEOUT_SECONDS)


def _read_head(connection: socket.socket, deadline: float) -> tuple[int, str]:
    """Return status and Location of a response, after any interim responses (1xx). Raises HTTPException, OSError."""
    received, total = b"", 0
    while total <= MAX_HEAD_BYTES:
        head, end, rest = received.partition(b"\r\n\r\n" if b"\r\n\r\n" in received else b"\n\n")
        if end:
            status, location = _parse_head(head)
            if status >= 200:
                return status, location
            received = rest
            continue
        connection.settimeout(_remaining_seconds(deadline))
        chunk = connection.recv(4096)
        if not chunk:
            break
        received, total = received + chunk, total + len(chunk)
    status, location = _parse_head(received)
    if status < 200:
        raise HTTPException("no final answer")
    return status, location


def _parse_head(head: bytes) -> tuple[int, str]:
    """Return status and Location ('' if missing) of a response header. Raises HTTPException."""
    lines = head.decode("latin-1").splitlines()
    words = lines[0].split(None, 2) if lines else []
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isdigit() and len(words[1]) == 3):
        raise HTTPException("no HTTP")
    location = next((line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("location:")), "")
    return int(words[1]), location
