"""The sender of a node: what it sends of the click log, what it reports, and what it deletes."""

import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shortener.clicklog.pseudonyms import DailyKeys
from shortener.clicklog.writer import SegmentWriter
from shortener.config import Config, Node, Storage
from shortener.durations import DAY_SECONDS
from shortener.errors import StoreError
from shortener.node import sender
from shortener.node.sender import Sender
from shortener.shared_memory import BACKLOG_BYTES, HEARD_AT, SENT_UNTIL, sender_state
from shortener.store import Reader, Store, inbox, nodes, open_node_reader, open_store, prepare_directory, shared_keys

NOW = 1_795_500_000.0


class Paris:
    """A node and its centre; the node's clock is ``now``, and it reports at every ``send``."""

    def __init__(self, directory: Path, url: str) -> None:
        self.config = Config(storage=Storage(data=str(directory / "paris"), url=url), node=Node(name="paris"))
        self.data = self.config.data_directory
        prepare_directory(self.data)
        self.centre: Store = open_store(directory / "centre", url=url)
        nodes.add(self.centre, "paris", role="", now=1)
        self.now = NOW
        self.reader: Reader = open_node_reader(url)
        self.log = self.data / "clicklog"
        self.sender = self.start_sender()

    def start_sender(self) -> Sender:
        """Return a new sender, as after a restart."""
        return Sender(self.config, clock=lambda: self.now)

    def open_segment(self) -> SegmentWriter:
        """Return a writer; a segment begins with its first line."""
        return SegmentWriter(self.log, node="paris", rotate_bytes=1 << 30, sync_seconds=60, clock=lambda: self.now)

    def write(self, content: str) -> Path:
        """Write bytes as a segment that is finished, and return its file."""
        before = set(self.log.glob("*"))
        with closing(self.open_segment()) as writer:
            writer.write(content.encode())
        (file,) = set(self.log.iterdir()) - before
        return file

    def send(self) -> int:
        """Send what is new."""
        return self.sender.send(self.reader)

    def received(self, *, finished: bool | None = None) -> bytes:
        """Return all bytes in the inbox, without headers; check whether the segments are ``finished``."""
        content = b""
        for segment in inbox.received_segments(self.centre):
            assert finished in (None, segment.finished)
            content += inbox.read_bytes(self.centre, segment.id, position=0, parts=99).partition(b"\n")[2]
        return content

    def lose(self, *, segments: bool = True) -> None:
        """Let the centre lose what it received, as after the restoration of a backup."""
        self.centre.execute("delete from inbox")
        if segments:
            self.centre.execute("delete from sent_segments")


