"""A running nginx with the exported configuration: its redirects, and the clicks in its log."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from shortener.collector.collector import Collector
from shortener.config import Config
from shortener.errors import ConfigError
from shortener.redirect.nginx import map_lines, server_config
from shortener.redirect.normalize import Normalizer
from shortener.redirect.request import Request
from shortener.store import Store, issues, links, open_store
from tests.redirect.test_normalize import PATHS

TARGETS = {
    ("go.example", "abcde"): "https://example.com/a?x=1&y=2",
    ("go.example", "money"): "https://example.com/$args$uri/${host}",
    ("case.example", "AbC"): "https://example.com/upper",
    ("case.example", "abc"): "https://example.com/lower",
}


def configuration(data: Path, **tables: Any) -> Config:
    """Return a configuration with two domains, one of them case-sensitive."""
    domains = [{"host": "go.example"}, {"host": "case.example", "case_sensitive": True}]
    return msgspec.convert({"storage": {"data": str(data)}, "domain": domains} | tables, Config)


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Nginx:
    """A running nginx that redirects the links of a store."""

    def __init__(self, directory: Path, binary: str) -> None:
        self.port = free_port()
        self.data = directory / "data"
        self.config = configuration(self.data, server={"port": free_port()})  # no server runs there
        self.store: Store = open_store(self.data)
        with self.store.transaction():
            for (domain, code), target in TARGETS.items():
                links.add(self.store, domain, code, target=target, now=0)
            links.add(self.store, "go.example", "gone", target="https://example.com/gone", now=0)
            self.store.execute("update links set status = 'retired' where code = 'gone'")
            issue = issues.add(
                self.store,
                "may",
                title="May",
                format="markdown",
                domain="go.example",
                sent_at=None,
                recipients=None,
                source=b"",
                now=0,
            )
            link = links.get(self.store, "go.example", "abcde")
            issues.replace_placements(self.store, issue, [issues.Placement(link.id, 2, None, "title", "")])
        (self.data / "clicklog").mkdir()
        lines = list(map_lines(links.list_static_redirects(self.store), config=self.config))
        (self.data / "edge.map").write_text("".join(lines))
        nginx_conf = server_config(
            self.config,
            map_path=self.data / "edge.map",
            link_count=len(lines),
            max_line_length=max(map(len, lines)),
            listen=f"127.0.0.1:{self.port}",
        )
        (directory / "nginx.conf").write_text(nginx_conf)
        directives = f"daemon off; pid {directory}/pid; error_log {directory}/error.log;"
        command = [binary, "-c", str(directory / "nginx.conf"), "-p", str(directory), "-g", directives]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.wait_for(lambda: self.get("/abcde")[0] == 302)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until the condition is true; fail after 30 s, or if nginx has ended."""
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if condition():
                    return
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.02)

    def get(self, path: str, *, host: str = "go.example", method: str = "GET", headers: bytes = b"") -> tuple[int, str]:
        """Send a request; return the status and the Location header."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode()
            client.sendall(head + headers + b"\r\n")
            response = b"".join(iter(lambda: client.recv(65536), b"")).decode("latin-1")
        location = next((line[10:] for line in response.splitlines() if line.startswith("Location: ")), "")
        return int(response.split(" ")[1]), location

    def drain(self) -> list[dict[str, Any]]:
        """Drain the click log and return all stored clicks."""
        collector = Collector(self.store, config=self.config)
        collector.drain()
        collector.close()
        return list(self.store.rows("select * from clicks order by seq"))


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """A running nginx; the test is skipped if nginx is not installed."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        pytest.skip("nginx is not installed")
    # nginx workers may run as another user, who must be able to reach the files below the directory.
    for directory in (tmp_path, *tmp_path.parents):
        with contextlib.suppress(OSError):
            directory.chmod(directory.stat().st_mode | 0o011)
    nginx = Nginx(tmp_path, binary)
    nginx.drain()
    yield nginx
    nginx.process.terminate()
    nginx.process.communicate(timeout=10)
    nginx.store.close()


def test_nginx_redirects_like_our_workers(nginx: Nginx) -> None:
    """Codes, placements, case and targets with dollar signs give the redirects of the store; others are passed on."""
    assert nginx.get("/abcde") == (302, "https://example.com/a?x=1&y=2")
    assert nginx.get("/ABCDE/3", host="GO.example:80") == (302, "https://example.com/a?x=1&y=2")
    assert nginx.get("/money", method="HEAD") == (302, "https://example.com/$args$uri/${host}")
    assert nginx.get("/AbC", host="case.example") == (302, "https://example.com/upper")
    assert nginx.get("/abc", host="case.example") == (302, "https://example.com/lower")
    passed_on: tuple[tuple[str, dict[str, Any]], ...] = (
        ("/ABC", {"host": "case.example"}),
        ("/nosuch", {}),
        ("/gone", {}),
        ("/abcde?x=1", {}),
        ("/abcde).", {}),
        ("/abcde/x", {}),
        ("/abcde", {"method": "POST"}),
        ("/-/health", {}),
    )
    for path, options in passed_on:
        assert nginx.get(path, **options)[0] == 502, path  # passed to a server that does not run
    assert nginx.get("/abcde", headers=b"Sec-Purpose: prefetch\r\n")[0] == 502
    assert len(nginx.drain()) == 6


HOSTS = ["go.example", "GO.example.", "go.example:80", "go.example.:8080", "go.example:", "evil.example", "[::1]"]


