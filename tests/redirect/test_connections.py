"""Connections of a redirect worker: responses to requests of any form, in order."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.config import Config
from shortener.redirect import connection, pages, service, worker
from shortener.store import Store, links, open_store
from tests.redirect.serving import Serving, pages_at, read_all

HOST = b"Host: go.example\r\n"
AGENT = b"User-Agent: Mozilla/5.0 Firefox/145.0\r\nAccept-Language: en\r\n"
LAST = HOST + b"Connection: close\r\n\r\n"


class Place:
    """A data directory with the links ``abcde`` and ``other``, and the path of the pages' socket."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.socket = self.data / "run" / "pages.sock"
        self.store: Store = open_store(self.data)
        with self.store.transaction():
            for code in ("abcde", "other"):
                links.add(self.store, "go.example", code, target=f"https://example.com/{code}", now=0)
        self.config = msgspec.convert(
            {"storage": {"data": str(self.data)}, "domain": [{"host": "go.example"}]}, Config
        )

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
    serving = Serving(place.config, pages=place.socket)
    wait_until(lambda: b"miss 404" in serving.ask(b"GET /nosuch HTTP/1.1\r\n" + LAST))
    yield serving
    serving.stop()


@pytest.fixture
def own(place: Place) -> Iterator[Serving]:
    """A worker for one test."""
    serving = Serving(place.config, pages=place.socket)
    yield serving
    serving.stop()


def wait_until(condition: Any, *, seconds: float = 5.0) -> None:
    """Wait until the condition is true; fail after ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)


def get(path: str, *more: bytes, host: bytes = HOST) -> bytes:
    """Return the bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\n".encode() + host + b"".join(more) + b"\r\n"


def statuses(answers: bytes) -> list[int]:
    """Return the status codes of some responses."""
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


def locations(answers: bytes) -> list[str]:
    """Return the Location headers of some responses."""
    return [each.decode() for each in re.findall(rb"\r\nLocation: (\S+)\r\n", answers)]


