"""What an operator does: collect, rebuild, backup and restore, doctor, config show."""

import json
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from shortener.store import Store, open_store

Shortener = Any
Newsletter = Any


def test_collect_once_drains_what_was_written(newsletter: Newsletter, shortener: Shortener) -> None:
    """collect --once returns when everything written before is in the store."""
    newsletter.click("one", n=1)
    newsletter.write()
    assert "1 lines drained now" in shortener("collect", "--once").stdout
    assert "0 lines drained now" in shortener("collect", "--once").stdout


def test_collect_wants_to_know_how(shortener: Shortener) -> None:
    """Neither or both of --once and --follow is a usage error."""
    assert "--once" in shortener("collect", status=2).stderr
    assert "--once" in shortener("collect", "--once", "--follow", status=2).stderr


def test_rebuild_says_what_the_increments_said(newsletter: Newsletter, shortener: Shortener) -> None:
    """The sums after a rebuild are those before, and a broken sum is mended by it."""
    for visitor in ("a", "b", "c"):
        newsletter.click("one", n=1, visitor=visitor)
    newsletter.machine("bot", "one", 1)
    newsletter.drain()
    before = shortener("report", "issue", "may", "--format", "json").stdout
    with sqlite3.connect(newsletter.config.data_directory / "store.db") as db:
        db.execute("update clicks_by_link set clicks = clicks + 5, visitors = 0")
    db.close()
    assert "4 clicks" in shortener("rebuild").stdout
    after = shortener("report", "issue", "may", "--format", "json").stdout
    assert json.loads(after) | {"as_of": None} == json.loads(before) | {"as_of": None}


def test_a_restored_backup_catches_up_to_the_exact_count(
    newsletter: Newsletter, shortener: Shortener, tmp_path: Path
) -> None:
    """What was drained after the backup is drained again from the kept log: nothing lost, nothing twice."""
    newsletter.click("one", n=1, visitor="a")
    newsletter.drain()
    backup = tmp_path / "backup.db"
    assert "checked" in shortener("backup", str(backup)).stdout
    newsletter.click("one", n=1, visitor="b")
    newsletter.click("two", n=3, visitor="c")
    newsletter.drain()
    live = shortener("clicks", "export").stdout
    data = newsletter.config.data_directory
    for path in data.glob("store.db*"):
        path.unlink()
    shutil.copy(backup, data / "store.db")
    shortener("collect", "--once")
    assert sorted(shortener("clicks", "export").stdout.splitlines()) == sorted(live.splitlines())


def test_a_backup_is_consistent_while_clicks_are_drained(
    newsletter: Newsletter, shortener: Shortener, tmp_path: Path
) -> None:
    """A backup in the middle of writing is one moment of the store: its sums are those of its clicks."""
    stop = threading.Event()

    def write() -> None:
        store = open_store(newsletter.config.data_directory)
        while not stop.is_set():
            with store.transaction():
                store.execute("update links set title = title || 'x' where id = 1")
                store.execute("update links set title = title || 'x' where id = 2")
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        shortener("backup", str(tmp_path / "b.db"))
    finally:
        stop.set()
        writer.join()
    copy = sqlite3.connect(tmp_path / "b.db")
    lengths = [row[0] for row in copy.execute("select length(title) from links where id in (1, 2)")]
    original = [
        row[0] for row in copy.execute("select length(replace(title, 'x', '')) from links where id in (1, 2)")
    ]
    copy.close()
    assert lengths[0] - original[0] == lengths[1] - original[1]


def test_a_backup_does_not_overwrite(newsletter: Newsletter, shortener: Shortener, tmp_path: Path) -> None:
    """An existing file is left alone, and a place that cannot be written is named."""
    (tmp_path / "b.db").write_text("precious", encoding="utf-8")
    assert "exists already" in shortener("backup", str(tmp_path / "b.db"), status=1).stderr
    assert (tmp_path / "b.db").read_text(encoding="utf-8") == "precious"
    assert "cannot be written" in shortener("backup", str(tmp_path / "no" / "b.db"), status=1).stderr


def test_doctor_finds_what_is_wrong(newsletter: Newsletter, shortener: Shortener) -> None:
    """A sound installation has nothing bad; a readable file and a broken store are bad, with the mend."""
    findings = json.loads(shortener("doctor", "--format", "json").stdout)
    assert {finding["level"] for finding in findings} <= {"good", "warn"}
    checks = {finding["check"] for finding in findings}
    assert {"configuration", "permissions", "sqlite", "store", "backlog", "disk", "clock"} <= checks
    store = newsletter.config.data_directory / "store.db"
    store.chmod(0o644)
    assert "chmod" in shortener("doctor", status=1).stdout.replace("\n", " ")
    store.chmod(0o600)
    newsletter.store.close()
    for path in newsletter.config.data_directory.glob("store.db-*"):
        path.unlink()
    store.write_bytes(b"garbage" * 1000)
    assert "restore" in shortener("doctor", status=1).stdout


def test_config_show_hides_the_secret(
    tmp_path: Path, shortener: Shortener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in force is printed, but never a secret."""
    monkeypatch.setenv("SHORTENER_SITE__SECRET", "very-secret-" * 4)
    monkeypatch.setenv("SHORTENER_SERVER__PORT", "8123")
    shown = shortener("config", "show").stdout
    assert "very-secret" not in shown
    assert '"port": 8123' in shown


def test_a_store_from_the_future_is_refused(newsletter: Newsletter, shortener: Shortener) -> None:
    """A store that a newer version migrated is not touched."""
    store: Store = open_store(newsletter.config.data_directory)
    store.execute(
        "insert into _sqlite_migrations (migration_set, name, applied_at) values ('shortener', 'm999_future', '2099')"
    )
    store.close()
    error = shortener("issue", "list", status=1).stderr
    assert "newer version" in error
    assert "m999_future" in error
