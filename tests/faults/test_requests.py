"""Hostile requests to a running server (X20 to X40 in docs/reliability.md, section 3.5)."""

import gzip
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.store import open_store
from tests.faults.serving import CODE, TARGET, Server, needs_proc, serving

pytestmark = needs_proc


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that the tests of this module share; the link ``passed`` forwards its query."""
    server = Server(tmp_path_factory.mktemp("requests"), workers=1, codes=(CODE, "passed", "held"))
    store = open_store(server.data)
    with store.transaction():
        store.execute("update links set forward = 'drop' where code = 'held'")
    store.close()
    with serving(server, pages=True) as running:
        yield running


def status(answer: bytes) -> int:
    """Return the status of a response; 0 if the connection was closed without one."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0


def header(answer: bytes, name: str) -> str | None:
    """Return a header of a response; the test fails if the response has it twice."""
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    found = re.findall(rf"(?im)^{name}: *(.*?)\r?$", head)
    assert len(found) <= 1, found
    return found[0] if found else None


@pytest.fixture(scope="module")
def processes(server: Server) -> list[int]:
    """Return the process ids of the server."""
    return sorted(server.members())


@pytest.fixture(autouse=True)
def _lives_on(server: Server, processes: list[int]) -> Iterator[None]:
    """Check after each test that the server responds, has its original processes, and logged no error."""
    said = len(server.said())
    yield
    assert status(server.get()) == 302
    assert all(Path(f"/proc/{pid}").exists() for pid in processes)
    assert "Traceback" not in server.said()[said:]


NOWHERE = {
    "a line break in the code": "/a%0d%0aX-Evil:1",
    "a line break behind the code": f"/{CODE}%0d%0aX-Evil:%201",
    "a line break": "/%0a",
    "traversal": "/../../etc/passwd",
    "encoded traversal": "/%2e%2e%2f%2e%2e%2fetc/passwd",
    "backslashes": "/..%5c..%5cwindows",
    "two slashes": "//etc/passwd",
    "out of static files": "/-/static/..%2f..%2fstore.db",
    "out of static files, bare": "/-/static/../../store.db",
    "a dot file": "/.env",
    "a repository": "/.git/config",
    "the write-ahead log": "/store.db-wal",
    "a null byte": "/ab%00cde",
    "a byte that is no text": "/%ff%fe",
    "an emoji": "/%f0%9f%90%8b",
    "5,000 characters": "/" + "a" * 5000,
    "9,000 characters": "/" + "b" * 9000,
    "an address instead of a code": "/https://evil.example/",
}


@pytest.mark.parametrize("path", NOWHERE.values(), ids=NOWHERE)
def test_paths_that_lead_nowhere(server: Server, path: str) -> None:
    """X20 to X22: hostile paths get 400, 404 or 414, inject no header and show no file."""
    answer = server.get(path)
    assert status(answer) in {400, 404, 414}, answer[:200]
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"x-evil" not in head
    assert b"location:" not in head
    assert b"root:" not in answer
    assert b"SQLite format" not in answer


def test_no_query_changes_the_place(server: Server) -> None:
    """X23: hundreds of hostile queries change neither scheme, host and path of Location nor the headers."""
    rng = random.Random(23)
    pieces = ["%0d%0aSet-Cookie:a=1", "url=//evil.example", "next=https://evil.example", "%00", "a=1&a=1", "@evil",
              "#x", "\\evil", "//", "?", "&&", "=", "%zz", "%", "utm_source=x", "[]", "{}", "|", "x" * 300, "%e2%80%a8",
              ";", "'", "%22", "+", "_c=tok"]  # fmt: skip
    requests = []
    for number in range(300):
        query = "".join(rng.choice(pieces) + rng.choice("&;=") for _ in range(rng.randrange(1, 8)))
        code = ("passed", "held")[number % 2]
        requests.append(server.request(f"/{code}?{query}"))
    answers = answer_all(server, requests)
    redirected = [answer for answer in answers if status(answer) == 302]
    assert len(redirected) > 270
    for answer in answers:
        assert status(answer) in {302, 400}
        assert header(answer, "set-cookie") is None
        location = header(answer, "location")
        assert location is None or re.fullmatch(re.escape(TARGET) + r"(\?[!-~]*)?", location), location


def answer_all(server: Server, requests: list[bytes]) -> list[bytes]:
    """Return the responses to requests, each sent on a connection of its own."""
    return [server.send(each.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) for each in requests]


