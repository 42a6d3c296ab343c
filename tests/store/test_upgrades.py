"""A store of every schema that was ever on the main branch opens, migrated, with equal counts.

``schemas/`` has one dump for each schema, written by the program of the commit in the file's name after it had added a
link and an issue and collected 22 clicks (the second: a link and four clicks). ``counts.json`` has what that program
had counted. The program of the first commit could not run yet: its tables were filled with the rows of the third dump.
"""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shortener.collector.rebuild import rebuild
from shortener.files import STORE_FILE_NAME
from shortener.store import Store, open_store

SCHEMAS = Path(__file__).with_name("schemas")
COUNTS: dict[str, dict[str, Any]] = json.loads((SCHEMAS / "counts.json").read_text())


def load(name: str, data: Path) -> None:
    """Create the store of a dump in a data directory."""
    with closing(sqlite3.connect(data / STORE_FILE_NAME)) as db:
        db.executescript(gzip.decompress((SCHEMAS / f"{name}.sql.gz").read_bytes()).decode())


def count(store: Store) -> dict[str, Any]:
    """Return the clicks by link and verdict from single clicks, the visitors by link from sums, and other counts."""
    clicks = "select code || ' ' || verdict, count(*) from clicks join links on links.id = link_id group by 1"
    visitors = "select code, sum(visitors) from clicks_by_link join links on links.id = link_id group by 1"
    return {
        "clicks": dict(store.execute(clicks).fetchall()),
        "visitors": dict(store.execute(visitors).fetchall()),
        "links": store.value("select count(*) from links"),
        "articles": store.value("select count(*) from articles"),
        "position": store.value("select sum(position) from segments"),
    }


def sums(store: Store) -> dict[str, int]:
    """Return the clicks in the sums, by link and verdict."""
    verdicts = ("human", "bot", "scanner", "preview", "prefetch")
    columns = ", ".join(f"sum({verdict})" for verdict in verdicts)
    rows = store.execute(f"select code, {columns} from clicks_by_link join links on links.id = link_id group by code")
    return {f"{code} {verdict}": n for code, *each in rows for verdict, n in zip(verdicts, each, strict=True) if n}


@pytest.mark.parametrize("name", COUNTS)
def test_store_of_an_earlier_program_opens_with_equal_counts(name: str, tmp_path: Path) -> None:
    """Single clicks, sums, visitors, links, articles and read positions are those of the earlier program."""
    load(name, tmp_path)
    with closing(open_store(tmp_path)) as store:
        assert count(store) == COUNTS[name]
        assert sums(store) == COUNTS[name]["clicks"]
        assert store.value("pragma integrity_check") == "ok"
        assert store.execute("pragma foreign_key_check").fetchall() == []
        rebuild(store, on_progress=lambda _done: None)
        assert count(store) == COUNTS[name]


def test_sums_of_deleted_clicks_are_kept(tmp_path: Path) -> None:
    """The sums of a store of the first days stay when its single clicks were deleted before the upgrade."""
    load("03-c27242b", tmp_path)
    with closing(sqlite3.connect(tmp_path / STORE_FILE_NAME)) as db:
        db.execute("delete from clicks")
        db.execute("update facts set value = 2000000000 where name = 'clicks_from'")
        db.commit()
    with closing(open_store(tmp_path)) as store:
        assert sums(store) == COUNTS["03-c27242b"]["clicks"]
        assert count(store)["visitors"] == COUNTS["03-c27242b"]["visitors"]


def test_migrated_schema_is_that_of_a_new_store(tmp_path: Path) -> None:
    """A migrated store of the first days has the tables, columns and indexes of a new one."""
    schema = "select type, name, tbl_name from sqlite_master where name not like 'sqlite_%' order by 1, 2"
    schemas = []
    for name in ("", "01-9ccc49c"):
        data = tmp_path / (name or "new")
        data.mkdir()
        if name:
            load(name, data)
        with closing(open_store(data)) as store:
            schemas.append(store.execute(schema).fetchall())
    assert schemas[0] == schemas[1]


def test_every_dump_has_counts() -> None:
    """No dump is left out of the tests."""
    assert {path.name.removesuffix(".sql.gz") for path in SCHEMAS.glob("*.gz")} == COUNTS.keys()
