"""Look-up of links: edits are seen at once, and cached links are used while the store is unavailable."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shortener.errors import StoreUnavailable
from shortener.redirect import link_cache
from shortener.redirect.link_cache import LinkCache
from shortener.store import Store, links, open_store

HOST = "go.example"


class Clock:
    """A monotonic clock that tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a hundred links ``c0`` … ``c99``."""
    store = open_store(tmp_path)
    with store.transaction():
        for number in range(100):
            links.add(store, HOST, f"c{number}", target=f"https://example.com/{number}", now=0)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    """A clock that does not move by itself."""
    return Clock()


@pytest.fixture
def new_cache(store: Store, clock: Clock) -> Iterator[Callable[[], LinkCache]]:
    """A function that returns a new cache of the store's links; the caches are closed after the test."""
    caches: list[LinkCache] = []

    def add() -> LinkCache:
        caches.append(LinkCache(store.data / "store.db", clock=clock))
        return caches[-1]

    yield add
    for cache in caches:
        cache.close()


def target(cache: LinkCache, code: str) -> str | None:
    """Return the present target of a code."""
    link = cache.find(HOST, code)
    return link.target if link else None


def edit(store: Store, code: str, url: str) -> None:
    """Commit a new target of a link."""
    with store.transaction():
        store.execute("update links set target = ? where code = ?", (url, code))


def test_an_edit_is_seen_by_the_next_look_up(store: Store, new_cache: Callable[[], LinkCache]) -> None:
    """A look-up right after the commit returns the new target, in every worker, a hundred times in a row."""
    caches = [new_cache() for _ in range(2)]
    for number in range(100):
        edit(store, "c1", f"https://example.com/new/{number}")
        assert [target(cache, "c1") for cache in caches] == [f"https://example.com/new/{number}"] * 2


def test_a_new_link_is_found_at_once(store: Store, new_cache: Callable[[], LinkCache]) -> None:
    """A code that was looked up in vain is found once it is added, and not any more once it is deleted."""
    cache = new_cache()
    for number in range(50):
        code = f"new{number}"
        assert target(cache, code) is None
        with store.transaction():
            links.add(store, HOST, code, target="https://example.com/new", now=0)
        assert target(cache, code) == "https://example.com/new"
        with store.transaction():
            store.execute("delete from links where code = ?", (code,))
        assert target(cache, code) is None


def test_retiring_is_seen_at_once(store: Store, new_cache: Callable[[], LinkCache]) -> None:
    """A retired link is gone at the next look-up."""
    cache = new_cache()
    assert target(cache, "c1")
    with store.transaction():
        store.execute("update links set status = 'retired' where code = 'c1'")
    link = cache.find(HOST, "c1")
    assert link is not None
    assert link.is_gone(0)


def test_an_edit_by_another_process_is_seen(store: Store, new_cache: Callable[[], LinkCache]) -> None:
    """An edit by a command is seen before the command has returned."""
    cache = new_cache()
    assert target(cache, "c1") == "https://example.com/1"
    program = (
        "import sys; from pathlib import Path; from shortener.store import open_store\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "with store.transaction():\n"
        "    store.execute(\"update links set target = 'https://example.com/x' where code = 'c1'\")"
    )
    subprocess.run([sys.executable, "-c", program, str(store.data)], check=True)
    assert target(cache, "c1") == "https://example.com/x"


def test_a_rolled_back_edit_is_not_seen(store: Store, new_cache: Callable[[], LinkCache]) -> None:
    """A look-up during and after a rolled-back edit returns the old target."""
    cache = new_cache()
    with contextlib.suppress(ZeroDivisionError), store.transaction():
        store.execute("update links set target = 'https://example.com/x' where code = 'c1'")
        assert target(cache, "c1") == "https://example.com/1"
        raise ZeroDivisionError
    assert target(cache, "c1") == "https://example.com/1"


def test_an_edit_by_another_program_is_seen_within_a_second(
    store: Store, clock: Clock, new_cache: Callable[[], LinkCache]
) -> None:
    """An edit with another program is detected by the revision in the store within a second."""
    cache = new_cache()
    assert target(cache, "c1") == "https://example.com/1"
    connection = sqlite3.connect(store.data / "store.db")
    connection.execute("update links set target = 'https://example.com/x' where code = 'c1'")
    connection.commit()
    connection.close()
    clock.now += 1.1
    assert target(cache, "c1") == "https://example.com/x"


