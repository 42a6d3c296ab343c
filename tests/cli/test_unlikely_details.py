"""``issue set`` and ``issue add`` ask before they save unlikely values, and refuse them without a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shortener.store import issues, links


def test_an_unlikely_number_of_recipients_needs_force(read: Any, shortener: Any) -> None:
    """Without a terminal nothing is saved, and the error names the option; --force saves it."""
    result = shortener("issue", "set", "may", "--recipients", "2", "--trap", "foot", status=1)
    message = "Error: 2 recipients are fewer than the 3 visitors so far; if it is right, save it with --force\n"
    assert (result.stderr, result.stdout) == (message, "")
    assert issues.get(read.store, "may").recipients == 200
    assert not links.get(read.store, "go.example", "foot").honeypot
    assert "may: changed." in shortener("issue", "set", "may", "--recipients", "2", "--force").stdout
    assert issues.get(read.store, "may").recipients == 2


def test_an_added_issue_far_ahead_needs_force(newsletter: Any, shortener: Any, tmp_path: Path) -> None:
    """A sending time in some years is refused before a file is written."""
    path = tmp_path / "late.md"
    path.write_text("### [One](https://a.example/one)\n", encoding="utf-8")
    arguments = ("issue", "add", str(path), "--sent-at", "2999-01-01T08:00Z")
    assert "days ahead; if it is right, save it with --force" in shortener(*arguments, status=1).stderr
    assert [file.name for file in tmp_path.glob("late*")] == ["late.md"]
    assert issues.find(newsletter.store, "late") is None
    shortener(*arguments, "--force")
    assert (tmp_path / "late.out.md").exists()


@pytest.mark.parametrize(("answer", "status", "recipients"), [("n", 1, 200), ("y", 0, 2)])
def test_a_terminal_is_asked(read: Any, shortener: Any, answer: str, status: int, recipients: int) -> None:
    """On a terminal the command asks; only yes saves the value."""
    shortener("issue", "list")  # writes the configuration
    master, slave = pty.openpty()
    os.write(master, f"{answer}\n".encode())
    arguments = ["--config", str(read.directory / "config.toml"), "issue", "set", "may", "--recipients", "2"]
    command = [sys.executable, "-m", "shortener", *arguments]
    done = subprocess.run(command, stdin=slave, capture_output=True, text=True, timeout=60, check=False)
    os.close(slave)
    os.close(master)
    assert done.returncode == status, done.stderr
    assert "2 recipients are fewer than the 3 visitors so far. Save it anyway? [y/N]" in done.stderr
    assert issues.get(read.store, "may").recipients == recipients
