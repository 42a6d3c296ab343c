"""What a form's fields say: text within bounds, whole numbers, local times."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET
from werkzeug.datastructures import MultiDict

from shortener.errors import InputError
from shortener.services.edit import ArticleEdit

MAX_TEXT_LENGTH = 2_000  # characters of a field, unless a page says otherwise
MAX_RECIPIENTS = 1_000_000_000
MIN_YEAR, MAX_YEAR = 1970, 9998
FormFields = MultiDict[str, str]


def read_text(
    fields: FormFields, name: str, *, max_length: int = MAX_TEXT_LENGTH, label: str | None = None
) -> str:
    """A field without white space around it, '' where it is absent. Raises InputError when it is too long."""
    value = fields.get(name, "").strip()
    if len(value) > max_length:
        raise InputError(f"{label or name}: longer than {max_length:,} characters; shorten it")
    return "".join(c for c in value if c not in "\0\r")


def read_optional_text(
    fields: FormFields, name: str, *, max_length: int = MAX_TEXT_LENGTH, label: str | None = None
) -> str | None:
    """The same, None where nothing was written."""
    return read_text(fields, name, max_length=max_length, label=label) or None


def read_integer(
    fields: FormFields, name: str, *, minimum: int, maximum: int, label: str | None = None
) -> int | None:
    """A whole number in bounds, None where nothing was written. Raises InputError."""
    written = read_text(fields, name, max_length=40, label=label).replace(",", "").replace(" ", "")
    if not written:
        return None
    if not (written.isascii() and written.isdigit()) or not minimum <= int(written) <= maximum:
        raise InputError(f"{label or name}: {written!r} is no whole number from {minimum:,} to {maximum:,}")
    return int(written)


def read_clamped_integer(fields: FormFields, name: str, *, minimum: int, maximum: int, default: int) -> int:
    """A number of a query, drawn into its bounds; what is no number counts as left out."""
    written = fields.get(name, "")
    if not (written.isascii() and written.isdigit() and len(written) <= 9):
        return default
    return min(max(int(written), minimum), maximum)


def read_local_time(fields: FormFields, name: str, *, zone: ZoneInfo, label: str | None = None) -> int | None:
    """The field of a local date and time as seconds of UTC epoch, None where it is empty. Raises InputError."""
    written = read_text(fields, name, max_length=40, label=label)
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise InputError(
            f"{label or name}: {written!r} is no date and time such as 2026-11-24T08:00"
        ) from None
    if not MIN_YEAR <= moment.year <= MAX_YEAR:
        raise InputError(f"{label or name}: give a year from {MIN_YEAR} to {MAX_YEAR}")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).timestamp())


def read_article_edit(fields: FormFields, *, suffix: str = "") -> ArticleEdit:
    """How an editor wants an article, from those of its fields that were sent. Raises InputError."""

    def said(name: str, most: int) -> str | None:
        key = f"{name}{suffix}"
        return read_text(fields, key, max_length=most, label=f"the {name}") if key in fields else None

    place = f"position{suffix}"
    return ArticleEdit(
        url=read_text(fields, f"url{suffix}", max_length=10_000),
        title=said("title", 500),
        author=said("author", 500),
        summary=said("summary", MAX_TEXT_LENGTH),
        position=read_integer(fields, place, minimum=1, maximum=10_000, label="the place")
        if place in fields
        else UNSET,
    )
