"""Daily keys on several machines: shared in time, taken over, filled again after a crash, and destroyed."""

from contextlib import closing
from pathlib import Path

from shortener.clicklog.pseudonyms import DailyKeys
from shortener.collector.collector import Collector
from shortener.config import Config
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.store import Store, shared_keys
from tests.conftest import SENT
from tests.scale.conftest import Centre

DAY = SENT // DAY_SECONDS


def maintain(store: Store, config: Config, *, hour: float) -> dict[int, bytes]:
    """Let a new collector maintain the keys at an hour of DAY; return the shared ones."""
    with closing(Collector(store, config=config, clock=lambda: DAY * DAY_SECONDS + hour * HOUR_SECONDS)):
        return shared_keys.read(store)


def test_keys_are_made_in_time_and_destroyed(centre: Centre) -> None:
    """A key exists from six hours before its day, and until 42 hours after its day began."""
    first = maintain(centre.store, centre.config, hour=17.9)
    assert set(first) == {DAY}
    second = maintain(centre.store, centre.config, hour=18)
    assert set(second) == {DAY, DAY + 1}
    assert second[DAY] == first[DAY]
    assert set(maintain(centre.store, centre.config, hour=41)) == {DAY, DAY + 1}
    last = maintain(centre.store, centre.config, hour=42)
    assert set(last) == {DAY + 1, DAY + 2}
    assert DailyKeys(centre.config.data_directory).read_all() == last


def test_a_new_collector_takes_the_keys_over(centre: Centre, tmp_path: Path) -> None:
    """Another machine gets the shared keys, and fills the table after a crash of PostgreSQL has emptied it."""
    keys = maintain(centre.store, centre.config, hour=18)
    store, config = centre.other_machine(tmp_path / "other")
    with closing(store):
        assert maintain(store, config, hour=18) == keys
        store.execute("truncate table shared_keys")
        assert maintain(store, config, hour=18) == keys
    assert DailyKeys(tmp_path / "other").read_all() == keys


def test_a_table_that_was_emptied_is_filled_within_a_minute(centre: Centre) -> None:
    """The collector that runs notices by itself that the keys are gone."""
    now = [DAY * DAY_SECONDS]
    stops = iter([False, True, True])
    with closing(Collector(centre.store, config=centre.config, clock=lambda: now[0])) as collector:
        keys = shared_keys.read(centre.store)
        centre.store.execute("truncate table shared_keys")
        collector.follow(stop=lambda: next(stops, True))
        assert shared_keys.read(centre.store) == keys
