"""Reports as answers for programs: JSON, and CSV that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Response

from shortener.reporting.formatting import escape_csv


def json_response(value: Any) -> Response:
    """A value as one JSON document."""
    return Response(msgspec.json.encode(value), mimetype="application/json")


def csv_response(file_stem: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Rows as a CSV file to download; text that a spreadsheet would calculate gets an apostrophe in front."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([escape_csv(cell) for cell in row] for row in rows)
    return attachment_response(
        file.getvalue().encode(), file_name=f"{file_stem}.csv", content_type="text/csv; charset=utf-8"
    )


def attachment_response(content: bytes, *, file_name: str, content_type: str) -> Response:
    """A file to download."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in file_name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
    return Response(content, content_type=content_type, headers={"Content-Disposition": disposition})
