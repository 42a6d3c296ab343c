"""Retention: deletion of daily keys, drained segments and single clicks that are too old.

The periods are in docs/click-log.md, section 8. Sums are never deleted.
"""

from collections.abc import Mapping

from shortener.clicklog.pseudonyms import DailyKeys
from shortener.clicklog.reader import ClickLog
from shortener.config import Privacy
from shortener.durations import DAY_SECONDS
from shortener.store import Store, clicks, issues
from shortener.store.clicks import SegmentPosition

MAX_PURGED_DAYS = 2
"""Maximum number of days whose clicks one hourly run deletes; normally one day falls due each day."""


def delete_expired(
    store: Store,
    *,
    privacy: Privacy,
    keys: DailyKeys,
    click_log: ClickLog,
    positions: Mapping[str, SegmentPosition],
    now: float,
) -> bool:
    """Delete everything that is older than ``privacy`` allows at ``now`` (seconds of the UTC epoch).

    ``positions`` are the read positions of segments by id: an undrained segment is never deleted.
    Return whether clicks were deleted; if so, user agents and headers that no click refers to were deleted as well.
    """
    keys.destroy_expired(now=now)
    for segment in click_log.segments():
        position = positions.get(segment.id)
        is_drained = position is not None and position.finished and position.position >= segment.size
        if is_drained and now - segment.path.stat().st_mtime > privacy.keep_log * DAY_SECONDS:
            segment.path.unlink(missing_ok=True)
    with store.transaction():
        issues.purge_removed(store, now=int(now))
        clicks.delete_finished_segments(store, before=int(now) - 2 * privacy.keep_log * DAY_SECONDS)
    return _delete_clicks(store, before_day=int(now) // DAY_SECONDS - privacy.keep_clicks)


def _delete_clicks(store: Store, *, before_day: int) -> bool:
    """Delete clicks from before a UTC day (days since 1970); return whether there were any."""
    oldest = clicks.oldest_click_time(store)
    if oldest is None:
        return False
    # Bounded by MAX_PURGED_DAYS, so that a wrong clock cannot delete all clicks at once.
    before_day = min(before_day, oldest // DAY_SECONDS + MAX_PURGED_DAYS)
    has_deleted = False
    while clicks.purge_clicks(store, before=before_day * DAY_SECONDS):
        has_deleted = True
    if has_deleted:
        clicks.delete_unreferenced(store)
    return has_deleted
