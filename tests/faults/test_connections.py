"""Hostile connections to a running server do not affect other readers; the benchmark tests more of them."""

from collections.abc import Iterator

import pytest

from tests.faults.crowds import allow_files, ask_on_one_connection, count_open, crowd, drip, open_files, probe
from tests.faults.serving import CODE, Server, needs_proc, serving, wait

pytestmark = needs_proc
SLOWER = 100
"""How many times longer a median request may take; one that is held up waits for seconds, a thousand times longer."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that the tests of this module share."""
    with serving(Server(tmp_path_factory.mktemp("connections")), pages=True) as running:
        yield running


SLOW = {
    "headers that do not end": f"GET /{CODE} HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode(),
    "a body that does not come": b"POST /-/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na",
    "not a byte": b"",
}


@pytest.mark.parametrize("begin", SLOW.values(), ids=SLOW)
def test_slow_connections_hold_nobody_up(server: Server, begin: bytes) -> None:
    """While 1,200 connections never finish their request, other readers are served, and all are closed at the end."""
    if allow_files(2000) < 1500:
        pytest.skip("this process may not open enough files")
    worker = server.child("worker")
    before = open_files(worker)
    quiet = probe(server, requests=50, pause=0.002)
    with crowd(server, 1200, begin=begin) as slow:
        if begin:
            drip(slow)
        found = probe(server, requests=150, pause=0.002)
        assert count_open(slow) > 0
    assert found.errors == 0
    assert found.median < SLOWER * quiet.median
    wait(lambda: open_files(worker) <= before + 20, what="the closing of what was closed")
    assert server.children("worker") == [worker]


def test_many_requests_on_one_connection(server: Server) -> None:
    """A thousand requests, pipelined in hundreds, are answered in order and all stored."""
    before = server.stored_after("before-many")
    ask_on_one_connection(server, 1000)
    assert server.stored_after("after-many") == before + 1001


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """A thousand requests that are sent at once get a thousand responses in order, each with its own query."""
    ask_on_one_connection(server, 1000, batch=1000)


def test_pages_among_pipelined_redirects_keep_their_place(server: Server) -> None:
    """Pipelined redirects, misses and pages are answered in the order of the requests."""
    paths = [f"/{CODE}", "/nosuch", f"/{CODE}+", f"/{CODE}", "/-/health", "/", f"/{CODE}"] * 5
    wanted = [b"302", b"404", b"200", b"302", b"200", b"200", b"302"] * 5
    requests = [server.request(path) for path in paths]
    requests[-1] = server.request(paths[-1], more=b"Connection: close\r\n")
    answer = server.send(b"".join(requests), silence=20)
    assert [piece[:3] for piece in answer.split(b"HTTP/1.1 ")[1:]] == wanted


def test_clients_that_do_not_read_hold_nobody_up(server: Server) -> None:
    """Clients that request a large file and never read it do not affect other readers."""
    file = "/-/static/site.css"
    assert len(server.get(file)) > 30_000, "ten of them are more than the kernel keeps for a client"
    quiet = probe(server, requests=50, pause=0.002)
    with crowd(server, 100, begin=server.request(file) * 10, receive_bytes=4096):
        found = probe(server, requests=100, pause=0.002)
    assert found.errors == 0
    assert found.median < SLOWER * quiet.median
    wait(server.is_healthy)
