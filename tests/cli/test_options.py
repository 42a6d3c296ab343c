"""Times on the command line: a time zone is never guessed."""

import pytest

from shortener.cli.options import parse_time
from shortener.errors import InputError

TIMES = {
    "UTC": ("2026-11-24T08:00:00Z", 1_795_507_200),
    "offset": ("2026-11-24T09:00+01:00", 1_795_507_200),
    "space for T": ("2026-11-24 08:00Z", 1_795_507_200),
    "fraction": ("2026-11-24T08:00:00.900Z", 1_795_507_200),
    "the beginning": ("1970-01-01T00:00Z", 0),
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.values(), ids=TIMES)
def test_a_time_with_a_zone_is_read(text: str, seconds: int) -> None:
    """ISO 8601 with Z or an offset gives seconds of UTC epoch."""
    assert parse_time(text) == seconds


REFUSED = {
    "no zone": ("2026-11-24T08:00", r"add Z or \+02:00"),
    "a date": ("2026-11-24", r"2026-11-24T00:00Z"),
    "no date": ("yesterday", "ISO 8601"),
    "empty": ("", "ISO 8601"),
    "no such day": ("2026-02-30T00:00Z", "ISO 8601"),
    "year 1": ("0001-01-01T00:00+14:00", "1970"),
    "year 9999": ("9999-12-31T23:59-14:00", "9998"),
}


@pytest.mark.parametrize(("text", "mend"), REFUSED.values(), ids=REFUSED)
def test_other_times_are_refused_with_the_mend(text: str, mend: str) -> None:
    """The message names the value and says what to write instead."""
    with pytest.raises(InputError, match=mend):
        parse_time(text)