def test_an_answer_is_whole(shared: Serving) -> None:
    """A redirect has all headers, a date, and no body."""
    answer = shared.ask(get("/abcde"))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert body == b""
    assert lines[0] == b"HTTP/1.1 302 Found"
    assert set(lines[1:-1]) == {
        b"Location: https://example.com/abcde",
        b"Cache-Control: private, no-store",
        b"Referrer-Policy: origin",
        b"X-Robots-Tag: noindex",
        b"Content-Length: 0",
    }
    assert re.fullmatch(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", lines[-1])


def test_the_same_headers_again_change_nothing_but_the_line(place: Place, own: Serving) -> None:
    """Requests with cached headers get equal responses and click lines as those whose headers are parsed."""
    paths = ["/abcde", "/ABCDE/2", "/other", "/other/31"]
    before = len(place.lines())
    with own.connect() as client:
        for path in [*paths, *paths]:
            client.sendall(get(path, AGENT))
            assert statuses(client.recv(4096)) == [302]
    assert len(own.worker.service.known) == 1
    lines = place.lines()[before:]
    assert len({line.pop("id") for line in lines}) == 8
    for line in lines:
        assert abs(line.pop("ts") - time.time()) < 60
    assert lines[:4] == lines[4:]
    assert [(line["path"], line["code"], line.get("n")) for line in lines[4:]] == [
        ("/abcde", "abcde", None),
        ("/ABCDE/2", "abcde", 2),
        ("/other", "other", None),
        ("/other/31", "other", 31),
    ]


NOT_PLAIN = {
    "HEAD": (b"HEAD /abcde HTTP/1.1", 302),
    "POST": (b"POST /abcde HTTP/1.1", 405),
    "HTTP/1.0": (b"GET /abcde HTTP/1.0", 302),
    "a query": (b"GET /abcde?a=1 HTTP/1.1", 302),
    "glued punctuation": (b"GET /abcde). HTTP/1.1", 302),
    "an unknown code": (b"GET /nosuch HTTP/1.1", 404),
    "a page": (b"GET /-/health HTTP/1.1", 200),
    "nonsense": (b"GET /abcde HTTP/9.9", 400),
    "two spaces": (b"GET  /abcde HTTP/1.1", 302),
    "a forged line": (b"GET /abcde HTTP/1.1\nX: 1", 400),
}


@pytest.mark.parametrize(("line", "status"), NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_known_headers_under_another_line_are_parsed(shared: Serving, line: bytes, status: int) -> None:
    """A request that is no GET of a code is parsed completely, also if its headers are cached."""
    headers = b"\r\n" + HOST + AGENT + b"\r\n"
    with shared.connect() as client:
        for _ in range(2):
            client.sendall(b"GET /abcde HTTP/1.1" + headers)
            assert statuses(client.recv(4096)) == [302]
        client.sendall(line + headers)
        client.shutdown(socket.SHUT_WR)
        assert statuses(read_all(client)) == [status]


def test_an_edit_is_seen_on_the_short_way(place: Place, own: Serving) -> None:
    """A new target and a retired link are seen by the next click with cached headers."""
    seen: list[str | int] = []
    with own.connect() as client:
        for change in (
            "update links set target = 'https://example.com/new' where code = 'other'",
            "update links set status = 'retired' where code = 'other'",
            "update links set status = 'active', target = 'https://example.com/other' where code = 'other'",
        ):
            for path in ("/other", "/other"):
                client.sendall(get(path, AGENT))
                answer = client.recv(4096)
                seen += locations(answer) or statuses(answer)
            place.change(change)
    old, new = "https://example.com/other", "https://example.com/new"
    assert seen == [old, old, new, new, 410, 410]


def test_only_a_whole_request_alone_is_learned(own: Serving) -> None:
    """Headers are not cached if a request was read in parts, or together with another one."""
    one = get("/abcde", AGENT)
    for reads in ([one + one[:45], one[45:]], [one + one], [one[:30], one[30:]], [one + b"rubbish\r\n\r\n"]):
        for _ in range(4):
            with own.connect() as client:
                for read in reads:
                    client.sendall(read)
                    time.sleep(0.02)
                client.shutdown(socket.SHUT_WR)
                expected = [302] * sum(read.count(b"GET /") for read in reads)
                assert statuses(read_all(client)) == expected + [400] * (b"rubbish" in reads[0])
    assert not own.worker.service.known


@pytest.mark.parametrize("more", [b"Cookie: session=1\r\n", b"X-Forwarded-For: 192.0.2.1\r\n"])
def test_headers_that_say_who_somebody_is_are_not_remembered(own: Serving, more: bytes) -> None:
    """Headers with cookies or forwarded addresses are not cached."""
    with own.connect() as client:
        for _ in range(3):
            client.sendall(get("/abcde", AGENT, more))
            assert statuses(client.recv(4096)) == [302]
    assert not own.worker.service.known


def test_what_is_known_is_bounded(own: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of headers has a bounded size in a flood of different headers."""
    monkeypatch.setattr(service, "MOST_KNOWN", 10)
    with own.connect() as client:
        for number in range(95):
            client.sendall(get("/abcde", b"User-Agent: made up %d\r\n" % number))
            assert statuses(client.recv(4096)) == [302]
            assert len(own.worker.service.known) <= 10
        client.sendall(get("/abcde", b"User-Agent: " + b"long " * 400 + b"\r\n"))
        assert statuses(client.recv(8192)) == [302]
    assert all(len(headers) < 100 for headers in own.worker.service.known)


MIXED = [
    (get("/abcde"), 302, "https://example.com/abcde"),
    (get("/-/chunked"), 200, None),
    (get("/other?x=1"), 302, "https://example.com/other?x=1"),
    (b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", 200, None),
    (get("/nosuch"), 404, None),
    (b"HEAD /nosuch HTTP/1.1\r\n" + HOST + b"\r\n", 404, None),
    (
        b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
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
        client.shutdown(socket.SHUT_WR)
        answers = read_all(client)
    assert statuses(answers) == [status for _, status, _ in chosen]
    assert locations(answers) == [location for _, _, location in chosen if location]


def test_a_request_may_come_byte_by_byte(shared: Serving) -> None:
    """A request with a body may arrive byte by byte."""
    for request, status, _ in MIXED[:4]:
        assert statuses(shared.ask(request, pieces=len(request))) == [status]


ENDINGS = {
    "HTTP/1.1": (get("/abcde"), False),
    "asked to close": (get("/abcde", b"Connection: close\r\n"), True),
    "HTTP/1.0": (b"GET /abcde HTTP/1.0\r\n" + HOST + b"\r\n", True),
    "HTTP/1.0, asked to keep": (b"GET /abcde HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n", False),
    "another protocol wanted": (get("/abcde", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"), True),
    "a web socket wanted": (get("/-/x", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), True),
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
            client.sendall(get("/other"))
            assert locations(client.recv(4096)) == ["https://example.com/other"]
            assert (b"Connection: keep-alive" in answer) == (b"HTTP/1.0" in request_)


REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", {400}),
    "another protocol": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
    "a tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "a target without slash": (b"GET abcde HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "two lengths": (get("/abcde", b"Content-Length: 3\r\nContent-Length: 4\r\n"), {400}),
    "length and chunks": (get("/abcde", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), {400}),
    "an odd coding": (get("/abcde", b"Transfer-Encoding:  chunked, gzip\r\n"), {400}),
    "a space before the colon": (get("/abcde", b"Content-Length : 3\r\n"), {400}),
    "a folded line": (get("/abcde", b"X: a\r\n b\r\n"), {400}),
    "a bare line feed": (b"GET /abcde HTTP/1.1\nHost: go.example\n\n", {400}),
    "a signed length": (get("/abcde", b"Content-Length: +3\r\n"), {400}),
    "a length in hexadecimal": (get("/abcde", b"Content-Length: 0x3\r\n"), {400}),
    "an empty length": (get("/abcde", b"Content-Length: \r\n"), {400}),
    "a NUL in a header": (get("/abcde", b"X: a\0b\r\n"), {400}),
    "a chunk of nonsense": (
        b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        {400},
    ),
    "a head of a megabyte": (get("/abcde", b"X: " + b"x" * (1 << 20) + b"\r\n"), {431}),
    "a head of 64 kilobytes": (get("/abcde", b"X: " + b"x" * (1 << 16) + b"\r\n"), {431}),
    "150 headers": (get("/abcde", b"".join(b"X-%d: y\r\n" % number for number in range(150))), {431}),
    "a target of nine kilobytes": (get("/" + "a" * 9000), {414}),
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
        {413},
    ),
}


@pytest.mark.parametrize(("content", "allowed"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused(
    place: Place, shared: Serving, content: bytes, allowed: set[int]
) -> None:
    """An invalid request gets one error response, a closed connection, and no click."""
    before = len(place.lines())
    with shared.connect() as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(content)
        answers = read_all(client)
    assert len(statuses(answers)) == 1
    assert set(statuses(answers)) <= allowed
    assert len(place.lines()) == before
    assert statuses(shared.ask(get("/abcde"))) == [302]


SMUGGLED = get("/other")


def test_nothing_is_smuggled_past_an_upgrade(place: Place, shared: Serving) -> None:
    """Bytes after a request for another protocol are not read as a request."""
    before = len(place.lines())
    request = get("/abcde", b"Connection: Upgrade\r\nUpgrade: h2c\r\n") + SMUGGLED
    assert statuses(shared.ask(request)) == [302]
    assert len(place.lines()) == before + 1


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
    assert [each.partition("?")[0] for each in locations(shared.ask(request_))] == [
        "https://example.com/abcde"
    ]


def test_headers_reach_the_click_log_as_they_are(place: Place, shared: Serving) -> None:
    """Headers with text beyond ASCII, repeated headers and names with underscores are logged correctly."""
    more = "User-Agent: Zoë/1.0 (日本)\r\nDNT: 0\r\nAccept: a\r\naccept: b\r\nSec_Purpose: prefetch\r\nRange:\r\n"
    assert statuses(shared.ask(get("/abcde", more.encode(), b"Accept-Language: \xff\r\n"))) == [302]
    (line,) = [line for line in place.lines() if line.get("ua") == "Zoë/1.0 (日本)"]
    assert line["lang"] == "\ufffd"
    assert line["h"] == {"dnt": "0", "accept": "a,b", "range": ""}


def test_two_hosts_are_none_of_ours(shared: Serving) -> None:
    """A request with two Host headers is a miss."""
    assert statuses(shared.ask(get("/abcde", b"Host: go.example\r\n"))) == [400]


def test_a_page_gets_the_request_as_it_came(shared: Serving) -> None:
    """Path, headers and body are passed to the pages, without hop-by-hop headers and forged internal ones."""
    more = b"X-Mine: 1\r\nTE: trailers\r\nX-Shortener-Peer: 192.0.2.9\r\nx-shortener-miss: 404\r\n"
    answer = shared.ask(get("/-/headers?a=%20b", more))
    headers = answer.partition(b"\r\n\r\n")[2].decode().splitlines()
    assert {
        "Host: go.example",
        "X-Mine: 1",
        "X-Shortener-Peer: 127.0.0.1",
        "X-Shortener-Scheme: http",
    } <= set(headers)
    assert not [line for line in headers if line.lower().startswith(("te:", "x-shortener-miss"))]
    assert b"GET /-/a%2Fb?x=%20y peer=127.0.0.1 body=0" in shared.ask(get("/-/a%2Fb?x=%20y"))


def test_a_large_body_comes_through_whole(shared: Serving) -> None:
    """An upload of some megabytes with ``Expect: 100-continue`` is passed on completely."""
    body = bytes(range(256)) * 20_000
    head = (
        b"POST /-/echo HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    )
    with shared.connect() as client:
        client.sendall(head)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
    assert answer.partition(b"\r\n\r\n")[2] == body


def test_a_page_of_unknown_length_is_chunked_or_ends_with_the_connection(shared: Serving) -> None:
    """A page of unknown length is chunked for HTTP/1.1, and ends with the connection for HTTP/1.0."""
    new, old = shared.ask(get("/-/chunked")), shared.ask(b"GET /-/chunked HTTP/1.0\r\n" + HOST + b"\r\n")
    assert b"Transfer-Encoding: chunked" in new
    assert new.endswith(b"\r\n0\r\n\r\n")
    assert b"chunked" not in old.partition(b"\r\n\r\n")[0]
    assert old.endswith(b"x" * 100_000)


def test_a_slow_client_gets_all_of_a_large_page_and_holds_nobody_up(shared: Serving) -> None:
    """A slow client receives eight megabytes completely, while other clients are served."""
    with shared.connect() as client:
        client.sendall(get("/-/huge", b"Connection: close\r\n"))
        time.sleep(0.2)
        assert statuses(shared.ask(get("/abcde"))) == [302]
        assert len(read_all(client).partition(b"\r\n\r\n")[2]) == 8_000_000


def test_half_a_page_is_not_taken_for_a_whole_one(shared: Serving) -> None:
    """If the pages break off, the connection is closed before the announced length."""
    answer = shared.ask(get("/-/broken"))
    assert b"Content-Length: 1000" in answer
    assert len(answer.partition(b"\r\n\r\n")[2]) < 1000


def test_without_pages_there_is_a_word_of_comfort(place: Place, tmp_path: Path) -> None:
    """Without pages redirects work, misses are 404, and other paths get 503 with a message."""
    serving = Serving(place.config, pages=tmp_path / "nobody.sock")
    try:
        answers = serving.ask(get("/abcde") + get("/-/health") + get("/nosuch") + get("/other"))
        assert statuses(answers) == [302, 503, 404, 302]
        assert b"The pages are starting" in answers
        assert answers.count(b"Retry-After: 1") == 1
    finally:
        serving.stop()


def test_pages_that_say_nothing_are_not_waited_for(shared: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that close the connection or do not respond in time give an error."""
    assert statuses(shared.ask(get("/-/mute") + get("/abcde"))) == [503, 302]
    monkeypatch.setattr(pages, "WAIT_SECONDS", 0.1)
    assert statuses(shared.ask(get("/-/slow") + get("/abcde"))) == [503, 302]


def test_too_many_pages_at_once_are_refused(shared: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of concurrent pages requests are refused at once, and redirects work."""
    monkeypatch.setattr(pages, "AT_ONCE", 2)
    held = [shared.connect() for _ in range(3)]
    for client in held:
        client.sendall(get("/-/slow", b"Connection: close\r\n"))
        time.sleep(0.02)
    assert statuses(shared.ask(get("/abcde"))) == [302]
    assert sorted(statuses(read_all(client))[0] for client in held) == [200, 200, 503]
    for client in held:
        client.close()


def test_misses_stand_ready_and_carry_no_cookie(shared: Serving) -> None:
    """Miss pages are cached, without cookies, and equal for all clients."""
    answer = shared.ask(get("/nosuch"))
    assert b"miss 404" in answer
    assert b"cookie" not in answer.lower()


def test_a_client_that_hangs_up_leaves_nothing_behind(shared: Serving) -> None:
    """A client that disconnects leaves no open connection and no pending page."""
    for content in (b"", get("/abcde")[:20], get("/-/slow"), get("/-/huge"), b"POST /-/echo HTTP/1.1\r\n"):
        client = shared.connect()
        client.sendall(content)
        time.sleep(0.05)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    wait_until(lambda: not shared.worker.connections)
    wait_until(lambda: not shared.worker.service.pages._asking)
    assert shared.worker.service._held == 0


def test_whoever_keeps_us_waiting_is_dropped(own: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent, idle and slow clients are disconnected; those waiting for a page are not."""
    for name in ("HEADER_SECONDS", "BODY_SECONDS", "STUCK_SECONDS"):
        monkeypatch.setattr(connection, name, 1)
    kinds = {
        "silent": b"",
        "idle": get("/abcde"),
        "slow head": b"GET /abcde HTTP/1.1\r\nX: ",
        "slow body": b"POST /-/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nhel",
    }
    clients = {}
    for kind, content in kinds.items():
        clients[kind] = own.connect()
        clients[kind].sendall(content)
    stuck = own.connect()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(get("/-/huge"))
    wait_until(lambda: not own.worker.connections)
    assert statuses(read_all(clients["idle"])) == [302]
    assert read_all(clients["slow head"]) == b""
    for client in [*clients.values(), stuck]:
        client.close()
    assert own.worker.service._held == 0


def test_at_the_limit_the_longest_idle_make_room(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of connections idle ones are closed, so new connections are served."""
    monkeypatch.setattr(worker, "CONNECTIONS", 20)
    monkeypatch.setattr(worker, "DROPPED", 4)
    serving = Serving(place.config, pages=place.socket)
    held = [serving.connect() for _ in range(60)]
    try:
        for _ in range(10):
            assert statuses(serving.ask(get("/abcde"))) == [302]
        assert len(serving.worker.connections) <= 21
    finally:
        for client in held:
            client.close()
        serving.stop()


@pytest.mark.parametrize("alone", [True, False], ids=["one worker", "one of several"])
def test_at_the_stop_what_was_asked_is_answered(place: Place, alone: bool) -> None:
    """At a stop idle connections are closed, pending pages completed, and accepted connections served."""
    serving = Serving(place.config, pages=place.socket, alone=alone)
    idle, busy, fresh = serving.connect(), serving.connect(), serving.connect()
    idle.sendall(get("/abcde"))
    assert statuses(idle.recv(4096)) == [302]
    busy.sendall(get("/-/slow"))
    time.sleep(0.1)
    serving._stop()
    wait_until(lambda: serving.worker.service.stopping)
    fresh.sendall(get("/other"))
    assert read_all(idle) == b""
    for client, status in ((fresh, 302), (busy, 200)):
        answer = read_all(client)
        assert statuses(answer) == [status]
        assert b"Connection: close" in answer
    assert serving.stop() < 10
    serving._stop()
    for client in (idle, busy, fresh):
        client.close()


def test_with_a_sync_before_every_answer_the_order_stays(place: Place) -> None:
    """With a sync before each response, responses from threads are in the order of requests."""
    config = msgspec.structs.replace(
        place.config, clicklog=msgspec.structs.replace(place.config.clicklog, sync=0.0)
    )
    serving = Serving(config, pages=place.socket, threaded=True)
    try:
        chosen = [MIXED[number] for number in (0, 1, 2, 0, 4, 3, 0, 10, 2)]
        answers = serving.ask(b"".join(request for request, _, _ in chosen))
        assert statuses(answers) == [status for _, status, _ in chosen]
        assert locations(answers) == [location for _, _, location in chosen if location]
        assert not serving.worker.service.known
    finally:
        serving.stop()
