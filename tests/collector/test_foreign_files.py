"""Click-log files of other programs: identity when renamed, addresses, and deletion."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.clicklog.reader import ClickLog
from shortener.collector.collector import Collector
from shortener.config import Config, Domain, Storage
from shortener.durations import DAY_SECONDS
from shortener.store import Store, links, open_store

NOON = 1_795_500_000.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(tmp_path)))


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    store = open_store(config.data_directory)
    with store.transaction():
        links.add(store, "go.example", "abc", target="https://a.example/", now=0)
    yield store
    store.close()


def line(id: str, **keys: Any) -> dict[str, Any]:
    """Return a line of the click log."""
    return {"v": 1, "id": id, "ts": NOON, "host": "go.example", "code": "abc", "ua": "x", **keys}


def write(data: Path, name: str, *lines: dict[str, Any], text: bytes = b"") -> Path:
    """Write a file without a header into the click log and return its path."""
    (data / "clicklog").mkdir(exist_ok=True)
    path = data / "clicklog" / name
    path.write_bytes(text + b"".join(json.dumps(each).encode() + b"\n" for each in lines))
    return path


def drain(store: Store, config: Config, *, now: float = NOON, expire: bool = False) -> None:
    """Drain the click log with a new collector, and delete what has expired."""
    collector = Collector(store, config=config, clock=lambda: now)
    try:
        collector.drain()
        if expire:
            collector.delete_expired()
    finally:
        collector.close()


def test_renamed_and_copied_files_are_read_once(store: Store, config: Config, tmp_path: Path) -> None:
    """Misses count once, also after a rotation, a copy and a restart; the new file with the old name is read."""
    path = write(tmp_path, "edge.log", line("a"), line("m", code="gone", status=404))
    drain(store, config)
    path.rename(path.with_name("edge.log.1"))
    drain(store, config)
    write(tmp_path, "edge.log", line("b"), line("n", code="gone", status=404))
    drain(store, config)
    (tmp_path / "clicklog" / "copy.jsonl").write_bytes((tmp_path / "clicklog" / "edge.log.1").read_bytes())
    drain(store, config)
    assert store.value("select sum(requests) from misses") == 2
    assert store.value("select count(*) from clicks") == 2


def test_files_whose_first_line_is_damaged_are_told_apart_by_name(store: Store, config: Config, tmp_path: Path) -> None:
    """Two files that begin with one damaged line are both read."""
    write(tmp_path, "a.log", line("a"), text=b"# log\n")
    write(tmp_path, "b.log", line("b"), line("c"), text=b"# log\n")
    drain(store, config)
    assert store.value("select count(*) from clicks") == 3


def test_file_that_an_earlier_version_has_read(store: Store, config: Config, tmp_path: Path) -> None:
    """The position under the former id, which had the file's name, is continued."""
    path = write(tmp_path, "edge.log", line("m", code="gone", status=404), line("n", code="gone", status=410))
    drain(store, config)
    (segment,) = ClickLog(tmp_path).segments()
    with store.transaction():
        store.execute("update segments set id = ?", (segment.former_id,))
    assert segment.former_id.startswith("edge.log:")
    drain(store, config)
    path.rename(path.with_name("edge.log.1"))
    drain(store, config)
    assert store.value("select sum(requests) from misses") == 2


ADDRESSES = {
    "address": ({"net": "203.0.113.9"}, "203.0.113.0/24"),
    "narrow network": ({"net": "203.0.113.9/32"}, "203.0.113.0/24"),
    "our form": ({"net": "203.0.113.0/24"}, "203.0.113.0/24"),
    "IPv6": ({"net": "2001:db8:1:2::3"}, "2001:db8:1::/48"),
    "other text": ({"net": "office 203.0.113.9"}, None),
    "hash": ({"addr": "203.0.113.9", "visitor": "2001:db8:1:2::3", "copy": "203.0.113.9"}, None),
}


@pytest.mark.parametrize(("keys", "net"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_no_whole_address_is_stored(
    store: Store, config: Config, tmp_path: Path, keys: dict[str, str], net: str | None
) -> None:
    """An address that another program wrote in a key for networks or hashes is reduced."""
    write(tmp_path, "x.jsonl", line("a", **keys))
    drain(store, config)
    row = store.row("select net, addr, visitor, recipient_token from clicks")
    assert row is not None
    assert row["net"] == net
    stored = " ".join(str(value) for value in row.values())
    assert "113.9" not in stored
    assert ":2::3" not in stored
    for key in ("addr", "visitor"):
        assert (row[key] is not None) == (key in keys)


def test_drained_files_are_deleted_except_those_that_may_be_open(store: Store, config: Config, tmp_path: Path) -> None:
    """Rotated and imported files go after ``keep_log`` days; a ``*.log`` and an unread rest stay."""
    names = ["edge.log", "edge.log.1", "import.jsonl"]
    paths = [write(tmp_path, name, line(name)) for name in names]
    torn = write(tmp_path, "torn.jsonl", line("t"))
    with torn.open("ab") as file:
        file.write(b'{"v":1')
    fresh = write(tmp_path, "fresh.jsonl", line("f"))
    for path in (*paths, torn):
        os.utime(path, (NOON, NOON))
    later = NOON + 8 * DAY_SECONDS
    os.utime(fresh, (later, later))
    drain(store, config, now=later, expire=True)
    assert sorted(path.name for path in (tmp_path / "clicklog").iterdir()) == ["edge.log", "fresh.jsonl", "torn.jsonl"]
    assert store.value("select count(*) from clicks") == 5
