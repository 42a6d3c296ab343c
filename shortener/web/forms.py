"""Reading and validation of form fields: texts, integers, local times, and edits of articles."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET, structs
from werkzeug.datastructures import MultiDict

from shortener.durations import MAX_YEAR, MIN_YEAR
from shortener.errors import FieldError
from shortener.messages import Message
from shortener.newsletter import Role
from shortener.reporting.issue_contents import ArticleContents
from shortener.services.edit import ROLES, ArticleEdit

MAX_TEXT_LENGTH = 2_000  # characters of a field, unless a page says otherwise
MAX_RECIPIENTS = 1_000_000_000
MAX_ID = 10**9 - 1
"""Largest id in an address or a form. A larger one does not fit into every store."""
ROWS_PER_PAGE = 100
"""Articles and links in one form. Each has up to eight fields, and a form has at most 1,000."""
FormFields = MultiDict[str, str]


def read_text(fields: FormFields, name: str, *, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Return the text of a field without outer white space; '' if the field is missing.

    Raises FieldError if it is longer than ``max_length`` characters.
    """
    value = fields.get(name, "").strip()
    if len(value) > max_length:
        raise FieldError(Message("this is longer than {limit} characters; shorten it", limit=max_length), field=name)
    return "".join(c for c in value if c not in "\0\r")


def read_optional_text(fields: FormFields, name: str, *, max_length: int = MAX_TEXT_LENGTH) -> str | None:
    """Return the text of a field without outer white space; None if the field is empty.

    Raises FieldError for a text that is too long.
    """
    return read_text(fields, name, max_length=max_length) or None


def read_integer(fields: FormFields, name: str, *, minimum: int, maximum: int) -> int | None:
    """Return the integer in a field; None if it is empty.

    Raises FieldError for other text, and for a number below ``minimum`` or above ``maximum``.
    """
    text = read_text(fields, name, max_length=40).replace(",", "").replace(" ", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or not minimum <= int(text) <= maximum:
        raise FieldError(
            Message("enter a whole number from {minimum} to {maximum}", minimum=minimum, maximum=maximum), field=name
        )
    return int(text)


def read_clamped_integer(fields: FormFields, name: str, *, minimum: int, maximum: int, default: int) -> int:
    """Return the integer in a query parameter, limited to the range from ``minimum`` to ``maximum``.

    Return ``default`` if the parameter is not an integer.
    """
    text = fields.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return default
    return min(max(int(text), minimum), maximum)


def read_local_time(
    fields: FormFields,
    name: str,
    *,
    zone: ZoneInfo,  # of a time without an offset
) -> int | None:
    """Return the local time in a field as seconds of the UTC epoch; None if the field is empty. Raises FieldError."""
    text = read_text(fields, name, max_length=40)
    if not text:
        return None
    try:
        local_time = datetime.fromisoformat(text)
    except ValueError:
        raise FieldError(
            Message("{value} is not a date and time such as 2026-11-24T08:00", value=repr(text)), field=name
        ) from None
    if not MIN_YEAR <= local_time.year <= MAX_YEAR:
        raise FieldError(
            Message("enter a year from {first} to {last}", first=str(MIN_YEAR), last=str(MAX_YEAR)), field=name
        )
    return int((local_time if local_time.tzinfo else local_time.replace(tzinfo=zone)).astimezone(UTC).timestamp())


def read_article_edit(
    fields: FormFields,
    *,
    suffix: str = "",  # end of each field name, if the form has several articles
) -> ArticleEdit:
    """Return an editor's changes to an article from the fields of a form.

    A missing field means no change. Raises FieldError.
    """

    def read_if_sent(name: str, max_length: int) -> str | None:
        key = f"{name}{suffix}"
        return read_text(fields, key, max_length=max_length) if key in fields else None

    position_key = f"position{suffix}"
    return ArticleEdit(
        url=read_text(fields, f"url{suffix}", max_length=10_000),
        title=_join_lines(read_if_sent("title", 500)),
        author=read_if_sent("author", 500),
        summary=read_if_sent("summary", MAX_TEXT_LENGTH),
        position=read_integer(fields, position_key, minimum=1, maximum=10_000) if position_key in fields else UNSET,
        role=_read_role(fields, f"role{suffix}"),
    )


def _join_lines(text: str | None) -> str | None:
    # A title can be typed in several lines.
    return text and " ".join(text.split("\n"))


def _read_role(fields: FormFields, name: str) -> Role | None:
    for role in ROLES:
        if fields.get(name) == role:
            return role
    if name in fields:
        raise FieldError(Message("choose one of these kinds"), field=name)
    return None


def read_article_rows(
    fields: FormFields,  # of the table in ``article_rows.html``
    rows: Sequence[ArticleContents],  # all articles and links of the issue in reading order
) -> list[ArticleEdit]:
    """Return an editor's changes to the articles and links of an issue from the fields of a form. Raises FieldError."""
    edits = [read_article_edit(fields, suffix=f"-{n}") for n in range(ROWS_PER_PAGE) if f"url-{n}" in fields]
    action, selected = fields.get("action", ""), set(fields.getlist("selected"))
    if action not in {*ROLES, "greeting"}:
        return edits
    if not selected:
        raise FieldError(Message("select at least one row first"), field="selected")
    # Other buttons set the role of the selected rows. The button ``greeting`` makes all articles above the first
    # selected row inline links.
    if action != "greeting":
        return [structs.replace(edit, role=action) if edit.url in selected else edit for edit in edits]
    first = next((number for number, row in enumerate(rows) if row.url in selected), 0)
    by_url = {edit.url: edit for edit in edits}
    for row in rows[:first]:
        edit = by_url.get(row.url, ArticleEdit(url=row.url))
        if (edit.role or row.role) == "article":
            by_url[row.url] = structs.replace(edit, role="inline", position=UNSET)
    return list(by_url.values())