@pytest.fixture
def paris(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paris]:
    """A node that is joined to a centre."""
    monkeypatch.setattr(sender, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(sender, "KEY_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(sender, "RETENTION_SECONDS", 0.0)
    node = Paris(tmp_path, postgres_url)
    with closing(node.centre), closing(node.reader):
        yield node


def test_whole_lines_are_sent_once(paris: Paris) -> None:
    """An incomplete line waits until it is complete, or until no process writes to the segment any more."""
    with closing(paris.open_segment()) as writer:
        writer.write(b"one\ntwo\nthr")
        assert paris.send() > 0
        assert paris.send() == 0
        assert paris.received(finished=False) == b"one\ntwo\n"
        writer.write(b"ee\nfo")
        paris.sender = paris.start_sender()
        paris.send()
        assert paris.received(finished=False) == b"one\ntwo\nthree\n"
    paris.send()
    assert paris.received(finished=True) == b"one\ntwo\nthree\nfo"
    assert paris.send() == 0


@pytest.mark.parametrize("size", [inbox.MAX_PART_BYTES - 1, 3 * inbox.MAX_PART_BYTES])
def test_a_long_segment_is_sent_in_parts(paris: Paris, size: int) -> None:
    """Parts hold whole lines, and an over-long line is sent although it does not end in its part."""
    content = "x" * size + "\n" + "short\n" * 100_000
    paris.write(content)
    assert paris.send() > size
    assert paris.received(finished=True) == content.encode()
    largest = paris.centre.value("select max(length(body)) from inbox")
    assert largest <= inbox.MAX_PART_BYTES


def test_a_restored_centre_gets_the_rest_again(paris: Paris) -> None:
    """When the centre has forgotten positions the sender begins there, by itself and also after a refused part."""
    with closing(paris.open_segment()) as writer:
        writer.write(b"one\n")
        paris.send()
        paris.lose()
        paris.send()  # its report reads the positions again
        paris.send()
        assert paris.received() == b"one\n"
        paris.lose()
        writer.write(b"two\n")
        paris.send()
        paris.send()
        assert paris.received() == b"one\ntwo\n"


def test_a_truncated_segment_is_named_once(paris: Paris, caplog: pytest.LogCaptureFixture) -> None:
    """A segment shorter than what was sent of it is not sent again, and one warning names it (D12)."""
    writer = paris.open_segment()
    writer.write(b"one\ntwo\n")
    paris.send()
    (file,) = paris.log.iterdir()
    os.truncate(file, file.stat().st_size - 4)
    paris.lose(segments=False)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            paris.send()
        writer.write(b"three\nfour\n")
        paris.send()
    assert caplog.text.count(f"{file.name}: the file is shorter") == 1
    assert paris.received() == b""
    writer.close()


def test_a_segment_of_another_node_is_left_out(paris: Paris, caplog: pytest.LogCaptureFixture) -> None:
    """A machine that was copied from another node does not send that node's segments, and sends its own."""
    copied = paris.write("copied\n")
    paris.centre.execute(
        "insert into sent_segments values (?, 'berlin', 'x', 7, 0, 0)", (copied.stem.partition("-")[2],)
    )
    paris.write("own\n")
    for _ in range(2 * sender.MAX_REFUSALS):
        paris.send()
    assert paris.received() == b"own\n"
    assert caplog.text.count("because another node has sent one with this id") == 1


def test_a_deleted_segment_is_reported(paris: Paris, caplog: pytest.LogCaptureFixture) -> None:
    """The loss of unsent lines is logged once, and the centre does not wait for them."""
    with closing(paris.open_segment()) as writer:
        writer.write(b"one\n")
        paris.send()
        (file,) = paris.log.iterdir()
        file.unlink()
        for _ in range(4):
            paris.send()
    assert caplog.text.count("deleted before it was fully sent; clicks after byte") == 1
    assert paris.received(finished=True) == b"one\n"


def test_the_report_says_until_when_clicks_were_sent(paris: Paris) -> None:
    """``sent_until`` is a time before the last listing, and a part carries the one before it, also after a restart."""
    paris.send()
    first = int(paris.now) - sender.CLOCK_MARGIN_SECONDS
    paris.now += 100
    paris.sender = paris.start_sender()
    paris.write("one\n")
    paris.send()
    assert paris.centre.value("select recorded_after from inbox") == first
    node = nodes.find(paris.centre, "paris")
    assert node is not None
    assert (node.sent_until, node.backlog_bytes) == (first + 100, 0)
    assert node.heard_at
    assert node.version
    assert node.disk_free
    with closing(sender_state(paris.data)) as state:
        shown = [state.values[each] for each in (HEARD_AT, SENT_UNTIL, BACKLOG_BYTES)]
    assert shown == [int(paris.now), first + 100, 0]


def test_a_removed_node_keeps_its_clicks(paris: Paris) -> None:
    """A node that was removed at the centre says so, and sends again when it was added again."""
    nodes.remove(paris.centre, "paris", now=5)
    paris.write("one\n")
    for _ in range(2):
        with pytest.raises(StoreError, match="paris was removed"):
            paris.send()
    nodes.add(paris.centre, "paris", role="", now=6)
    paris.send()
    assert paris.received(finished=True) == b"one\n"


def test_sent_segments_are_deleted_when_they_are_old(paris: Paris) -> None:
    """A segment is deleted if it was sent to its end and is older than ``keep_log``."""
    old, new = paris.write("old\n"), paris.write("new\n")
    paris.now += paris.config.privacy.keep_log * DAY_SECONDS + 5
    os.utime(old, (NOW, NOW))
    os.utime(new, (paris.now, paris.now))
    with closing(paris.open_segment()) as writer:
        writer.write(b"open\n")
        (opened,) = set(paris.log.iterdir()) - {old, new}
        os.utime(opened, (NOW, NOW))
        paris.send()
        assert set(paris.log.iterdir()) == {new, opened}


def test_shared_keys_are_copied(paris: Paris) -> None:
    """A shared key becomes a file of mode 0600, never over an existing one, and is destroyed by its day."""
    today = int(paris.now // DAY_SECONDS)
    own = DailyKeys(paris.data).key(paris.now)
    keys = {day: bytes([day % 256]) * 32 for day in (today - 2, today, today + 1)}
    shared_keys.replace(paris.centre, keys)
    paris.send()
    files = {path.name: path.read_bytes() for path in (paris.data / "keys").iterdir()}
    assert files == {str(today): own, str(today + 1): keys[today + 1]}
    assert (paris.data / "keys" / str(today + 1)).stat().st_mode & 0o777 == 0o600
    paris.now += 3 * DAY_SECONDS
    paris.sender.destroy_expired_keys()
    assert not list((paris.data / "keys").iterdir())
