"""Reading of uploads in forms: documents of issues, and CSV files with the targets of short links."""

import csv
import io
from collections.abc import Iterator
from pathlib import PurePath

from flask import request
from msgspec import Struct

from shortener import newsletter
from shortener.errors import FieldError, InputError, UnreadableDocument
from shortener.messages import Message
from shortener.services.add_issue import parse_targets
from shortener.short_urls import build_short_url, validate_target
from shortener.web.context import config
from shortener.web.field_errors import errors_at
from shortener.web.forms import read_text
from shortener.web.sandbox import check_in_sandbox

MAX_TARGETS_BYTES = 1_000_000
MAX_TARGET_FIELDS = 120
"""Largest number of short links with a field for their target in one form."""
MAX_FILES = 4
"""Files that are read from one form: a document and tables of targets."""
MAX_NAME_LENGTH = 200


class Submission(Struct, frozen=True):
    """A submitted document, and submitted link targets by short URL.

    ``name`` is the document's file name, '' for pasted text.
    """

    source: bytes
    name: str
    targets: dict[str, str]

    @property
    def has_document(self) -> bool:
        """Whether a document was submitted, even an empty file."""
        return bool(self.source or self.name)


def read_submission() -> Submission | None:
    """Return the newsletter document and the link targets in a form; None if both are missing. Raises FieldError."""
    documents: list[tuple[str, bytes]] = []
    targets: dict[str, str] = {}
    for name, content in _uploaded_files("file"):
        if _is_table(name, content):
            targets |= read_targets(content, field="file")
        else:
            documents.append((name, content))
    if len(documents) > 1:
        raise FieldError(Message("these are several issues; choose one of them"), field="file")
    text = request.form.get("source", "")
    if documents:
        name, source = documents[0]
        _refuse_unreadable_kind(source, name=name)
    elif text.strip():
        # Browsers send CR LF line ends from a text area, whichever line ends were pasted.
        name, source = "", text.replace("\r\n", "\n").encode("utf-8", "replace")
    elif targets:
        return Submission(b"", "", targets)
    else:
        return None
    with errors_at("file" if name else "source"):
        check_in_sandbox(source, name=name)
    return Submission(source, name, targets)


def _uploaded_files(field: str) -> Iterator[tuple[str, bytes]]:
    for file in request.files.getlist(field)[:MAX_FILES]:
        if file.filename:
            # Of a file that is too large, only the beginning is read.
            yield file.filename[-MAX_NAME_LENGTH:], file.read(newsletter.MAX_ISSUE_BYTES + 1)


def _is_table(name: str, content: bytes) -> bool:
    return PurePath(name).suffix.lower() == ".csv" or content[:200].lstrip(b"\xef\xbb\xbf").startswith(b"short_url,")


def _refuse_unreadable_kind(source: bytes, *, name: str) -> None:
    kind = newsletter.unreadable_kind(source)
    if not kind:
        return
    sentences = {
        "an image": Message("{name} is an image. Upload the Markdown or HTML your email service exports.", name=name),
        "a PDF": Message("{name} is a PDF. Upload the Markdown or HTML your email service exports.", name=name),
        "rich text": Message(
            "{name} is rich text (.rtf). Upload the Markdown or HTML your email service exports.", name=name
        ),
        "a Word document": Message(
            "{name} is a Word document. Upload the Markdown or HTML your email service exports.", name=name
        ),
        "an OpenDocument text": Message(
            "{name} is an OpenDocument text. Upload the Markdown or HTML your email service exports.", name=name
        ),
        "an older Office document": Message(
            "{name} is an Office document or an Outlook message. Upload the Markdown or HTML your email service "
            "exports.",
            name=name,
        ),
        "JSON": Message("{name} is JSON. Upload the Markdown or HTML your email service exports.", name=name),
    }
    packed = Message("{name} is an archive. Unpack it, and upload the issue that is in it.", name=name)
    found = next((sentence for start, sentence in sentences.items() if kind.startswith(start)), packed)
    raise UnreadableFile(found, field="file")


class UnreadableFile(FieldError, UnreadableDocument):
    """Raised when an uploaded file, such as an image, cannot be an issue."""


def read_target_files(field: str) -> dict[str, str]:
    """Return the targets of short links in the CSV files of a form field, by short URL. Raises FieldError."""
    targets: dict[str, str] = {}
    for _name, content in _uploaded_files(field):
        targets |= read_targets(content, field=field)
    return targets


def read_targets(content: bytes, *, field: str) -> dict[str, str]:
    """Return the targets in a CSV file with the columns short URL and target, by short URL. Raises FieldError."""
    with errors_at(field):
        if len(content) > MAX_TARGETS_BYTES:
            raise InputError(Message("this file of destinations is larger than 1 MB; split it"))
        found = parse_targets(list(_numbered_targets(content)), config=config())
    return {build_short_url(*key, domains=config().domains): target for key, target in found.items()}


def _numbered_targets(content: bytes) -> Iterator[tuple[int, str, str]]:
    try:
        text = content.decode("utf-8-sig")
        for line, row in enumerate(csv.reader(io.StringIO(text)), start=1):
            if not row or row[0].strip().lower() == "short_url":
                continue
            if len(row) < 2:
                raise InputError(
                    Message("line {line}: expected a short link and its destination, with a comma", line=str(line))
                )
            yield line, row[0].strip(), row[1].strip()
    except (csv.Error, UnicodeDecodeError):
        raise InputError(Message("this is no CSV file; expected a short link and a destination on each line")) from None


def read_target_fields() -> dict[str, str]:
    """Return ``{short URL: target}`` as entered in a form; an empty field gives ''. Raises FieldError."""
    targets: dict[str, str] = {}
    for number in range(MAX_TARGET_FIELDS):
        # The field ``todo-N`` has the short URL for the target in the field ``target-N``.
        short_url = request.form.get(f"todo-{number}", "")[:500]
        target = read_text(request.form, f"target-{number}", max_length=10_000)
        if short_url:
            with errors_at(f"target-{number}"):
                targets[short_url] = validate_target(target, config=config()) if target else ""
    return targets
