"""The watermark: a time before which every click is stored with its final verdict."""

from shortener.classification.classify import SETTLED_AFTER_MS
from shortener.config import Config
from shortener.reporting.health import measure_backlog
from shortener.store import Store, clicks, log_segments


def find_watermark(store: Store, *, config: Config, now: int) -> int:
    """Return the watermark in seconds of the UTC epoch.

    Every click before it is stored, and no later click can change its verdict. ``now`` is the present time.
    """
    # In this order: a click that is stored between the two readings is still counted as not collected.
    positions = {
        segment_id: position.position for segment_id, position in log_segments.segment_positions(store).items()
    }
    unclassified = clicks.oldest_unclassified_time(store)
    backlog = measure_backlog(config.data_directory, positions, now=now)
    collected = int(now - backlog.seconds)
    return (collected if unclassified is None else min(collected, unclassified)) - SETTLED_AFTER_MS // 1000
