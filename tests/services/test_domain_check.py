"""Tests of the check whether a domain reaches this installation: only public addresses, and only its own answer."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shortener.config import Domain
from shortener.services import domain_check, public_http
from shortener.services.domain_check import CHECK_PATH, DomainResult, check_domain, sign_nonce

SECRET = "a secret of thirty-two characters"


class Server(ThreadingHTTPServer):
    """Server that answers domain checks as the installation with ``secret`` does, or with ``text``."""

    daemon_threads = True
    secret = SECRET
    text = ""
    paths: list[str]


class Handler(BaseHTTPRequestHandler):
    """Answers a check."""

    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        answer = self.server.text or sign_nonce(self.path.removeprefix(CHECK_PATH), secret=self.server.secret)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *values: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Server on this machine, whose address counts as public."""
    monkeypatch.setattr(public_http, "is_public_address", lambda address: True)
    monkeypatch.setattr(
        domain_check,
        "resolve_allowed",
        lambda host, port, resolver: public_http.resolve_allowed(
            host, port, resolver=resolver, is_allowed=lambda _: True
        ),
    )
    with Server(("127.0.0.1", 0), Handler) as http_server:
        http_server.paths = []
        thread = threading.Thread(target=http_server.serve_forever)
        thread.start()
        yield http_server
        http_server.shutdown()
        thread.join()


def check(port: int, *, addresses: list[str] | OSError | None = None) -> DomainResult:
    """Check a domain of this machine."""

    def resolve(host: str, port: int) -> list[str]:
        if isinstance(addresses, OSError):
            raise addresses
        return addresses or ["127.0.0.1"]

    domain = Domain(host=f"go.example:{port}", scheme="http")
    status = check_domain(domain, secret=SECRET, user_agent="test", resolver=resolve)
    assert (status.host, status.is_https) == (domain.host, False)
    return status.result


def test_own_answer(server: Server) -> None:
    """A domain reaches this installation if the answer has its signature; each check has a nonce of its own."""
    port = server.server_address[1]
    assert check(port) == "answers"
    assert check(port) == "answers"
    assert len(set(server.paths)) == 2
    server.secret = "another installation's secret"
    assert check(port) == "elsewhere"
    server.secret, server.text = SECRET, "a parked domain"
    assert check(port) == "elsewhere"


def test_no_answer(server: Server) -> None:
    """A closed port, an unknown name and a connection that is closed at once have results of their own."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert check(closed.getsockname()[1]) == "silent"
    assert check(80, addresses=OSError("no such name")) == "unknown"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"])
def test_private_addresses_are_not_asked(address: str) -> None:
    """A domain with a private address among its addresses gets no request."""
    assert check(1, addresses=["93.184.216.34", address]) == "private"
