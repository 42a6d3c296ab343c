"""A server that listens on IPv4 and IPv6 with one socket."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.serving import CODE, Server, needs_proc, wait

pytestmark = needs_proc


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that listens on all addresses."""
    if not socket.has_dualstack_ipv6() or not Path("/proc/net/if_inet6").read_text():
        pytest.skip("this system has no IPv6")
    server = Server(tmp_path_factory.mktemp("dual"), tables='[server]\nhost = "::"\n')
    try:
        server.start()
        wait(server.is_healthy, seconds=30, what="the pages' start")
        yield server
    finally:
        server.end()


def ask(server: Server, address: str, path: str, *, host: str, body: bytes = b"") -> bytes:
    """Send a request to an address of the server and return the response."""
    method, more = ("POST", f"Content-Length: {len(body)}\r\nSec-Fetch-Site: same-origin\r\n") if body else ("GET", "")
    more += "Content-Type: application/x-www-form-urlencoded\r\n" if body else ""
    with socket.create_connection((address, server.port), timeout=30) as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


HOSTS = {
    "IPv4": ("127.0.0.1", "127.0.0.1:{port}"),
    "IPv6": ("::1", "[::1]:{port}"),
    "IPv6 in full": ("::1", "[0:0:0:0:0:0:0:1]:{port}"),
    "IPv4 inside IPv6": ("127.0.0.1", "[::ffff:127.0.0.1]:{port}"),
    "a name": ("::1", "localhost:{port}"),
}


@pytest.mark.parametrize(("address", "host"), HOSTS.values(), ids=HOSTS)
def test_redirects_pages_and_metrics(server: Server, address: str, host: str) -> None:
    """Clients of both protocols are redirected and get pages and metrics, under every name of this machine."""
    host = host.format(port=server.port)
    for path, status in ((f"/{CODE}", 302), (f"/{CODE}+", 200), ("/-/sign-in", 200), ("/-/metrics", 200)):
        assert ask(server, address, path, host=host).startswith(f"HTTP/1.1 {status} ".encode()), path


def test_networks_of_both_protocols(server: Server) -> None:
    """A client of IPv4 is recorded with its IPv4 network."""
    before = len(lines(server))
    for address in ("127.0.0.1", "::1"):
        assert ask(server, address, f"/{CODE}", host=server.host).startswith(b"HTTP/1.1 302")
    assert [line["net"] for line in lines(server)[before:]] == ["127.0.0.0/24", "::/48"]


def lines(server: Server) -> list[dict[str, str]]:
    """Return the lines of clicks in the click log."""
    content = b"".join(path.read_bytes() for path in server.segments())
    return [json.loads(line) for line in content.splitlines() if b'"code"' in line]


def test_sign_in_is_limited_by_each_client(server: Server) -> None:
    """Failed attempts of a client of IPv4 do not count for clients of other addresses."""

    def sign_in(address: str) -> bytes:
        return ask(server, address, "/-/sign-in", host=server.host, body=b"name=a&password=b")[9:12]

    attempts = 1
    while sign_in("127.0.0.1") != b"429":
        attempts += 1
        assert attempts < 40
    assert sign_in("::1") == b"403"
