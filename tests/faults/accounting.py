"""Readers that record the response to each request, and the comparison with the stored clicks one by one."""

import contextlib
import os
import random
import signal
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from tests.faults.serving import TARGET, Server, wait

VICTIMS = ("tree", "mix", "worker", "collector", "term")
READERS = 6
HEAL_SECONDS = 15.0
"""Deadline for the start of a killed process on a busy machine."""
ANSWERED, AMBIGUOUS, REFUSED, REJECTED, WRONG = "answered", "ambiguous", "refused", "rejected", "wrong"
"""Outcomes of a request. A complete redirect must be stored once. A connection without a complete response may be
stored once. No connection, or another complete response, must not be stored. Another target is an error."""


class Readers:
    """Threads that send requests continuously, each with a unique number in its referrer."""

    def __init__(
        self,
        server: Server,
        *,
        keepalive: float = 0.5,
        seed: int = 0,
        pause: float = 0.002,
        spread: bool = False,
        first: int = 0,
    ) -> None:
        """``pause`` is in seconds between a thread's requests; with ``spread`` each has its own forwarded address.

        Requests are numbered from ``first`` on.
        """
        self._first = first
        self.outcomes: dict[int, str] = {}
        self.latencies: list[float] = []
        self.recoveries: list[float] = []
        self._server = server
        self._keepalive = keepalive
        self._pause = pause
        self._spread = spread
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._killed_at: float | None = None
        self._threads = [threading.Thread(target=self._click, args=(seed * 100 + n,)) for n in range(READERS)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the responses to pending requests."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def note_kill(self) -> None:
        """Record as one recovery the time until a request sent after this call is answered."""
        with self._lock:
            self._killed_at = time.monotonic()

    def _click(self, seed: int) -> None:
        rng = random.Random(seed)
        client: socket.socket | None = None
        while not self._stopping.is_set():
            if client is not None and rng.random() >= self._keepalive:
                client.close()
                client = None
            with self._lock:
                number = self._first + len(self.outcomes)
                self.outcomes[number] = AMBIGUOUS
            begun = time.monotonic()
            kind, client = self._one(number, client)
            with self._lock:
                self._note(number, kind, begun)
            if kind == REFUSED:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 2 * self._pause))
        if client is not None:
            client.close()

    def _note(self, number: int, kind: str, begun: float) -> None:
        now = time.monotonic()
        self.outcomes[number] = kind
        if kind == ANSWERED:
            self.latencies.append(now - begun)
            if self._killed_at is not None and begun > self._killed_at:
                self.recoveries.append(now - self._killed_at)
                self._killed_at = None

    def _one(self, number: int, client: socket.socket | None) -> tuple[str, socket.socket | None]:
        if client is None:
            try:
                client = self._server.connect()
            except OSError:
                return REFUSED, None
        try:
            more = f"Referer: https://mail.example/k{number}\r\n"
            if self._spread:
                more += f"X-Forwarded-For: {100 + number % 90}.{number % 251}.{number % 241}.7\r\n"
            client.sendall(self._server.request(more=more))
            answer = read_answer(client)
        except OSError:
            answer = b""
        if not answer:
            client.close()
            return AMBIGUOUS, None
        if not answer.startswith(b"HTTP/1.1 302"):
            return REJECTED, client
        location = answer.lower().partition(b"\r\nlocation: ")[2].partition(b"\r\n")[0].decode()
        return (ANSWERED if location == TARGET else WRONG), client


