"""The click-log reader: which lines are clicks, which are passed over, and how far it gets."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.clicklog.format import MAX_LINE_BYTES
from shortener.clicklog.reader import ClickLog, Segment

HEADER = b'{"v":1,"segment":"seg1","node":"one","started":1.0}\n'


def line(number: int = 1, **more: Any) -> bytes:
    """A click line."""
    click = {"v": 1, "id": f"c{number}", "ts": 1.5, "host": "go.example", "code": "abcde"}
    return json.dumps(click | more).encode() + b"\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty click log."""
    path = tmp_path / "clicklog"
    path.mkdir()
    return path


def drain(log: ClickLog, segment: Segment) -> tuple[list[str], list[str], int]:
    """Read to the end as the collector does: ids, the reasons of what was passed over, and the last position."""
    ids, reasons, position, skipping = [], [], 0, False
    for _ in range(100):
        lines, progress = log.read(segment, position=position, skipping=skipping)
        ids += [click.id for click in lines]
        reasons += [skip.reason for skip in progress.skips]
        if progress.position == position:
            break
        position, skipping = progress.position, progress.in_long_line
    return ids, reasons, position


CONTENTS: dict[str, tuple[bytes, list[str], list[str]]] = {
    "whole lines": (line(1) + line(2), ["c1", "c2"], []),
    "a torn last line of a dead writer": (line(1) + line(2)[:30], ["c1"], ["torn"]),
    "two lines glued after a torn one": (line(1)[:30] + line(2) + line(3), ["c3"], ["unreadable"]),
    "rubbish between": (line(1) + b"rubbish\n" + line(2), ["c1", "c2"], ["unreadable"]),
    "a block of NULs, as a power cut leaves it": (
        line(1) + bytes(512) + b"\n" + line(2),
        ["c1", "c2"],
        ["unreadable"],
    ),
    "NULs at the end": (line(1) + bytes(4000), ["c1"], ["torn"]),
    "a byte order mark": (b"\xef\xbb\xbf" + line(1) + line(2), ["c2"], ["unreadable"]),
    "CRLF": (line(1).replace(b"\n", b"\r\n") + line(2), ["c1", "c2"], []),
    "empty lines": (b"\n\n" + line(1) + b"\r\n" + line(2), ["c1", "c2"], []),
    "not UTF-8": (line(1, ua="x").replace(b'"x"', b'"\xff\xfe"') + line(2), ["c2"], ["unreadable"]),
    "a line of a megabyte": (line(1) + b"x" * 1_000_000 + b"\n" + line(2), ["c1", "c2"], ["over-long"]),
    "three megabytes without an end": (line(1) + b"x" * 3_000_000, ["c1"], ["over-long"]),
    "just too long": (line(1, ua="x" * MAX_LINE_BYTES) + line(2), ["c2"], ["over-long"]),
    "unknown keys": (line(1, colour="red"), ["c1"], []),
    "nulls": (line(1, ua=None, n=None, h=None), ["c1"], []),
    "no id": (b'{"v":1,"ts":1.5,"host":"a","code":"b"}\n', [], ["wrong keys"]),
    "a number for text": (line(1, ua=5), [], ["wrong keys"]),
    "an array": (b"[1,2]\n", [], ["wrong keys"]),
    "another version": (line(1, v=2), [], ["other version"]),
    "an empty id": (line(1, id=""), [], ["wrong values"]),
    "an id of a kilobyte": (line(1, id="x" * 1000), [], ["wrong values"]),
    "an empty code": (line(1, code=""), [], ["wrong values"]),
    "no time": (line(1, ts=0), [], ["wrong values"]),
    "a time beyond the year 5000": (line(1, ts=1e12), [], ["wrong values"]),
    "a time that is no number": (line(1).replace(b"1.5", b"1e999"), [], ["wrong keys"]),
    "a header line in between": (line(1) + HEADER + line(2), ["c1", "c2"], ["wrong keys"]),
    "nested a thousand times": (b'{"a":' * 600 + b"1" + b"}" * 600 + b"\n" + line(2), ["c2"], ["wrong keys"]),
}


@pytest.mark.parametrize(("content", "ids", "reasons"), CONTENTS.values(), ids=CONTENTS)
def test_what_is_no_click_is_passed_over_and_the_rest_read(
    directory: Path, content: bytes, ids: list[str], reasons: list[str]
) -> None:
    """A damaged line costs itself alone, is named, and never stops the reader."""
    (directory / "1.jsonl").write_bytes(HEADER + content)
    log = ClickLog(directory.parent)
    (segment,) = log.segments()
    read, passed_over, position = drain(log, segment)
    assert read == ids
    assert passed_over == reasons
    assert position == len(HEADER + content)


