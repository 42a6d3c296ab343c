"""Requests that are written in an unusual form, sent to a worker behind a trusted proxy."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shortener.config import Config
from shortener.store import links, open_store
from tests.server.serving import Serving

HOST = b"Host: go.example\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the link ``abcde``."""
    data = tmp_path_factory.mktemp("odd") / "data"
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/a", now=0)
    store.close()
    return data


@pytest.fixture(scope="module")
def serving(data: Path) -> Iterator[Serving]:
    """A worker without pages that trusts its peer as a proxy."""
    tables = {
        "storage": {"data": str(data)},
        "domain": [{"host": "go.example"}],
        "server": {"trusted_proxies": ["127.0.0.1"]},
    }
    serving = Serving(msgspec.convert(tables, Config))
    yield serving
    serving.stop()


def last_line(data: Path) -> dict[str, Any]:
    """Return the latest line of a click."""
    (segment,) = (data / "clicklog").glob("*.jsonl")
    line: dict[str, Any] = json.loads(segment.read_bytes().splitlines()[-1])
    return line


TARGETS = {
    "UTF-8 in the query": ("/abcde?utm_campaign=gr\u00fcn".encode(), "?utm_campaign=gr%C3%BCn"),
    "UTF-8 behind the code": ("/abcde\u201d".encode(), ""),
    "a fragment": (b"/abcde#top", ""),
    "a fragment behind a query": (b"/abcde?x=1#top", "?x=1"),
    "an encoded fragment": (b"/abcde%23top", ""),
    "an encoded query": (b"/abcde%3Fx=1", "?x=1"),
    "an encoded token": (b"/abcde?%5Fc=ada&x=1", "?x=1"),
    "the absolute form": (b"http://go.example/abcde?x=1", "?x=1"),
    "the absolute form of https": (b"https://GO.example:443/abcde", ""),
    "two slashes": (b"//abcde", ""),
}


