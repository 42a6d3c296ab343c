"""Printed values: no cell is a formula, no text is a command to the terminal, JSON is valid when streamed."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortener.cli.output import (
    format_percent,
    print_csv,
    print_json_array,
    print_json_lines,
    print_table,
    sanitize_line,
)
from shortener.reporting.formatting import FORMULA_PREFIXES, escape_csv

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    """What a spreadsheet would calculate gets an apostrophe."""
    assert escape_csv(text) == "'" + text


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.none()))
def test_no_cell_is_a_formula(value: object) -> None:
    """Whatever the value, its text begins with no formula sign; numbers stay numbers."""
    cell = escape_csv(value)
    assert not (isinstance(cell, str) and cell.startswith(FORMULA_PREFIXES))
    assert isinstance(value, str) or cell in {value, ""}


def test_csv_survives_any_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Commas, quotes and line ends come back as they were."""
    print_csv(("a", "b"), [['x,"y"\nz', None]])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["a", "b"], ['x,"y"\nz', ""]]


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": 1}, {"a": "ü"}]], ids=["none", "one", "two"])
def test_streamed_json_is_one_array(rows: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    """Row by row, and a whole document in the end."""
    print_json_array(iter(rows))
    assert json.loads(capsys.readouterr().out) == rows


def test_json_lines_are_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A line end within a value does not end its line."""
    print_json_lines([{"a": "x\ny"}, {"a": 2}])
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"a": "x\ny"}, {"a": 2}]


def test_a_table_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are no markup, escape sequences no commands; a lone backslash breaks nothing."""
    print_table("[b]t", ("a",), [["[bold]x[/bold] \\"], ["\x1b[31mred\x1b[0m"]], empty_message="")
    out = capsys.readouterr().out
    assert "[bold]x[/bold] \\" in out
    assert "[b]t" in out
    assert "\x1b" not in out


def test_an_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to show says how to come by something."""
    print_table("", ("a",), [], empty_message="Nothing yet.")
    assert capsys.readouterr().out == "Nothing yet.\n"


PLAIN = {
    "line end": ("a\nb", "a b"),
    "escape": ("a\x1bb", "a�b"),
    "direction": ("a\u202eb", "a�b"),
    "no-break space": ("a\u00a0b", "a b"),
    "family emoji": ("\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f467"),
    "Chinese": ("每月精选", "每月精选"),
}


@pytest.mark.parametrize(("text", "shown"), PLAIN.values(), ids=PLAIN)
def test_text_from_outside_is_harmless(text: str, shown: str) -> None:
    """One line, no control characters, every script readable."""
    assert sanitize_line(text) == shown


PERCENT = {"none": (None, None), "zero": (0.0, "0%"), "small": (0.0123, "1.2%"), "large": (0.256, "26%")}


@pytest.mark.parametrize(("share", "shown"), PERCENT.values(), ids=PERCENT)
def test_small_shares_have_a_decimal(share: float | None, shown: str | None) -> None:
    """A rate of a newsletter is a few percent: a decimal tells two of them apart."""
    assert format_percent(share) == shown
