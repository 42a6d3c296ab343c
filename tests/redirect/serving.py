"""A redirect worker in a thread of the test process, with stand-in pages behind it."""

import asyncio
import contextlib
import http.server
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from shortener.config import Config
from shortener.redirect.redirector import Redirector
from shortener.redirect.worker import Worker


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
        why = self.headers.get("X-Shortener-Miss")
        description = f"{self.command} {self.path} peer={self.headers['X-Shortener-Peer']} body={len(body)}"
        if why:
            self._send(int(why), f"miss {why}".encode(), cookie=True)
        elif name == "chunked":
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
        elif name == "echo":
            self._send(200, body)
        elif name == "headers":
            self._send(200, str(self.headers).encode())
        elif name == "none":
            self.send_response(204)
            self.end_headers()
        else:
            self._send(200, description.encode())

    do_POST = do_HEAD = do_PUT = do_GET

    def _send(self, status: int, body: bytes, *, cookie: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if cookie:
            self.send_header("Set-Cookie", "a=b")
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
    """A redirect worker that runs until ``stop``."""

    def __init__(self, config: Config, *, pages: Path, threaded: bool = False, alone: bool = True) -> None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        listening.setblocking(False)
        self.port = int(listening.getsockname()[1])
        self.redirects = Redirector(config)
        self.worker = Worker(
            self.redirects, pages=pages, listening=listening.detach(), threaded=threaded, alone=alone
        )
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run)
        started = threading.Event()

        def on_stop(stop: Callable[[], object]) -> None:
            self._stop = stop
            started.set()

        self._on_stop = on_stop
        self._thread.start()
        assert started.wait(5)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.worker.run(on_stop=self._on_stop))

    def stop(self) -> float:
        """Stop the worker; return the seconds until it ended."""
        begun = time.monotonic()
        self._stop()
        self._thread.join(15)
        assert not self._thread.is_alive()
        self.redirects.close()
        return time.monotonic() - begun

    def connect(self) -> socket.socket:
        """Open a connection to the worker."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def ask(self, content: bytes, *, pieces: int = 1, half: bool = True) -> bytes:
        """Send bytes, in pieces if asked; return the response until the connection ends.

        With ``half`` the connection is closed for writing after the last byte.
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
