"""Compute all rollups (tables of click counts) again from the stored clicks."""

from collections.abc import Callable

from shortener.collector.aggregate import RollupAggregator
from shortener.collector.devices import UserAgentCache
from shortener.store import Store
from shortener.store.clicks import clear_rollups_of_stored_days, iterate_stored_clicks
from shortener.store.rollups import add_to_rollups

BATCH_SIZE = 50_000


def rebuild(
    store: Store,
    *,
    on_progress: Callable[[int], None],  # called with the number of clicks so far
) -> int:
    """Compute the tables of click counts again, and return the number of counted clicks.

    Days whose clicks were deleted keep their counts.
    """
    agents = UserAgentCache(store)
    counted = 0
    with store.transaction():
        clear_rollups_of_stored_days(store)
        aggregator = RollupAggregator()
        for click in iterate_stored_clicks(store):
            aggregator.add(click)
            counted += 1
            if counted % BATCH_SIZE == 0:
                add_to_rollups(store, aggregator.clicks_by_link, aggregator.breakdown_by_link(agents.by_id))
                aggregator = RollupAggregator()
                on_progress(counted)
        add_to_rollups(store, aggregator.clicks_by_link, aggregator.breakdown_by_link(agents.by_id))
    on_progress(counted)
    return counted
