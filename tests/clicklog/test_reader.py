"""The click-log reader: which lines are clicks, which are skipped, and up to which position it reads."""

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


def line(number: int = 1, **changes: Any) -> bytes:
    """Return a click line with the id ``c<number>``."""
    click = {"v": 1, "id": f"c{number}", "ts": 1.5, "host": "go.example", "code": "abcde"}
    return json.dumps(click | changes).encode() + b"\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the directory of an empty click log."""
    path = tmp_path / "clicklog"
    path.mkdir()
    return path


def drain(log: ClickLog, segment: Segment) -> tuple[list[str], list[str], int]:
    """Read a segment to its end and return click ids, the reasons of skipped lines, and the last position."""
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
    "a line appended to a torn one": (line(1)[:30] + line(2) + line(3), ["c3"], ["unreadable"]),
    "text that is not JSON": (line(1) + b"text\n" + line(2), ["c1", "c2"], ["unreadable"]),
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
    "three megabytes without a line end": (line(1) + b"x" * 3_000_000, ["c1"], ["over-long"]),
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
    "an infinite time": (line(1).replace(b"1.5", b"1e999"), [], ["wrong keys"]),
    "a header after the first line": (line(1) + HEADER + line(2), ["c1", "c2"], ["wrong keys"]),
    "nested a thousand times": (b'{"a":' * 600 + b"1" + b"}" * 600 + b"\n" + line(2), ["c2"], ["wrong keys"]),
}


@pytest.mark.parametrize(("content", "ids", "reasons"), CONTENTS.values(), ids=CONTENTS)
def test_damaged_lines_are_skipped_and_the_rest_is_read(
    directory: Path, content: bytes, ids: list[str], reasons: list[str]
) -> None:
    """A damaged line is skipped with its reason, and all other lines are read."""
    (directory / "1.jsonl").write_bytes(HEADER + content)
    log = ClickLog(directory.parent)
    (segment,) = log.segments()
    assert drain(log, segment) == (ids, reasons, len(HEADER + content))


def test_skipped_lines_have_their_byte_position(directory: Path) -> None:
    """The position of a skipped line is where it begins in the file."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1) + b"text\n" + line(2))
    log = ClickLog(directory.parent)
    (segment,) = log.segments()
    _, progress = log.read(segment, position=0, skipping=False)
    assert [skip.byte_position for skip in progress.skips] == [len(HEADER + line(1))]


def test_an_incomplete_line_of_a_living_writer_is_not_skipped(directory: Path) -> None:
    """While the writer holds its lock, an incomplete last line is read later, when it is complete."""
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
    """One read returns about a megabyte of lines, and consecutive reads return every line once."""
    content = HEADER + b"".join(line(number, ua="x" * 300) for number in range(10_000))
    (directory / "1.jsonl").write_bytes(content)
    log = ClickLog(directory.parent)
    (segment,) = log.segments()
    lines, progress = log.read(segment, position=0, skipping=False)
    assert 2000 < len(lines) < 3000
    assert not progress.finished
    assert drain(log, segment)[0] == [f"c{number}" for number in range(10_000)]


def click_ids(log: ClickLog) -> Iterator[str]:
    """Return the ids of the clicks in all segments."""
    for segment in log.segments():
        yield from drain(log, segment)[0]


def test_renamed_and_copied_segments_keep_their_identity(directory: Path) -> None:
    """The identity of a segment comes from its header and not from its file name."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1))
    log = ClickLog(directory.parent)
    (before,) = log.segments()
    (directory / "1.jsonl").rename(directory / "9.jsonl")
    (after,) = log.segments()
    assert (before.id, after.id) == ("seg1", "seg1")
    shutil.copy(directory / "9.jsonl", directory / "a-copy.jsonl")
    assert [segment.id for segment in log.segments()] == ["seg1", "seg1"]


def test_a_new_file_under_an_old_name_is_another_segment(directory: Path) -> None:
    """A file that was overwritten with another header, even in place, has another identity."""
    path = directory / "1.jsonl"
    path.write_bytes(HEADER + line(1))
    log = ClickLog(directory.parent)
    (before,) = log.segments()
    path.write_bytes(HEADER.replace(b"seg1", b"seg2") + line(2))
    (after,) = log.segments()
    assert (before.id, after.id) == ("seg1", "seg2")


def test_deleted_files_are_no_error(directory: Path) -> None:
    """A segment or a directory that was deleted since the last call is left out."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1))
    log = ClickLog(directory.parent)
    log.segments()
    (directory / "1.jsonl").unlink()
    assert log.segments() == []
    directory.rmdir()
    assert log.segments() == []


def test_logs_of_other_programs_need_no_header(directory: Path) -> None:
    """A log that begins with a click, as nginx writes it, is read, and so is a rotated one."""
    (directory / "edge.log").write_bytes(line(1) + line(2))
    (directory / "edge.log.1").write_bytes(line(3))
    assert sorted(click_ids(ClickLog(directory.parent))) == ["c1", "c2", "c3"]


def test_files_without_a_complete_first_line_are_left_out(directory: Path) -> None:
    """A file is not a segment before its first line, which identifies it, is complete."""
    (directory / "1.jsonl").write_bytes(HEADER[:20])
    (directory / "2.jsonl").write_bytes(b"")
    assert ClickLog(directory.parent).segments() == []


def test_only_regular_files_with_log_names_are_read(directory: Path, tmp_path: Path) -> None:
    """Directories, symbolic links, pipes, compressed files and other names are left out."""
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(HEADER + line(1))
    (directory / "link.jsonl").symlink_to(elsewhere)
    (directory / "folder.jsonl").mkdir()
    os.mkfifo(directory / "pipe.jsonl")
    (directory / "notes.txt").write_bytes(line(2))
    (directory / ".1.jsonl.swp").write_bytes(line(3))
    (directory / "edge.log.2.gz").write_bytes(line(4))
    assert ClickLog(directory.parent).segments() == []


def test_a_missing_directory_is_an_empty_log(tmp_path: Path) -> None:
    """Before the first click there is no directory, and the log has no segments."""
    assert ClickLog(tmp_path / "nowhere").segments() == []


def test_complete_sizes_end_at_the_last_complete_line(directory: Path) -> None:
    """The complete size of a segment leaves out an incomplete last line."""
    (directory / "1.jsonl").write_bytes(HEADER + line(1) + line(2)[:10])
    assert ClickLog(directory.parent).complete_sizes() == {"seg1": len(HEADER + line(1))}
