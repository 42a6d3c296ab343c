"""`shortener demo`: the whole loop, as `make demo` runs it, in small."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from shortener.demo.readers import ReaderLink, simulate_requests


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_demo(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the demonstration to its end."""
    command = [sys.executable, "-m", "shortener", "demo", "--directory", str(directory / "demo"), *words]
    return subprocess.run(
        [*command, "--readers", "30", "--seconds", "1", "--leave"],
        cwd=directory,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demonstration_shows_the_whole_loop(tmp_path: Path) -> None:
    """Issue in, server up, readers through, report and ranking out, and it ends by itself when asked to."""
    result = run_demo(tmp_path, "--port", str(free_port()))
    assert result.returncode == 0, result.stderr
    for words in (
        "Took in the sample issue: 13 articles",
        "Ready:",
        "Counting whales by ear",
        "Articles by appeal",
    ):
        assert words in result.stdout
    assert (tmp_path / "demo" / "issue.out.md").exists()


def test_a_directory_that_is_not_the_demonstrations_is_left_alone(tmp_path: Path) -> None:
    """Nobody's files are deleted to make room."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine", encoding="utf-8")
    result = run_demo(tmp_path)
    assert result.returncode == 1
    assert "is no demonstration" in result.stderr
    assert (tmp_path / "demo" / "mine.txt").exists()


def test_a_taken_port_ends_in_words(tmp_path: Path) -> None:
    """When something else listens there, the demonstration says so and leaves no process behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run_demo(tmp_path, "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "cannot be listened on" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_readers_are_the_same_every_time() -> None:
    """The same seed gives the same visits, in the order of their times."""
    links = [ReaderLink("/a/1", "title", 1, 1.0), ReaderLink("/b/2", "more", 2, 2.0)]
    first = simulate_requests(links, readers=50, seconds=5, seed=3)
    assert first == simulate_requests(links, readers=50, seconds=5, seed=3)
    assert [visit.offset_seconds for visit in first] == sorted(visit.offset_seconds for visit in first)
    assert len(first) > 60