@pytest.mark.parametrize(("target", "query"), TARGETS.values(), ids=TARGETS)
def test_targets(serving: Serving, target: bytes, query: str) -> None:
    """A link is found, and its query forwarded in ASCII, as a browser would send it."""
    answer = serving.ask(b"GET " + target + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert f"\r\nlocation: https://example.com/a{query}\r\n".encode() in answer


HOSTS = [b"go.example ", b"go.example  ", b"go.example\t", b"\t go.example", b"go.example:", b"GO.EXAMPLE.:80"]


@pytest.mark.parametrize("host", HOSTS)
def test_white_space_is_no_part_of_a_host(serving: Serving, host: bytes) -> None:
    """White space around a header's value is removed (RFC 9110, 5.5)."""
    answer = serving.ask(b"GET /abcde HTTP/1.1\r\nHost: " + host + b"\r\n" + CLOSE + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 302")


OPT_OUTS = [b"Sec-GPC: 1 ", b"DNT:1", b"DNT: 0\r\nDNT: 1", b"Sec-GPC: 1\r\nSec-GPC: 1", b"sec-gpc: 0, 1", b"DNT: 1\t"]


@pytest.mark.parametrize("lines", OPT_OUTS)
def test_an_opt_out_is_honoured_however_it_is_sent(serving: Serving, data: Path, lines: bytes) -> None:
    """A reader who opts out leaves neither a user agent nor a visitor, also if a proxy repeats the header."""
    answer = serving.ask(
        b"GET /abcde HTTP/1.1\r\n" + HOST + b"User-Agent: reader\r\n" + lines + b"\r\n" + CLOSE + b"\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 302")
    assert not {"ua", "visitor", "ref"} & set(last_line(data))


UNREADABLE = [b"\xff, 198.51.100.7", b"\xc3\xbc, 198.51.100.7", b"198.51.100.7, \x80"]


@pytest.mark.parametrize("value", UNREADABLE)
def test_an_unreadable_address_is_not_that_of_the_proxy(serving: Serving, data: Path, value: bytes) -> None:
    """A client that gives a proxy's header other bytes than ASCII does not seem to be the proxy, and has no address."""
    head = b"GET /abcde HTTP/1.1\r\n" + HOST + b"User-Agent: reader\r\nX-Forwarded-For: " + value + b"\r\n" + CLOSE
    assert serving.ask(head + b"\r\n").startswith(b"HTTP/1.1 302")
    line = last_line(data)
    assert line["ua"] == "reader"
    assert not {"net", "addr", "visitor"} & set(line)


def test_trailers_are_no_headers(serving: Serving, data: Path) -> None:
    """Fields behind a chunked body change neither address nor host nor opt-out (RFC 9110, 6.5.1)."""
    head = b"GET /abcde HTTP/1.1\r\n" + HOST + b"X-Forwarded-For: 198.51.100.7\r\nTransfer-Encoding: chunked\r\n"
    trailers = b"X-Forwarded-For: 203.0.113.99\r\nSec-GPC: 1\r\nHost: evil.example\r\n"
    answer = serving.ask(head + CLOSE + b"\r\n0\r\n" + trailers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 302")
    line = last_line(data)
    assert line["net"] == "198.51.100.0/24"
    assert "sec-gpc" not in line["h"]


CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n\r\n"
FIELDS = b"".join(b"a%d: b\r\n" % number for number in range(2000))
ENDLESS = {
    "trailers behind a page": (b"POST /-/x HTTP/1.1\r\n" + CHUNKED + b"1\r\nx\r\n0\r\n", FIELDS),
    "trailers behind a link": (b"GET /abcde HTTP/1.1\r\n" + CHUNKED + b"1\r\nx\r\n0\r\n", FIELDS),
    "one trailer": (b"GET /abcde HTTP/1.1\r\n" + CHUNKED + b"0\r\nX: ", b"x" * 20_000),
    "headers": (b"GET /abcde HTTP/1.1\r\n" + HOST, FIELDS),
    "one header": (b"GET /abcde HTTP/1.1\r\n" + HOST + b"X: ", b"x" * 20_000),
    "an extension of a chunk": (b"POST /-/x HTTP/1.1\r\n" + CHUNKED + b"1;", b"x" * 20_000),
    "chunks behind a link": (b"POST /abcde HTTP/1.1\r\n" + CHUNKED, b"4e20\r\n" + b"x" * 20_000 + b"\r\n"),
}


@pytest.mark.parametrize(("begin", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_endless_heads_and_trailers_are_cut_off(serving: Serving, begin: bytes, piece: bytes) -> None:
    """The connection ends before 40 MB are sent, and the worker keeps none of them."""
    status = Path(f"/proc/{serving.worker()}/statm")
    before = int(status.read_text().split()[1])
    with serving.connect() as client:
        client.sendall(begin)
        assert is_cut_off(client, piece, times=2000)
    assert int(status.read_text().split()[1]) - before < 5000  # pages of 4 KiB
    assert serving.ask(b"GET /abcde HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n").startswith(b"HTTP/1.1 302")


def is_cut_off(client: socket.socket, piece: bytes, *, times: int) -> bool:
    """Return whether the server closes the connection before it has received the piece so many times."""
    try:
        for _ in range(times):
            client.sendall(piece)
    except ConnectionError:
        return True
    return False


VERSIONS = {
    b"GET /abcde HTTP/1.0\r\n" + HOST + b"Expect: 100-continue\r\n\r\n": {302},
    b"GET /abcde HTTP/1.0\r\n\r\n": {404},
    b"GET /abcde HTTP/1.1\r\n" + CLOSE + b"\r\n": {400},
    b"GET http://go.example/abcde HTTP/1.1\r\n" + CLOSE + b"\r\n": {400},
    b"GET /abcde HTTP/1.1\r\n" + HOST + b"Expect: nonsense\r\n" + CLOSE + b"\r\n": {302, 417},
    b"GET /abcde HTTP/1.2\r\n" + HOST + CLOSE + b"\r\n": {302, 400, 505},
    b"GET /abcde HTTP/2.0\r\n" + HOST + CLOSE + b"\r\n": {400, 505},
    b"GET /abcde HTTP/9.9\r\n" + HOST + CLOSE + b"\r\n": {400, 505},
    b"GET /abcde http/1.1\r\n" + HOST + CLOSE + b"\r\n": {400},
    b"GET /abcde\r\n\r\n": {400},
    b"GET  /abcde HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n": {302, 400},
    b"\r\n\r\nGET /abcde HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n": {302, 400},
    b"GET http:///abcde HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n": {400},
    b"GET http://user@go.example/abcde HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n": {400, 404},
}


@pytest.mark.parametrize(("content", "allowed"), VERSIONS.items(), ids=range(len(VERSIONS)))
def test_odd_versions(serving: Serving, content: bytes, allowed: set[int]) -> None:
    """Odd versions, expectations and targets get one response, without an interim one that was not understood."""
    answer = serving.ask(content)
    assert {int(status) for status in re.findall(rb"HTTP/1\.[01] (\d+) ", answer)} <= allowed
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize("path", [b"/-/x", b"/abcde", b"/missing"])
def test_a_length_may_begin_with_zeros(serving: Serving, path: bytes) -> None:
    """A length with thousands of zeros in front is the same number. Python alone would refuse to read it."""
    lengths = [b"5", b"0" * 6000 + b"5"]
    head, tail = b"POST " + path + b" HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: ", b"\r\n\r\nhello"
    statuses = [serving.ask(head + length + tail)[:12] for length in lengths]
    assert statuses[0] == statuses[1] != b"HTTP/1.1 500"
