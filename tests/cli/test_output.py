"""Output of commands: CSV without formulas, tables without terminal commands, streamed JSON, text forms."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortener.cli.output import (
    command_name,
    format_duration,
    format_percent,
    print_csv,
    print_json_array,
    print_json_lines,
    print_list,
    print_table,
    sanitize_line,
)
from shortener.reporting.formatting import FORMULA_PREFIXES, escape_csv

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    """Text that a spreadsheet would calculate gets an apostrophe in front."""
    assert escape_csv(text) == "'" + text


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.none()))
def test_no_cell_is_a_formula(value: object) -> None:
    """No cell begins like a formula; numbers stay numbers."""
    cell = escape_csv(value)
    assert not (isinstance(cell, str) and cell.startswith(FORMULA_PREFIXES))
    assert isinstance(value, str) or cell in {value, ""}


def test_csv_survives_any_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Commas, quotes and line ends are read back unchanged."""
    print_csv(("a", "b"), [['x,"y"\nz', None]])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["a", "b"], ['x,"y"\nz', ""]]


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": 1}, {"a": "ü"}]], ids=["none", "one", "two"])
def test_streamed_json_is_one_array(rows: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    """The rows that are printed one by one are a complete JSON array."""
    print_json_array(iter(rows))
    assert json.loads(capsys.readouterr().out) == rows


def test_json_lines_are_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A line end within a value does not end the line of its object."""
    print_json_lines([{"a": "x\ny"}, {"a": 2}])
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"a": "x\ny"}, {"a": 2}]


def test_a_table_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are no markup, escape sequences are removed, and a lone backslash stays."""
    print_table("[b]t", ("a",), [["[bold]x[/bold] \\"], ["\x1b[31mred\x1b[0m"]], empty_message="")
    out = capsys.readouterr().out
    assert "[bold]x[/bold] \\" in out
    assert "[b]t" in out
    assert "\x1b" not in out


def test_an_empty_table_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """A table without rows is replaced by its message."""
    print_table("", ("a",), [], empty_message="Nothing yet.")
    assert capsys.readouterr().out == "Nothing yet.\n"


SANITIZED = {
    "line end": ("a\nb", "a b"),
    "escape": ("a\x1bb", "a�b"),
    "direction": ("a\u202eb", "a�b"),
    "no-break space": ("a\u00a0b", "a b"),
    "family emoji": ("\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f467"),
    "Chinese": ("每月精选", "每月精选"),
}


@pytest.mark.parametrize(("text", "sanitized"), SANITIZED.values(), ids=SANITIZED)
def test_text_is_sanitized(text: str, sanitized: str) -> None:
    """Text becomes one line without control characters; letters of all scripts stay."""
    assert sanitize_line(text) == sanitized


PERCENT = {"none": (None, None), "zero": (0.0, "0%"), "small": (0.0123, "1.2%"), "large": (0.256, "26%")}


@pytest.mark.parametrize(("share", "text"), PERCENT.values(), ids=PERCENT)
def test_small_shares_have_a_decimal(share: float | None, text: str | None) -> None:
    """Below 10 % a percentage has one decimal, as click rates are often a few percent."""
    assert format_percent(share) == text


DURATIONS = {
    "seconds": (1.5, "1.5 s"),
    "whole seconds": (30, "30 s"),
    "minutes": (600, "10 min"),
    "hours": (9000, "2.5 hours"),
    "days": (259_200, "3.0 days"),
}


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.values(), ids=DURATIONS)
def test_durations_have_one_unit(seconds: float, text: str) -> None:
    """A duration is printed in the largest unit of which it has at least two."""
    assert format_duration(seconds) == text


def test_printed_commands_have_the_path_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is not on the PATH is printed with its path; one that is found by its name, by its name."""
    program = tmp_path / "shortener"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/nonexistent")
    assert command_name() == str(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_name() == "shortener"
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py"])
    assert command_name() == "shortener"


def test_a_long_list_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten lines of a list are printed, and the number of the others."""
    print_list([f"line {number}" for number in range(12)])
    assert capsys.readouterr().out.splitlines()[9:] == ["  line 9", "  … and 2 more"]
