"""Tests of too large uploads to a running server: the browser gets a page, not a broken connection."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

from tests.browser import running, scene


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """Port of a running server, and the session cookie of an editor."""
    home, port = tmp_path_factory.mktemp("served"), running.free_port()
    scene.add_users(scene.configure(home / "data", port=port), now=int(time.time()))
    with running.server(running.configuration(home, port=port)):
        body = urlencode({"name": "editor", "password": scene.PASSWORD}).encode()
        status, headers, _ = post(port, "/-/sign-in", body, "application/x-www-form-urlencoded")
        assert status == 303
        yield port, headers["set-cookie"].partition(";")[0]


def post(port: int, path: str, body: bytes, content_type: str, cookie: str = "") -> tuple[int, dict[str, str], str]:
    """Send the whole body before reading, as a browser does; return status, headers and text of the response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": content_type, "Sec-Fetch-Site": "same-origin", "Cookie": cookie}
    connection.request("POST", path, body=body, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, text


def upload(size: int) -> bytes:
    """Return a multipart body with a file of about ``size`` bytes."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
    return head + b"a " * (size // 2) + b"\r\n--x--\r\n"


BODIES = {
    "6 MB": (upload(6_000_000), "multipart/form-data; boundary=x", 413, "5 MB"),
    "20 MB": (upload(20_000_000), "multipart/form-data; boundary=x", 413, "5 MB"),
    "50 MB": (upload(50_000_000), "multipart/form-data; boundary=x", 413, "5 MB"),
    "50 MB pasted": (b"source=" + b"a" * 50_000_000, "application/x-www-form-urlencoded", 413, "5 MB"),
    "10 MB of returns": (b"--x\r\n" + b"\r" * 10_000_000, "multipart/form-data; boundary=x", 400, ""),
    "10,000 parts": (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 10_000 + b"--x--",
        "multipart/form-data; boundary=x",
        413,
        "",
    ),
}


def test_too_large_requests(served: tuple[int, str]) -> None:
    """A too large body is read to its end, and the response is a page that names the limit."""
    port, cookie = served
    for name, (body, content_type, status, message) in BODIES.items():
        response_status, _, text = post(port, "/-/new-issue", body, content_type, cookie)
        assert (response_status, message in text) == (status, True), name
