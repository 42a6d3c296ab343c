"""Commands of operators: collect, rebuild, backup and restore, doctor, config show."""

import json
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shortener.services.settings import put_settings
from shortener.store import Store, open_store

Shortener = Any
Newsletter = Any


def test_collect_once_drains_the_click_log(newsletter: Newsletter, shortener: Shortener) -> None:
    """``collect --once`` returns when all lines written before are in the store."""
    newsletter.click("one", n=1)
    newsletter.write()
    assert "1 lines drained now" in shortener("collect", "--once").stdout
    assert "0 lines drained now" in shortener("collect", "--once").stdout


def test_collect_needs_one_mode(shortener: Shortener) -> None:
    """``collect`` with neither or both of ``--once`` and ``--follow`` is a usage error."""
    assert "--once" in shortener("collect", status=2).stderr
    assert "--once" in shortener("collect", "--once", "--follow", status=2).stderr


def test_rebuild_equals_the_increments(newsletter: Newsletter, shortener: Shortener) -> None:
    """A rebuild gives the report from before, also after an aggregate was damaged."""
    for visitor in ("a", "b", "c"):
        newsletter.click("one", n=1, visitor=visitor)
    newsletter.machine("bot", "one", 1)
    newsletter.drain()
    before = shortener("report", "issue", "may", "--format", "json").stdout
    with sqlite3.connect(newsletter.config.data_directory / "store.db") as db:
        db.execute("update clicks_by_link set human = human + 5, visitors = 0")
    db.close()
    assert "4 clicks" in shortener("rebuild").stdout
    after = shortener("report", "issue", "may", "--format", "json").stdout
    assert json.loads(after) | {"as_of": None} == json.loads(before) | {"as_of": None}


def test_a_restored_backup_catches_up_to_the_exact_count(
    newsletter: Newsletter, shortener: Shortener, tmp_path: Path
) -> None:
    """Clicks drained after the backup are drained again from the click log: none is lost or counted twice."""
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


def test_a_backup_during_writes_is_consistent(newsletter: Newsletter, shortener: Shortener, tmp_path: Path) -> None:
    """A backup during writes has both updates of each transaction or none."""
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
    backup = sqlite3.connect(tmp_path / "b.db")
    lengths = [row[0] for row in backup.execute("select length(title) from links where id in (1, 2)")]
    original = [
        row[0] for row in backup.execute("select length(replace(title, 'x', '')) from links where id in (1, 2)")
    ]
    backup.close()
    assert lengths[0] - original[0] == lengths[1] - original[1]


def test_a_backup_does_not_overwrite(newsletter: Newsletter, shortener: Shortener, tmp_path: Path) -> None:
    """An existing file is not overwritten, and an unwritable path is named."""
    (tmp_path / "b.db").write_text("precious", encoding="utf-8")
    assert "exists already" in shortener("backup", str(tmp_path / "b.db"), status=1).stderr
    assert (tmp_path / "b.db").read_text(encoding="utf-8") == "precious"
    assert "cannot be written" in shortener("backup", str(tmp_path / "no" / "b.db"), status=1).stderr


def test_doctor_finds_problems(newsletter: Newsletter, shortener: Shortener) -> None:
    """A new installation has no bad finding; a readable file and a damaged store are bad, with the fix."""
    findings = json.loads(shortener("doctor", "--format", "json").stdout)
    assert {finding["level"] for finding in findings} <= {"good", "warn"}
    checks = {finding["check"] for finding in findings}
    assert {"configuration", "permissions", "sqlite", "store", "backlog", "disk", "clock"} <= checks
    store = newsletter.config.data_directory / "store.db"
    store.chmod(0o644)
    assert "chmod" in shortener("doctor", status=1).stdout.replace("\n", " ")
    assert shortener("doctor", "--format", "csv", status=1).stdout.startswith("level,")
    store.chmod(0o600)
    newsletter.store.close()
    for path in newsletter.config.data_directory.glob("store.db-*"):
        path.unlink()
    store.write_bytes(b"garbage" * 1000)
    assert "restore" in shortener("doctor", status=1).stdout


def test_config_show_hides_the_secret(tmp_path: Path, shortener: Shortener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values in force are printed, except for secrets."""
    monkeypatch.setenv("SHORTENER_SITE__SECRET", "very-secret-" * 4)
    monkeypatch.setenv("SHORTENER_SERVER__PORT", "8123")
    rows = shortener("config", "show", "--format", "csv").stdout
    assert "very-secret" not in rows
    assert "server.port,8123,SHORTENER_SERVER__PORT" in rows
    assert "8123" in shortener("config", "show").stdout


def test_config_show_names_the_source(newsletter: Newsletter, shortener: Shortener) -> None:
    """Each key has its source: variable, file, store or default; commands use the stored time zone."""
    with newsletter.store.transaction():
        put_settings(newsletter.store, {"site.timezone": "Asia/Tokyo", "domain.go.example.home": "https://a.example/"})
    rows = {row["key"]: row for row in json.loads(shortener("config", "show", "--format", "json").stdout)}
    assert rows["site.timezone"] == {"key": "site.timezone", "value": "Asia/Tokyo", "source": "store"}
    assert rows["domain.go.example.home"]["value"] == "https://a.example/"
    assert rows["storage.data"]["source"] == "config.toml"
    assert rows["server.port"] == {"key": "server.port", "value": 8000, "source": "default"}
    assert json.loads(shortener("report", "summary", "--format", "json").stdout)["timezone"] == "Asia/Tokyo"


def test_a_newer_store_is_refused(newsletter: Newsletter, shortener: Shortener) -> None:
    """A store with migrations of a newer version is refused."""
    store: Store = open_store(newsletter.config.data_directory)
    store.execute(
        "insert into _sqlite_migrations (migration_set, name, applied_at) values ('shortener', 'm999_future', '2099')"
    )
    store.close()
    error = shortener("issue", "list", status=1).stderr
    assert "newer version" in error
    assert "m999_future" in error


def test_a_log_set_aside_is_named_and_put_back(
    newsletter: Newsletter, shortener: Shortener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The write-ahead log of a replaced store is named by the command and by ``doctor``; ``restore-wal`` applies it."""
    data = newsletter.config.data_directory
    newsletter.store.close()
    shortener("backup", str(tmp_path / "backup.db"))
    with closing(open_store(data)) as store:
        with store.transaction():
            store.execute("insert into meta (name, value) values ('late', 7)")
        for name in ("store.db", "store.db-wal"):
            shutil.copy(data / name, tmp_path / name)
    for path in data.glob("store.db*"):
        path.unlink()
    shutil.copy(tmp_path / "store.db-wal", data / "store.db-wal")
    shutil.copy(tmp_path / "backup.db", data / "store.db")
    shortener("link", "list")
    assert "moved to store.db-wal.set-aside-1" in caplog.text
    assert "shortener store restore-wal store.db-wal.set-aside-1" in shortener("doctor", "--format", "json").stdout
    assert "another store file" in shortener("store", "restore-wal", status=1).stderr
    shutil.copy(tmp_path / "store.db", data / "store.db")
    assert "put back" in shortener("store", "restore-wal", "store.db-wal.set-aside-1").stdout
    with closing(open_store(data)) as store:
        assert store.meta("late") == 7
    assert "no write-ahead log" in shortener("store", "restore-wal", status=1).stderr
