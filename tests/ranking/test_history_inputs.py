"""Validation of the ranking's input: each invalid row raises a one-line error that names it."""

from typing import Any

import pytest

from shortener.errors import InputError
from shortener.ranking import Appearance, Arrival, History, Issue, Placement, Signal, rank

GOOD: dict[str, Any] = {
    "issues": (Issue("n", "", 0.0, 10),),
    "appearances": (Appearance("n", "u", 3, 1),),
    "arrivals": (),
    "signals": (),
}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param({"issues": (Issue("n", "", 0.0, 0),)}, "'n' has 0 recipients", id="no recipients"),
        pytest.param({"issues": (Issue("n", "", 0.0, -4),)}, "-4 recipients", id="negative recipients"),
        pytest.param({"issues": (Issue("n", "", float("nan")),)}, "'n' has no valid sending time", id="no time"),
        pytest.param({"issues": (Issue("n", "", 0.0),) * 2}, "'n' is given twice", id="issue twice"),
        pytest.param({"appearances": (Appearance("m", "u", 3),)}, "unknown issue 'm'", id="unknown issue"),
        pytest.param({"appearances": (Appearance("n", "u", -1),)}, "u in issue 'n': -1", id="negative clicks"),
        pytest.param({"appearances": (Appearance("n", "u", 10**13),)}, "is not a valid count", id="too many clicks"),
        pytest.param({"appearances": (Appearance("n", "u", 1, 0),)}, "positions start at 1", id="position 0"),
        pytest.param(
            {"appearances": (Appearance("n", "u", 1, 1, (Placement("title", -1),)),)},
            "-1",
            id="negative placement",
        ),
        pytest.param(
            {"appearances": (Appearance("n", "u", 1, 1, (Placement("title", 1, 0),)),)},
            "0 links",
            id="no links",
        ),
        pytest.param({"arrivals": (Arrival("m", 0, 1, 1),)}, "unknown issue 'm'", id="arrival of nothing"),
        pytest.param({"arrivals": (Arrival("n", 2, 1, 1),)}, "the end must be after the start", id="end before start"),
        pytest.param({"arrivals": (Arrival("n", 0, 1, -1),)}, "arrivals of issue 'n': -1", id="negative arrival"),
        pytest.param({"signals": (Signal("u", 1),) * 2}, "signals row for 'u'", id="signals twice"),
        pytest.param({"signals": (Signal("u", 1, 1, -1),)}, "signals of u: -1", id="negative fans"),
    ],
)
def test_invalid_rows_are_refused(rows: dict[str, Any], words: str) -> None:
    """An invalid row raises InputError with one line that names the row and what is wrong."""
    with pytest.raises(InputError, match=words) as error_info:
        rank(History(**(GOOD | rows)), as_of=1e6)
    assert "\n" not in str(error_info.value)


def test_the_valid_history_is_accepted() -> None:
    """The history that the cases above modify is valid itself."""
    assert len(rank(History(**GOOD), as_of=1e6).articles) == 1
