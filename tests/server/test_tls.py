"""TLS without a proxy: certificates, their renewal at SIGHUP, HTTP/2, and what is refused at the start."""

import contextlib
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.faults.serving import CODE, TARGET, Server, needs_proc, wait

pytestmark = needs_proc
NAME = "go.example"


class SecureServer(Server):
    """A server with a certificate for ``go.example`` of an authority of its own."""

    def __init__(self, directory: Path, *, workers: int = 1) -> None:
        self.certificate, self.key = directory / "certificate.pem", directory / "key.pem"
        self.authority = trustme.CA()
        self.trusting = self.trust()
        self.renew()
        tables = f'[server]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\n'
        super().__init__(directory, tables=tables, workers=workers)

    def trust(self) -> ssl.SSLContext:
        """Return a context that trusts the authority, without the many that the system trusts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context

    def renew(self) -> str:
        """Write a new certificate and key; return the certificate's serial number."""
        issued = self.authority.issue_cert(NAME)
        for path, content in (
            (self.certificate, b"".join(part.bytes() for part in issued.cert_chain_pems)),
            (self.key, issued.private_key_pem.bytes()),
        ):
            draft = path.with_suffix(".new")
            draft.write_bytes(content)
            draft.chmod(0o600)
            draft.replace(path)
        decoded = ssl._ssl._test_decode_cert(str(self.certificate))  # type: ignore[attr-defined]
        return str(decoded["serialNumber"])

    def connect(self, *, timeout: float = 10.0, protocols: list[str] | None = None) -> ssl.SSLSocket:
        """Return a verified connection."""
        context = self.trusting
        if protocols:
            context = self.trust()
            context.set_alpn_protocols(protocols)
        return context.wrap_socket(super().connect(timeout=timeout), server_hostname=NAME)

    def serial(self) -> str:
        """Return the serial number of the certificate in use."""
        with self.connect() as client:
            certificate = client.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SecureServer]:
    """A running server with two workers and TLS."""
    server = SecureServer(tmp_path, workers=2)
    try:
        server.start()
        wait(server.is_healthy, seconds=30, what="the pages' start")
        yield server
    finally:
        server.end()


def test_a_server_with_tls(server: SecureServer) -> None:
    """What a server with a certificate answers, and how it loads another one."""
    redirects_and_pages_over_tls(server)
    http_2(server)
    a_client_without_tls_is_not_answered(server)
    an_unusable_certificate_is_not_loaded(server)
    a_renewed_certificate_is_loaded_at_sighup(server)


def redirects_and_pages_over_tls(server: SecureServer) -> None:
    """Redirects and pages work over TLS, and pages know that the connection is encrypted."""
    assert f"location: {TARGET}".encode() in server.get()
    assert server.get(f"/{CODE}/2", method="HEAD").startswith(b"HTTP/1.1 302")
    # The domain's scheme is http in this configuration; a page of another name of this host shows the real one.
    page = server.send(server.request("/-/sign-in", host="127.0.0.1", more="Connection: close\r\n"))
    assert b"strict-transport-security" in page


def http_2(server: SecureServer) -> None:
    """Clients may negotiate HTTP/2; others get HTTP/1.1."""
    with server.connect(protocols=["h2", "http/1.1"]) as client:
        assert client.selected_alpn_protocol() == "h2"
    with server.connect(protocols=["http/1.1"]) as client:
        assert client.selected_alpn_protocol() == "http/1.1"


def a_client_without_tls_is_not_answered(server: SecureServer) -> None:
    """Plain HTTP on the port gets no response, and TLS clients are not affected."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(server.request())
        with contextlib.suppress(ConnectionError):
            assert b"302" not in client.recv(4096)
    assert server.get().startswith(b"HTTP/1.1 302")


def a_renewed_certificate_is_loaded_at_sighup(server: SecureServer) -> None:
    """While every worker loads the new certificate, no connection is refused and no click is lost."""
    assert server.process is not None
    failures: list[str] = []
    done = threading.Event()
    answered: list[str] = []

    def click() -> None:
        number = 0
        while not done.wait(0.005):
            number += 1
            try:
                server.click(f"renewal-{number}")
            except (AssertionError, OSError) as error:
                failures.append(repr(error))
            else:
                answered.append(f"renewal-{number}")

    reader = threading.Thread(target=click)
    reader.start()
    before, workers = server.serial(), set(server.children("worker"))
    serial = server.renew()
    os.kill(server.process.pid, signal.SIGHUP)
    wait(lambda: not workers & set(server.children("worker")), seconds=60, what="the workers' change")
    wait(lambda: {server.serial() for _ in range(8)} == {serial}, seconds=60, what="the new certificate")
    done.set()
    reader.join()
    assert serial != before
    assert failures == []
    server.stop()
    assert [tag for tag in server.tags() if tag.startswith("renewal-")] == sorted(answered)


def an_unusable_certificate_is_not_loaded(server: SecureServer) -> None:
    """SIGHUP with a broken file is logged, and the previous certificate stays in use."""
    assert server.process is not None
    before = server.serial()
    server.certificate.write_text("broken")
    os.kill(server.process.pid, signal.SIGHUP)
    wait(lambda: "the previous certificate stays in use" in server.said())
    assert server.serial() == before
    assert server.get().startswith(b"HTTP/1.1 302")


def test_what_is_refused_at_the_start(tmp_path: Path) -> None:
    """A key that every user can read, a key of another certificate, and a missing file are one line each."""
    server = SecureServer(tmp_path)
    server.key.chmod(0o604)
    assert "every user can read this file" in server.run("serve", status=1)
    server.key.chmod(0o600)
    server.key.write_bytes(trustme.CA().issue_cert(NAME).private_key_pem.bytes())
    for missing in (False, True):
        if missing:
            server.certificate.unlink()
        (line,) = server.run("serve", status=1).splitlines()
        assert line.startswith("Error: server.certificate: ")
    server.config.write_text(server.config.read_text().replace("key = ", "# key = "))
    assert "TLS needs both certificate and key" in server.run("serve", status=1)
