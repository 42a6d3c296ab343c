"""Killed migrations: each is done or not done, and the next start completes the rest."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from shortener.store import open_store

OPEN = "import sys; from pathlib import Path; from shortener.store import open_store; open_store(Path(sys.argv[1]))"
KILLED_AT = (1, 4, 15, 40, 80, 120)
"""Numbers of the write at which the creation of a store is killed."""


def schema(data: Path) -> list[tuple[str, str]]:
    """Return the schema of a store file."""
    db = sqlite3.connect(data / "store.db")
    try:
        assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
        return db.execute("select name, coalesce(sql, '') from sqlite_master order by 1").fetchall()
    finally:
        db.close()


@pytest.mark.parametrize("when", KILLED_AT)
def test_a_killed_migration_is_finished_by_the_next_start(tmp_path: Path, when: int) -> None:
    """After ``kill -9`` at any write, the next start creates the schema that an undisturbed start creates."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    command = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"inject=pwrite64:signal=KILL:when={when}"]
    done = subprocess.run([*command, sys.executable, "-c", OPEN, str(tmp_path / "data")], check=False)
    if done.returncode == 1:
        pytest.skip("strace may not trace here")
    assert done.returncode in {0, -signal.SIGKILL, 128 + signal.SIGKILL}
    if when == 1:
        assert done.returncode != 0
    open_store(tmp_path / "data").close()
    open_store(tmp_path / "fresh").close()
    assert schema(tmp_path / "data") == schema(tmp_path / "fresh")
