"""The store file and its write-ahead log (WAL)."""

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
