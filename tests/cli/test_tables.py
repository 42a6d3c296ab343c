"""Tables of commands: what fits a terminal of 80 columns, what --wide shows, and no column that is cut."""

import io
import re
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


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_tables_of_commands_fit_80_columns(
    read: Any, shortener: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """In a terminal of 80 columns each row of a table is one line of at most 80 columns, and --wide is accepted."""
    monkeypatch.setenv("COLUMNS", "80")
    title = "A title of many words that does not fit into a small column"
    with read.store.transaction():
        read.store.execute("update articles set title = ?, author = 'Ada Lovelace', section = 'News'", (title,))
    status = int(words == ("doctor",))
    lines = shortener(*words, status=status).stdout.splitlines()
    table = [line for line in lines if line[:1] in "┏┃┡│└"]
    assert table or words == ("user", "list")
    assert all(cell_len(line) <= 80 for line in table)
    assert "…" not in "".join(table)
    assert "Not shown" not in shortener(*words, "--wide", status=status).stdout


def test_wide_lists_what_was_not_shown(read: Any, shortener: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The columns that a narrow terminal left out are named, and --wide has them."""
    monkeypatch.setenv("COLUMNS", "60")
    narrow = shortener("issue", "list").stdout
    (message,) = [line for line in narrow.splitlines() if line.startswith("Not shown: ")]
    names = message.removeprefix("Not shown: ").partition(".")[0].split(", ")
    heading = shortener("issue", "list", "--wide").stdout.splitlines()[1]
    assert names
    assert all(name in heading for name in names)


def test_output_that_is_no_terminal_has_every_column(read: Any, shortener: Any) -> None:
    """A pipe has no width, so nothing is left out there."""
    assert "Not shown" not in shortener("issue", "list").stdout
