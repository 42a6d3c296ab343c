"""Messages of errors, and the remedies that are appended to them."""

import sqlite3
from typing import get_args

from shortener.errors import ErrorKind, InputError, NotFound
from shortener.remedies import REMEDIES, error_message
from shortener.store.sqlite import store_error


def test_every_kind_of_error_has_a_remedy() -> None:
    """The table of remedies has exactly the kinds that errors can have."""
    assert set(REMEDIES) == set(get_args(ErrorKind))


def test_remedy_follows_the_message() -> None:
    """An error with a kind gets its remedy appended; an error without one keeps its message."""
    error = NotFound("may: no issue has this slug", kind="issue_not_found")
    assert error_message(error) == "may: no issue has this slug; `shortener issue list` shows them all"
    assert error_message(InputError("wrong")) == "wrong"


def test_errors_of_the_store_and_the_system_are_one_line() -> None:
    """SQLite's errors and those of the operating system name the thing and are one line."""
    error = store_error(sqlite3.OperationalError("database or disk is full"))
    assert error_message(error) == "the store: database or disk is full; see `shortener doctor`"
    assert error_message(OSError(28, "No space left on device", "/data")) == "/data: No space left on device"
    assert error_message(OSError("several\nlines")) == "system: several lines"
