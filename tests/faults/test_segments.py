"""Segments that are renamed, truncated, deleted, copied or moved to another host while they are read."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.serving import Server, needs_proc, serving, wait

pytestmark = needs_proc


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server without pages, with twenty stored clicks."""
    with serving(Server(tmp_path, pages=False)) as running:
        click(running, "a", count=20)
        wait(lambda: running.stored() == 20, what="the clicks' way into the store")
        yield running


def click(server: Server, prefix: str, *, count: int) -> set[str]:
    """Click with the tags ``prefix0``, ``prefix1`` and so on; return them."""
    tags = {f"{prefix}{number}" for number in range(count)}
    for tag in tags:
        server.click(tag)
    return tags


def holding(server: Server, tag: str) -> Path:
    """Return the only segment with a click of this tag."""
    (segment,) = (path for path in server.segments() if f'/{tag}"' in path.read_text())
    return segment


def test_renamed_copied_and_deleted_segments(server: Server, tmp_path: Path) -> None:
    """Segments that are renamed, copied, replayed elsewhere, or deleted while their worker writes to them."""
    (tmp_path / "other").mkdir()
    a_segment_is_replayed_on_another_host(server, tmp_path / "other")
    a_renamed_segment_is_read_on(server)
    a_segment_that_is_copied_back_adds_nothing(server, tmp_path / "kept.jsonl")
    a_worker_leaves_a_deleted_segment(server)


def a_segment_is_replayed_on_another_host(server: Server, other_home: Path) -> None:
    """A segment moved to another host counts once, under any name and however often it is copied."""
    other = Server(other_home)
    other.host = server.host
    other.config.write_text(other.config.read_text().replace(f":{other.port}", f":{server.port}", 1))
    other.call("link", "add", "https://example.com/a", "--code", "abcde")
    (segment,) = server.segments()
    log = other.data / "clicklog"
    log.mkdir(exist_ok=True)
    for name in ("one.jsonl", "two.jsonl"):
        shutil.copy2(segment, log / name)
        other.call("collect", "--once")
        assert other.stored() == 20
    # The same clicks in a file of another identity, as an export and import by hand would bring them.
    lines = segment.read_text().splitlines()[1:]
    (log / "three.jsonl").write_text(
        "".join(line + "\n" for line in [json.dumps({"v": 1, "segment": "x", "node": "x", "started": 1}), *lines])
    )
    other.call("collect", "--once")
    assert other.stored() == 20
    other.check()


def a_renamed_segment_is_read_on(server: Server) -> None:
    """A renamed segment is neither read again nor left out, because its header identifies it."""
    (segment,) = server.segments()
    segment.rename(segment.with_name("00000000000000-renamed.jsonl"))
    click(server, "renamed", count=20)
    wait(lambda: server.stored() == 40, what="the clicks' way into the store")


def a_segment_that_is_copied_back_adds_nothing(server: Server, kept: Path) -> None:
    """Copies of a segment under other names add nothing, also after the original is deleted."""
    (segment,) = server.segments()
    shutil.copy2(segment, kept)
    shutil.copy2(segment, segment.with_name("99999999999999-copy.jsonl"))
    server.stop()
    server.check()
    assert len(server.tags()) == len(set(server.tags())) == 40
    segment.unlink()
    server.start()
    shutil.copy2(kept, segment.with_name("00000000000000-back.jsonl"))
    server.click("later")
    wait(lambda: server.stored() == 41, what="the click's way into the store")
    server.call("collect", "--once")
    assert server.stored() == 41


def a_worker_leaves_a_deleted_segment(server: Server) -> None:
    """After an open segment is deleted, only clicks written before the next sync are lost."""
    stored = server.stored()
    segment = holding(server, "later")
    segment.unlink()
    wait(lambda: "an open segment file was deleted" in server.said(), what="the worker's word")
    click(server, "left", count=20)
    wait(lambda: server.stored() == stored + 20, what="the clicks' way into the store")
    assert segment not in server.segments()


def test_truncated_emptied_and_undrained_segments(server: Server) -> None:
    """Segments that lose a part or all of what they hold, read or not, before and between starts of the server."""
    a_truncated_segment_ends_where_it_was_cut(server)
    lost = deleting_what_was_not_drained_is_reported(server)
    emptying_a_segment_under_its_writer_costs_only_what_was_in_it(server)
    assert reports_of_loss(server, lost) == 1, "the next start reports it again"


def a_truncated_segment_ends_where_it_was_cut(server: Server) -> None:
    """A truncated segment is reported and not read again, and later clicks count."""
    server.stop()
    (segment,) = server.segments()
    os.truncate(segment, segment.stat().st_size // 2)
    server.start()
    click(server, "cut", count=20)
    wait(lambda: server.stored() == 40, what="the clicks' way into the store")
    assert len(set(server.tags())) == 40
    assert "Traceback" not in server.said()


def deleting_what_was_not_drained_is_reported(server: Server) -> Path:
    """The unread rest of a deleted segment is reported and stored once, and other segments count."""
    stored = server.stored()
    collector = server.freeze_collector()
    click(server, "lost", count=30)
    server.kill_tree()
    segment = holding(server, "lost0")
    segment.unlink()
    server.start()
    assert collector not in server.children("collector")
    wait(lambda: reports_of_loss(server, segment), what="the report of the loss")
    assert server.stored_after("found") == stored + 1
    server.check()
    assert server.value("select count(*) from skips where reason = 'deleted'") == 1
    return segment


def reports_of_loss(server: Server, segment: Path) -> int:
    """Return how often the server has reported that a segment was deleted too early."""
    report = "deleted before it was fully read"
    return sum(segment.name in line and report in line for line in server.said().splitlines())


def emptying_a_segment_under_its_writer_costs_only_what_was_in_it(server: Server) -> None:
    """After an open segment is emptied, clicks count again from the next segment on."""
    stored = server.stored()
    os.truncate(holding(server, "found"), 0)
    click(server, "emptied", count=20)
    server.stop()
    server.start()
    later = click(server, "later", count=20)
    wait(lambda: later <= set(server.tags()), what="the clicks' way into the store")
    server.stop()
    server.check()
    tags = server.tags()
    assert len(tags) == len(set(tags)) >= stored + 20
    assert "Traceback" not in server.said()
