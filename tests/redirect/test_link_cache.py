"""Looking links up: every edit is seen at the next click, and a store that is away stops nobody it knows."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shortener.redirect import link_cache as module
from shortener.redirect.link_cache import LinkCache, StoreUnavailable
from shortener.store import Store, links, open_store

HOST = "go.example"


class Clock:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a hundred links ``c0`` … ``c99``."""
    made = open_store(tmp_path)
    with made.transaction():
        for number in range(100):
            links.add(made, HOST, f"c{number}", target=f"https://example.com/{number}", now=0)
    return made


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


def target(looked_up: LinkCache, code: str) -> str | None:
    """Where a code leads now."""
    link = looked_up.find(HOST, code)
    return link.target if link else None


def edit(store: Store, code: str, url: str) -> None:
    """Commit a new target."""
    with store.transaction():
        store.execute("update links set target = ? where code = ?", (url, code))


def test_an_edit_is_seen_by_the_very_next_look_up(store: Store, clock: Clock) -> None:
    """No time passes between the commit and the new answer, in any worker, a hundred times in a row."""
    workers = [LinkCache(store.data, clock=clock) for _ in range(2)]
    for number in range(100):
        edit(store, "c1", f"https://example.com/new/{number}")
        assert [target(worker, "c1") for worker in workers] == [f"https://example.com/new/{number}"] * 2


def test_a_new_link_is_there_at_once(store: Store, clock: Clock) -> None:
    """A code that was unknown a moment ago is found after it was added, and gone after it was deleted."""
    worker = LinkCache(store.data, clock=clock)
    for number in range(50):
        code = f"new{number}"
        assert target(worker, code) is None
        with store.transaction():
            links.add(store, HOST, code, target="https://example.com/new", now=0)
        assert target(worker, code) == "https://example.com/new"
        with store.transaction():
            store.execute("delete from links where code = ?", (code,))
        assert target(worker, code) is None


def test_retiring_is_seen_at_once(store: Store, clock: Clock) -> None:
    """A retired link is gone with the next click."""
    worker = LinkCache(store.data, clock=clock)
    assert target(worker, "c1")
    with store.transaction():
        store.execute("update links set status = 'retired' where code = 'c1'")
    link = worker.find(HOST, "c1")
    assert link is not None
    assert link.is_gone(0)


def test_an_edit_of_another_process_is_seen(store: Store, clock: Clock) -> None:
    """A command in another terminal changes what workers answer, before it has returned."""
    worker = LinkCache(store.data, clock=clock)
    assert target(worker, "c1") == "https://example.com/1"
    program = (
        "import sys; from pathlib import Path; from shortener.store import open_store\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "with store.transaction():\n"
        "    store.execute(\"update links set target = 'https://example.com/x' where code = 'c1'\")"
    )
    subprocess.run([sys.executable, "-c", program, str(store.data)], check=True)
    assert target(worker, "c1") == "https://example.com/x"


def test_a_rolled_back_edit_is_not_seen(store: Store, clock: Clock) -> None:
    """What was not committed never happened."""
    worker = LinkCache(store.data, clock=clock)
    with contextlib.suppress(ZeroDivisionError), store.transaction():
        store.execute("update links set target = 'https://example.com/x' where code = 'c1'")
        assert target(worker, "c1") == "https://example.com/1"
        raise ZeroDivisionError
    assert target(worker, "c1") == "https://example.com/1"


def test_an_edit_by_a_foreign_program_is_seen_within_a_second(store: Store, clock: Clock) -> None:
    """Whoever changes the file with a tool of his own is noticed by the revision in the file."""
    worker = LinkCache(store.data, clock=clock)
    assert target(worker, "c1") == "https://example.com/1"
    foreign = sqlite3.connect(store.data / "store.db")
    foreign.execute("update links set target = 'https://example.com/x' where code = 'c1'")
    foreign.commit()
    foreign.close()
    clock.now += 1.1
    assert target(worker, "c1") == "https://example.com/x"


