"""SQL for decisions: one decision for an article in a month, with editor, time and reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.errors import InputError, NotFound
from shortener.store import Store, decisions, open_store
from tests.postgres import both_engines

pytestmark = both_engines

URL = "https://a.example/one"
GOOD: dict[str, Any] = {"action": "pin", "reason": "they asked", "who": "Ana", "now": 100}


@pytest.fixture
def store(tmp_path: Path, store_url: str) -> Iterator[Store]:
    store = open_store(tmp_path, url=store_url)
    yield store
    store.close()


def test_decision_is_stored(store: Store) -> None:
    """A stored decision is returned with its values; white space in reason and name is collapsed."""
    decision = decisions.decide(store, "2024-05", URL, action="choose", reason=" good \n work ", who=" Ana ", now=7)
    assert decision == decisions.Decision("2024-05", URL, "choose", "good work", "Ana", 7)
    assert decisions.list_by_month(store, "2024-05") == [decision]
    assert decisions.list_by_month(store, "2024-06") == []


def test_later_decision_replaces_the_earlier(store: Store) -> None:
    """A new decision replaces the one of its month; the decision of another month is kept."""
    for month, now in (("2024-05", 1), ("2024-06", 2)):
        decisions.decide(store, month, URL, **GOOD | {"now": now})
    last = decisions.decide(store, "2024-05", URL, **GOOD | {"action": "exclude", "who": "Bo", "now": 3})
    assert decisions.list_by_month(store, "2024-05") == [last]
    assert [decision.month for decision in decisions.list_by_article(store, URL)] == ["2024-05", "2024-06"]
    assert [decision.month for decision in decisions.list_all(store)] == ["2024-06", "2024-05"]


def test_decision_is_deleted_once(store: Store) -> None:
    """Deleting returns the decision; deleting it again raises NotFound."""
    decision = decisions.decide(store, "2024-05", URL, **GOOD)
    assert decisions.delete(store, "2024-05", URL) == decision
    with pytest.raises(NotFound, match="there is no decision"):
        decisions.delete(store, "2024-05", URL)


@pytest.mark.parametrize(
    ("month", "change", "message"),
    [
        pytest.param("2024-5", {}, "2024-5", id="short month"),
        pytest.param("2024-13", {}, "2024-13", id="month 13"),
        pytest.param("2024-05\n", {}, "not a month", id="month with a line end"),
        pytest.param("٢٠٢٤-05", {}, "not a month", id="other digits"),
        pytest.param("2024-05", {"who": ""}, "needs the name of its editor", id="no editor"),
        pytest.param("2024-05", {"action": "delete"}, "'delete'", id="unknown action"),
        pytest.param("2024-05", {"reason": "x" * 1_001}, "longer", id="long reason"),
    ],
)
def test_invalid_decision_is_refused(store: Store, month: str, change: dict[str, Any], message: str) -> None:
    """An invalid decision raises InputError that names the problem, and nothing is stored."""
    with pytest.raises(InputError, match=message):
        decisions.decide(store, month, URL, **GOOD | change)
    assert decisions.list_all(store) == []
