"""Asking targets whether they answer: never inside our own network, and never for long."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from shortener.reachability import Reached, is_public, reach

ADDRESSES = {
    "127.0.0.1": False,
    "127.9.9.9": False,
    "0.0.0.0": False,  # noqa: S104
    "10.0.0.1": False,
    "172.31.255.255": False,
    "192.168.1.1": False,
    "100.64.0.1": False,
    "169.254.169.254": False,
    "192.0.0.8": False,
    "192.88.99.1": False,
    "198.18.0.1": False,
    "203.0.113.5": False,
    "224.0.0.1": False,
    "255.255.255.255": False,
    "::": False,
    "::1": False,
    "::ffff:127.0.0.1": False,
    "::ffff:93.184.215.14": False,
    "::127.0.0.1": False,
    "64:ff9b::7f00:1": False,
    "2002:7f00:1::": False,
    "2001:0:7f00:1::": False,
    "fec0::1": False,
    "fe80::1%eth0": False,
    "fd00::1": False,
    "ff02::1": False,
    "2001:db8::1": False,
    "localhost": False,
    "": False,
    "93.184.215.14": True,
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c": True,
}


@pytest.mark.parametrize(("address", "public"), ADDRESSES.items(), ids=ADDRESSES.keys())
def test_only_plain_public_addresses_are_public(address: str, public: bool) -> None:
    """Loopback, private, shared, reserved, multicast, and IPv4 in IPv6's clothes are not."""
    assert is_public(address) is public


class Site:
    """A server on this machine that plays a site of the public internet."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.heads: list[str] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.silent = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head = connection.recv(8_192).decode("latin-1")
            self.heads.append(head)
            path = head.split(" ")[1] if " " in head else ""
            try:
                if path == "/slow":
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Pad: 1\r\n" * 100:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.2)
                elif path == "/endless":
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    while True:
                        connection.sendall(b"X-Pad: " + b"x" * 4_000 + b"\r\n")
                elif path == "/silent":
                    self.silent.wait(20)
                else:
                    connection.sendall(self.answers.get(path, b"HTTP/1.1 404 Not Found\r\n\r\n"))
            except OSError:
                pass


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, until the test ends."""
    made = Site()
    yield made
    made.silent.set()
    made.listening.close()


NAMES = {
    "good.example": ["93.184.215.14"],
    "inner.example": ["10.0.0.1"],
    "both.example": ["93.184.215.14", "::1"],
}


def ask(site: Site, *targets: str, seconds: float = 5.0) -> list[Reached]:
    """Ask, on an internet where every public name leads to the site."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        if host not in NAMES:
            raise socket.gaierror
        return ["127.0.0.1"] if NAMES[host] == ["93.184.215.14"] else NAMES[host]

    return list(
        reach(
            targets,
            agent="shortener test",
            resolve=resolve,
            public=lambda address: address == "127.0.0.1" or is_public(address),
            ports={"http": site.port, "https": site.port},
            seconds=seconds,
            host_seconds=0.0,
        )
    )


def redirect(location: str) -> bytes:
    """An answer that leads elsewhere."""
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()


OUTCOMES: dict[str, tuple[str, str]] = {
    "http://good.example/ok": ("answers", "answers (200)"),
    "http://good.example/gone": ("trouble", "answers with 404"),
    "http://good.example/fault": ("trouble", "answers with 500"),
    "http://good.example/robots": ("answers", "answers machines with 403; look at it yourself"),
    "http://good.example/moved": ("answers", "answers (200)"),
    "http://good.example/relative": ("answers", "answers (200)"),
    "http://good.example/inward": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/named": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/file": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/port": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/loop": ("trouble", "more than 5 redirects"),
    "http://good.example/rubbish": ("trouble", "no answer"),
    "http://good.example/empty": ("trouble", "no answer"),
    "http://good.example/endless": ("answers", "answers (200)"),
    "http://inner.example/": ("refused", "not asked: it leads to an address that is not public"),
    "http://both.example/": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example:8080/": ("refused", "not asked: it leads to an address that is not public"),
    "https://good.example/": ("trouble", "its certificate cannot be verified"),
    "http://nowhere.example/": ("trouble", "no answer"),
}


def test_what_comes_of_asking(site: Site) -> None:
    """Each target is told of in words; no hop goes to an inner address, a file, or a port that is not the web's."""
    site.answers = {
        "/ok": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000,
        "/fault": b"HTTP/1.0 500 Oh\r\n\r\n",
        "/robots": b"HTTP/1.1 403 Forbidden\r\n\r\n",
        "/moved": redirect("http://good.example/ok"),
        "/relative": redirect("/ok"),
        "/inward": redirect("http://127.0.0.1/"),
        "/named": redirect("http://inner.example/"),
        "/file": redirect("file:///etc/passwd"),
        "/port": redirect("http://good.example:22/"),
        "/loop": redirect("/loop"),
        "/rubbish": b"SSH-2.0-OpenSSH\r\n\r\n",
        "/empty": b"",
    }
    found = {each.target: (each.result, each.words) for each in ask(site, *OUTCOMES)}
    assert found == OUTCOMES


def test_nothing_of_ours_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cookie, no credentials, no proxy of the environment; only who we are."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.answers = {"/ok": b"HTTP/1.1 200 OK\r\n\r\n"}
    assert ask(site, "http://good.example/ok")[0].result == "answers"
    names = {line.partition(":")[0] for line in site.heads[0].split("\r\n")[1:] if line}
    assert names == {"Host", "User-Agent", "Accept", "Connection"}


@pytest.mark.parametrize("path", ["slow", "silent"])
def test_a_slow_site_costs_its_bound(site: Site, path: str) -> None:
    """A byte now and then, or none at all: the answer is there when the time is over."""
    begun = time.monotonic()
    found = ask(site, f"http://good.example/{path}", "http://good.example/ok", seconds=1.0)
    assert time.monotonic() - begun < 3
    assert [each.result for each in found] == ["trouble", "unasked"]


def test_one_host_is_not_flooded(site: Site) -> None:
    """Targets of one host are asked one after the other; beyond the most they are left for the next time."""
    site.answers = {f"/{n}": b"HTTP/1.1 200 OK\r\n\r\n" for n in range(300)}
    found = ask(site, *(f"http://good.example/{n}" for n in range(300)))
    assert [each.result for each in found].count("unasked") == 100
    assert len(site.heads) == 200
