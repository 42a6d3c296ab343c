"""Segments that are renamed, truncated, deleted, copied or moved to another host while they are read."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.serving import Server, needs_proc, serving, wait

pytestmark = needs_proc


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with twenty stored clicks."""
    with serving(Server(tmp_path)) as running:
        for number in range(20):
            running.click(f"a{number}")
        wait(lambda: running.stored() == 20, what="the clicks' way into the store")
        yield running


def freeze(server: Server) -> int:
    """Pause the collector; return its process id."""
    (collector,) = server.children("collector")
    os.kill(collector, signal.SIGSTOP)
    return collector


def test_a_renamed_segment_is_read_on(server: Server) -> None:
    """A renamed segment is neither read again nor left out, because its header identifies it."""
    (segment,) = server.segments()
    segment.rename(segment.with_name("00000000000000-renamed.jsonl"))
    for number in range(20):
        server.click(f"b{number}")
    wait(lambda: server.stored() == 40, what="the clicks' way into the store")
    time.sleep(0.5)
    server.stop()
    server.check()
    assert len(server.tags()) == len(set(server.tags())) == 40


def test_a_segment_that_is_copied_back_adds_nothing(server: Server, tmp_path: Path) -> None:
    """Copies of a segment under other names add nothing, also after the original is deleted."""
    (segment,) = server.segments()
    shutil.copy2(segment, tmp_path / "kept.jsonl")
    shutil.copy2(segment, segment.with_name("99999999999999-copy.jsonl"))
    server.stop()
    segment.unlink()
    server.start()
    shutil.copy2(tmp_path / "kept.jsonl", segment.with_name("00000000000000-back.jsonl"))
    server.click("b")
    wait(lambda: server.stored() == 21, what="the click's way into the store")
    server.run("collect", "--once")
    assert server.stored() == 21


def test_a_segment_is_replayed_on_another_host(server: Server, tmp_path: Path) -> None:
    """A segment moved to another host counts once, under any name and however often it is copied."""
    other_home = tmp_path / "other"
    other_home.mkdir()
    other = Server(other_home)
    other.host = server.host
    other.config.write_text(other.config.read_text().replace(f":{other.port}", f":{server.port}", 1))
    other.run("link", "add", "https://example.com/a", "--code", "abcde")
    (segment,) = server.segments()
    log = other.data / "clicklog"
    log.mkdir(exist_ok=True)
    for name in ("one.jsonl", "two.jsonl"):
        shutil.copy2(segment, log / name)
        other.run("collect", "--once")
        assert other.stored() == 20
    # The same clicks in a file of another identity, as an export and import by hand would bring them.
    lines = segment.read_text().splitlines()[1:]
    (log / "three.jsonl").write_text(
        "".join(line + "\n" for line in [json.dumps({"v": 1, "segment": "x", "node": "x", "started": 1}), *lines])
    )
    other.run("collect", "--once")
    assert other.stored() == 20
    other.check()


def test_a_truncated_segment_ends_where_it_was_cut(server: Server) -> None:
    """A truncated segment is reported and not read again, and later clicks count."""
    server.stop()
    (segment,) = server.segments()
    os.truncate(segment, segment.stat().st_size // 2)
    server.start()
    for number in range(20):
        server.click(f"b{number}")
    wait(lambda: server.stored() == 40, what="the clicks' way into the store")
    server.stop()
    server.check()
    assert len(set(server.tags())) == 40
    assert "Traceback" not in server.said()


def test_emptying_a_segment_under_its_writer_costs_only_what_was_in_it(server: Server) -> None:
    """After an open segment is emptied, clicks count again from the next segment on."""
    (segment,) = server.segments()
    os.truncate(segment, 0)
    for number in range(20):
        server.click(f"b{number}")
    server.stop()
    server.start()
    for number in range(20):
        server.click(f"c{number}")
    wait(lambda: server.stored() >= 40, what="the clicks' way into the store")
    server.stop()
    server.check()
    tags = server.tags()
    assert len(tags) == len(set(tags))
    assert {f"c{number}" for number in range(20)} <= set(tags)
    assert "Traceback" not in server.said()


def test_deleting_what_was_not_drained_is_reported(server: Server) -> None:
    """The unread rest of a deleted segment is reported and stored once, and other segments count."""
    collector = freeze(server)
    for number in range(30):
        server.click(f"lost{number}")
    server.kill_tree()
    (segment,) = server.segments()
    segment.unlink()
    server.start()
    assert collector not in server.children("collector")
    wait(lambda: "deleted before it was fully read" in server.said(), what="the report of the loss")
    server.click("later")
    wait(lambda: server.stored() == 21, what="the later click's way into the store")
    server.stop()
    server.check()
    assert server.value("select count(*) from skips where reason = 'deleted'") == 1
    server.start()
    server.stop()
    assert server.said().count("deleted before it was fully read") == 1


def test_a_worker_leaves_a_deleted_segment(server: Server) -> None:
    """After an open segment is deleted, only clicks written before the next sync are lost."""
    (segment,) = server.segments()
    segment.unlink()
    wait(lambda: "an open segment file was deleted" in server.said(), what="the worker's word")
    for number in range(20):
        server.click(f"b{number}")
    wait(lambda: server.stored() == 40, what="the clicks' way into the store")
    assert segment not in server.segments()
