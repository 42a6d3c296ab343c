"""Standard streams of commands: closed, full, without a reader, and with an encoding that lacks characters."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shortener.store import issues

COMMAND = f"{sys.executable} -m shortener --config config.toml"
TITLE = "Käse 每月"


@pytest.fixture
def directory(newsletter: Any) -> Path:
    """A directory with the issue `may`, whose title has letters that are not in every encoding."""
    issue = issues.get(newsletter.store, "may")
    with newsletter.store.transaction():
        newsletter.store.execute("update issues set title = ?, output = ? where id = ?", (TITLE, b"# Text", issue.id))
    (newsletter.directory / "config.toml").write_text('[[domain]]\nhost = "go.example"\n', encoding="utf-8")
    return Path(newsletter.directory)


def run(directory: Path, line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of the shell in which `shortener` is our command."""
    return subprocess.run(
        ["bash", "-c", line.replace("shortener", COMMAND)],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


CLOSED = {
    "output": "shortener issue list >&-",
    "csv": "shortener issue list --format csv >&-",
    "json lines": "shortener clicks export >&-",
    "issue": "shortener issue export may >&-",
    "everything": "shortener issue list <&- >&- 2>&-",
    "help": "shortener --help >&-",
}


@pytest.mark.parametrize("line", CLOSED.values(), ids=CLOSED)
def test_closed_streams_are_like_the_null_device(directory: Path, shortener: Any, line: str) -> None:
    """A command works with closed streams and writes nothing into the store that it opens."""
    done = run(directory, line)
    assert (done.returncode, done.stderr) == (0, b"")
    assert shortener("issue", "list", "--format", "csv").stdout.startswith("slug,title")


def test_an_error_without_standard_error_has_its_status(directory: Path) -> None:
    """If the message cannot be printed, the exit status still says that the command failed."""
    assert run(directory, "shortener issue show none 2>&-").returncode == 1


FULL = {
    "table": "shortener issue list > /dev/full",
    "csv": "shortener issue list --format csv > /dev/full",
    "json": "shortener issue list --format json > /dev/full",
    "issue": "shortener issue export may > /dev/full",
    "help": "shortener --help > /dev/full",
    "file": "shortener issue export may --output /dev/full",
}


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs the device /dev/full")
@pytest.mark.parametrize("line", FULL.values(), ids=FULL)
def test_a_full_disk_is_one_line(directory: Path, line: str) -> None:
    """If the output cannot be written, the command fails with one line that names it."""
    done = run(directory, line)
    (message,) = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert "No space left on device" in message
    assert message.startswith(("Error: standard output: ", "Error: /dev/full: cannot be written: "))
    assert Path("/dev/full").is_char_device(), "a device is not replaced by a file"


def test_a_reader_that_ends_is_no_error(directory: Path) -> None:
    """`head` may end before the command has printed everything."""
    done = run(directory, 'shortener link list | head -0; echo "${PIPESTATUS[0]}"')
    assert (done.stdout, done.stderr) == (b"0\n", b"")


ENCODINGS = {
    "C": {"LC_ALL": "C"},
    "C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin 1": {"PYTHONIOENCODING": "latin-1"},
}


@pytest.mark.parametrize("environment", ENCODINGS.values(), ids=ENCODINGS)
def test_files_for_programs_are_utf8(directory: Path, environment: dict[str, str]) -> None:
    """CSV and JSON are UTF-8 in every locale, and a table replaces characters that its encoding lacks."""
    for output_format in ("csv", "json"):
        done = run(directory, f"shortener issue list --format {output_format}", **environment)
        assert done.stderr == b""
        assert TITLE.encode() in done.stdout
    done = run(directory, "shortener issue list", **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"may" in done.stdout


def test_input_that_is_no_text_is_one_line(directory: Path) -> None:
    """A password that is read from standard input has to be UTF-8."""
    done = run(directory, "printf '\\xff' | shortener user add ben", LC_ALL="C.UTF-8", PYTHONIOENCODING="utf-8:strict")
    assert (done.returncode, done.stderr) == (1, b"Error: the input is not UTF-8 text (byte 0); write it in UTF-8\n")


def test_an_argument_that_is_no_text_is_one_line(directory: Path) -> None:
    """Bytes that are not UTF-8 cannot be a slug; the message shows them."""
    done = run(directory, "shortener issue show $'\\xff'", LC_ALL="C.UTF-8")
    (message,) = done.stderr.decode().splitlines()
    assert (done.returncode, message) == (1, "Error: '\\udcff': not valid UTF-8; write the text in UTF-8")
