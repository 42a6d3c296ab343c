"""Reading and writing of files for commands: size limits, CSV, one-line errors and atomic replacement."""

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from shortener.errors import InputError

MAX_LISTED_ERRORS = 20
"""Number of invalid rows that an import prints."""


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """Return the content of a file; "-" is standard input. Raises InputError if it is unreadable or too large."""
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with path.open("rb") as file:
                content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > max_bytes:
        raise InputError(f"{path}: larger than {max_bytes / 1024 / 1024:.0f} MB; split it, or remove what is not text")
    return content


def read_text(path: Path, *, max_bytes: int) -> str:
    """Return a UTF-8 file as text, without its byte order mark. Raises InputError if it is unreadable or too large."""
    try:
        return read_bytes(path, max_bytes=max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None


def read_csv(
    path: Path,
    *,
    required: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,  # column names by other headings (lower-case letters only)
    delimiters: str = ",",  # characters that can be between cells
    all_cells_required: bool = False,
    max_bytes: int = 64 * 1024 * 1024,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, cells by column name) for each row of a CSV file. Raises InputError."""
    text = read_text(path, max_bytes=max_bytes)
    # The delimiter is the character that occurs most often in the header.
    delimiter = max(delimiters, key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        columns = _column_names(reader.fieldnames or (), aliases or {})
        missing = [column for column in required if column not in columns]
        if missing:
            raise InputError(f"{path}: the first line must name the columns {', '.join(required)}")
        reader.fieldnames = columns
        needed = columns if all_cells_required else required
        for row in reader:
            line = reader.line_num
            if any(row.get(column) is None for column in needed) or None in row:
                raise InputError(f"{path}: line {line}: expected {len(columns)} cells, as in the first line")
            if any((cell or "").strip() for cell in row.values()):
                yield line, {column: (cell or "").strip() for column, cell in row.items()}
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.reader.line_num}: not CSV: {error}") from None


def _column_names(header: Iterable[str], aliases: Mapping[str, str]) -> list[str]:
    columns: list[str] = []
    for cell in header:
        column = cell.strip().lower()
        # Only the letters of a heading are compared.
        name = aliases.get("".join(c for c in column if c.isalpha()), column)
        # If several cells belong to one column, only the first of them is replaced.
        columns.append(column if name in columns else name)
    return columns


def raise_row_errors(
    path: Path,
    errors: Sequence[tuple[int, str]],  # line number and message
    *,
    row_count: int,  # number of all rows in the file
) -> None:
    """Print the first MAX_LISTED_ERRORS errors of a file, and raise InputError."""
    for line, message in errors[:MAX_LISTED_ERRORS]:
        click.echo(f"{path}: line {line}: {message}", err=True)
    more = f", the first {MAX_LISTED_ERRORS} are listed above" if len(errors) > MAX_LISTED_ERRORS else ""
    raise InputError(f"{path}: {len(errors):,} of {row_count:,} rows are invalid{more}; nothing was imported")


@contextmanager
def open_atomic(
    path: Path | None,  # None and "-" mean standard output
    *,
    protected: Path | None = None,  # a file that must not be replaced
) -> Iterator[BinaryIO]:
    """Open a temporary file, which replaces ``path`` if the ``with`` block succeeds. Raises InputError."""
    if path is None or str(path) == "-":
        buffer = io.BytesIO()
        yield buffer
        sys.stdout.buffer.write(buffer.getvalue())
        sys.stdout.buffer.flush()
        return
    if protected is not None and path.exists() and protected.exists() and path.samefile(protected):
        raise InputError(f"{path}: would overwrite the issue itself; choose another --output")
    # A device or a pipe is written directly. Other files are opened here, so that a path that cannot be written is
    # reported before the block runs.
    direct = path.exists() and not path.is_file() and not path.is_dir()
    partial = path if direct else path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a directory")
        file = partial.open("wb" if direct else "xb")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with file:
            yield file
        if not direct:
            partial.replace(path)
    except OSError as error:
        if error.filename not in {None, str(partial)}:
            raise
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        if not direct:
            partial.unlink(missing_ok=True)
