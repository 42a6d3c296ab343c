"""Replacement of a worker that keeps memory after a flood."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from shortener.config import Config
from shortener.server.memory import EXCESS_SECONDS, MIN_AGE_SECONDS, MemoryWatch, resident_bytes
from shortener.store import links, open_store
from tests.server.serving import Serving, pages_at, wait_until

NEVER = 10**9
OLD = MIN_AGE_SECONDS

# memory in MB every ten seconds, memory that is in use in MB, and the index at which the worker is replaced
COURSES: dict[str, tuple[list[int], int, int | None]] = {
    "nothing happens": ([50] * 60, 0, None),
    "normal growth": ([50, 52, 55, 58, 58, 60] + [59] * 60, 0, None),
    "a flood that is given back": ([50] * 15 + [200, 200, 58] + [58] * 60, 0, None),
    "a flood that stays": ([50] * 15 + [200] * 10, 0, 18),
    "a flood at the start": ([50] + [200] * 20, 0, 12),
    "the rest of a flood": ([50] * 15 + [200, 80, 61, 61, 61], 0, 18),
    "memory that is in use": ([50] * 15 + [200] * 60, 140, None),
    "growth in small steps": ([50, 59, 70, 75, 89, 91, 91, 91] + [91] * 10, 0, 12),
    "a start in a flood": ([200] * 10 + [50] * 10 + [100] * 10, 0, 23),
}


@pytest.mark.parametrize(("course", "in_use", "replaced"), COURSES.values(), ids=COURSES)
def test_replacement(course: list[int], in_use: int, replaced: int | None) -> None:
    """A worker is replaced if it keeps a fifth more memory than before for some time, and not while it uses it."""
    assert EXCESS_SECONDS == 30
    watch = MemoryWatch(now=0.0)
    found = (
        index
        for index, size in enumerate(course)
        if watch.should_replace(size * 1_000_000, in_use=lambda: in_use * 1_000_000, now=index * 10.0)
    )
    assert next(found, None) == replaced


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """A worker that looks at its memory often."""
    if not resident_bytes():
        pytest.skip("this system does not tell the memory of a process")
    data = tmp_path / "data"
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/a", now=0)
    store.close()
    config = msgspec.convert({"storage": {"data": str(data)}, "domain": [{"host": "go.example"}]}, Config)
    with pages_at(data / "run" / "pages.sock"):
        serving = Serving(
            config,
            worker__MEMORY_CHECK_SECONDS=1.0,
            memory__EXCESS_SECONDS=2.0,
            memory__MIN_AGE_SECONDS=0.0,
            worker__RESPAWN_SECONDS=1.0,
        )
        yield serving
        serving.stop()


def test_memory_after_a_flood_of_heads(serving: Serving) -> None:
    """After a flood of unfinished heads memory is as before, at the latest in another process; no reader is refused."""
    time.sleep(3)  # the first measurement
    before = resident(serving.worker())
    answers: list[bytes] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.005):
            answers.append(serving.ask(b"GET /abcde HTTP/1.1\r\nHost: go.example\r\nConnection: close\r\n\r\n")[:12])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(2):
            clients = [serving.connect() for _ in range(800)]
            for client in clients:
                client.sendall(b"GET /abcde HTTP/1.1\r\nHost: go.example\r\nX: " + b"x" * 31_000)
            for client in clients:
                client.close()
        wait_until(lambda: stays(lambda: small(serving, 1.2 * before)), seconds=60)
    finally:
        over.set()
        reader.join()
    assert set(answers) == {b"HTTP/1.1 302"}


def small(serving: Serving, pages: float) -> bool:
    """Return whether one worker runs, with at most so much memory."""
    workers = serving.workers()
    return len(workers) == 1 and resident(workers[0]) <= pages


def stays(condition: Callable[[], bool]) -> bool:
    """Return whether a condition holds, and still holds after some measurements."""
    if not condition():
        return False
    time.sleep(5)
    return condition()


def resident(pid: int) -> int:
    """Return the resident memory of a process in pages; very much if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return NEVER