METHODS = {
    "OPTIONS": {204, 405}, "POST": {405}, "PUT": {405}, "DELETE": {405}, "PATCH": {405}, "TRACE": {405, 501, 400},
    "PROPFIND": {405, 501, 400}, "CONNECT": {405, 400, 501, 404}, "get": {400, 405, 501}, "GE T": {400, 405, 501},
}  # fmt: skip


def test_only_get_and_head_are_clicks(server: Server) -> None:
    """X25: HEAD is redirected and never human; other methods are refused and not stored."""
    before = server.stored_after("before")
    for method, allowed in METHODS.items():
        answer = server.get(method=method)
        assert status(answer) in allowed, (method, answer[:100])
    assert status(server.get(method="HEAD", more="Referer: https://mail.example/head\r\n")) == 302
    assert server.stored_after("after") == before + 2
    assert server.value("select verdict from clicks where referrer like '%/head'") != "human"


HOSTS = {
    "a stranger": b"Host: evil.example\r\n",
    "two hosts": b"Host: {own}\r\nHost: evil.example\r\n",
    "a path in it": b"Host: evil.example/x?y\r\n",
    "a user in it": b"Host: {own}@evil.example\r\n",
    "none": b"",
    "an empty one": b"Host: \r\n",
    "a space in it": b"Host: evil .example\r\n",
}


@pytest.mark.parametrize("lines", HOSTS.values(), ids=HOSTS)
def test_a_strange_host_is_no_site_of_ours(server: Server, lines: bytes) -> None:
    """X26: an unknown host gets 400, 404 or 421, and its name is not repeated in a page."""
    lines = lines.replace(b"{own}", server.host.encode())
    for path in (f"/{CODE}", "/-/sign-in", f"/{CODE}+", "/"):
        answer = server.send(f"GET {path} HTTP/1.1\r\n".encode() + lines + b"Connection: close\r\n\r\n")
        if path == f"/{CODE}" and b"two" not in lines:
            assert status(answer) in {0, 302, 400, 404, 421}
        assert b"evil" not in answer, answer[:400]


def test_a_stranger_is_not_redirected(server: Server) -> None:
    """X26: a known code under an unknown host is not redirected, also in absolute form."""
    assert status(server.send(server.request(host="evil.example", more="Connection: close\r\n"))) in {
        404,
        421,
    }
    for target in ("http://evil.example/abcde", f"http://{server.host}/abcde"):
        answer = server.get(target)
        assert status(answer) in {302, 400, 404}
        assert header(answer, "location") in {None, TARGET}
    answer = server.get("/-/sign-in", more="X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n")
    assert b"evil" not in answer


def test_nobody_is_told_that_he_speaks_https(server: Server) -> None:
    """X29: ``X-Forwarded-Proto`` from an untrusted client changes neither cookies nor URLs."""
    plain = server.get("/-/sign-in")
    told = server.get("/-/sign-in", more="X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: on\r\n")
    for answer in (plain, told):
        assert b"secure" not in (header(answer, "set-cookie") or "").lower().encode()
        assert f"https://{server.host}".encode() not in answer


def test_a_redirect_is_kept_by_nobody(server: Server) -> None:
    """X33 and X34: a redirect is not cacheable, not for search engines, and passes on at most the origin."""
    answer = server.get()
    assert header(answer, "cache-control") == "private, no-store"
    assert header(answer, "x-robots-tag") == "noindex"
    assert header(answer, "referrer-policy") in {"no-referrer", "origin"}
    assert header(answer, "set-cookie") is None


REFUSED = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two lengths in one": b"Content-Length: 5, 6\r\n",
    "a signed length": b"Content-Length: +5\r\n",
    "a negative length": b"Content-Length: -5\r\n",
    "a length in hexadecimal": b"Content-Length: 0x5\r\n",
    "a length beyond all numbers": b"Content-Length: 99999999999999999999999\r\n",
    "a space before the colon": b"X-A : y\r\n",
    "a space before the coding's colon": b"Transfer-Encoding : chunked\r\n",
    "a folded line": b"X-A: y\r\n z\r\n",
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n",
    "a bare carriage return": b"X-A: y\rX-B: z\r\n",
    "a null byte": b"X-A: y\0z\r\n",
    "a name with a null byte": b"X-\0A: y\r\n",
    "no name": b": y\r\n",
    "no colon": b"X-A\r\n",
    "an unknown coding": b"Transfer-Encoding: gzip\r\n",
    "chunked, but not at last": b"Transfer-Encoding: chunked, identity\r\n",
    "a coding in disguise": b"Transfer-Encoding: xchunked\r\n",
    "a coding with a control character": b"Transfer-Encoding: \x0bchunked\r\n",
}
SMUGGLED = "/held?smuggled"


@pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
def test_what_two_servers_could_read_differently_is_refused(server: Server, lines: bytes) -> None:
    """X35: a request with an ambiguous length gets 400, 411, 413 or 501, and the connection is closed."""
    inner = server.request(SMUGGLED)
    answer = server.send(server.request(method="POST", path="/-/sign-in", more=lines) + b"0\r\n\r\n" + inner)
    assert b"302" not in answer[:12]
    assert answer.count(b"HTTP/1.1 ") <= 1, answer[:600]
    assert status(answer) in {0, 400, 411, 413, 501}, answer[:200]
    answer = server.send(server.request(more=lines) + b"0\r\n\r\n" + inner)
    assert answer.count(b"HTTP/1.1 ") <= 1, answer[:600]


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    ],
    ids=["length first", "coding first"],
)
def test_length_and_coding_together(server: Server, lines: bytes) -> None:
    """X35: a request with length and chunked coding is refused, or the connection closed after it (RFC 9112, 6.1)."""
    for method, path in (("POST", "/-/sign-in"), ("GET", f"/{CODE}")):
        head = server.request(path, method=method, more=lines)
        answer = server.send(head + b"0\r\n\r\n" + server.request(SMUGGLED))
        assert answer.count(b"HTTP/1.1 ") <= 1, answer[:600]
        assert header(answer, "location") in {None, TARGET}


CHUNKS = {
    "an extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "a size that is no number": b"x\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size beyond all numbers": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a bare line feed": b"5\nhello\n0\n\n",
    "a wrong end": b"5\r\nhelloXX0\r\n\r\n",
    "an endless extension": b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    "a trailer": b"5\r\nhello\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_chunks_hide_no_request(server: Server, chunks: bytes) -> None:
    """X35: of requests in and after a malformed chunked body, none inside the body is answered."""
    more = b"Transfer-Encoding: chunked\r\nConnection: close\r\n"
    answer = server.send(server.request(method="POST", path="/-/sign-in", more=more) + chunks, silence=2)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"302" not in answer[:12]


TOO_LARGE = {
    "a header of 64 KB": b"X-Big: " + b"x" * (1 << 16) + b"\r\n",
    "a header of a megabyte": b"X-Big: " + b"x" * (1 << 20) + b"\r\n",
    "150 headers": b"".join(b"X-%d: y\r\n" % number for number in range(150)),
    "ten thousand headers": b"".join(b"X-%d: y\r\n" % number for number in range(10_000)),
    "two megabytes of headers": b"".join(b"X-%d: %s\r\n" % (n, b"y" * 30_000) for n in range(70)),
}


@pytest.mark.parametrize("lines", TOO_LARGE.values(), ids=TOO_LARGE)
def test_floods_of_headers_are_refused(server: Server, lines: bytes) -> None:
    """X36: too long or too many headers get 400, 414 or 431, or a closed connection, at once."""
    answer = server.send(server.request(more=lines + b"Connection: close\r\n"))
    assert status(answer) in {0, 400, 413, 414, 431}, answer[:200]


def test_a_header_of_8_kb_is_a_long_header(server: Server) -> None:
    """X36: long headers that mail gateways and browsers send are accepted, or refused with a status."""
    answer = server.get(more=b"Cookie: " + b"x" * 8000 + b"\r\n")
    assert status(answer) in {302, 431}, answer[:200]


def test_a_request_line_of_a_megabyte_is_refused(server: Server) -> None:
    """X36: a path of one megabyte is refused with a status."""
    answer = server.get("/" + "a" * (1 << 20))
    assert status(answer) in {0, 400, 414, 431}, answer[:200]


def test_compressed_bodies_are_not_unpacked(server: Server) -> None:
    """X40: a body of ten megabytes with gzip coding is refused, or read without decompression."""
    bomb = gzip.compress(bytes(10_000_000))
    lines = f"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n".encode()
    answer = server.send(server.request("/-/sign-in", method="POST", more=lines) + bomb)
    assert status(answer) in {400, 403, 411, 413, 415}, answer[:200]


def test_unknown_codes_cost_as_much_as_known_ones(server: Server) -> None:
    """X30 and X32: a flood of unknown codes gets 404, and known codes among them are redirected."""
    rng = random.Random(30)
    for _ in range(100):
        code = "".join(rng.choices("abcdefghk23456", k=7))
        assert status(server.get(f"/{code}")) == 404
    assert status(server.get()) == 302
