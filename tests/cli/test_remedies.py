"""Remedies that commands append to error messages."""

from typing import get_args

from shortener.cli.remedies import REMEDIES, message_with_remedy
from shortener.errors import ErrorKind, InputError, NotFound


def test_every_kind_of_error_has_a_remedy() -> None:
    """The table of remedies has exactly the kinds that errors can have."""
    assert set(REMEDIES) == set(get_args(ErrorKind))


def test_remedy_follows_the_message() -> None:
    """An error with a kind gets its remedy appended; an error without one keeps its message."""
    error = NotFound("may: no issue has this slug", kind="issue_not_found")
    assert message_with_remedy(error) == "may: no issue has this slug; `shortener issue list` shows them all"
    assert message_with_remedy(InputError("wrong")) == "wrong"
