"""The store file and its write-ahead log (WAL)."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from shortener.errors import InputError
from shortener.store import backups, links, open_store
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


def create_store_with_wal(data: Path, backup: Path) -> None:
    """Create a store with one link, back it up, and leave a WAL with 500 more links of a killed process."""
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "first", target="https://example.com/a", now=0)
    back_up(store, backup, now=0)
    store.close()
    process = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(data)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert (data / "store.db-wal").stat().st_size > 0


def count_links(data: Path) -> int:
    """Check the integrity of a store and return its number of links."""
    store = open_store(data)
    try:
        assert store.value("pragma integrity_check") == "ok"
        return int(store.value("select count(*) from links"))
    finally:
        store.close()


def test_commits_of_a_killed_process_survive(tmp_path: Path) -> None:
    """The WAL of a killed process is applied to its store, also if the whole directory was moved or copied."""
    data = tmp_path / "data"
    create_store_with_wal(data, tmp_path / "backup.db")
    shutil.copytree(data, tmp_path / "copied")
    assert count_links(tmp_path / "copied") == 501
    data.rename(tmp_path / "moved")
    assert count_links(tmp_path / "moved") == 501


def test_empty_wal_is_kept(tmp_path: Path) -> None:
    """An empty WAL next to a restored store is not set aside, because a reader may use it."""
    data = tmp_path / "data"
    create_store_with_wal(data, tmp_path / "backup.db")
    (tmp_path / "backup.db").replace(data / "store.db")
    os.truncate(data / "store.db-wal", 0)
    before = (data / "store.db-wal").stat().st_ino
    store = open_store(data)
    assert (data / "store.db-wal").stat().st_ino == before
    store.close()


def test_a_backup_that_cannot_be_completed_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while the copy is completed, such as a full disk, names the destination and leaves no part of it."""

    def prevent_journal() -> int:
        (tmp_path / "backup.db.partial-journal").mkdir()  # SQLite needs it for the first change of the copy
        return 1

    monkeypatch.setattr(backups, "random_number", prevent_journal)
    with closing(open_store(tmp_path / "data")) as store, pytest.raises(InputError, match=r"backup\.db: cannot be"):
        back_up(store, tmp_path / "backup.db", now=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db.partial-journal", "data"]
