"""``create_app()`` under the WSGI servers that the documentation names, and ``shortener collect --follow``."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.serving import TARGET, Server, needs_proc, wait

pytestmark = needs_proc
COMMANDS = {
    "gunicorn": [
        "-m",
        "gunicorn",
        "--bind",
        "127.0.0.1:{port}",
        "--threads",
        "4",
        "shortener.app:create_app()",
    ],
    "waitress": ["-m", "waitress", "--listen", "127.0.0.1:{port}", "--call", "shortener.app:create_app"],
}


class WSGIServer(Server):
    """The application under another server; ``collect --follow`` is its second process."""

    collector: subprocess.Popen[bytes]

    def start_wsgi(self, command: list[str]) -> None:
        """Start the server and the collector."""
        environment = self.environment | {"SHORTENER_CONFIG": str(self.config)}
        words = [sys.executable, *(word.format(port=self.port) for word in command)]
        with self.messages.open("ab") as messages:
            self.process = subprocess.Popen(
                words,
                env=environment,
                cwd=self.directory,
                stdout=messages,
                stderr=messages,
                text=True,
                # A shell lets programs in its background ignore SIGINT, and so all of their children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            self.collector = subprocess.Popen(
                self.command("collect", "--follow"), env=self.environment, stdout=messages, stderr=messages
            )
        wait(self.is_healthy, seconds=60, what=f"a start ({self.said()[-500:]})")

    def stop_wsgi(self) -> None:
        """Stop the server, then the collector."""
        assert self.process is not None
        for process in (self.process, self.collector):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM if process is self.collector else signal.SIGINT)
            process.wait(30)


@pytest.fixture(params=COMMANDS)
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WSGIServer]:
    """The application under one of the servers."""
    server = WSGIServer(tmp_path)
    server.environment |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    try:
        server.start_wsgi(COMMANDS[request.param])
        yield server
    finally:
        with contextlib.suppress(AttributeError):
            server.stop_wsgi()


def test_everything_in_one_wsgi_process(server: WSGIServer) -> None:
    """Redirects, misses and pages are answered, and clicks reach the store."""
    for number in range(20):
        server.click(f"c{number}")
    answer = server.get("/abcde/2", method="HEAD")
    assert re.search(rb"(?i)\r\nlocation: " + TARGET.encode() + rb"\r\n", answer)
    assert b"200" in server.get("/abcde+")[:12]
    assert b"200" in server.get("/-/sign-in")[:12]
    assert json.loads(server.get("/-/health").partition(b"\r\n\r\n")[2])["unrecorded"] == 0
    for path, status, text in (("/nosuch", b"404", b"leads nowhere"), ("/-/nosuch", b"404", b"")):
        page = server.get(path)
        assert status in page[:12]
        assert text in page
    assert b"405" in server.get(method="POST")[:12]
    assert server.send(b"GET /abcde HTTP/1.1\r\nConnection: close\r\n\r\n")[9:12] == b"400"
    wait(lambda: server.stored() == 21, what="the clicks' way into the store")
    server.stop_wsgi()
    assert len(server.tags()) == 21
