"""Migration m006: indexes of clicks that begin with the day or hour, in migrated and in new stores."""

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

from shortener.files import STORE_FILE_NAME
from shortener.store import clicks, nearby_clicks, open_store
from shortener.store.migrations import MIGRATIONS

NOON = 1_795_500_000
INDEXES = {
    "clicks_by_visitor": "clicks (ts / 86400000, visitor, first_visits) where visitor is not null",
    "clicks_by_address": "clicks (ts / 3600000, addr, ts) where addr is not null",
    "clicks_by_recipient_token": "clicks (ts / 3600000, recipient_token, ts)\n    where recipient_token is not null",
}


@pytest.fixture
def old_data(tmp_path: Path) -> Path:
    """A data directory whose store has the schema before m006, and one click."""
    tmp_path.chmod(0o700)
    db = Database(sqlite3.connect(tmp_path / STORE_FILE_NAME, isolation_level=None))
    MIGRATIONS.apply(db, stop_before="m006_local_indexes")
    db.conn.execute("insert into links (id, domain, code, created_at, updated_at) values (1, 'd', 'c', 1, 1)")
    db.conn.execute(
        "insert into clicks (id, ts, link_id, verdict, reason, rules, first, addr, visitor, copy) "
        "values ('a', ?, 1, 'human', 'reader', 1, 15, 'x', 'v', 'k')",
        (NOON * 1000,),
    )
    assert "first" in db.conn.execute("select sql from sqlite_master where name = 'clicks_by_visitor'").fetchone()[0]
    db.close()
    return tmp_path


def test_old_store_gets_the_new_indexes(old_data: Path) -> None:
    """A migrated store finds clicks by day and visitor, and by hour and address or recipient token."""
    store = open_store(old_data)
    indexes = dict(store.execute("select name, sql from sqlite_master where name glob 'clicks_by_*'").fetchall())
    assert {name: indexes[name].partition(" on ")[2] for name in INDEXES} == INDEXES
    day, hour = NOON // 86_400, NOON // 3600
    assert [click.id for click in clicks.visits_by_seq(store, {(day, "v"): 1}).values()] == ["a"]
    assert not clicks.visits_by_seq(store, {(day + 1, "v"): 0, (day, "v"): 16})
    for column, value in (("addr", "x"), ("recipient_token", "k")):
        period = {"since": NOON * 1000, "until": NOON * 1000 + 1}
        assert nearby_clicks.clicks_by_value(store, column, [value], hour=hour, **period)  # type: ignore[arg-type]
    store.close()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            "select seq from clicks where ts / 86400000 = 1 and visitor in ('v') and first_visits > 0",
            "clicks_by_visitor",
        ),
        ("select seq from clicks where ts / 3600000 = 1 and addr in ('x')", "clicks_by_address"),
        (
            "select seq from clicks where ts / 3600000 = 1 and recipient_token in ('x')",
            "clicks_by_recipient_token",
        ),
    ],
)
def test_queries_use_the_indexes(tmp_path: Path, query: str, index: str) -> None:
    """The query plan searches the expected index instead of scanning the table."""
    store = open_store(tmp_path)
    plan = " ".join(row[3] for row in store.execute(f"explain query plan {query}"))
    assert f"USING INDEX {index}" in plan or f"USING COVERING INDEX {index}" in plan
    store.close()
