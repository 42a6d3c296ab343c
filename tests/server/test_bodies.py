"""Request bodies: those that clients leave unfinished refuse none of others, and none is left on a connection."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shortener.config import Config
from shortener.server.uploads import ANONYMOUS_BYTES, ANONYMOUS_CLIENT_BYTES, MIB, SMALL_BODY_BYTES
from shortener.store import links, open_store
from tests.server.serving import Serving, pages_at, read_all, wait_until


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A worker behind a trusted proxy, with the stand-in pages, which know one session."""
    data = tmp_path_factory.mktemp("bodies") / "data"
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/a", now=0)
    store.close()
    tables = {
        "storage": {"data": str(data)},
        "domain": [{"host": "go.example"}],
        "server": {"trusted_proxies": ["127.0.0.1"]},
    }
    with pages_at(data / "run" / "pages.sock"):
        serving = Serving(msgspec.convert(tables, Config))
        yield serving
        serving.stop()


def post(body: bytes, *, client: str, more: str = "", length: int = 0, path: str = "/-/echo") -> bytes:
    """Return a POST request of a client; with ``length``, one whose body is longer than what is sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: go.example\r\nX-Forwarded-For: {client}\r\n"
        f"Content-Length: {length or len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


@contextlib.contextmanager
def unfinished(
    serving: Serving, number: int, size: int, *, clients: int, more: str = ""
) -> Iterator[list[socket.socket]]:
    """Leave bodies unfinished on many connections, of some clients in turns."""
    with contextlib.ExitStack() as stack:
        opened = []
        for index in range(number):
            connection = stack.enter_context(serving.connect())
            client = f"203.0.113.{index % clients}"
            with contextlib.suppress(ConnectionError):
                connection.sendall(post(b"a" * size, client=client, more=more, length=size + 1))
            opened.append(connection)
        yield opened


FLOODS = {
    "one client with large bodies": (8, 5 * MIB, 1, ""),
    "one client with the largest bodies": (5, 15 * MIB, 1, ""),
    "one client with small bodies": (200, SMALL_BODY_BYTES - 1, 1, ""),
    "many clients with large bodies": (12, 5 * MIB, 12, ""),
    "many clients with small bodies": (500, SMALL_BODY_BYTES - 1, 250, ""),
    "an invented session": (12, 5 * MIB, 12, "Cookie: session=invented\r\n"),
    "an invented token": (12, 5 * MIB, 12, "Authorization: Bearer invented\r\n"),
    "an invented session over https": (12, 5 * MIB, 12, "Cookie: __Host-session=x; session=y\r\n"),
}


@pytest.mark.parametrize(("number", "size", "clients", "more"), FLOODS.values(), ids=FLOODS)
def test_unfinished_bodies_refuse_no_other(serving: Serving, number: int, size: int, clients: int, more: str) -> None:
    """While clients leave bodies unfinished, others sign in, and a user who is signed in uploads an issue."""
    upload = post(b"b" * 5 * MIB, client="198.51.100.8", more="Cookie: session=known\r\nConnection: close\r\n")
    with unfinished(serving, number, size, clients=clients, more=more) as opened:
        for _ in range(3):
            answer = serving.ask(post(b"name=a", client="198.51.100.7", more="Connection: close\r\n"))
            assert answer.startswith(b"HTTP/1.1 200 OK"), answer[:200]
            assert answer.endswith(b"name=a")
        assert serving.ask(upload).endswith(b"\r\n\r\n" + b"b" * 5 * MIB)
        if number * size > 2 * max(ANONYMOUS_BYTES, ANONYMOUS_CLIENT_BYTES) and size < ANONYMOUS_CLIENT_BYTES:
            assert read_all(opened[0]).startswith(b"HTTP/1.1 408")


def test_a_body_beyond_the_limit_of_its_client_is_not_held(serving: Serving) -> None:
    """Without a session the pages receive no body above the limit; they ask for a sign-in."""
    body = b"a" * (ANONYMOUS_CLIENT_BYTES + 1)
    rows = {"X: y": 0, "Cookie: session=invented": 0, "Authorization: Bearer invented": 0, "X-Api-Key: invented": 0}
    rows |= {"Cookie: session=known": len(body), "Authorization: Bearer known": len(body)}
    rows |= {"Cookie: notices=a\r\nCookie: session=known": len(body)}
    for header, size in rows.items():
        request = post(body, client="198.51.100.9", more=f"{header}\r\nConnection: close\r\n")
        assert len(serving.ask(request).partition(b"\r\n\r\n")[2]) == size, header


def test_no_body_is_counted_for_ever(serving: Serving) -> None:
    """A client may send many bodies one after the other, also such that it breaks off."""
    for _ in range(8):
        with unfinished(serving, 1, 5 * MIB, clients=1):
            pass
    assert serving.ask(post(b"a" * 5 * MIB, client="203.0.113.0", more="Connection: close\r\n")).endswith(
        b"a" * 5 * MIB
    )


REFUSED = {"a short link": "/abcde", "a miss": "/abcde/x"}


@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED)
def test_a_body_that_comes_later_closes_no_connection(serving: Serving, path: str) -> None:
    """A request whose small body follows its head is refused, and the next one on its connection is answered."""
    head, _, body = post(b"x=1", client="198.51.100.7", path=path).partition(b"x=1")
    with serving.connect() as connection:
        connection.sendall(head)
        time.sleep(0.05)
        connection.sendall(b"x=1" + body + b"GET /abcde HTTP/1.1\r\nHost: go.example\r\nConnection: close\r\n\r\n")
        answers = read_all(connection)
    assert answers.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 302" in answers


def test_memory_of_bodies_is_given_back(serving: Serving) -> None:
    """After many unfinished bodies a worker's memory is within a fifth of what it was before."""
    status = Path(f"/proc/{serving.worker()}/statm")
    with unfinished(serving, 12, 5 * MIB, clients=12):
        pass
    before = resident_pages(status)
    with unfinished(serving, 40, 5 * MIB, clients=40):
        pass
    wait_until(lambda: resident_pages(status) <= 1.2 * before)


def resident_pages(status: Path) -> int:
    """Return the resident memory of a process in pages."""
    return int(status.read_text().split()[1])