def test_offsets_name_the_passed_over_line(directory: Path) -> None:
    """A report of a damaged line says where it begins."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1) + b"rubbish\n" + line(2))
    log = ClickLog(directory.parent)
    (segment,) = log.segments()
    _, progress = log.read(segment, position=0, skipping=False)
    assert [skip.byte_position for skip in progress.skips] == [len(HEADER + line(1))]


def test_a_line_that_is_being_written_is_waited_for(directory: Path) -> None:
    """While its writer lives, half a line is not torn but young."""
    path = directory / "1.jsonl"
    path.write_bytes(HEADER + line(1) + line(2)[:20])
    log = ClickLog(directory.parent)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (segment,) = log.segments()
        assert drain(log, segment) == (["c1"], [], len(HEADER + line(1)))
        file.write(line(2)[20:])
        file.flush()
        (segment,) = log.segments()
        assert drain(log, segment)[0] == ["c1", "c2"]


def test_a_long_segment_is_read_in_pieces(directory: Path) -> None:
    """Memory stays small: no read takes much more than a megabyte, and no line falls between two reads."""
    content = HEADER + b"".join(line(number, ua="x" * 300) for number in range(10_000))
    (directory / "1.jsonl").write_bytes(content)
    log = ClickLog(directory.parent)
    (segment,) = log.segments()
    lines, progress = log.read(segment, position=0, skipping=False)
    assert 2000 < len(lines) < 3000
    assert not progress.finished
    assert drain(log, segment)[0] == [f"c{number}" for number in range(10_000)]


def clicks(log: ClickLog) -> Iterator[str]:
    """All ids of all segments."""
    for segment in log.segments():
        yield from drain(log, segment)[0]


def test_a_segment_is_the_same_under_another_name(directory: Path) -> None:
    """Renaming and copying change neither identity nor positions."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1))
    log = ClickLog(directory.parent)
    (before,) = log.segments()
    (directory / "1.jsonl").rename(directory / "9.jsonl")
    (after,) = log.segments()
    assert (before.id, after.id) == ("seg1", "seg1")
    shutil.copy(directory / "9.jsonl", directory / "a-copy.jsonl")
    assert [segment.id for segment in log.segments()] == ["seg1", "seg1"]


def test_a_name_that_is_used_again_is_another_segment(directory: Path) -> None:
    """A new file under an old name, even with the old inode, is read from its beginning."""
    path = directory / "1.jsonl"
    path.write_bytes(HEADER + line(1))
    log = ClickLog(directory.parent)
    (before,) = log.segments()
    path.write_bytes(HEADER.replace(b"seg1", b"seg2") + line(2))
    (after,) = log.segments()
    assert (before.id, after.id) == ("seg1", "seg2")


def test_what_is_deleted_is_gone_without_a_word(directory: Path) -> None:
    """Files that vanish between two looks are no error."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1))
    log = ClickLog(directory.parent)
    log.segments()
    (directory / "1.jsonl").unlink()
    assert log.segments() == []
    directory.rmdir()
    assert log.segments() == []


def test_foreign_logs_need_no_header(directory: Path) -> None:
    """A log that nginx writes begins with a click and is known by its name and first line."""
    (directory / "edge.log").write_bytes(line(1) + line(2))
    (directory / "edge.log.1").write_bytes(line(3))
    assert sorted(clicks(ClickLog(directory.parent))) == ["c1", "c2", "c3"]


def test_a_file_without_a_whole_first_line_is_not_there_yet(directory: Path) -> None:
    """What a writer has only begun has no identity that could be remembered."""
    (directory / "1.jsonl").write_bytes(HEADER[:20])
    (directory / "2.jsonl").write_bytes(b"")
    assert ClickLog(directory.parent).segments() == []


def test_only_plain_files_with_the_right_names_are_read(directory: Path, tmp_path: Path) -> None:
    """Directories, links, pipes and other names are nobody's click log."""
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(HEADER + line(1))
    (directory / "link.jsonl").symlink_to(elsewhere)
    (directory / "folder.jsonl").mkdir()
    os.mkfifo(directory / "pipe.jsonl")
    (directory / "notes.txt").write_bytes(line(2))
    (directory / ".1.jsonl.swp").write_bytes(line(3))
    (directory / "edge.log.2.gz").write_bytes(line(4))
    assert ClickLog(directory.parent).segments() == []


def test_no_directory_is_an_empty_log(tmp_path: Path) -> None:
    """Before the first click there is nothing to read."""
    assert ClickLog(tmp_path / "nowhere").segments() == []


def test_complete_sizes_end_at_the_last_whole_line(directory: Path) -> None:
    """``collect --once`` waits for whole lines only."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1) + line(2)[:10])
    assert ClickLog(directory.parent).complete_sizes() == {"seg1": len(HEADER + line(1))}
