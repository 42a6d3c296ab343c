"""Signals as they are stored: brought up to date row by row, what is unknown left as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.store import Store, open_store, signals
from shortener.store.signals import Signal

URL = "https://a.example/one"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("later", "changed", "after"),
    [
        pytest.param(Signal(URL, 100, 40, 3), 0, Signal(URL, 100, 40, 3), id="the same"),
        pytest.param(Signal(URL, 120, 40, 3), 1, Signal(URL, 120, 40, 3), id="more views"),
        pytest.param(Signal(URL, None, None, 4), 1, Signal(URL, 100, 40, 4), id="fans alone"),
        pytest.param(Signal(URL), 0, Signal(URL, 100, 40, 3), id="nothing known"),
        pytest.param(Signal(URL, 0, 0, 0), 1, Signal(URL, 0, 0, 0), id="zeros are counts"),
    ],
)
def test_a_later_file_brings_up_to_date(store: Store, later: Signal, changed: int, after: Signal) -> None:
    """Only what a file says is changed, and only what differs counts as changed."""
    assert signals.upsert(store, [Signal(URL, 100, 40, 3)], now=1) == 1
    assert signals.upsert(store, [later], now=2) == changed
    assert signals.list_all(store) == [after]


def test_a_batch_is_stored_whole_or_not_at_all(store: Store) -> None:
    """An impossible count in the last row leaves no row behind."""
    with pytest.raises(Exception, match="CHECK"):
        signals.upsert(store, [Signal(URL, 1), Signal("https://a.example/two", -1)], now=1)
    assert signals.list_all(store) == []
