"""Responses other than pages: JSON, CSV and other downloads, and the redirect after an edit."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Response, flash, redirect, url_for
from msgspec import Struct
from werkzeug.wrappers import Response as BaseResponse

from shortener.messages import message_text
from shortener.reporting.formatting import escape_csv
from shortener.web.cache import clear_cache
from shortener.web.languages import translated_text

MAX_NEXT_LENGTH = 1_000
"""Characters of the address of a page to return to."""
_OWN_PATH = re.compile(r"/-/[A-Za-z0-9._~%=&?+:@!$'()*,;/-]*", re.ASCII)


def json_response(value: Any) -> Response:
    """Return a value as a JSON document."""
    return Response(msgspec.json.encode(value, enc_hook=message_text), mimetype="application/json")


def csv_response(file_stem: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Return rows as the CSV download ``file_stem.csv``.

    Cells that a spreadsheet would take for formulas are escaped.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([escape_csv(cell) for cell in row] for row in rows)
    return attachment_response(
        file.getvalue().encode(), file_name=f"{file_stem}.csv", content_type="text/csv; charset=utf-8"
    )


def attachment_response(content: bytes, *, file_name: str, content_type: str) -> Response:
    """Return ``content`` as a download with the name ``file_name``."""
    # Old browsers ignore ``filename*``.
    ascii_name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in file_name)
    disposition = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(file_name, safe='')}"
    return Response(content, content_type=content_type, headers={"Content-Disposition": disposition})


def own_path(url: str | None) -> str | None:
    """Return ``url`` if it is the path of one of our pages, else None. The path may have a query string."""
    # A path that begins with ``/-/`` cannot name another host. Browsers may rewrite backslashes and control characters,
    # so that the pattern does not match them.
    return url if url and len(url) <= MAX_NEXT_LENGTH and _OWN_PATH.fullmatch(url) else None


class Notice(Struct, frozen=True):
    """A message on the next page, with a button that undoes the edit if ``undo_url`` is set."""

    text: str
    """Text of the message. Keep it short, because a cookie contains it."""
    undo_url: str = ""
    undo_fields: Mapping[str, str] = {}
    """Form fields that the button submits."""
    is_error: bool = False


def redirect_after_edit(notice: Notice | str, endpoint: str, **values: Any) -> BaseResponse:
    """Clear the cache and redirect to the page ``endpoint``, which shows the notice.

    ``values`` are the variable parts of the page's URL.
    """
    clear_cache()
    return redirect_with_notice(notice, endpoint, **values)


def redirect_with_notice(notice: Notice | str, endpoint: str, **values: Any) -> BaseResponse:
    """Redirect to the page ``endpoint``, which shows the notice. The cache is not cleared.

    Call this function only after edits on which no cached value depends.
    """
    show_notice(notice)
    return redirect(url_for(endpoint, **values), 303)


def show_notice(notice: Notice | str) -> None:
    """Let the next page in this browser show a notice."""
    flash(msgspec.to_builtins(Notice(notice) if isinstance(notice, str) else notice, enc_hook=translated_text))
