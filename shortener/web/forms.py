"""What a form's fields say: text within bounds, whole numbers, local times."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET
from werkzeug.datastructures import MultiDict

from shortener.errors import InputError
from shortener.services.edit import Wanted

MAX_TEXT = 2_000  # characters of a field, unless a page says otherwise
MOST_RECIPIENTS = 1_000_000_000
FIRST_YEAR, LAST_YEAR = 1970, 9998
Fields = MultiDict[str, str]


def text(fields: Fields, name: str, *, most: int = MAX_TEXT, what: str | None = None) -> str:
    """A field without white space around it, '' where it is absent. Raises InputError when it is too long."""
    value = fields.get(name, "").strip()
    if len(value) > most:
        raise InputError(f"{what or name}: longer than {most:,} characters; shorten it")
    return "".join(c for c in value if c not in "\0\r")


def optional(fields: Fields, name: str, *, most: int = MAX_TEXT, what: str | None = None) -> str | None:
    """The same, None where nothing was written."""
    return text(fields, name, most=most, what=what) or None


def number(fields: Fields, name: str, *, least: int, most: int, what: str | None = None) -> int | None:
    """A whole number in bounds, None where nothing was written. Raises InputError."""
    written = text(fields, name, most=40, what=what).replace(",", "").replace(" ", "")
    if not written:
        return None
    if not (written.isascii() and written.isdigit()) or not least <= int(written) <= most:
        raise InputError(f"{what or name}: {written!r} is no whole number from {least:,} to {most:,}")
    return int(written)


def clamped(fields: Fields, name: str, *, least: int, most: int, otherwise: int) -> int:
    """A number of a query, drawn into its bounds; what is no number counts as left out."""
    written = fields.get(name, "")
    if not (written.isascii() and written.isdigit() and len(written) <= 9):
        return otherwise
    return min(max(int(written), least), most)


def local_time(fields: Fields, name: str, *, zone: ZoneInfo, what: str | None = None) -> int | None:
    """The field of a local date and time as seconds of UTC epoch, None where it is empty. Raises InputError."""
    written = text(fields, name, most=40, what=what)
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise InputError(
            f"{what or name}: {written!r} is no date and time such as 2026-11-24T08:00"
        ) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InputError(f"{what or name}: give a year from {FIRST_YEAR} to {LAST_YEAR}")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).timestamp())


def wanted(fields: Fields, *, suffix: str = "") -> Wanted:
    """How an editor wants an article, from those of its fields that were sent. Raises InputError."""

    def said(name: str, most: int) -> str | None:
        key = f"{name}{suffix}"
        return text(fields, key, most=most, what=f"the {name}") if key in fields else None

    place = f"position{suffix}"
    return Wanted(
        url=text(fields, f"url{suffix}", most=10_000),
        title=said("title", 500),
        author=said("author", 500),
        summary=said("summary", MAX_TEXT),
        position=number(fields, place, least=1, most=10_000, what="the place") if place in fields else UNSET,
    )
