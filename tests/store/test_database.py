"""The store's file and the write-ahead log beside it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from shortener.store import links, open_store
from shortener.store.backups import back_up

KILLED_WRITER = """
import os, sys
from pathlib import Path
from shortener.store import links, open_store
store = open_store(Path(sys.argv[1]))
with store.transaction():
    for number in range(500):
        links.add(store, "go.example", f"late{number}", target="https://example.com/late", now=0)
os.kill(os.getpid(), 9)
"""


def prepare(data: Path, backup: Path) -> None:
    """A store with one link, a backup of it, and then a write-ahead log that a killed process left behind."""
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "first", target="https://example.com/a", now=0)
    back_up(store, backup)
    store.close()
    done = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(data)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (data / "store.db-wal").stat().st_size > 0


def count(data: Path) -> int:
    """The links of a sound store."""
    store = open_store(data)
    try:
        assert store.value("pragma integrity_check") == "ok"
        return int(store.value("select count(*) from links"))
    finally:
        store.close()


def test_a_backup_is_not_mixed_with_the_log_of_the_store_before(tmp_path: Path) -> None:
    """A backup that is put in place beside a killed server's write-ahead log is opened as it was backed up."""
    data = tmp_path / "data"
    prepare(data, tmp_path / "backup.db")
    (tmp_path / "backup.db").replace(data / "store.db")
    assert count(data) == 1
    assert (data / "store.db-wal.of-the-store-before").stat().st_size > 0


def test_what_a_killed_process_committed_is_there(tmp_path: Path) -> None:
    """The log that a killed process left belongs to its store, also where the whole directory was moved or copied."""
    data = tmp_path / "data"
    prepare(data, tmp_path / "backup.db")
    shutil.copytree(data, tmp_path / "copied")
    assert count(tmp_path / "copied") == 501
    data.rename(tmp_path / "moved")
    assert count(tmp_path / "moved") == 501


def test_an_empty_log_is_left_alone(tmp_path: Path) -> None:
    """A reader that opened a restored store first, and made a log for it, goes on with the one that writers use."""
    data = tmp_path / "data"
    prepare(data, tmp_path / "backup.db")
    (tmp_path / "backup.db").replace(data / "store.db")
    os.truncate(data / "store.db-wal", 0)
    before = (data / "store.db-wal").stat().st_ino
    store = open_store(data)
    assert (data / "store.db-wal").stat().st_ino == before
    store.close()
