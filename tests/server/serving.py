"""A redirect worker in processes of its own, with stand-in pages behind it."""

import contextlib
import http.server
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from shortener.config import Config
from shortener.server.process import Task
from tests.ports import free_port


class StandIn(http.server.BaseHTTPRequestHandler):
    """Pages that return a description of the request; some break off or never respond."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Respond as the last part of the path says."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        name = self.path.partition("?")[0].rpartition("/")[2]
        description = f"{self.command} {self.path} peer={self.headers['Shortener-Client']} body={len(body)}"
        if name == "chunked":
            self._send_chunked([description.encode(), b"x" * 100_000])
        elif name == "huge":
            self._send(200, b"y" * 8_000_000)
        elif name == "broken":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif name == "mute":
            self.close_connection = True
        elif name == "slow":
            time.sleep(0.4)
            self._send(200, description.encode())
        elif name == "hang":
            time.sleep(60)
        elif name in {"echo", "headers"}:
            self._send(200, body if name == "echo" else str(self.headers).encode())
        elif name in {"account.json", "me"}:
            header = self.headers.get("Cookie" if name == "account.json" else "Authorization", "")
            self._send(200 if header in {"session=known", "notices=a; session=known", "Bearer known"} else 401, b"")
        elif name == "none":
            self.send_response(204)
            self.end_headers()
        else:
            self._send(200, description.encode())

    do_POST = do_HEAD = do_PUT = do_GET

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_chunked(self, pieces: list[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


class StandInServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves the stand-in pages on a Unix socket."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""


class Serving:
    """A worker process that serves until it is stopped; ``settings`` replace constants of its modules."""

    def __init__(self, config: Config, **settings: float) -> None:
        self.port = free_port()
        server = msgspec.structs.replace(config.server, port=self.port)
        config = msgspec.structs.replace(config, server=server)
        lines = ["from shortener.server import __main__, listening, memory, process, relay, worker"]
        lines += [f"{name.replace('__', '.')} = {value}" for name, value in settings.items()]
        program = "\n".join([*lines, "__main__.main('worker')"])
        self.process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(Task(config, os.getpid())))
        self.process.stdin.close()
        self.process.stdin = None
        wait_until(self._accepts, seconds=30)

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError):
            self.connect().close()
            return True
        assert self.process.poll() is None, self.process.communicate()
        return False

    def worker(self) -> int:
        """Return the id of granian's second process, which answers the requests."""
        return self.workers()[0]

    def workers(self) -> list[int]:
        """Return the ids of granian's second processes, of which there are two during a replacement."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def stop(self) -> tuple[float, str]:
        """Stop the worker; return how many seconds that took, and its messages."""
        begun = time.monotonic()
        self.process.terminate()
        _, messages = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, messages
        return time.monotonic() - begun, messages.decode()

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, content: bytes, *, pieces: int = 1, half: bool = False) -> bytes:
        """Send bytes; return the bytes received until the server closes, or is silent for a second.

        With ``half`` the connection is half-closed after sending.
        """
        with self.connect() as client:
            step = max(1, -(-len(content) // pieces))
            for start in range(0, len(content), step):
                client.sendall(content[start : start + step])
                if pieces > 1:
                    time.sleep(0.001)
            if half:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)


def wait_until(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the condition never held"
        time.sleep(0.02)


def read_all(client: socket.socket) -> bytes:
    """Return all bytes until the connection ends or is reset."""
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            content += piece
    return content


@contextlib.contextmanager
def pages_at(path: Path) -> Iterator[None]:
    """Serve the stand-in pages on a Unix socket."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with StandInServer(str(path), StandIn) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
