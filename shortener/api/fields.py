"""Types of fields and parameters that several operations use, and cursors for the next page of a list."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shortener.api.problems import ApiError
from shortener.durations import MAX_YEAR, MIN_YEAR

MAX_SQLITE_INTEGER = 2**63 - 1
MAX_TITLE_LENGTH = 500  # characters

Time = Annotated[datetime, Meta(tz=True, description="ISO 8601 with a zone.")]
Since = Annotated[Time, Meta(description="Only clicks from this time on, ISO 8601 with a zone.")]
Until = Annotated[Time, Meta(description="Only clicks before this time, ISO 8601 with a zone.")]
Target = Annotated[str, Meta(min_length=1, max_length=10_000, description="http or https URL.")]
Code = Annotated[str, Meta(min_length=1, max_length=200)]
Host = Annotated[str, Meta(min_length=1, max_length=253)]
Title = Annotated[str, Meta(max_length=MAX_TITLE_LENGTH)]
Forward = Literal["merge", "override", "drop"]
Limit = Annotated[int, Meta(ge=1, le=500, description="Largest number of items.")]
Cursor = Annotated[str, Meta(max_length=4_000, description="`next` of the page before.")]
_Integer = Annotated[int, Meta(ge=-MAX_SQLITE_INTEGER, le=MAX_SQLITE_INTEGER)]


def to_seconds(
    value: datetime | None,
    *,
    pointer: str,  # JSON pointer of the field, for the error
) -> int | None:
    """Return a time with a zone as seconds of the UTC epoch; None for None. Raises ApiError for a year out of range."""
    if value is None:
        return None
    if not MIN_YEAR <= value.year <= MAX_YEAR:
        name = pointer.lstrip("/")
        raise ApiError("invalid", f"{name}: expected a year from {MIN_YEAR} to {MAX_YEAR}", pointer=pointer)
    return int(value.timestamp())


def to_query_seconds(value: datetime | UnsetType, name: str) -> int | None:
    """Return the time in a query parameter as seconds of the UTC epoch; None if it was not sent. Raises ApiError."""
    if value is UNSET:
        return None
    if not MIN_YEAR <= value.year <= MAX_YEAR:
        raise ApiError("query", f"{name}: expected a year from {MIN_YEAR} to {MAX_YEAR}.")
    return int(value.timestamp())


def encode_cursor(order: str, key: Sequence[str | int]) -> str:
    """Return the cursor that encodes ``key``, the sort key after which the next page of a list begins.

    ``order`` names the order of the list.
    """
    return base64.urlsafe_b64encode(msgspec.json.encode([order, *key])).decode().rstrip("=")


def decode_cursor(
    text: str,
    *,
    order: str,  # name of the order for which the cursor was made
    length: int,  # number of values in the sort key
) -> tuple[str | int, ...]:
    """Return the sort key that a cursor contains. Raises ApiError."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found, *key = msgspec.json.decode(data, type=list[str | _Integer])
    except (ValueError, binascii.Error):
        raise ApiError("cursor", "after: this is not a cursor of this list.") from None
    if found != order or len(key) != length:
        raise ApiError("cursor", f"after: this is not a cursor of the order {order}.")
    return tuple(key)