def test_a_cached_look_up_needs_no_query(
    store: Store, new_cache: Callable[[], LinkCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no link changes, a cached link is returned without a query."""
    cache = new_cache()
    target(cache, "c1")
    monkeypatch.setattr(cache, "_query", lambda *_: pytest.fail("queried the store"))
    for _ in range(10):
        assert target(cache, "c1") == "https://example.com/1"


def test_cache_size_is_bounded(
    store: Store, new_cache: Callable[[], LinkCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most MAX_CACHED_LINKS links are cached, unknown codes never; an evicted link is read again."""
    monkeypatch.setattr(link_cache, "MAX_CACHED_LINKS", 10)
    cache = new_cache()
    for number in range(100):
        assert target(cache, f"c{number}") == f"https://example.com/{number}"
        assert target(cache, f"no{number}") is None
    assert len(cache._cache) == 10
    assert target(cache, "c0") == "https://example.com/0"


def test_a_locked_store_is_readable(store: Store, clock: Clock, new_cache: Callable[[], LinkCache]) -> None:
    """A writer that holds its lock for minutes does not block look-ups."""
    cache = new_cache()
    writer = sqlite3.connect(store.data / "store.db", isolation_level=None)
    writer.execute("begin exclusive")
    writer.execute("update links set target = 'https://example.com/x'")
    assert target(cache, "c1") == "https://example.com/1"
    clock.now += 10
    assert target(cache, "c2") == "https://example.com/2"
    writer.execute("rollback")
    writer.close()


FAULTS = ("moved away", "garbage", "emptied", "a directory")


def break_store(data: Path, fault: str) -> None:
    """Make the store unusable."""
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
def test_cached_links_survive_the_store(
    store: Store, clock: Clock, new_cache: Callable[[], LinkCache], fault: str
) -> None:
    """While the store is unusable, cached links are returned, and other look-ups raise StoreUnavailable."""
    cache = new_cache()
    assert target(cache, "c1") == "https://example.com/1"
    cache.close()
    store.close()
    break_store(store.data, fault)
    for _ in range(5):
        clock.now += 1.0
        assert target(cache, "c1") == "https://example.com/1"
        with pytest.raises(StoreUnavailable):
            cache.find(HOST, "c2")


@pytest.mark.parametrize("fault", FAULTS)
def test_start_without_a_store(store: Store, clock: Clock, new_cache: Callable[[], LinkCache], fault: str) -> None:
    """A start without a store raises StoreUnavailable and creates no store; links are found once it is back."""
    store.execute("pragma wal_checkpoint(truncate)")
    store.close()
    path = store.data / "store.db"
    content = path.read_bytes()
    break_store(store.data, fault)
    cache = new_cache()
    with pytest.raises(StoreUnavailable):
        cache.find(HOST, "c1")
    assert fault != "moved away" or not path.exists()
    path.rmdir() if path.is_dir() else None
    path.write_bytes(content)
    clock.now += 1.0
    assert target(cache, "c1") == "https://example.com/1"


def test_an_unavailable_store_is_not_opened_for_every_click(
    store: Store, new_cache: Callable[[], LinkCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of look-ups in an unavailable store causes one attempt in half a second."""
    store.close()
    break_store(store.data, "moved away")
    cache = new_cache()
    attempts: list[Path] = []
    original = link_cache._open_read_only

    def count(path: Path) -> sqlite3.Connection:
        attempts.append(path)
        return original(path)

    monkeypatch.setattr(link_cache, "_open_read_only", count)
    for number in range(200):
        with pytest.raises(StoreUnavailable):
            cache.find(HOST, f"x{number}")
    assert len(attempts) <= 2


def test_a_restored_store_is_used(
    store: Store, clock: Clock, new_cache: Callable[[], LinkCache], tmp_path: Path
) -> None:
    """After a backup replaces the store file, look-ups return its targets."""
    cache = new_cache()
    assert target(cache, "c1") == "https://example.com/1"
    other = open_store(tmp_path / "other")
    with other.transaction():
        links.add(other, HOST, "c1", target="https://example.com/restored", now=0)
    other.execute("pragma wal_checkpoint(truncate)")
    other.close()
    store.close()
    for name in ("store.db-wal", "store.db-shm"):
        (store.data / name).unlink(missing_ok=True)
    (tmp_path / "other" / "store.db").replace(store.data / "store.db")
    clock.now += 1.1
    assert target(cache, "c1") == "https://example.com/restored"


def test_threads_see_edits_while_others_read(store: Store) -> None:
    """No thread gets an old target after the edit that replaced it was committed."""
    cache, committed, stop = LinkCache(store.data / "store.db"), [0], threading.Event()
    outdated: list[tuple[int, int]] = []

    def read() -> None:
        while not stop.is_set():
            minimum = committed[0]
            number = int((target(cache, "c1") or "").rpartition("/")[2])
            if number < minimum:
                outdated.append((number, minimum))

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
    cache.close()
    assert outdated == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux' /proc")
def test_a_closed_cache_has_no_open_file(store: Store, new_cache: Callable[[], LinkCache]) -> None:
    """``close`` closes the store, may be called twice, and a later look-up opens the store again."""
    store.close()
    cache = new_cache()
    assert target(cache, "c1") == "https://example.com/1"
    assert _open_store_files(store.data)
    for _ in range(2):
        cache.close()
        assert _open_store_files(store.data) == []
    assert target(cache, "c2") == "https://example.com/2"


def _open_store_files(data: Path) -> list[Path]:
    """Return the files of the store that this process has open."""
    opened = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            opened.append(entry.readlink())
    return [path for path in opened if path.parent == data and path.name.startswith("store.db")]
