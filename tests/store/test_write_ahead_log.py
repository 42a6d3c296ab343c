"""Write-ahead logs that belong to another store file are set aside; all others are applied, whatever their inodes."""

import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shortener.errors import InputError, StoreBusy, StoreError
from shortener.store import links, open_store
from shortener.store.backups import back_up
from shortener.store.write_ahead_log import Relation, logs_set_aside, put_back, relation
from tests.store.test_database import count_links, create_store_with_wal

CHECKPOINTING_WRITER = """
import os, sys
from pathlib import Path
from shortener.store import links, open_store
store = open_store(Path(sys.argv[1]))
for number in range(12):
    with store.transaction():
        links.add(store, "go.example", f"{sys.argv[2]}{number}", target="https://example.com/late", now=0)
    if number == int(sys.argv[3]):
        store.execute(f"pragma wal_checkpoint({sys.argv[4]})")
os.kill(os.getpid(), 9)
"""


def write_and_die(data: Path, prefix: str, *, checkpoint_after: int = -1, mode: str = "passive") -> None:
    """Add 12 links in a process that is killed, with a checkpoint after one of them."""
    arguments = [str(data), prefix, str(checkpoint_after), mode]
    subprocess.run([sys.executable, "-c", CHECKPOINTING_WRITER, *arguments], check=False)


def test_restored_backup_ignores_the_wal_of_the_previous_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A backup restored next to the WAL of a killed server opens with exactly its content, and the WAL is named."""
    data = tmp_path / "data"
    create_store_with_wal(data, tmp_path / "backup.db")
    (tmp_path / "backup.db").replace(data / "store.db")
    with caplog.at_level(logging.ERROR):
        assert count_links(data) == 1
    (aside,) = logs_set_aside(data / "store.db")
    assert aside.name == "store.db-wal.set-aside-1"
    assert aside.stat().st_size > 0
    assert aside.name in caplog.text


def replace_file(store: Path, other: Path) -> None:
    """Replace a store file by another file."""
    other.replace(store)


def overwrite(store: Path, other: Path) -> None:
    """Write another file's content into the store file, which keeps its inode."""
    store.write_bytes(other.read_bytes())


def empty(store: Path, other: Path) -> None:
    """Remove the content of the store file."""
    store.write_bytes(b"")


@pytest.mark.parametrize("put", [replace_file, overwrite, empty])
@pytest.mark.parametrize("opened", [False, True], ids=["backup as written", "backup that was opened"])
def test_foreign_log_is_set_aside(put: Callable[[Path, Path], None], opened: bool, tmp_path: Path) -> None:
    """The WAL is recognized however the store was replaced, also by a backup that is in WAL mode itself."""
    data, backup = tmp_path / "data", tmp_path / "backup" / "store.db"
    backup.parent.mkdir()
    create_store_with_wal(data, backup)
    if opened:
        assert count_links(backup.parent) == 1
    put(data / "store.db", backup)
    assert relation(data / "store.db") is Relation.FOREIGN
    assert count_links(data) == (0 if put is empty else 1)
    assert len(logs_set_aside(data / "store.db")) == 1


def test_cold_copy_of_the_store_is_not_mixed_with_a_later_log(tmp_path: Path) -> None:
    """A copy of ``store.db`` of a stopped server has the store's past, but not the number before the WAL."""
    data = tmp_path / "data"
    open_store(data).close()
    shutil.copyfile(data / "store.db", tmp_path / "copy.db")
    for prefix in ("a", "b"):  # the second opens the store anew, so the first log is in the file
        write_and_die(data, prefix)
        if prefix == "a":
            assert count_links(data) == 12
    shutil.copyfile(tmp_path / "copy.db", data / "store.db")
    assert count_links(data) == 0
    assert len(logs_set_aside(data / "store.db")) == 1


@pytest.mark.parametrize("mode", ["passive", "truncate"])
@pytest.mark.parametrize("checkpoint_after", range(-1, 12, 3))
def test_log_of_a_copy_is_applied(checkpoint_after: int, mode: str, tmp_path: Path) -> None:
    """A copied directory has all links, wherever the last checkpoint was; inodes do not matter."""
    data = tmp_path / "data"
    open_store(data).close()
    write_and_die(data, "a", checkpoint_after=checkpoint_after, mode=mode)
    shutil.copytree(data, tmp_path / "copy")
    assert relation(tmp_path / "copy" / "store.db") is not Relation.FOREIGN
    assert count_links(tmp_path / "copy") == 12
    assert not logs_set_aside(tmp_path / "copy" / "store.db")


def test_log_of_a_store_without_a_number_is_applied(tmp_path: Path) -> None:
    """The WAL of a store that an older version has written is never set aside."""
    data = tmp_path / "data"
    open_store(data).close()
    with closing(sqlite3.connect(data / "store.db")) as db:
        db.execute("pragma user_version = 0")
        db.execute("create table older (number integer)")
        db.execute("insert into older values (1)")
        db.commit()
        shutil.copytree(data, tmp_path / "copy")
    assert (tmp_path / "copy" / "store.db-wal").stat().st_size > 0
    with closing(open_store(tmp_path / "copy")) as store:
        assert store.value("select number from older") == 1


