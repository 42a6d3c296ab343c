"""The collector drains what nodes have sent to the inbox, each line once."""

import logging

import pytest

from shortener.collector.rebuild import rebuild
from shortener.store import inbox
from shortener.store.log_segments import SegmentPosition, segment_positions
from shortener.store.rollup_tables import ALL_ROLLUPS
from tests.conftest import SENT
from tests.scale.conftest import Centre


def rollups(centre: Centre) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of each rollup."""
    return {rollup.table: sorted(centre.store.execute(f"select * from {rollup.table}")) for rollup in ALL_ROLLUPS}


def test_the_inbox_is_drained_and_emptied(centre: Centre) -> None:
    """Clicks of two nodes are stored, their parts deleted, and the end of a segment is noticed."""
    for code, node in (("one", "paris"), ("two", "berlin"), ("one", "paris")):
        centre.click(code, visitor=node)
        centre.send(node)
    assert centre.collect() == 3
    centre.send("paris", finished=True)
    assert centre.collect() == 1
    assert centre.ids() == ["click-000001", "click-000002", "click-000003"]
    assert centre.store.value("select count(*) from inbox") == 0
    size = len(centre.content["paris"])
    assert segment_positions(centre.store)["segment-paris"] == SegmentPosition(size, False, True)
    assert centre.store.value("select node from segments where id = 'segment-paris'") == "paris"
    before = rollups(centre)
    rebuild(centre.store, on_progress=lambda _: None)
    assert rollups(centre) == before


def test_lines_may_be_split_damaged_and_torn(centre: Centre, caplog: pytest.LogCaptureFixture) -> None:
    """Parts end anywhere. Damaged lines are skipped with node, file and position, a torn end when nothing follows."""
    centre.click("one")
    first = len(centre.content["paris"])
    centre.record("paris")
    centre.content["paris"] += b"damaged\n"
    centre.click("two")
    centre.record("paris")
    centre.content["paris"] += b'{"v":1,'
    for end in (5, first + 9, len(centre.content["paris"]) - 60, None):
        centre.send("paris", until=end)
        with caplog.at_level(logging.WARNING):
            centre.collect()
    assert centre.ids() == ["click-000001", "click-000002"]
    assert inbox.backlog(centre.store)[0] > 0  # the line may still be completed
    centre.send("paris", finished=True)
    centre.collect()
    skips = list(centre.store.execute("select reason from skips order by byte_position"))
    assert skips == [("unreadable",), ("torn",)]
    assert "paris/segment-paris.jsonl: skipped line at byte" in caplog.text
    assert centre.store.value("select count(*) from inbox") == 0


def test_a_local_segment_that_was_also_sent_is_read_once(centre: Centre) -> None:
    """A machine that changes between `serve` and `centre` reads the inbox first, then its own click log."""
    for _ in range(3):
        centre.click("one", visitor=str(centre.written))
    centre.record("paris")
    log = centre.config.data_directory / "clicklog"
    log.mkdir()
    (log / "segment-paris.jsonl").write_bytes(centre.content["paris"])
    first_line = centre.content["paris"].index(b"click-000002") - 20
    centre.send("paris", until=centre.content["paris"].rindex(b"\n", 0, first_line) + 1)
    centre.collect(own_log=True)
    assert len(centre.ids()) == 3
    centre.send("paris")  # it was collected from the local file already
    centre.collect()
    assert len(centre.ids()) == 3
    assert centre.store.value("select sum(human) from clicks_by_link") == 3
    inbox.delete_read(centre.store)
    assert centre.store.value("select count(*) from inbox") == 0


def test_old_sent_positions_are_forgotten(centre: Centre) -> None:
    """The position of a finished segment is kept for twice the time that a node keeps its file."""
    centre.click("one")
    centre.send("paris", finished=True)
    centre.collect()
    keep = 2 * centre.config.privacy.keep_log * 86_400
    inbox.delete_finished(centre.store, before=SENT)
    assert inbox.sent_positions(centre.store, node="paris")
    centre.expire(now=SENT + keep + 1)
    assert not inbox.sent_positions(centre.store, node="paris")