def test_a_look_up_from_memory_asks_nobody(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing changed a known link costs no query."""
    worker = LinkCache(store.data, clock=clock)
    target(worker, "c1")
    monkeypatch.setattr(worker, "_query", lambda *_: pytest.fail("asked the store"))
    for _ in range(10):
        assert target(worker, "c1") == "https://example.com/1"


def test_memory_is_bounded(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many links are remembered, unknown codes never; what was forgotten is read again."""
    monkeypatch.setattr(module, "MAX_CACHED_LINKS", 10)
    worker = LinkCache(store.data, clock=clock)
    for number in range(100):
        assert target(worker, f"c{number}") == f"https://example.com/{number}"
        assert target(worker, f"no{number}") is None
    assert len(worker._cache) == 10
    assert target(worker, "c0") == "https://example.com/0"


def test_readers_pass_a_locked_store(store: Store, clock: Clock) -> None:
    """A writer that holds its lock for minutes holds no look-up up."""
    worker = LinkCache(store.data, clock=clock)
    holder = sqlite3.connect(store.data / "store.db", isolation_level=None)
    holder.execute("begin exclusive")
    holder.execute("update links set target = 'https://example.com/x'")
    assert target(worker, "c1") == "https://example.com/1"
    clock.now += 10
    assert target(worker, "c2") == "https://example.com/2"
    holder.execute("rollback")
    holder.close()


FAULTS = ("moved away", "garbage", "emptied", "a directory")


def spoil(data: Path, fault: str) -> None:
    """Do something to the store."""
    path = data / "store.db"
    if fault == "moved away":
        path.rename(data / "elsewhere.db")
    elif fault == "garbage":
        path.write_bytes(b"\xde\xad" * 50_000)
    elif fault == "emptied":
        path.write_bytes(b"")
    else:
        path.rename(data / "elsewhere.db")
        path.mkdir()
    for name in ("store.db-wal", "store.db-shm"):
        (data / name).unlink(missing_ok=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_known_links_survive_the_store(store: Store, clock: Clock, fault: str) -> None:
    """With the store away known links are answered; of others nobody says that they do not exist."""
    worker = LinkCache(store.data, clock=clock)
    assert target(worker, "c1") == "https://example.com/1"
    assert worker._connection is not None
    worker._connection.close()
    worker._connection = None
    store.close()
    spoil(store.data, fault)
    for _ in range(5):
        clock.now += 1.0
        assert target(worker, "c1") == "https://example.com/1"
        with pytest.raises(StoreUnavailable):
            worker.find(HOST, "c2")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_worker_that_starts_without_a_store_waits_for_it(store: Store, clock: Clock, fault: str) -> None:
    """A cold start without a store answers 503 and no 404, makes no empty store, and goes on when it is back."""
    store.db.execute("pragma wal_checkpoint(truncate)")
    store.close()
    path = store.data / "store.db"
    content = path.read_bytes()
    spoil(store.data, fault)
    worker = LinkCache(store.data, clock=clock)
    with pytest.raises(StoreUnavailable):
        worker.find(HOST, "c1")
    assert fault != "moved away" or not path.exists()
    path.rmdir() if path.is_dir() else None
    path.write_bytes(content)
    clock.now += 1.0
    assert target(worker, "c1") == "https://example.com/1"


def test_a_store_that_is_away_is_not_tried_for_every_click(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of unknown codes while the store is away costs one attempt in half a second."""
    store.close()
    spoil(store.data, "moved away")
    worker = LinkCache(store.data, clock=clock)
    attempts: list[Path] = []
    real = module._open_read_only

    def count(path: Path) -> sqlite3.Connection:
        attempts.append(path)
        return real(path)

    monkeypatch.setattr(module, "_open_read_only", count)
    for number in range(200):
        with pytest.raises(StoreUnavailable):
            worker.find(HOST, f"x{number}")
    assert len(attempts) <= 2


def test_a_restored_store_is_read(store: Store, clock: Clock, tmp_path: Path) -> None:
    """A backup that is put in place of the file is what is answered from then on."""
    worker = LinkCache(store.data, clock=clock)
    assert target(worker, "c1") == "https://example.com/1"
    other = open_store(tmp_path / "other")
    with other.transaction():
        links.add(other, HOST, "c1", target="https://example.com/restored", now=0)
    other.db.execute("pragma wal_checkpoint(truncate)")
    other.close()
    store.close()
    for name in ("store.db-wal", "store.db-shm"):
        (store.data / name).unlink(missing_ok=True)
    (tmp_path / "other" / "store.db").replace(store.data / "store.db")
    clock.now += 1.1
    assert target(worker, "c1") == "https://example.com/restored"


def test_threads_see_edits_while_others_read(store: Store) -> None:
    """Of many threads none sees an old target after the edit that replaced it was committed."""
    worker, committed, stop = LinkCache(store.data), [0], threading.Event()
    wrong: list[tuple[int, int]] = []

    def read() -> None:
        while not stop.is_set():
            least = committed[0]
            found = target(worker, "c1") or ""
            if int(found.rpartition("/")[2]) < least:
                wrong.append((int(found.rpartition("/")[2]), least))

    edit(store, "c1", "https://example.com/0")
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 60):
        edit(store, "c1", f"https://example.com/{number}")
        committed[0] = number
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
