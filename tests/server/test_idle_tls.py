"""Connections over TLS that send nothing, in HTTP/1.1 and HTTP/2, are closed."""

import socket
import ssl
from collections.abc import Iterator

import msgspec
import pytest
import trustme

from shortener.config import Config
from shortener.store import links, open_store
from tests.server.serving import Serving, read_all, wait_until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
OPEN_HEADERS = bytes([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82])
"""A HEADERS frame without END_HEADERS."""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A worker with TLS that looks for idle connections often."""
    directory = tmp_path_factory.mktemp("tls")
    certificate = trustme.CA().issue_cert("go.example")
    (directory / "certificate.pem").write_bytes(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    (directory / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    store = open_store(directory / "data")
    with store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/a", now=0)
    store.close()
    tables = {
        "storage": {"data": str(directory / "data")},
        "domain": [{"host": "go.example"}],
        "server": {"certificate": str(directory / "certificate.pem"), "key": str(directory / "key.pem")},
    }
    serving = Serving(msgspec.convert(tables, Config), listening__IDLE_SECONDS=2, worker__IDLE_CHECK_SECONDS=0.2)
    yield serving
    serving.stop()


def connect(serving: Serving, *protocols: str) -> ssl.SSLSocket:
    """Return a connection over TLS."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    connection = socket.create_connection(("127.0.0.1", serving.port), timeout=30)
    return context.wrap_socket(connection, server_hostname="go.example")


SILENT: dict[str, tuple[tuple[str, ...], bytes]] = {
    "nothing after the handshake": ((), b""),
    "half a head": ((), b"GET /abcde HTTP/1.1\r\nX: "),
    "a request, then nothing": ((), b"GET /abcde HTTP/1.1\r\nHost: go.example\r\n\r\n"),
    "half a preface": (("h2",), PREFACE[:8]),
    "a preface": (("h2",), PREFACE),
    "headers that do not end": (("h2",), PREFACE + OPEN_HEADERS),
}


@pytest.mark.parametrize(("protocols", "content"), SILENT.values(), ids=SILENT)
def test_idle_connections_are_closed(serving: Serving, protocols: tuple[str, ...], content: bytes) -> None:
    """A connection that stays silent ends, while another one is used for longer than that."""
    with connect(serving, *protocols) as idle, connect(serving) as used:
        if content:
            idle.sendall(content)
        idle.setblocking(False)

        def is_closed() -> bool:
            used.sendall(b"GET /abcde HTTP/1.1\r\nHost: go.example\r\n\r\n")
            assert used.recv(4096).startswith(b"HTTP/1.1 302")
            try:
                return idle.recv(4096) == b""
            except ssl.SSLWantReadError:
                return False
            except OSError:
                return True

        wait_until(is_closed, seconds=60)
        used.sendall(b"GET /abcde HTTP/1.1\r\nHost: go.example\r\nConnection: close\r\n\r\n")
        assert read_all(used).startswith(b"HTTP/1.1 302")