def read_answer(client: socket.socket) -> bytes:
    """Return one complete response of a persistent connection; empty if the connection broke."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = client.recv(1 << 16)
        if not piece:
            return b""
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next((int(v) for n, _, v in _headers(head) if n.lower() == b"content-length"), 0)
    while len(body) < length:
        piece = client.recv(1 << 16)
        if not piece:
            return b""
        body += piece
    return head + b"\r\n\r\n" + body


def _headers(head: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
    return (line.partition(b":") for line in head.split(b"\r\n")[1:])


class Account(Struct, frozen=True):
    """Comparison of the responses that readers received with the stored clicks."""

    answered: int
    ambiguous: int
    refused: int
    rejected: int
    wrong: int
    lost: int
    """Numbers of redirected requests that are not stored."""
    doubled: int
    """Numbers of requests that are stored more than once."""
    without_request: int
    """Numbers of stored clicks without a redirected request."""

    @property
    def is_exact(self) -> bool:
        """Return whether every redirected request is stored once, and nothing else is."""
        return not (self.wrong or self.lost or self.doubled or self.without_request)


def account(outcomes: Mapping[int, str], stored: Iterable[str]) -> Account:
    """Return the comparison of outcomes by number with the tags (``k<number>``) of the stored clicks."""
    seen = Counter(int(tag.removeprefix("k")) for tag in stored if tag.startswith("k"))
    kinds = Counter(outcomes.values())
    redirected = (ANSWERED, WRONG)
    return Account(
        answered=kinds[ANSWERED],
        ambiguous=kinds[AMBIGUOUS],
        refused=kinds[REFUSED],
        rejected=kinds[REJECTED],
        wrong=kinds[WRONG],
        lost=sum(kind in redirected and not seen[number] for number, kind in outcomes.items()),
        doubled=sum(times > 1 for times in seen.values()),
        without_request=sum(outcomes.get(number) not in (*redirected, AMBIGUOUS) for number in seen),
    )


class Outcome(Struct, frozen=True):
    """Result of repeated kills of one process under load. Times are in seconds."""

    victim: str
    kills: int
    account: Account
    recoveries: list[float]
    """Times from each kill to the first response to a later request."""
    stops: list[float]
    """Times from each SIGTERM to the end of the server."""
    latencies: list[float]
    healed: bool
    """Whether all children ran again after each kill of a child."""

    def row(self) -> str:
        """Return one row of the result table."""
        found, times = self.account, self.recoveries or [float("nan")]
        p99 = statistics.quantiles(self.latencies, n=100)[98] * 1000 if len(self.latencies) > 1 else 0.0
        return (
            f"| {self.victim} | {self.kills} | {found.answered:,} | {found.ambiguous} | {found.refused} | "
            f"{found.lost} | {found.doubled} | {found.without_request} | {found.wrong} | "
            f"{statistics.median(times):.2f} | {max(times):.2f} | "
            f"{max(self.stops, default=0.0):.1f} | {p99:.0f} | {'yes' if self.healed else 'NO'} |"
        )


HEAD = (
    "| victim | kills | answered | cut off | refused | lost | doubled | without a request | wrong "
    "| recovery, median s | longest s | longest stop s | p99 ms | healed |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def kill_again_and_again(server: Server, victims: Sequence[str], *, seed: int = 1, pause: float = 0.002) -> Outcome:
    """Kill the victims one by one at random times under load, and return the account of every request.

    ``pause`` is in seconds between the requests of one reader.
    """
    rng = random.Random(seed)
    (name,) = set(victims) if len(set(victims)) == 1 else ["several"]
    # A stop may cut off who asks on an idle connection at that moment, as HTTP foresees it, but nobody else.
    readers = Readers(server, keepalive=0.0 if name == "term" else 0.5, seed=seed, pause=pause)
    stops: list[float] = []
    healed = True
    server.start()
    wait(server.is_whole, seconds=30, what="the pages' start")
    readers.start()
    try:
        for victim in victims:
            time.sleep(rng.uniform(0.2, 1.2))
            chosen = rng.choice(("tree", "one")) if victim == "mix" else victim
            if chosen == "term":
                wait(server.answers, seconds=30, what="the next server")  # it must have its handler of SIGTERM
                stops.append(server.stop())
                readers.note_kill()
                server.start(ready=False)
            else:
                healed = kill(server, readers, chosen, rng=rng) and healed
        wait(server.is_whole, seconds=30, what="the last recovery")
        time.sleep(0.5)
    finally:
        readers.stop()
    server.stop()
    server.call("collect", "--once")
    before = server.tags()
    server.start()  # a restart of an idle server must count nothing again
    wait(lambda: server.children("collector"))
    server.stop()
    stored = server.tags()
    assert stored == before, "a restart changed what is stored"
    server.check()
    return Outcome(
        name,
        len(victims),
        account(readers.outcomes, stored),
        readers.recoveries,
        stops,
        readers.latencies,
        healed,
    )


def kill(server: Server, readers: Readers, kind: str, *, rng: random.Random) -> bool:
    """Kill the whole ``tree``, ``one`` process, or one of a kind, and start the server again if it cannot do so itself.

    Return whether all other children run again within HEAL_SECONDS.
    """
    if kind == "tree":
        server.kill_tree()
        readers.note_kill()
        server.start(ready=False)
        return True
    members = server.members()
    wanted = [pid for pid, each in members.items() if kind in ("one", each)]
    if not wanted:  # the last one is not back yet
        wait(lambda: server.children(kind), seconds=HEAL_SECONDS, what=f"the next {kind}")
        wanted = server.children(kind)
    pid = rng.choice(wanted)
    if members.get(pid) == "serve":
        # Nobody supervises the supervisor; an operator's init system starts the next one.
        os.kill(pid, signal.SIGKILL)
        readers.note_kill()
        assert server.process is not None
        server.process.wait()
        server.start(ready=False)
        return True
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    readers.note_kill()
    whole = sorted(["serve", "pages", "collector", *["worker", "granian"] * _workers(server)])
    try:
        wait(lambda: pid not in server.members() and sorted(server.members().values()) == whole, seconds=HEAL_SECONDS)
    except AssertionError:
        return False
    return True


def _workers(server: Server) -> int:
    return int(server.config.read_text().rpartition("workers = ")[2])
