"""Hostile connections against a running server: other readers must not notice."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.store import links, open_store

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux' /proc")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with the link ``abcde``."""
    data = tmp_path_factory.mktemp("connections") / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    store = open_store(data)
    with store.writing():
        links.add(store, f"127.0.0.1:{number}", "abcde", target="https://example.com/a", now=0)
    store.close()
    command = [sys.executable, "-m", "shortener", "serve", "--port", str(number)]
    environment = os.environ | {"SHORTENER_STORAGE__DATA": str(data)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield number
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def request(port: int, *, path: str = "/abcde", more: bytes = b"") -> bytes:
    """The bytes of a request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode() + more + b"\r\n"


def ask(port: int, content: bytes) -> bytes:
    """What a connection answers to some bytes, up to its end or a second of silence."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.settimeout(1)
        answer = b""
        with contextlib.suppress(OSError):
            client.sendall(content)
            while piece := client.recv(65536):
                answer += piece
                if b"\r\n\r\n" in answer and b"302" in answer[:20]:
                    break
        return answer


def slowest(port: int, times: int = 40) -> float:
    """The longest of some ordinary requests, in seconds."""
    took = []
    for _ in range(times):
        begun = time.monotonic()
        assert ask(port, request(port)).startswith(b"HTTP/1.1 302")
        took.append(time.monotonic() - begun)
    return max(took)


def test_slow_and_silent_connections_hold_nobody_up(port: int) -> None:
    """With 600 connections that never finish their request, and silent ones, others are answered as before."""
    held = []
    try:
        for number in range(600):
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            held.append(client)
            if number % 2:
                client.sendall(b"GET /abcde HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert slowest(port) < 1.0
    finally:
        for client in held:
            client.close()


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    """A thousand requests in one go come back as a thousand answers, each with its own query."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"".join(request(port, path=f"/abcde?x={number}") for number in range(1000)))
        answers = b""
        while answers.count(b"\r\n\r\n") < 1000:
            piece = client.recv(1 << 20)
            assert piece
            answers += piece
    found = [line for line in answers.split(b"\r\n") if line.startswith(b"Location:")]
    assert found == [b"Location: https://example.com/a?x=%d" % number for number in range(1000)]


MALFORMED = {
    "a header of a megabyte": b"X-Big: " + b"x" * (1 << 20) + b"\r\n",
    "ten thousand headers": b"".join(b"X-%d: y\r\n" % number for number in range(10_000)),
    "a bare line feed in a name": b"X-\nA: y\r\n",
    "a space before the colon": b"X-A : y\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "a signed length": b"Content-Length: +5\r\n",
    "an unknown coding": b"Transfer-Encoding: gzip\r\n",
}


@pytest.mark.parametrize("more", MALFORMED.values(), ids=MALFORMED)
def test_malformed_requests_are_refused(port: int, more: bytes) -> None:
    """What is no HTTP gets an error or a closed connection and never a redirect, and the server lives on."""
    answer = ask(port, request(port, more=more))
    assert not answer or answer[9:12] in {b"400", b"431", b"413", b"501"}, answer[:100]
    assert ask(port, request(port)).startswith(b"HTTP/1.1 302")


def test_a_request_line_of_a_megabyte_is_refused(port: int) -> None:
    """So is an endless address."""
    answer = ask(port, request(port, path="/" + "a" * (1 << 20)))
    assert not answer or answer[9:12] in {b"400", b"414", b"431"}, answer[:100]
    assert ask(port, request(port)).startswith(b"HTTP/1.1 302")
