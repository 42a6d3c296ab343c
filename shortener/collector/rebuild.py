"""Computing the rollups again from the stored clicks; they then say what the increments said."""

from collections.abc import Callable

from shortener.collector.aggregate import Tally
from shortener.collector.devices import Agents
from shortener.store import Store
from shortener.store import clicks as sql

STEP = 50_000


def rebuild(store: Store, *, on_progress: Callable[[int], None]) -> int:
    """Replace all sums from the days whose clicks are still kept, in one transaction; how many clicks were added up."""
    agents = Agents(store)
    counted = 0
    with store.writing():
        sql.clear_rollups(store)
        tally = Tally()
        for click in sql.stored_clicks(store):
            tally.add(click)
            counted += 1
            if counted % STEP == 0:
                sql.add_to_rollups(store, tally.hourly, tally.daily(agents.by_id))
                tally = Tally()
                on_progress(counted)
        sql.add_to_rollups(store, tally.hourly, tally.daily(agents.by_id))
    on_progress(counted)
    return counted
