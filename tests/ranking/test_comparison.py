"""Two issues at the same age."""

from typing import Any

import msgspec
import pytest

from shortener.errors import InputError, NotFound
from shortener.ranking import Arrival, History, Issue, compare

HOUR = 3600.0
OLD, NEW = Issue("old", "Old", 0.0, 1000), Issue("new", "New", 1000 * HOUR, 4000)
ARRIVALS = (
    Arrival("old", 0, 1, 50),
    Arrival("old", 1, 2, 30),
    Arrival("old", 2, 720, 400),
    Arrival("new", 0, 1, 300),
    Arrival("new", 1, 2, 100),
)
HISTORY = History((OLD, NEW), (), ARRIVALS)


def test_issues_are_compared_at_the_age_of_the_younger() -> None:
    """At two hours the old issue's later clicks do not count, and rates are per recipient."""
    found = compare(HISTORY, "new", "old", as_of=1002 * HOUR)
    assert (found.hours, found.first.clicks, found.second.clicks) == (2.0, 400.0, 80.0)
    assert (found.first.rate, found.second.rate) == (0.1, 0.08)
    assert found.ratio == pytest.approx(1.25)
    assert found.low == pytest.approx(1.25 / 1.2232, rel=1e-3)
    assert found.first.to_come > 0.4
    assert found.second.to_come < 0.02
    assert found.text == (
        f"2 hours after sending ({found.to_come:.0%} still to come): issue new with 400 clicks (10.0% of "
        "4000) against issue old with 80 clicks (8.0% of 1000); 1.2x the clicks per recipient "
        "(90% interval 1.0-1.5)"
    )


def test_any_earlier_age_can_be_asked() -> None:
    """At one hour only the first hour counts."""
    found = compare(HISTORY, "new", "old", as_of=1002 * HOUR, hours=1.0)
    assert (found.first.clicks, found.second.clicks) == (300.0, 50.0)


@pytest.mark.parametrize(
    ("rows", "ratio", "words"),
    [
        pytest.param({"arrivals": ARRIVALS[:3]}, None, "too few clicks to compare", id="no clicks"),
        pytest.param(
            {"issues": (OLD, msgspec.structs.replace(NEW, recipients=None))},
            5.0,
            "5.0x the clicks (",
            id="unsized",
        ),
        pytest.param(
            {"issues": (OLD, msgspec.structs.replace(NEW, recipients=5000))},
            1.0,
            "no difference in clicks per recipient that chance could not make",
            id="no difference",
        ),
    ],
)
def test_what_is_said(rows: dict[str, Any], ratio: float | None, words: str) -> None:
    """No ratio without clicks, plain clicks without recipients, and chance is called chance."""
    found = compare(msgspec.structs.replace(HISTORY, **rows), "new", "old", as_of=1002 * HOUR)
    assert found.ratio == (None if ratio is None else pytest.approx(ratio))
    assert words in found.text


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        pytest.param({"first": "nope"}, NotFound, "'nope'", id="unknown"),
        pytest.param({"as_of": 1.0}, NotFound, "'new'", id="not sent yet"),
        pytest.param({"hours": 3.0}, InputError, "at most 2", id="older than the younger"),
        pytest.param({"hours": 0.0}, InputError, "more than 0", id="no age"),
        pytest.param({"hours": float("nan")}, InputError, "nan hours", id="nan"),
    ],
)
def test_what_cannot_be_compared(asked: dict[str, Any], error: type[Exception], words: str) -> None:
    """Unknown issues and ages that were not reached are refused."""
    options: dict[str, Any] = {"first": "new", "as_of": 1002 * HOUR, "hours": None} | asked
    with pytest.raises(error, match=words):
        compare(HISTORY, options.pop("first"), "old", **options)
