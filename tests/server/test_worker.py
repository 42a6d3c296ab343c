"""Connections of a redirect worker: responses to requests of any form, in order."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.config import Config, Server
from shortener.redirect import reader_pages
from shortener.redirect.responses import Response
from shortener.store import Store, links, open_store
from tests.ports import free_port
from tests.server.serving import Serving, pages_at, read_all, wait_until

HOST = b"Host: go.example\r\n"
AGENT = b"User-Agent: Mozilla/5.0 Firefox/145.0\r\nAccept-Language: en\r\n"
CLOSE = b"Connection: close\r\n"


class Place:
    """A data directory with the links ``abcde`` and ``other``, and the path of the pages' socket."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.socket = self.data / "run" / "pages.sock"
        self.store: Store = open_store(self.data)
        with self.store.transaction():
            for code in ("abcde", "other"):
                links.add(self.store, "go.example", code, target=f"https://example.com/{code}", now=0)
        self.config = msgspec.convert({"storage": {"data": str(self.data)}, "domain": [{"host": "go.example"}]}, Config)

    def change(self, sql: str) -> None:
        """Run and commit a statement."""
        with self.store.transaction():
            self.store.execute(sql)

    def lines(self) -> list[dict[str, Any]]:
        """Return all lines of the click log."""
        return [
            json.loads(line)
            for path in sorted((self.data / "clicklog").glob("*.jsonl"))
            for line in path.read_bytes().splitlines()
            if b'"code"' in line
        ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The data directory that the tests of this module share."""
    made = Place(tmp_path_factory.mktemp("serving"))
    with pages_at(made.socket):
        yield made
    made.store.close()


@pytest.fixture(scope="module")
def shared(place: Place) -> Iterator[Serving]:
    """A worker shared by the tests that do not change it."""
    serving = Serving(place.config)
    yield serving
    serving.stop()


def get(path: str, *more: bytes, host: bytes = HOST) -> bytes:
    """Return the bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\n".encode() + host + b"".join(more) + b"\r\n"


LAST = get("/abcde", CLOSE)
"""A last request, after whose response the server closes the connection."""


def statuses(answers: bytes) -> list[int]:
    """Return the status codes of some responses."""
    return [int(each) for each in re.findall(rb"HTTP/1\.[01] (\d+) ", answers)]


def locations(answers: bytes) -> list[str]:
    """Return the Location headers of some responses."""
    return [each.decode() for each in re.findall(rb"(?i)\r\nlocation: (\S+)\r\n", answers)]


def test_an_answer_is_whole(shared: Serving) -> None:
    """A redirect has all headers, a date, and no body."""
    answer = shared.ask(get("/abcde", CLOSE))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert body == b""
    assert lines[0] == b"HTTP/1.1 302 Found"
    headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d gmt", headers.pop(b"date"))
    assert headers == {
        b"location": b"https://example.com/abcde",
        b"cache-control": b"private, no-store",
        b"referrer-policy": b"origin",
        b"x-robots-tag": b"noindex",
        b"content-length": b"0",
        b"connection": b"close",
        b"server": b"granian",
    }


MIXED = [
    (get("/abcde"), 302, "https://example.com/abcde"),
    (get("/-/chunked"), 200, None),
    (get("/other?x=1"), 302, "https://example.com/other?x=1"),
    (b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", 200, None),
    (get("/nosuch"), 404, None),
    (b"HEAD /nosuch HTTP/1.1\r\n" + HOST + b"\r\n", 404, None),
    (
        b"PUT /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
        200,
        None,
    ),
    (get("/-/none"), 204, None),
    (b"POST /abcde HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nxyz", 405, None),
    (b"HEAD /-/huge HTTP/1.1\r\n" + HOST + b"\r\n", 200, None),
    (get("/abcde/2", AGENT), 302, "https://example.com/abcde"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_answers_come_in_order_however_requests_are_cut(shared: Serving, data: st.DataObject) -> None:
    """Any requests, pipelined and split anywhere, are answered in order."""
    chosen = data.draw(st.lists(st.sampled_from(MIXED), min_size=1, max_size=6))
    content = b"".join(request for request, _, _ in chosen)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    with shared.connect() as client:
        for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
            client.sendall(content[start:end])
            if end - start < 40:
                time.sleep(0.001)
        client.sendall(LAST)
        answers = read_all(client)
    assert statuses(answers) == [*(status for _, status, _ in chosen), 302]
    assert locations(answers)[:-1] == [location for _, _, location in chosen if location]


def test_a_request_may_come_byte_by_byte(shared: Serving) -> None:
    """A request with a body may arrive byte by byte."""
    for request, status, _ in MIXED[:4]:
        assert statuses(shared.ask(request + LAST, pieces=len(request))) == [status, 302]


ENDINGS = {
    "HTTP/1.1": (get("/abcde"), False),
    "asked to close": (get("/abcde", b"Connection: close\r\n"), True),
    "HTTP/1.0": (b"GET /abcde HTTP/1.0\r\n" + HOST + b"\r\n", True),
    "HTTP/1.0, asked to keep": (b"GET /abcde HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n", False),
    "another protocol wanted": (get("/abcde", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"), False),
    "a web socket wanted": (get("/-/x", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), False),
}


@pytest.mark.parametrize(("request_", "ends"), ENDINGS.values(), ids=ENDINGS)
def test_connections_are_kept_as_the_client_wants(shared: Serving, request_: bytes, ends: bool) -> None:
    """After the response the connection is closed or kept, as the client's headers say."""
    with shared.connect() as client:
        client.sendall(request_)
        answer = client.recv(4096)
        assert statuses(answer)[0] in {302, 200}
        if ends:
            assert statuses(read_all(client)) == []
        else:
            client.sendall(get("/other", CLOSE))
            assert locations(read_all(client))[-1:] == ["https://example.com/other"]
            assert (b"connection: keep-alive" in answer) == (b"HTTP/1.0" in request_)


REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", {400}),
    "another protocol": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
    "a tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "a target without slash": (b"GET abcde HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "two lengths": (get("/abcde", b"Content-Length: 3\r\nContent-Length: 4\r\n"), {400}),
    "an odd coding": (get("/abcde", b"Transfer-Encoding:  chunked, gzip\r\n"), {400}),
    "a space before the colon": (get("/abcde", b"Content-Length : 3\r\n"), {400}),
    "a folded line": (get("/abcde", b"X: a\r\n b\r\n"), {400}),
    "a signed length": (get("/abcde", b"Content-Length: +3\r\n"), {400}),
    "a length in hexadecimal": (get("/abcde", b"Content-Length: 0x3\r\n"), {400}),
    "an empty length": (get("/abcde", b"Content-Length: \r\n"), {400}),
    "a NUL in a header": (get("/abcde", b"X: a\0b\r\n"), {400}),
    "a chunk of nonsense": (
        b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        {411},
    ),
    "a head of a megabyte": (get("/abcde", b"X: " + b"x" * (1 << 20) + b"\r\n"), {431}),
    "a head of 64 kilobytes": (get("/abcde", b"X: " + b"x" * (1 << 16) + b"\r\n"), {431}),
    "150 headers": (get("/abcde", b"".join(b"X-%d: y\r\n" % number for number in range(150))), {431}),
    "a target of 70 kilobytes": (get("/" + "a" * 70_000), {414, 431}),
    "a target of a megabyte": (get("/" + "a" * (1 << 20)), {414, 431}),
    "a body of 17 MiB": (
        b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 17825792\r\n\r\n" + b"x" * 17_825_792,
        {413},
    ),
    "a body of 17 MiB that waits to be asked for": (
        b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 17825792\r\nExpect: 100-continue\r\n\r\n",
        {413},
    ),
    "a body of a gigabyte": (
        b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1073741824\r\n\r\nx",
        {413},
    ),
    "endless chunks": (
        b"POST /-/echo HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + (b"100000\r\n" + b"x" * (1 << 20) + b"\r\n") * 70,
        {411},
    ),
}


@pytest.mark.parametrize(("content", "allowed"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused(place: Place, shared: Serving, content: bytes, allowed: set[int]) -> None:
    """An invalid request gets one error response, a closed connection, and no click."""
    before = len(place.lines())
    with shared.connect() as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(content)
        with contextlib.suppress(TimeoutError):
            answers = b""
            while not statuses(answers) and (piece := client.recv(1 << 16)):
                answers += piece
    assert len(statuses(answers)) <= 1
    assert set(statuses(answers)) <= allowed
    assert len(place.lines()) == before
    assert statuses(shared.ask(LAST)) == [302]


def test_a_wish_for_another_protocol_is_ignored(shared: Serving) -> None:
    """The server stays at HTTP/1.1, for the client and for what follows on the connection."""
    request = get("/abcde", b"Connection: Upgrade\r\nUpgrade: h2c\r\n")
    answers = shared.ask(request + LAST)
    assert statuses(answers) == [302, 302]
    assert b"101 " not in answers


def test_a_half_closed_connection_costs_at_most_its_own_answer(shared: Serving) -> None:
    """A client that closes its side before the response may get none; the others are not affected."""
    for _ in range(20):
        assert statuses(shared.ask(get("/abcde"), half=True)) in ([], [302])
    assert statuses(shared.ask(LAST)) == [302]


NAMES = {
    "the absolute form": b"GET http://go.example/abcde HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "the absolute form with a port": b"GET http://go.example:8080/abcde?x=1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "upper case": b"GET /abcde HTTP/1.1\r\nHOST: GO.EXAMPLE\r\n\r\n",
    "an encoded code": b"GET /%61bcde HTTP/1.1\r\nHost: go.example\r\n\r\n",
    "a curly quotation mark": b"GET /abcde%E2%80%9D HTTP/1.1\r\nHost: go.example\r\n\r\n",
}


@pytest.mark.parametrize("request_", NAMES.values(), ids=NAMES)
def test_a_link_is_found_however_it_is_named(shared: Serving, request_: bytes) -> None:
    """Absolute targets, header names in any case, and escaped paths are redirected."""
    answers = shared.ask(request_ + LAST)
    assert [location.partition("?")[0] for location in locations(answers)] == ["https://example.com/abcde"] * 2


def test_headers_reach_the_click_log(place: Place, shared: Serving) -> None:
    """Repeated headers, empty ones, names with underscores, and values that are not ASCII."""
    more = "User-Agent: Zoë/1.0\r\nDNT: 0\r\nAccept: a/a\r\naccept: b/b\r\nSec_Purpose: prefetch\r\nRange:\r\n"
    answer = shared.ask(get("/abcde", more.encode(), b"Accept-Language: \xff\r\n", CLOSE))
    assert statuses(answer) == [302]
    (line,) = [line for line in place.lines() if line.get("h", {}).get("accept") == "a/a"]
    assert line["ua"] == "\ufffd"
    assert "lang" not in line
    assert line["h"] == {"dnt": "0", "accept": "a/a", "range": ""}


HOSTS = {
    "two hosts": b"Host: go.example\r\nHost: evil.example\r\n",
    "one host twice": b"Host: go.example\r\nHost: go.example\r\n",
    "no host": b"",
    "a host that is not ASCII": b"Host: go.\xffxample\r\n",
}


@pytest.mark.parametrize("lines", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("path", ["/abcde", "/-/x", "/nosuch"])
def test_a_request_names_exactly_one_host(shared: Serving, lines: bytes, path: str) -> None:
    """HTTP/1.1 without a host, or with two, is answered 400 (RFC 9112, 3.2)."""
    assert statuses(shared.ask(get(path, CLOSE, host=lines))) == [400]


NOT_RELAYED = {
    "hop by hop": "TE: trailers\r\nKeep-Alive: timeout=5\r\n",
    "named by Connection": "X-Drop: 1\r\nConnection: close, x-drop\r\n",
    "of other proxies": "Forwarded: for=192.0.2.9\r\nX-Real-IP: 192.0.2.9\r\nX-Forwarded-For: 192.0.2.9\r\n"
    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Prefix: /x\r\n",
    "with an underscore": "X_Forwarded_For: 192.0.2.9\r\nShortener_Client: 192.0.2.9\r\nX_Mine: 1\r\n",
    "our own": "Shortener-Client: 192.0.2.9\r\nshortener-scheme: https\r\nShortener-Miss: 404\r\n",
}


@pytest.mark.parametrize("lines", NOT_RELAYED.values(), ids=NOT_RELAYED)
def test_a_page_gets_no_header_that_only_a_proxy_may_set(shared: Serving, lines: str) -> None:
    """The pages receive the client's other headers, and its address and scheme from the worker alone."""
    answer = shared.ask(get("/-/headers?a=%20b", b"X-Mine: 1\r\n", lines.encode(), CLOSE))
    headers = [line.lower() for line in answer.partition(b"\r\n\r\n")[2].decode().splitlines() if line]
    wanted = {"host: go.example", "x-mine: 1", "shortener-client: 127.0.0.1", "shortener-scheme: http"}
    told = {"shortener-forwarded: 1"} if "X-Forwarded-For" in lines else set()
    assert sorted(headers) == sorted(wanted | told | {"connection: close"})


def test_a_page_gets_path_and_query(shared: Serving) -> None:
    """The path is encoded again, and the query is passed on as it came."""
    assert b"GET /-/a%20b%3Fc?x=%20y peer=127.0.0.1" in shared.ask(get("/-/a%20b%3Fc?x=%20y", CLOSE))


def test_a_large_body_comes_through_whole(shared: Serving) -> None:
    """An upload of some megabytes with ``Expect: 100-continue`` is passed on completely."""
    body = bytes(range(256)) * 20_000
    head = (
        b"POST /-/echo HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n" % len(body)
    )
    with shared.connect() as client:
        client.sendall(head)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        answer = read_all(client)
    assert answer.partition(b"\r\n\r\n")[2] == body


def test_a_page_of_unknown_length_is_whole(shared: Serving) -> None:
    """A page that the pages send in chunks has a length, so that the client notices if it breaks off."""
    for request in (get("/-/chunked", CLOSE), b"GET /-/chunked HTTP/1.0\r\n" + HOST + b"\r\n"):
        head, _, body = shared.ask(request).partition(b"\r\n\r\n")
        assert b"content-length: %d" % len(body) in head
        assert body.endswith(b"x" * 100_000)


def test_a_slow_client_gets_all_of_a_large_page_and_holds_nobody_up(shared: Serving) -> None:
    """A slow client receives eight megabytes completely, while other clients are served."""
    with shared.connect() as client:
        client.sendall(get("/-/huge", b"Connection: close\r\n"))
        time.sleep(0.2)
        assert statuses(shared.ask(LAST)) == [302]
        assert len(read_all(client).partition(b"\r\n\r\n")[2]) == 8_000_000


def test_half_a_page_is_not_taken_for_a_whole_one(shared: Serving) -> None:
    """If the pages break off, the connection is closed before the announced length."""
    answer = shared.ask(get("/-/broken"))
    assert b"content-length: 1000" in answer
    assert len(answer.partition(b"\r\n\r\n")[2]) < 1000


def test_without_pages_there_is_a_message(tmp_path: Path) -> None:
    """Without the pages' process redirects work, misses are 404, and pages are 503."""
    alone = Place(tmp_path)
    serving = Serving(alone.config)
    answers = serving.ask(get("/abcde") + get("/-/health") + get("/nosuch") + LAST)
    serving.stop()
    alone.store.close()
    assert statuses(answers) == [302, 503, 404, 302]
    assert b"The pages are starting" in answers
    assert answers.count(b"retry-after: 1") == 1


def test_pages_that_do_not_respond(place: Place) -> None:
    """Pages that close the connection or hang get 503, and no redirect waits for one that hangs."""
    serving = Serving(place.config, relay__PAGE_SECONDS=2.0)
    assert statuses(serving.ask(get("/-/mute") + LAST)) == [503, 302]
    with serving.connect() as waiting:
        waiting.sendall(get("/-/hang", CLOSE))
        waiting.setblocking(False)
        for _ in range(50):
            assert statuses(serving.ask(LAST)) == [302]
        with pytest.raises(BlockingIOError):
            waiting.recv(1)
        waiting.settimeout(20)
        assert statuses(read_all(waiting)) == [503]
    serving.stop()


def test_too_many_pages_are_refused(place: Place) -> None:
    """Beyond the limit of concurrent pages requests are refused at once, and redirects work."""
    serving = Serving(place.config, relay__MAX_PAGES=2)
    assert statuses(serving.ask(get("/-/x", CLOSE))) == [200]
    waiting = [serving.connect() for _ in range(2)]
    for client in waiting:
        client.sendall(get("/-/hang", CLOSE))
    wait_until(lambda: statuses(serving.ask(get("/-/x", CLOSE))) == [503])
    assert statuses(serving.ask(LAST)) == [302]
    for client in waiting:
        client.close()
    # Their pages are cancelled, and others are served again.
    wait_until(lambda: statuses(serving.ask(get("/-/x", CLOSE))) == [200])
    serving.stop()


def test_reader_pages_are_loaded_by_revision(place: Place, shared: Serving) -> None:
    """A worker answers misses with the published page, and with the next one as soon as it is published."""
    for text in (b"first", b"second", b"third"):
        page = Response(404, [("Content-Type", "text/html"), ("Content-Length", str(len(text)))], text)
        reader_pages.publish({"en": {404: page}}, data_directory=place.data)
        assert shared.ask(get("/nosuch", CLOSE)).endswith(b"\r\n\r\n" + text)
        assert shared.ask(b"HEAD /nosuch HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n").endswith(b"\r\n\r\n")


def test_the_language_of_a_page_is_that_of_all_headers(place: Place, shared: Serving) -> None:
    """Several headers Accept-Language are one list, as they are for the pages."""
    pages = {tag: {404: Response(404, [("Content-Length", str(len(tag)))], tag.encode())} for tag in ("en", "de", "fr")}
    reader_pages.publish(pages, data_directory=place.data)
    for headers, tag in (
        (b"", b"en"),
        (b"Accept-Language: de;q=0.1\r\nAccept-Language: fr\r\n", b"fr"),
        (b"Accept-Language: fr\r\nAccept-Language: de\r\n", b"fr"),
        (b"Accept-Language: " + b"x" * 10_000 + b"\r\n", b"en"),
        (b"Accept-Language: \xff\r\n", b"en"),
    ):
        assert shared.ask(get("/nosuch", headers + CLOSE)).endswith(b"\r\n\r\n" + tag)


def test_clients_that_disconnect_leave_nothing_behind(shared: Serving) -> None:
    """A client that disconnects leaves no open connection."""
    descriptors = Path(f"/proc/{shared.worker()}/fd")
    assert statuses(shared.ask(get("/-/x", CLOSE))) == [200]
    wait_until(lambda: statuses(shared.ask(LAST)) == [302])
    before = len(list(descriptors.iterdir()))
    for content in (b"", get("/abcde")[:20], get("/-/slow"), get("/-/huge"), b"POST /-/echo HTTP/1.1\r\n"):
        client = shared.connect()
        client.sendall(content)
        time.sleep(0.05)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    wait_until(lambda: len(list(descriptors.iterdir())) <= before)


def test_slow_and_idle_clients_are_disconnected(place: Place) -> None:
    """Silent and idle clients, and those slow with head, body or reading, are disconnected."""
    serving = Serving(
        place.config,
        worker__HEADER_SECONDS=1,
        relay__BODY_SECONDS=1.0,
        relay__CLIENT_SECONDS=1.0,
        listening__UNREAD_SECONDS=1,
    )
    kinds = {
        "silent": b"",
        "idle": get("/abcde"),
        "slow head": b"GET /abcde HTTP/1.1\r\nX: ",
        "slow body": b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nhel",
    }
    clients = {}
    for kind, content in kinds.items():
        clients[kind] = serving.connect()
        clients[kind].sendall(content)
    stuck = serving.connect()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(get("/-/huge"))
    assert statuses(read_all(clients["idle"])) == [302]
    assert statuses(read_all(clients["slow body"])) == [408]
    assert set(statuses(read_all(clients["slow head"]))) <= {408}
    assert read_all(clients["silent"]) == b""
    wait_until(lambda: not _established(serving.port), seconds=60)
    for client in [*clients.values(), stuck]:
        client.close()
    serving.stop()


def _established(port: int) -> list[str]:
    """Return the established connections of the server's port."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [row for row in rows if row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "01"]


def test_a_stop_answers_what_was_sent(place: Place) -> None:
    """At a stop idle connections are closed, pending pages completed, and accepted connections served."""
    serving = Serving(place.config, listening__REQUEST_SECONDS=1.0)
    idle, busy, fresh, begun = (serving.connect() for _ in range(4))
    idle.sendall(get("/abcde"))
    assert statuses(idle.recv(4096)) == [302]
    busy.sendall(get("/-/slow"))
    begun.sendall(get("/abcde")[:30])
    time.sleep(0.1)
    serving.process.terminate()
    time.sleep(0.2)
    fresh.sendall(get("/other"))
    begun.sendall(get("/abcde")[30:])
    for client, status in ((fresh, 302), (busy, 200), (begun, 302)):
        answer = read_all(client)
        assert statuses(answer) == [status]
        assert status == 200 or b"connection: close" in answer
    assert read_all(idle) == b""
    serving.stop()
    for client in (idle, busy, fresh, begun):
        client.close()


def test_a_stop_does_not_wait_for_ever(place: Place) -> None:
    """A page that hangs ends with the time that a stop may take."""
    serving = Serving(place.config, worker__STOP_SECONDS=2)
    waiting = serving.connect()
    waiting.sendall(get("/-/hang"))
    wait_until(lambda: statuses(serving.ask(LAST)) == [302])
    worker = serving.worker()
    serving.process.terminate()
    serving.process.communicate(timeout=30)
    assert not Path(f"/proc/{worker}").exists()
    waiting.close()


@pytest.mark.parametrize("victim", ["granian", "worker"])
def test_neither_process_survives_the_other(place: Place, victim: str) -> None:
    """Granian's first process and the one that answers end together, whichever is killed."""
    serving = Serving(place.config)
    worker = serving.worker()
    os.kill(worker if victim == "worker" else serving.process.pid, signal.SIGKILL)
    serving.process.communicate(timeout=30)
    wait_until(lambda: not Path(f"/proc/{worker}").exists())


def test_with_a_sync_before_every_response_the_order_stays(place: Place) -> None:
    """With a sync before each response, responses from threads are in the order of requests."""
    config = msgspec.structs.replace(place.config, clicklog=msgspec.structs.replace(place.config.clicklog, sync=0.0))
    serving = Serving(config)
    chosen = [MIXED[number] for number in (0, 1, 2, 0, 4, 3, 0, 10, 2)]
    answers = serving.ask(b"".join(request for request, _, _ in chosen) + LAST)
    assert statuses(answers) == [*(status for _, status, _ in chosen), 302]
    assert locations(answers)[:-1] == [location for _, _, location in chosen if location]
    serving.stop()


def test_sigterm_during_the_start_is_not_lost(place: Place) -> None:
    """A worker that is told to stop while its second process still loads the application stops by itself."""
    program = (
        "import os, sys, time, msgspec\n"
        "from shortener.config import Config\n"
        "from shortener.server import process, worker\n"
        "class SlowWorker(worker.Worker):\n"
        "    def __init__(self, task):\n"
        "        print('loading', flush=True)\n"
        "        time.sleep(1)\n"
        "        super().__init__(task)\n"
        "worker.Worker = SlowWorker\n"
        "process.log_to_stderr()\n"
        "worker.run(process.Task(msgspec.json.decode(sys.argv[1], type=Config), os.getppid()))\n"
    )
    config = msgspec.structs.replace(place.config, server=Server(port=free_port()))
    command = [sys.executable, "-c", program, msgspec.json.encode(config).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "loading\n"
        running.terminate()
        _, messages = running.communicate(timeout=60)
    assert "refused to gracefully stop" not in messages
    assert running.returncode == 0


def test_a_warning_about_a_killed_process_is_dropped_if_there_is_none() -> None:
    """Granian's warning that it kills its second process is logged while there is one, and dropped after its end."""
    program = (
        "import logging, subprocess, sys\n"
        "from shortener.server.worker import is_worth_logging\n"
        "logging.basicConfig(stream=sys.stdout, format='%(message)s')\n"
        "log = logging.getLogger('_granian')\n"
        "log.addFilter(is_worth_logging)\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "log.warning('Killing worker-1 after it refused to gracefully stop')\n"
        "child.kill(); child.wait()\n"
        "log.warning('Killing worker-2 after it refused to gracefully stop')\n"
        "log.warning('another message')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "Killing worker-1 after it refused to gracefully stop\nanother message\n"
