"""A real nginx in front: it answers as we do, and its log is drained click by click."""

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

import msgspec
import pytest

from shortener.collector.collector import Collector
from shortener.config import Config
from shortener.errors import ConfigError
from shortener.redirect.nginx import map_lines, server_config
from shortener.store import Store, issues, links, open_store

TARGETS = {
    ("go.example", "abcde"): "https://example.com/a?x=1&y=2",
    ("go.example", "money"): "https://example.com/$args$uri/${host}",
    ("case.example", "AbC"): "https://example.com/upper",
    ("case.example", "abc"): "https://example.com/lower",
}


def configuration(data: Path, **tables: Any) -> Config:
    """Two domains, one of which tells capitals apart."""
    domains = [{"host": "go.example"}, {"host": "case.example", "case_sensitive": True}]
    return msgspec.convert({"storage": {"data": str(data)}, "domain": domains} | tables, Config)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Edge:
    """A running nginx over a store."""

    def __init__(self, directory: Path, binary: str) -> None:
        self.port = free_port()
        self.data = directory / "data"
        self.config = configuration(self.data, server={"port": free_port()})  # where nobody answers
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
            placed = links.get(self.store, "go.example", "abcde")
            issues.replace_placements(self.store, issue, [issues.Placement(placed.id, 2, None, "title", "")])
        (self.data / "clicklog").mkdir()
        lines = list(map_lines(links.list_static_redirects(self.store), config=self.config))
        (self.data / "edge.map").write_text("".join(lines))
        conf = server_config(
            self.config,
            map_path=self.data / "edge.map",
            link_count=len(lines),
            max_line_length=max(map(len, lines)),
            listen=f"127.0.0.1:{self.port}",
        )
        (directory / "nginx.conf").write_text(conf)
        own = f"daemon off; pid {directory}/pid; error_log {directory}/error.log;"
        command = [binary, "-c", str(directory / "nginx.conf"), "-p", str(directory), "-g", own]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.wait_for(lambda: self.get("/abcde")[0] == 302)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until it holds, or nginx has died."""
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                if condition():
                    return
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.02)

    def get(
        self, path: str, *, host: str = "go.example", method: str = "GET", headers: bytes = b""
    ) -> tuple[int, str]:
        """Status and Location."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode()
            client.sendall(head + headers + b"\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b"")).decode("latin-1")
        location = next((line[10:] for line in answer.splitlines() if line.startswith("Location: ")), "")
        return int(answer.split(" ")[1]), location

    def drain(self) -> list[dict[str, Any]]:
        """Collect, and what is stored now."""
        collector = Collector(self.store, config=self.config)
        collector.drain()
        collector.close()
        return list(self.store.rows("select * from clicks order by seq"))


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    """A running nginx; the test is skipped where there is none."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        pytest.skip("nginx is not installed")
    # Its workers may be another user; they only need to pass through to the files that its master opened.
    for part in (tmp_path, *tmp_path.parents):
        with contextlib.suppress(OSError):
            part.chmod(part.stat().st_mode | 0o011)
    running = Edge(tmp_path, binary)
    running.drain()
    yield running
    running.process.terminate()
    running.process.communicate(timeout=10)
    running.store.close()


def test_the_edge_answers_as_we_do(edge: Edge) -> None:
    """Codes, placements, case rules and targets with dollar signs lead where the store says."""
    assert edge.get("/abcde") == (302, "https://example.com/a?x=1&y=2")
    assert edge.get("/ABCDE/3", host="GO.example:80") == (302, "https://example.com/a?x=1&y=2")
    assert edge.get("/money", method="HEAD") == (302, "https://example.com/$args$uri/${host}")
    assert edge.get("/AbC", host="case.example") == (302, "https://example.com/upper")
    assert edge.get("/abc", host="case.example") == (302, "https://example.com/lower")
    handed_on: tuple[tuple[str, dict[str, Any]], ...] = (
        ("/ABC", {"host": "case.example"}),
        ("/nosuch", {}),
        ("/gone", {}),
        ("/abcde?x=1", {}),
        ("/abcde).", {}),
        ("/abcde/x", {}),
        ("/abcde", {"method": "POST"}),
        ("/-/health", {}),
    )
    for path, options in handed_on:
        assert edge.get(path, **options)[0] == 502, path  # handed on, and nobody is behind it in this test
    assert edge.get("/abcde", headers=b"Sec-Purpose: prefetch\r\n")[0] == 502
    assert len(edge.drain()) == 6


def test_each_click_of_the_edge_is_stored_once(edge: Edge) -> None:
    """The log is drained through renaming and reopening, nothing is lost or counted twice."""
    for number in range(60):
        edge.get("/abcde/2", headers=f"Referer: https://mail.example/{number}?secret=1\r\n".encode())
        if number == 20:
            edge.drain()
        if number == 40:
            log = edge.data / "clicklog" / "edge.log"
            log.rename(log.with_suffix(".log.1"))
            edge.process.send_signal(signal.SIGUSR1)
            edge.wait_for(log.exists)
    edge.drain()
    stored = edge.drain()[1:]
    assert sorted(row["referrer"] for row in stored) == sorted(
        f"https://mail.example/{number}" for number in range(60)
    )
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
def test_nothing_in_a_header_costs_the_click(edge: Edge, headers: bytes) -> None:
    """Whatever nginx lets through is cut so that its line is whole, and the next one, too."""
    assert edge.get("/abcde", headers=headers)[0] == 302
    assert edge.get("/abcde")[0] == 302
    assert len(edge.drain()) == 3
    assert edge.store.value("select sum(skipped) from segments") == 0


def test_the_store_has_no_address_and_respects_wishes(edge: Edge) -> None:
    """From nginx's whole address only network and hashes are stored; who asked not to be followed leaves less."""
    edge.get("/abcde", headers=b"User-Agent: Firefox\r\n")
    edge.get("/abcde", headers=b"User-Agent: Firefox\r\nDNT: 1\r\n")
    usual, silent = edge.drain()[1:]
    assert (usual["net"], bool(usual["visitor"])) == ("127.0.0.0/24", True)
    assert (silent["visitor"], silent["agent_id"]) == (None, None)
    assert not any("127.0.0.1" in str(value) for row in (usual, silent) for value in row.values())


def test_a_killed_nginx_loses_no_click(edge: Edge) -> None:
    """The log is written unbuffered: what was answered is in it, whatever happens next."""
    for _ in range(30):
        assert edge.get("/abcde")[0] == 302
    children = Path(f"/proc/{edge.process.pid}/task/{edge.process.pid}/children").read_text().split()
    for pid in [edge.process.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    assert len(edge.drain()) == 31


REFUSED = {
    "no addresses": ({"privacy": {"addresses": "none"}}, "privacy.addresses"),
    "another status": ({"redirect": {"status": 307}}, "redirect.status = 307"),
}


@pytest.mark.parametrize(("tables", "message"), REFUSED.values(), ids=REFUSED)
def test_what_nginx_cannot_do_is_refused(tmp_path: Path, tables: dict[str, Any], message: str) -> None:
    """A setting that nginx would not follow is named."""
    with pytest.raises(ConfigError, match=message):
        server_config(
            configuration(tmp_path, **tables),
            map_path=tmp_path / "map",
            link_count=1,
            max_line_length=10,
            listen="80",
        )
