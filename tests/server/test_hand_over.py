"""The hand-over of requests from a worker to the pages, through the real server of the pages."""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import waitress.server

from shortener.config import Config
from shortener.redirect.redirector import MISS_STATUS_KEY
from shortener.server.pages import RelayedRequests
from shortener.server.sockets import listen_unix
from shortener.store import links, open_store
from tests.server.serving import Serving

BELIEFS = ("REMOTE_ADDR", "HTTP_HOST", "wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD")


OWN_NAMES = ("HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_SHORTENER", "shortener")


def describe(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """WSGI application that returns what the pages learn of a request."""
    found = {name: environ.get(name) for name in BELIEFS}
    found["reason"] = environ.get(MISS_STATUS_KEY)
    found["forwarded"] = sorted(name for name in environ if name.startswith(OWN_NAMES))
    found["cookie"] = environ.get("HTTP_COOKIE")
    body = json.dumps(found).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def waitress_at(path: Path) -> Iterator[None]:
    """Serve ``describe`` on a Unix socket as the pages' process serves the pages."""
    channels: dict[int, Any] = {}
    server: Any = waitress.server.create_server(
        RelayedRequests(describe),
        map=channels,
        sockets=[listen_unix(path)],
        threads=1,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=False,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.trigger.pull_trigger(lambda: server.asyncore.close_all(channels, ignore_all=True))
        thread.join(10)
        server.task_dispatcher.shutdown()


@pytest.fixture(scope="module", params=["no proxy", "a trusted proxy"])
def serving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A worker in front of ``describe``, which trusts no proxy, or the peer."""
    data = tmp_path_factory.mktemp("hand-over") / "data"
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/a", now=0)
    store.close()
    tables: dict[str, Any] = {"storage": {"data": str(data)}, "domain": [{"host": "go.example"}]}
    if request.param != "no proxy":
        tables["server"] = {"trusted_proxies": ["127.0.0.1"]}
    with waitress_at(data / "run" / "pages.sock"):
        serving = Serving(msgspec.convert(tables, Config))
        yield serving
        serving.stop()


HOSTILE = [
    "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Scheme: https", "X-Forwarded-Port: 443",
    "X-Forwarded-Prefix: /evil", "X-Forwarded-Server: evil.example", "X-Forwarded-Ssl: on", "X-Forwarded-By: evil",
    "x-forwarded-proto: https", "X-FORWARDED-HOST: evil.example",
    "Forwarded: for=203.0.113.9;host=evil.example;proto=https",
    "X-Real-IP: 203.0.113.9", "X-Client-IP: 203.0.113.9", "True-Client-IP: 203.0.113.9",
    "CF-Connecting-IP: 203.0.113.9",
    "Front-End-Https: on", "X-Url-Scheme: https", "X-Scheme: https", "X-Original-URL: /-/x", "X-Rewrite-URL: /-/x",
    "X-Original-Host: evil.example", "X-Host: evil.example", "X-HTTP-Method-Override: POST", "X-Script-Name: /evil",
    "Script-Name: /evil", "Script_Name: /evil", "Path-Info: /-/x", "Remote-Addr: 203.0.113.9",
    "Remote_Addr: 203.0.113.9",
    "X_Forwarded_For: 203.0.113.9", "X-Forwarded_For: 203.0.113.9", "X_Forwarded-For: 203.0.113.9",
    "x_forwarded_host: evil.example", "X_Real_IP: 203.0.113.9", "HTTP_HOST: evil.example", "_Host: evil.example",
    "Shortener-Client: 203.0.113.9", "SHORTENER-CLIENT: 203.0.113.9", "Shortener_Client: 203.0.113.9",
    "Shortener-Scheme: https", "shortener_scheme: https", "Shortener-Forwarded: 1", "Shortener-Miss: 410",
    "X-Shortener-Miss: 410", "X_Shortener_Miss: 503", "Shortener.Miss: 410", "shortener.miss: 410",
    "Connection: shortener-client", "Connection: shortener-scheme, host", "Connection: close, Shortener-Client",
    "Connection: X-Forwarded-For\r\nShortener-Client: 203.0.113.9", "Proxy-Connection: shortener-client",
    "Shortener-Client: 203.0.113.9\r\nShortener-Client: 203.0.113.10", "wsgi.url_scheme: https",
    "Wsgi-Url-Scheme: https",
    "Upgrade-Insecure-Requests: 1", "TE: trailers", "Via: 1.1 evil.example", "Content-Length: 0",
    "Proxy: http://evil.example",
]  # fmt: skip


def believed(serving: Serving, lines: str, *, target: str = "/-/x?a=1", host: str = "go.example") -> dict[str, Any]:
    """Return what the pages learn of a request with these header lines."""
    more = f"{lines}\r\n" if lines else ""
    answer = serving.ask(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n".encode())
    assert b" 200 OK" in answer[:20], answer
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


@pytest.mark.parametrize("lines", HOSTILE, ids=range(len(HOSTILE)))
def test_no_header_changes_what_the_pages_believe(serving: Serving, lines: str) -> None:
    """Address, host, scheme, path and reason of a request are the worker's, whatever the client sends."""
    plain = believed(serving, "")
    assert plain == {
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "go.example",
        "wsgi.url_scheme": "http",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/-/x",
        "QUERY_STRING": "a=1",
        "REQUEST_METHOD": "GET",
        "reason": None,
        "forwarded": [],
        "cookie": None,
    }
    assert believed(serving, lines) == plain
    # Twice, and beside a header that the worker does use.
    assert believed(serving, f"{lines}\r\nX-Mine: 1\r\n{lines}") == plain


def test_only_a_trusted_proxy_names_the_client(serving: Serving, request: pytest.FixtureRequest) -> None:
    """X-Forwarded-For counts from a trusted proxy; of others the pages learn only that the header was sent."""
    trusted = "a trusted proxy" in request.node.name
    found = believed(serving, "X-Forwarded-For: 203.0.113.9\r\nX_Forwarded_For: 127.0.0.1")
    assert found["REMOTE_ADDR"] == ("203.0.113.9" if trusted else "127.0.0.1")
    assert found["forwarded"] == ([] if trusted else ["HTTP_X_FORWARDED_FOR"])


def test_cookies_in_several_headers_are_joined(serving: Serving) -> None:
    """In HTTP/2 browsers send each cookie in a header of its own (RFC 9113, 8.2.3); the pages find one."""
    found = believed(serving, "Cookie: session=known\r\nX-Mine: 1\r\nCookie: notices=a; b=1\r\nCookie: c=d")
    assert found["cookie"] == "session=known; notices=a; b=1; c=d"


def test_an_unreadable_address_is_not_handed_over_as_the_proxy(
    serving: Serving, request: pytest.FixtureRequest
) -> None:
    """Bytes that are not ASCII in what a trusted proxy forwards do not make the proxy's address the client's."""
    found = believed(serving, "X-Forwarded-For: \u00fc, 203.0.113.9")
    assert found["REMOTE_ADDR"] == ("" if "a trusted proxy" in request.node.name else "127.0.0.1")


TARGETS = {
    "another scheme": ("https://go.example/-/x?a=1", "go.example"),
    "another host in the header": ("http://go.example/-/x?a=1", "evil.example"),
    "a port": ("http://go.example:80/-/x?a=1", "go.example"),
    "upper case": ("HTTP://GO.EXAMPLE/-/x?a=1", "go.example"),
    "a fragment": ("/-/x?a=1#top", "go.example"),
    "a host in capitals": ("/-/x?a=1", "GO.Example."),
    "a host with its port": ("/-/x?a=1", "go.example:443"),
}


@pytest.mark.parametrize(("target", "host"), TARGETS.values(), ids=TARGETS)
def test_no_target_changes_what_the_pages_believe(serving: Serving, target: str, host: str) -> None:
    """The absolute form names the host, but not the scheme, and the host has one spelling."""
    assert believed(serving, "", target=target, host=host) == believed(serving, "")


PREVIEWS = ["/abcde+", "/abcde+.", "/ABCDE+", "/abcde/2+", "/abcde+/", "/abcde%2B", "/abcde+%22", "/abcde+?_c=ada"]


@pytest.mark.parametrize("path", PREVIEWS)
def test_a_preview_has_one_path(serving: Serving, path: str) -> None:
    """In whatever form a preview is requested, the pages receive ``/<code>+``, and never the recipient token."""
    found = believed(serving, "", target=path)
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == ("/abcde+", "")


def test_a_reason_is_never_handed_over(serving: Serving) -> None:
    """A miss is answered by the worker; no header makes the pages render one."""
    answer = serving.ask(
        b"GET /nosuch HTTP/1.1\r\nHost: go.example\r\nX-Shortener-Miss: 410\r\nConnection: close\r\n\r\n"
    )
    assert b" 404 " in answer[:20]
    assert b"REMOTE_ADDR" not in answer
