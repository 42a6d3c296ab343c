"""Files that commands read and write: with errors of one line, and never half a file."""

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
"""Bad rows that an import names one by one."""


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """A file's content ("-": standard input), at most so many bytes. Raises InputError."""
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
        raise InputError(
            f"{path}: larger than {max_bytes / 1024 / 1024:.0f} MB; split it, or take out what is no text"
        )
    return content


def read_csv(
    path: Path,
    *,
    required: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,
    delimiters: str = ",",
    all_cells_required: bool = False,
    max_bytes: int = 64 * 1024 * 1024,
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header line, as (line number, cells by column).

    ``names`` gives other writings of columns, in lower-case letters alone, the name that they come back under. Of
    ``delimiters`` the one counts that the header has most of. With ``whole`` every row has to fill the header.
    Raises InputError for a file that is no UTF-8 CSV with the required columns.
    """
    try:
        text = read_bytes(path, max_bytes=max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    delimiter = max(delimiters, key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        columns = _column_names(reader.fieldnames or (), aliases or {})
        missing = [column for column in required if column not in columns]
        if missing:
            raise InputError(f"{path}: the first line has to name the columns {', '.join(required)}")
        reader.fieldnames = columns
        needed = columns if all_cells_required else required
        for row in reader:
            line = reader.line_num
            if any(row.get(column) is None for column in needed) or None in row:
                raise InputError(f"{path}: line {line}: expected {len(columns)} cells, as the first line has")
            if any((cell or "").strip() for cell in row.values()):
                yield line, {column: (cell or "").strip() for column, cell in row.items()}
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.reader.line_num}: not CSV: {error}") from None


def _column_names(header: Iterable[str], aliases: Mapping[str, str]) -> list[str]:
    """The columns of a header line; the first of several writings of one name has it."""
    columns: list[str] = []
    for given in header:
        plain = given.strip().lower()
        name = aliases.get("".join(c for c in plain if c.isalpha()), plain)
        columns.append(plain if name in columns else name)
    return columns


def raise_row_errors(path: Path, errors: Sequence[tuple[int, str]], *, row_count: int) -> None:
    """Name the bad rows of an import, by line, and end. Raises InputError."""
    for line, fault in errors[:MAX_LISTED_ERRORS]:
        click.echo(f"{path}: line {line}: {fault}", err=True)
    more = f", the first {MAX_LISTED_ERRORS} are named above" if len(errors) > MAX_LISTED_ERRORS else ""
    raise InputError(
        f"{path}: {len(errors):,} of {row_count:,} rows cannot be used{more}; nothing was imported"
    )


@contextmanager
def open_atomic(path: Path | None, *, protected: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write that takes its place only when everything went well; None or "-" is standard output.

    Opened before the work is done, so that a place that cannot be written stops it. Raises InputError.
    """
    if path is None or str(path) == "-":
        buffer = io.BytesIO()
        yield buffer
        sys.stdout.buffer.write(buffer.getvalue())
        sys.stdout.buffer.flush()
        return
    if protected is not None and path.exists() and protected.exists() and path.samefile(protected):
        raise InputError(f"{path}: would overwrite the issue itself; choose another --output")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a directory")
        file = partial.open("xb")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
