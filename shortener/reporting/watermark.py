"""The watermark: a time before which every click is stored with its final verdict."""

from shortener.classification.classify import SETTLED_AFTER_MS
from shortener.config import Config
from shortener.reporting.health import measure_backlog
from shortener.store import Store, clicks, nodes
from shortener.store.log_segments import read_positions


def find_watermark(store: Store, *, config: Config, now: int) -> int:
    """Return the time before which every click is stored with its final verdict, in seconds of the UTC epoch."""
    # In this order: a click that is stored between two of the readings is still counted as not stored.
    state = nodes.completeness(store)
    positions = read_positions(store)
    unclassified = clicks.oldest_unclassified_time(store)
    backlog = measure_backlog(config.data_directory, positions, now=now)
    complete = int(now - backlog.seconds)
    if unclassified is not None:
        complete = min(complete, unclassified)
    # A redirect node that has not sent any clicks yet holds the watermark at 0.
    if state is not None:
        complete = min(complete, state.until or 0)
    return max(0, complete - SETTLED_AFTER_MS // 1000)
