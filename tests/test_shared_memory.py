"""Shared counters: visibility between processes, reservation by workers, and damaged files."""

import subprocess
import sys
from pathlib import Path

import pytest

from shortener import shared_memory
from shortener.shared_memory import (
    COUNTER_NAMES,
    claim_worker_counters,
    links_revision,
    read_totals,
)


def test_values_are_shared_between_processes(tmp_path: Path) -> None:
    """A value that one process writes is read by another at once."""
    first, second = links_revision(tmp_path), links_revision(tmp_path)
    first.values[0] = 41
    assert second.values[0] == 41
    program = "import sys; from pathlib import Path; from shortener.shared_memory import links_revision\n"
    program += "links_revision(Path(sys.argv[1])).values[0] += 1"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    assert first.values[0] == 42


def test_workers_have_counters_of_their_own(tmp_path: Path) -> None:
    """Two workers reserve different counters, and the totals add them."""
    first, second = claim_worker_counters(tmp_path), claim_worker_counters(tmp_path)
    first.values[0] = 5
    second.values[0] = 7
    second.values[3] = 1
    assert read_totals(tmp_path) == dict.fromkeys(COUNTER_NAMES, 0) | {"redirects": 12, "unrecorded": 1}


def test_counters_of_an_ended_worker_are_reused(tmp_path: Path) -> None:
    """The next worker continues with the values of one that ended."""
    first = claim_worker_counters(tmp_path)
    first.values[0] = 5
    first.close()
    second = claim_worker_counters(tmp_path)
    assert second.values[0] == 5
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_files_are_private(tmp_path: Path) -> None:
    """Counter files are readable and writable by their owner only, and have disk blocks allocated."""
    claim_worker_counters(tmp_path)
    (path,) = (tmp_path / "run").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_blocks > 0


def test_invalid_files_are_ignored(tmp_path: Path) -> None:
    """A counter file of the wrong size is left out of the totals."""
    claim_worker_counters(tmp_path).values[0] = 3
    (tmp_path / "run" / "worker-99").write_bytes(b"x")
    assert read_totals(tmp_path)["redirects"] == 3


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    """A symbolic link in place of a counter file is refused, so no other file is written."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "links").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match=r"loop|symbolic|links"):
        links_revision(tmp_path)
    assert not (tmp_path / "victim").exists()


def test_totals_without_workers(tmp_path: Path) -> None:
    """Before the first worker all totals are 0."""
    assert read_totals(tmp_path) == dict.fromkeys(COUNTER_NAMES, 0)


def test_the_number_of_workers_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than MAX_WORKERS workers are refused with OSError."""
    monkeypatch.setattr(shared_memory, "MAX_WORKERS", 8)
    claimed = []
    for _ in range(8):
        claimed.append(claim_worker_counters(tmp_path))
    with pytest.raises(OSError, match="workers are running"):
        claim_worker_counters(tmp_path)
    for counters in claimed:
        counters.close()