def test_each_kept_log_has_a_name_of_its_own(tmp_path: Path) -> None:
    """A foreign WAL does not overwrite one that was set aside before."""
    data = tmp_path / "data"
    create_store_with_wal(data, tmp_path / "backup.db")
    for _ in range(2):
        shutil.copyfile(tmp_path / "backup.db", data / "store.db")
        assert count_links(data) == 1
        write_and_die(data, "x")
    shutil.copyfile(tmp_path / "backup.db", data / "store.db")
    assert count_links(data) == 1
    assert [path.name[-1] for path in logs_set_aside(data / "store.db")] == ["1", "2", "3"]


def test_log_is_put_back_into_its_store_only(tmp_path: Path) -> None:
    """A WAL that was set aside is refused by the backup and applied to the previous store file."""
    data, store = tmp_path / "data", tmp_path / "data" / "store.db"
    create_store_with_wal(data, tmp_path / "backup.db")
    store.rename(tmp_path / "previous.db")
    shutil.copyfile(tmp_path / "backup.db", store)
    assert count_links(data) == 1
    (aside,) = logs_set_aside(store)
    with pytest.raises(InputError, match="another store file"):
        put_back(store, aside)
    (tmp_path / "previous.db").replace(store)
    with closing(open_store(data)), pytest.raises(StoreBusy, match="stop them"):
        put_back(store, aside)
    put_back(store, aside)
    assert count_links(data) == 501
    assert not logs_set_aside(store)


def test_restored_copy_does_not_reach_the_numbers_of_a_log(tmp_path: Path) -> None:
    """A store whose foreign log was set aside counts from a new number, so that the log never seems to belong to it."""
    data, store = tmp_path / "data", tmp_path / "data" / "store.db"
    open_store(data).close()
    write_and_die(data, "a")
    count_links(data)
    shutil.copyfile(store, tmp_path / "cold.db")
    write_and_die(data, "b")
    count_links(data)
    write_and_die(data, "c")
    shutil.copyfile(tmp_path / "cold.db", store)
    assert count_links(data) == 12
    with closing(open_store(data)) as opened:
        for number in range(30):
            with opened.transaction():
                links.add(opened, "go.example", f"n{number}", target="https://example.com/", now=0)
    (aside,) = logs_set_aside(store)
    with pytest.raises(InputError, match="another store file"):
        put_back(store, aside)


def test_damaged_log_is_not_put_back(tmp_path: Path) -> None:
    """The result is checked on a copy; a log that would damage the store is refused and nothing is changed."""
    data, store = tmp_path / "data", tmp_path / "data" / "store.db"
    open_store(data).close()
    with closing(sqlite3.connect(store)) as db:
        db.execute("pragma user_version = 0")
    write_and_die(data, "a")
    wal = bytearray((data / "store.db-wal").read_bytes())
    aside = data / "store.db-wal.set-aside-1"
    aside.write_bytes(wal)
    for path in data.glob("store.db*"):
        if path != aside:
            path.unlink()
    with closing(sqlite3.connect(store)) as db:
        db.execute("pragma journal_mode = wal")
        db.execute("create table other (number integer)")
        for number in range(5_000):
            db.execute("insert into other values (?)", (number,))
        db.commit()
    before = store.read_bytes()
    with pytest.raises(InputError, match="damaged"):
        put_back(store, aside)
    assert store.read_bytes() == before
    assert aside.exists()
    assert not (data / "store.db-wal").exists()


def test_log_is_not_put_back_into_an_unreadable_store(tmp_path: Path) -> None:
    """A file that is no store is an error of the store, and the log stays where it was."""
    store, aside = tmp_path / "store.db", tmp_path / "store.db-wal.set-aside-1"
    store.write_bytes(b"no database" * 1000)
    aside.write_bytes(b"")
    with pytest.raises(StoreError, match="not a database"):
        put_back(store, aside)
    assert aside.exists()


def test_reading_leaves_the_number_unchanged(tmp_path: Path) -> None:
    """A transaction that writes nothing does not write the header."""
    with closing(open_store(tmp_path)) as store:
        with store.transaction():
            links.add(store, "go.example", "abc", target="https://example.com/", now=0)
        number = store.value("pragma user_version")
        with store.transaction():
            store.value("select count(*) from links")
        assert store.value("pragma user_version") == number
        back_up(store, tmp_path / "backup.db", now=0)
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        assert backup.execute("pragma user_version").fetchone()[0] not in {0, number}


def test_opening_a_store_again_keeps_the_locks_of_the_process(tmp_path: Path) -> None:
    """While a process has two connections, another one that closes its own does not remove the WAL that they use."""
    with closing(open_store(tmp_path)) as first, closing(open_store(tmp_path)):
        script = "import sys; from pathlib import Path; from shortener.store import open_store; "
        script += "open_store(Path(sys.argv[1])).close()"
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
        with first.transaction():
            links.add(first, "go.example", "abc", target=None, now=1)
        with closing(sqlite3.connect(tmp_path / "store.db")) as other:
            assert other.execute("select count(*) from links").fetchone() == (1,)
