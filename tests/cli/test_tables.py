"""Tables of commands: what fits a terminal of 80 columns, what --wide shows, and no column that is cut."""

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from shortener.cli.tables import fit_table

COLUMNS = ("number", "title", "short link", "very long heading", "note")
ROWS = [
    ["1", "A title of many words that does not fit into a small column", "https://go.example/7pk3e", "12", "because"],
    ["2", "每月精选的一篇很长的文章标题用来检查宽度是否正确计算没有任何问题", "https://go.example/7pk3f", "1,234", ""],
]


def text_of(**options: Any) -> list[str]:
    """Return the printed lines of the sample table."""
    width = options["width"]
    fitted = fit_table("", COLUMNS, ROWS, **options)
    console = Console(file=io.StringIO(), width=width or fitted.natural_width)
    console.print(fitted.table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 90, 100, 120, 160])
def test_a_table_fits_its_width(width: int) -> None:
    """No line is wider than the terminal, and no text is cut."""
    lines = text_of(width=width, note="note", optional=("very long heading",))
    assert all(cell_len(line) <= width for line in lines)
    assert "…" not in "".join(lines)


def test_a_narrow_table_leaves_out_optional_columns_and_schemes() -> None:
    """The first optional column is left out, URLs lose their scheme, and the note is below the title."""
    fitted = fit_table("", COLUMNS, ROWS, width=60, note="note", optional=("very long heading", "number"))
    assert fitted.omitted == ("very long heading", "number")
    lines = text_of(width=60, note="note", optional=("very long heading", "number"))
    assert any("go.example/7pk3e" in line for line in lines)
    assert "https://" not in "".join(lines)
    below = next(line for line in lines if "because" in line)
    assert re.match(r"│ because +│ +│", below)


def test_a_wide_table_has_all_columns_in_one_line() -> None:
    """Without a limit nothing is left out or folded."""
    lines = text_of(width=None, note="note", optional=("very long heading", "number"))
    assert sum("7pk3" in line for line in lines) == 2
    assert len(lines) == 4 + len(ROWS), "the heading has one line, and so has each row"
    assert fit_table("", COLUMNS, ROWS, width=None, optional=("number",)).omitted == ()


COMMANDS = {
    "issue list": ("issue", "list"),
    "issue show": ("issue", "show", "may"),
    "link list": ("link", "list"),
    "report issue": ("report", "issue", "may"),
    "reasons": ("report", "issue", "may", "--reasons"),
    "report link": ("report", "link", "one"),
    "report summary": ("report", "summary"),
    "rank": ("rank",),
    "explain": ("rank", "--explain", "one"),
    "picks": ("picks", "--month", "2024-05", "--format", "table"),
    "user list": ("user", "list"),
    "click": ("clicks", "explain", "click-000001"),
    "doctor": ("doctor",),
}


PROGRAM = """
import json, sys
from shortener.cli import main
for words in json.loads(sys.argv[1]):
    print("$", *words)
    main(["--config", "config.toml", *words], standalone_mode=False)
"""
"""Runs commands one after the other and prints each before its output."""


def in_terminal(directory: Path, *commands: tuple[str, ...], columns: int) -> list[list[str]]:
    """Return the lines that each command prints in a terminal of this width."""
    terminal, stream = pty.openpty()
    termios.tcsetwinsize(stream, (24, columns))
    command = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    with subprocess.Popen(command, cwd=directory, env=environment, stdout=stream, stdin=stream, stderr=stream):
        os.close(stream)
        output = b""
        with contextlib.suppress(OSError):  # a terminal without a process is closed
            while part := os.read(terminal, 65_536):
                output += part
    os.close(terminal)
    text = re.sub(r"\x1b\[[0-9;]*m", "", output.decode())
    outputs = [each.splitlines() for each in re.split(r"^\$ ", text, flags=re.M)[1:]]
    assert [lines[0] for lines in outputs] == [" ".join(words) for words in commands], text
    return [lines[1:] for lines in outputs]


@pytest.fixture
def directory(read: Any) -> Path:
    """A directory with the configuration of a newsletter whose articles have long titles."""
    title = "A title of many words that does not fit into a small column"
    with read.store.transaction():
        read.store.execute("update articles set title = ?, author = 'Ada Lovelace', section = 'News'", (title,))
    (read.directory / "config.toml").write_text(
        '[[domain]]\nhost = "go.example"\n[[domain]]\nhost = "b.example"\nscheme = "http"\n', encoding="utf-8"
    )
    return Path(read.directory)


def test_tables_of_commands_fit_80_columns(directory: Path) -> None:
    """In a terminal of 80 columns no row of a table is wider, and no text in it is cut."""
    outputs = in_terminal(directory, *COMMANDS.values(), columns=80)
    for name, lines in zip(COMMANDS, outputs, strict=True):
        table = [line for line in lines if line[:1] in "┏┃┡│└"]
        assert table or name == "user list"
        assert [line for line in table if cell_len(line) > 80 or "…" in line] == [], name


def test_wide_lists_what_was_not_shown(directory: Path) -> None:
    """The columns that a narrow terminal leaves out are named, and --wide has them."""
    narrow, wide = in_terminal(directory, ("issue", "list"), ("issue", "list", "--wide"), columns=60)
    (message,) = [line for line in narrow if line.startswith("Not shown: ")]
    names = message.removeprefix("Not shown: ").partition(".")[0].split(", ")
    assert names
    assert all(name in "".join(wide) for name in names)
    assert not any("Not shown" in line for line in wide)


def test_output_that_is_no_terminal_has_every_column(read: Any, shortener: Any) -> None:
    """A pipe has no width, so nothing is left out there."""
    assert "Not shown" not in shortener("issue", "list").stdout


def test_only_numbers_are_aligned_at_the_right() -> None:
    """Slugs and dates with hyphens are text; numbers with a sign, a unit or a separator are not."""
    fitted = fit_table(
        "",
        ("slug", "day", "change", "share", "clicks"),
        [["2026-11", "2026-11-24", "-3", "+4.5%", "1,234"]],
        width=None,
    )
    assert [column.justify for column in fitted.table.columns] == ["left", "left", "right", "right", "right"]
