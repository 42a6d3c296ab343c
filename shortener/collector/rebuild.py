"""Computing the rollups again from the stored clicks; they then say what the increments said."""

from collections.abc import Callable

from shortener.collector.aggregate import RollupAggregator
from shortener.collector.devices import UserAgentCache
from shortener.store import Store
from shortener.store import clicks as sql

BATCH_SIZE = 50_000


def rebuild(store: Store, *, on_progress: Callable[[int], None]) -> int:
    """Replace all sums from the days whose clicks are still kept, in one transaction; how many clicks were added up."""
    agents = UserAgentCache(store)
    counted = 0
    with store.transaction():
        sql.clear_rollups_of_stored_days(store)
        tally = RollupAggregator()
        for click in sql.iterate_stored_clicks(store):
            tally.add(click)
            counted += 1
            if counted % BATCH_SIZE == 0:
                sql.add_to_rollups(store, tally.hourly, tally.daily(agents.by_id))
                tally = RollupAggregator()
                on_progress(counted)
        sql.add_to_rollups(store, tally.hourly, tally.daily(agents.by_id))
    on_progress(counted)
    return counted
