"""``shortener demo``: the whole demonstration with few readers, and what it refuses."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from shortener.demo.readers import ReaderLink, simulate_requests


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_demo(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the demonstration to its end, in the subdirectory ``demo``."""
    command = [sys.executable, "-m", "shortener", "demo", "--directory", str(directory / "demo"), *options]
    return subprocess.run(
        [*command, "--readers", "30", "--seconds", "1", "--leave"],
        cwd=directory,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demonstration_runs_to_its_end(tmp_path: Path) -> None:
    """The demonstration adds the issue, starts the server, prints report and ranking, and ends with ``--leave``."""
    result = run_demo(tmp_path, "--port", str(free_port()))
    assert result.returncode == 0, result.stderr
    for text in (
        "Added the sample issue: 8 articles",
        "Ready:",
        "Counting whales by ear",
        "Articles by appeal",
    ):
        assert text in result.stdout
    assert (tmp_path / "demo" / "issue.out.md").exists()


def test_a_foreign_directory_is_not_deleted(tmp_path: Path) -> None:
    """A directory that is no earlier demonstration is refused and keeps its files."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine", encoding="utf-8")
    result = run_demo(tmp_path)
    assert result.returncode == 1
    assert "is not a demonstration" in result.stderr
    assert (tmp_path / "demo" / "mine.txt").exists()


def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    """If another process listens on the port, the demonstration ends with an error and no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run_demo(tmp_path, "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "cannot be listened on" in result.stderr
    assert "Traceback" not in result.stderr


def test_simulated_requests_are_reproducible() -> None:
    """Equal seeds give equal requests, in order of time."""
    links = [ReaderLink("/a/1", "title", 1, 1.0), ReaderLink("/b/2", "more", 2, 2.0)]
    first = simulate_requests(links, readers=50, seconds=5, seed=3)
    assert first == simulate_requests(links, readers=50, seconds=5, seed=3)
    assert [request.offset_seconds for request in first] == sorted(request.offset_seconds for request in first)
    assert len(first) > 60
