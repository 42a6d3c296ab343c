"""Many slow, silent or endless connections, and measurements of other readers meanwhile."""

import contextlib
import os
import random
import resource
import selectors
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tests.faults.serving import CODE, TARGET, Server

BATCH = 100
"""Requests that are sent before their responses are read."""


class Probe(Struct, frozen=True):
    """Results of ordinary requests: their times in seconds, and the number of errors."""

    times: list[float]
    errors: int

    @property
    def p99(self) -> float:
        """The 99th percentile of the times in seconds."""
        return statistics.quantiles(self.times, n=100)[98]

    @property
    def median(self) -> float:
        """The median of the times in seconds."""
        return statistics.median(self.times)


def probe(server: Server, *, requests: int, pause: float = 0.01) -> Probe:
    """Send ordinary requests, each on a connection of its own, and return their results."""
    times, errors = [], 0
    for _ in range(requests):
        begun = time.monotonic()
        try:
            good = server.get().startswith(b"HTTP/1.1 302")
        except OSError:
            good = False
        times.append(time.monotonic() - begun)
        errors += not good
        time.sleep(pause)
    return Probe(times, errors)


def allow_files(number: int) -> int:
    """Raise the limit of open files to ``number`` if allowed; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(number, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


@contextlib.contextmanager
def crowd(server: Server, number: int, *, begin: bytes = b"", receive_bytes: int = 0) -> Iterator[list[socket.socket]]:
    """Open connections, each with the first bytes of a request sent, and close them at the end.

    ``receive_bytes`` limits what the kernel takes of the responses that nobody reads.
    """
    clients: list[socket.socket] = []
    try:
        for _ in range(number):
            client = server.connect()
            clients.append(client)
            if receive_bytes:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            if begin:
                client.sendall(begin)
        yield clients
    finally:
        for client in clients:
            client.close()


def drip(clients: list[socket.socket]) -> None:
    """Send one more byte on each connection that is still open."""
    for client in clients:
        with contextlib.suppress(OSError):
            client.send(b"b", socket.MSG_DONTWAIT)


def count_open(clients: list[socket.socket]) -> int:
    """Return the number of connections that the server has not closed."""
    still = 0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        ready = {key.fileobj for key, _ in selector.select(timeout=0)}
    for client in clients:
        if client not in ready:
            still += 1
            continue
        try:
            while client.recv(1 << 16, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            still += 1
        except OSError:
            pass
    return still


def ask_on_one_connection(server: Server, number: int, *, batch: int = BATCH) -> float:
    """Send ``number`` requests on one connection, check the order of responses, and return the requests a second."""
    begun = time.monotonic()
    with server.connect(timeout=30) as client:
        for first in range(0, number, batch):
            numbers = range(first, min(first + batch, number))
            client.sendall(b"".join(server.request(f"/{CODE}?x={each}") for each in numbers))
            answers = b""
            while answers.count(b"\r\n\r\n") < len(numbers):
                piece = client.recv(1 << 20)
                assert piece, f"closed after {first} requests"
                answers += piece
            lines = [line for line in answers.split(b"\r\n") if line.lower().startswith(b"location:")]
            assert [line.partition(b" ")[2].decode() for line in lines] == [f"{TARGET}?x={n}" for n in numbers]
    return number / (time.monotonic() - begun)


def open_files(pid: int) -> int:
    """Return the number of open file descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def flood(server: Server, number: int, *, rng: random.Random) -> None:
    """Send ``number`` requests, each with a new code, query, user agent, referrer and header name."""
    with server.connect(timeout=60) as client:
        for first in range(0, number, BATCH):
            requests, batch = [], min(BATCH, number - first)
            for kind in range(batch):
                word = f"{rng.getrandbits(64):016x}"
                host = server.host if kind % 4 else f"{word}.example"
                code = CODE if kind % 2 else f"{word[:8]}"
                more = (
                    f"User-Agent: Reader/{word}\r\nReferer: https://{word}.example/{word}\r\n"
                    f"Accept-Language: {word[:2]}\r\nX-{word}: {word}\r\n"
                )
                requests.append(server.request(f"/{code}?{word}={word}", more=more, host=host))
            client.sendall(b"".join(requests))
            answered = 0
            tail = b""
            while answered < batch:
                piece = client.recv(1 << 20)
                assert piece, "the server closed the connection"
                tail += piece
                answered += tail.count(b"HTTP/1.1 ")
                tail = tail[-8:] if not tail.endswith(b"HTTP/1.1 ") else b""
