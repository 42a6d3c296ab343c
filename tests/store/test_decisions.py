"""What editors decided: one decision for an article in a month, with who and when and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.errors import InputError, NotFound
from shortener.store import Store, decisions, open_store

URL = "https://a.example/one"
GOOD: dict[str, Any] = {"action": "pin", "reason": "they asked", "who": "Ana", "now": 100}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def test_a_decision_is_kept_with_who_when_and_why(store: Store) -> None:
    """What comes back is what was said, white space folded."""
    made = decisions.decide(
        store, "2024-05", URL, action="choose", reason=" good \n work ", who=" Ana ", now=7
    )
    assert made == decisions.Decision("2024-05", URL, "choose", "good work", "Ana", 7)
    assert decisions.list_by_month(store, "2024-05") == [made]
    assert decisions.list_by_month(store, "2024-06") == []


def test_the_later_decision_takes_the_place_of_the_earlier(store: Store) -> None:
    """In one month; another month's stays."""
    for month, now in (("2024-05", 1), ("2024-06", 2)):
        decisions.decide(store, month, URL, **GOOD | {"now": now})
    last = decisions.decide(store, "2024-05", URL, **GOOD | {"action": "exclude", "who": "Bo", "now": 3})
    assert decisions.list_by_month(store, "2024-05") == [last]
    assert [each.month for each in decisions.list_by_article(store, URL)] == ["2024-05", "2024-06"]
    assert [each.month for each in decisions.list_all(store)] == ["2024-06", "2024-05"]


def test_a_decision_is_taken_back_once(store: Store) -> None:
    """Undoing says what it was; undoing again says that there is nothing."""
    made = decisions.decide(store, "2024-05", URL, **GOOD)
    assert decisions.delete(store, "2024-05", URL) == made
    with pytest.raises(NotFound, match="nothing was decided"):
        decisions.delete(store, "2024-05", URL)


@pytest.mark.parametrize(
    ("month", "change", "said"),
    [
        pytest.param("2024-5", {}, "2024-5", id="short month"),
        pytest.param("2024-13", {}, "2024-13", id="month 13"),
        pytest.param("2024-05\n", {}, "not a month", id="month with a line end"),
        pytest.param("٢٠٢٤-05", {}, "not a month", id="other digits"),
        pytest.param("2024-05", {"reason": " \n"}, "--reason", id="no reason"),
        pytest.param("2024-05", {"who": ""}, "--who", id="nobody"),
        pytest.param("2024-05", {"action": "delete"}, "'delete'", id="no action"),
        pytest.param("2024-05", {"reason": "x" * 1_001}, "longer", id="a novel"),
    ],
)
def test_what_is_no_decision_is_refused(store: Store, month: str, change: dict[str, Any], said: str) -> None:
    """One line that names the thing; nothing is stored."""
    with pytest.raises(InputError, match=said):
        decisions.decide(store, month, URL, **GOOD | change)
    assert decisions.list_all(store) == []
