"""What can happen to the click log's files while they are read: renamed, cut, deleted, copied back, carried away."""

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
    """A running server with twenty clicks in its store."""
    with serving(Server(tmp_path)) as running:
        for number in range(20):
            running.click(f"a{number}")
        wait(lambda: running.stored() == 20, what="the clicks' way into the store")
        yield running


def freeze(server: Server) -> int:
    """Stop the collector where it stands; its process."""
    (collector,) = server.children("collector")
    os.kill(collector, signal.SIGSTOP)
    return collector


def test_a_renamed_segment_is_read_on(server: Server) -> None:
    """A segment is known by its first line: under another name nothing of it is read again, and nothing left out."""
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
    """Copies under other names, before and after the original is gone, are the same segment."""
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
    """On another host's store a segment counts once however often and under whatever name it is brought there."""
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
        "".join(
            line + "\n" for line in [json.dumps({"v": 1, "segment": "x", "node": "x", "started": 1}), *lines]
        )
    )
    other.run("collect", "--once")
    assert other.stored() == 20
    other.check()


def test_a_truncated_segment_ends_where_it_was_cut(server: Server) -> None:
    """A segment that is shorter than what was read of it is neither read again nor an error; later clicks count."""
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
    """``: > segment`` by a well-meaning hand: what comes later is in the store once the next segment has begun."""
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
    """Nobody can bring back a deleted segment; that its rest is lost is said once and written down, others count."""
    collector = freeze(server)
    for number in range(30):
        server.click(f"lost{number}")
    server.kill_tree()
    (segment,) = server.segments()
    segment.unlink()
    server.start()
    assert collector not in server.children("collector")
    wait(lambda: "deleted before it was drained" in server.said(), what="the report of the loss")
    server.click("later")
    wait(lambda: server.stored() == 21, what="the later click's way into the store")
    server.stop()
    server.check()
    assert server.value("select count(*) from skips where reason = 'deleted'") == 1
    server.start()
    server.stop()
    assert server.said().count("deleted before it was drained") == 1


def test_a_worker_leaves_a_deleted_segment(server: Server) -> None:
    """Who deletes the segment that a worker writes to loses what is written until the next sync, and no more."""
    (segment,) = server.segments()
    segment.unlink()
    wait(lambda: "an open segment file was deleted" in server.said(), what="the worker's word")
    for number in range(20):
        server.click(f"b{number}")
    wait(lambda: server.stored() == 40, what="the clicks' way into the store")
    assert segment not in server.segments()
