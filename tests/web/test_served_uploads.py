"""What is too large is refused over the wire with a page that helps, not with a broken connection."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

from tests.browser import running, scene


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A server's port, and the cookie of an editor."""
    home, port = tmp_path_factory.mktemp("served"), running.free_port()
    scene.people(scene.configure(home / "data", port=port), now=int(time.time()))
    with running.server(running.configuration(home, port=port)):
        body = urlencode({"name": "editor", "password": scene.PASSWORD}).encode()
        status, headers, _ = post(port, "/-/sign-in", body, "application/x-www-form-urlencoded")
        assert status == 303
        yield port, headers["set-cookie"].partition(";")[0]


def post(port: int, path: str, body: bytes, kind: str, cookie: str = "") -> tuple[int, dict[str, str], str]:
    """Send all of the body as a browser does, then read the answer: status, headers, text."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": kind, "Sec-Fetch-Site": "same-origin", "Cookie": cookie}
    connection.request("POST", path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text


def upload(size: int) -> bytes:
    """A form with a file of so many bytes."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
    return head + b"a " * (size // 2) + b"\r\n--x--\r\n"


SENT = {
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


@pytest.mark.parametrize(("body", "kind", "status", "said"), SENT.values(), ids=SENT.keys())
def test_what_is_too_much_is_answered(
    served: tuple[int, str], body: bytes, kind: str, status: int, said: str
) -> None:
    """The whole body is taken, and the answer is a page with the limit in words."""
    port, cookie = served
    begun = time.monotonic()
    found, _, text = post(port, "/-/new-issue", body, kind, cookie)
    assert (found, said in text) == (status, True)
    assert time.monotonic() - begun < 10
