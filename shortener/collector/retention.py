"""Deletion of old data, such as single clicks and files of the click log. Counts of clicks are never deleted."""

# How long data is kept is described in docs/click-log.md, section 8.
from collections.abc import Mapping

from shortener.clicklog.reader import ClickLog
from shortener.clicklog.retention import delete_old_segments
from shortener.config import Privacy
from shortener.durations import DAY_SECONDS
from shortener.store import Store, clicks, inbox, issues, log_segments, page_changes, uploads
from shortener.store.log_segments import SegmentPosition

MAX_PURGED_DAYS = 2
"""Maximum number of days whose clicks are deleted at once, so that a wrong clock cannot delete all clicks."""


def delete_expired(
    store: Store,
    *,
    privacy: Privacy,
    click_log: ClickLog | None,
    positions: Mapping[str, SegmentPosition],  # how far each log file was read, by segment id
    now: float,  # seconds of the UTC epoch
) -> bool:
    """Delete all data that is older than ``privacy`` allows, and return whether clicks were deleted."""
    if click_log:
        delete_old_segments(click_log, positions, keep_log_days=privacy.keep_log, now=now)
    with store.transaction():
        issues.purge_removed(store, now=int(now))
        page_changes.purge(store, now=int(now))
        uploads.purge(store, now=int(now))
        before = int(now) - 2 * privacy.keep_log * DAY_SECONDS
        log_segments.delete_finished_segments(store, before=before)
        inbox.delete_finished(store, before=before)
    return _delete_clicks(store, before_day=int(now) // DAY_SECONDS - privacy.keep_clicks)


def _delete_clicks(store: Store, *, before_day: int) -> bool:
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
