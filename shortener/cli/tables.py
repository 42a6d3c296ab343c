"""Tables that fit the terminal: columns are left out, notes become a second line of a row, and long text is folded."""

import textwrap
from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

NARROW_WIDTH = 100
"""Width in characters below which URLs lose their scheme and notes become a second line of a row."""
MAX_FIXED_WIDTH = 24
"""Width in characters up to which a column is never folded."""
MIN_FOLDED_WIDTH = 20
"""Smallest width of a folded column, in characters."""
MIN_NOTED_WIDTH = 36
"""Smallest width of the column "title", in characters, if notes are below the titles."""
PADDING = 3
"""Width of a column's padding and border."""
NUMBER_PUNCTUATION = str.maketrans("", "", ",.% \u00d7")


class FittedTable(Struct, frozen=True):
    """A table for the terminal, without the columns for which the terminal is too narrow."""

    table: Table
    omitted: tuple[str, ...]
    """Headings of the columns that were left out."""
    natural_width: int
    """Width in characters that the table has if no text is folded."""


def fit_table(
    table_title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None,  # in characters; None means no limit
    optional: Sequence[str] = (),
    note: str | None = None,  # a column that a narrow table moves into column "title"
    empty_cells: frozenset[str] = frozenset(),  # texts for missing values
) -> FittedTable:
    """Return a table that fits a terminal. Columns in ``optional`` are left out if they do not fit."""
    cells = {column: [row[index] for row in rows] for index, column in enumerate(columns)}
    notes: list[str] = []
    narrow = width is not None and width < NARROW_WIDTH
    if narrow:
        cells = {column: [_without_scheme(cell) for cell in column_cells] for column, column_cells in cells.items()}
        notes = ["" if cell in empty_cells else cell for cell in cells.pop(note, [])] if note else []
    headings = {column: _fold_heading(column, cells.get(column, [])) if narrow else column for column in columns}
    omitted = []
    for column in optional:
        if width is None or _min_table_width(cells, headings, with_notes=any(notes)) <= width:
            break
        if cells.pop(column, None) is not None:
            omitted.append(column)
    table = Table(title=Text(table_title) if table_title else None, title_justify="left", header_style="bold")
    for column, column_cells in cells.items():
        # A column of numbers is right-aligned; ``empty_cells``, such as a dash, do not count.
        numeric = _are_numbers(column_cells, empty_cells)
        fixed = width is None or _max_width(column_cells) <= MAX_FIXED_WIDTH
        table.add_column(headings[column], justify="right" if numeric else "left", overflow="fold", no_wrap=fixed)
    for number in range(len(rows)):
        texts = {column: Text(column_cells[number]) for column, column_cells in cells.items()}
        if notes and notes[number]:
            texts["title"].append(f"\n{notes[number]}", style="dim")
        table.add_row(*texts.values())
    natural_width = sum(_max_width([column, *column_cells]) + PADDING for column, column_cells in cells.items()) + 1
    return FittedTable(table, tuple(omitted), natural_width)


def _without_scheme(cell: str) -> str:
    return cell.removeprefix("https://").removeprefix("http://")


def _max_width(texts: Sequence[str]) -> int:
    return max((cell_len(text) for text in texts), default=0)


def _fold_heading(heading: str, cells: Sequence[str]) -> str:
    width = _max_width(cells)
    return "\n".join(textwrap.wrap(heading, max(width, 1), break_long_words=False)) if len(heading) > width else heading


def _min_table_width(cells: dict[str, list[str]], headings: dict[str, str], *, with_notes: bool) -> int:
    total = 1
    for column, column_cells in cells.items():
        width = _max_width(column_cells)
        if column == "title" and with_notes:
            width = MIN_NOTED_WIDTH
        elif width > MAX_FIXED_WIDTH:
            width = MIN_FOLDED_WIDTH
        total += max(width, _max_width(headings[column].splitlines())) + PADDING
    return total


def _are_numbers(cells: Sequence[str], empty_cells: frozenset[str]) -> bool:
    values = [cell for cell in cells if cell not in empty_cells]
    return bool(values) and all(cell.lstrip("+-").translate(NUMBER_PUNCTUATION).isdigit() for cell in values)
