"""Numbers that processes share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shortener.shared_memory import (
    COUNTER_NAMES,
    MAX_WORKERS,
    claim_worker_counters,
    links_revision,
    read_totals,
)


def test_a_revision_is_seen_by_all_at_once(tmp_path: Path) -> None:
    """What one process writes another reads at its next look, without a system call."""
    ours, theirs = links_revision(tmp_path), links_revision(tmp_path)
    ours.values[0] = 41
    assert theirs.values[0] == 41
    program = "import sys; from pathlib import Path; from shortener.shared_memory import links_revision\n"
    program += "links_revision(Path(sys.argv[1])).values[0] += 1"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    assert ours.values[0] == 42


def test_workers_have_numbers_of_their_own(tmp_path: Path) -> None:
    """Two workers never count into the same place, so no count is lost."""
    first, second = claim_worker_counters(tmp_path), claim_worker_counters(tmp_path)
    first.values[0] = 5
    second.values[0] = 7
    second.values[3] = 1
    assert read_totals(tmp_path) == dict.fromkeys(COUNTER_NAMES, 0) | {"redirects": 12, "unrecorded": 1}


def test_a_dead_worker_leaves_its_sums(tmp_path: Path) -> None:
    """The next worker goes on where the dead one stopped."""
    first = claim_worker_counters(tmp_path)
    first.values[0] = 5
    first.close()
    again = claim_worker_counters(tmp_path)
    assert again.values[0] == 5
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_the_files_are_for_their_owner(tmp_path: Path) -> None:
    """Counters are readable and writable by the owner only, and take real disk blocks."""
    claim_worker_counters(tmp_path)
    (path,) = (tmp_path / "run").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_blocks > 0


def test_a_foreign_file_is_left_out_of_the_sums(tmp_path: Path) -> None:
    """A cut counter file is no reason not to answer."""
    claim_worker_counters(tmp_path).values[0] = 3
    (tmp_path / "run" / "worker-99").write_bytes(b"x")
    assert read_totals(tmp_path)["redirects"] == 3


def test_a_link_in_the_place_of_a_counter_is_refused(tmp_path: Path) -> None:
    """Nobody can make a worker write into another file."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "links").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match=r"loop|symbolic|links"):
        links_revision(tmp_path)
    assert not (tmp_path / "victim").exists()


def test_no_counters_are_zero(tmp_path: Path) -> None:
    """Before the first worker there is nothing to add."""
    assert read_totals(tmp_path) == dict.fromkeys(COUNTER_NAMES, 0)


def test_there_is_an_end_to_workers(tmp_path: Path) -> None:
    """More workers than places is an error that says so."""
    held = []
    soft = os.sysconf("SC_OPEN_MAX")
    if soft < 2 * MAX_WORKERS + 100:
        pytest.skip(f"only {soft} files may be open")
    for _ in range(MAX_WORKERS):
        held.append(claim_worker_counters(tmp_path))
    with pytest.raises(OSError, match="workers are running"):
        claim_worker_counters(tmp_path)
    for numbers in held:
        numbers.close()