def test_nginx_reads_requests_like_our_workers(nginx: Nginx) -> None:
    """A request in any spelling that nginx answers has the domain, code and placement that our workers read."""
    normalizer = Normalizer(nginx.config)
    rows = [(host, "/abcde/2") for host in HOSTS] + [("go.example", path) for path in PATHS if path.isprintable()]
    expected = []
    for host, path in rows:
        status, _ = nginx.get(quote(path, safe="/+"), host=host)
        request = Request("GET", host, path, "", HeadersOf({}), "192.0.2.1")
        normalizer.normalize(request)
        link = (request.domain.host if request.domain else None, request.code)
        leads = request.placement is not None and not request.preview and link in TARGETS
        assert status == 502 or (status == 302 and leads), (host, path, status)
        if status == 302:
            expected.append((*link, 2 if request.placement == 2 else 0))  # the issue has no other placement
    assert len(expected) > 10
    sql = "select links.domain, links.code, n from clicks join links on links.id = clicks.link_id order by seq"
    nginx.drain()
    assert [tuple(row.values()) for row in nginx.store.rows(sql)][1:] == expected


class HeadersOf(dict[str, str]):
    """Request headers with one value each."""

    def get_all(self, name: str) -> list[str]:
        """Return the value in a list."""
        return [self[name]] if name in self else []


def test_each_click_of_nginx_is_stored_once(nginx: Nginx) -> None:
    """While the log is renamed and reopened, no click is lost or stored twice."""
    for number in range(60):
        nginx.get("/abcde/2", headers=f"Referer: https://mail.example/{number}?secret=1\r\n".encode())
        if number == 20:
            nginx.drain()
        if number == 40:
            log = nginx.data / "clicklog" / "edge.log"
            log.rename(log.with_suffix(".log.1"))
            nginx.process.send_signal(signal.SIGUSR1)
            nginx.wait_for(log.exists)
    nginx.drain()
    stored = nginx.drain()[1:]
    assert sorted(row["referrer"] for row in stored) == sorted(f"https://mail.example/{number}" for number in range(60))
    assert {row["n"] for row in stored} == {2}


HOSTILE = {
    "no UTF-8": b"User-Agent: \xff\xfe\x80\r\n",
    "eight kilobytes": b"User-Agent: " + b"x" * 7000 + b"\r\n",
    "quotes and backslashes everywhere": b"".join(
        b"%s: %s\r\n" % (name, b'"\\' * 400)
        for name in (
            b"User-Agent",
            b"Accept",
            b"Accept-Language",
            b"Range",
            b"Purpose",
            b"X-Moz",
            b"Sec-Fetch-Mode",
        )
    ),
    "a tab": b"User-Agent: a\tb\r\n",
    "a forged line": b'Referer: https://a/\\n{"v":1}\r\nUser-Agent: {"v":1,"id":"x"}\r\n',
}


@pytest.mark.parametrize("headers", HOSTILE.values(), ids=HOSTILE)
def test_hostile_headers_do_not_lose_the_click(nginx: Nginx, headers: bytes) -> None:
    """Hostile headers are truncated in the log, so that this line and the next one are valid."""
    assert nginx.get("/abcde", headers=headers)[0] == 302
    assert nginx.get("/abcde")[0] == 302
    assert len(nginx.drain()) == 3
    assert nginx.store.value("select sum(skipped) from segments") == 0


def test_addresses_of_nginx_are_reduced(nginx: Nginx) -> None:
    """Of whole addresses in nginx's log only network and hashes are stored, and less of readers who opted out."""
    nginx.get("/abcde", headers=b"User-Agent: Firefox\r\n")
    nginx.get("/abcde", headers=b"User-Agent: Firefox\r\nDNT: 1\r\n")
    nginx.get("/abcde", headers=b"User-Agent: Firefox\r\nSec-GPC: 1\r\nSec-GPC: 1\r\n")
    ordinary, *opted_out = nginx.drain()[1:]
    assert (ordinary["net"], bool(ordinary["visitor"])) == ("127.0.0.0/24", True)
    assert [(row["visitor"], row["agent_id"]) for row in opted_out] == [(None, None)] * 2
    assert not any("127.0.0.1" in str(value) for row in (ordinary, *opted_out) for value in row.values())


def test_a_killed_nginx_loses_no_click(nginx: Nginx) -> None:
    """The log is written unbuffered, so ``kill -9`` loses no answered click."""
    for _ in range(30):
        assert nginx.get("/abcde")[0] == 302
    children = Path(f"/proc/{nginx.process.pid}/task/{nginx.process.pid}/children").read_text().split()
    for pid in [nginx.process.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    assert len(nginx.drain()) == 31


REFUSED = {
    "no addresses": ({"privacy": {"addresses": "none"}}, "privacy.addresses"),
    "another status": ({"redirect": {"status": 307}}, "redirect.status = 307"),
}


@pytest.mark.parametrize(("tables", "message"), REFUSED.values(), ids=REFUSED)
def test_unsupported_settings_are_refused(tmp_path: Path, tables: dict[str, Any], message: str) -> None:
    """The error names the key of a setting that nginx does not support."""
    with pytest.raises(ConfigError, match=message):
        server_config(
            configuration(tmp_path, **tables),
            map_path=tmp_path / "map",
            link_count=1,
            max_line_length=10,
            listen="80",
        )
