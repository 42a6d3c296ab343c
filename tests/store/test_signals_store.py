"""SQL for signals: rows are added and updated, and unknown counts keep their stored values."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.store import Store, open_store, signals
from shortener.store.signals import Signal
from tests.postgres import both_engines

pytestmark = both_engines

URL = "https://a.example/one"


@pytest.fixture
def store(tmp_path: Path, store_url: str) -> Iterator[Store]:
    store = open_store(tmp_path, url=store_url)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("later", "changed", "after"),
    [
        pytest.param(Signal(URL, 100, 40, 3), 0, Signal(URL, 100, 40, 3), id="equal"),
        pytest.param(Signal(URL, 120, 40, 3), 1, Signal(URL, 120, 40, 3), id="more views"),
        pytest.param(Signal(URL, None, None, 4), 1, Signal(URL, 100, 40, 4), id="fans alone"),
        pytest.param(Signal(URL), 0, Signal(URL, 100, 40, 3), id="nothing known"),
        pytest.param(Signal(URL, 0, 0, 0), 1, Signal(URL, 0, 0, 0), id="zeros are counts"),
    ],
)
def test_later_signals_update_stored_ones(store: Store, later: Signal, changed: int, after: Signal) -> None:
    """Only known counts are updated, and only rows that differ count as changed."""
    assert signals.upsert(store, [Signal(URL, 100, 40, 3)], now=1) == 1
    assert signals.upsert(store, [later], now=2) == changed
    assert signals.list_all(store) == [after]


def test_invalid_row_stores_nothing(store: Store) -> None:
    """A negative count in the last row rolls back the whole batch."""
    with pytest.raises(Exception, match=r"(?i)check"):
        signals.upsert(store, [Signal(URL, 1), Signal("https://a.example/two", -1)], now=1)
    assert signals.list_all(store) == []
