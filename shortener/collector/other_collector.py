"""Run a collector as soon as no other collector of the store is running."""

import logging
import time
from collections.abc import Callable

from shortener.clicklog.pseudonyms import KEY_CHECK_SECONDS, DailyKeys
from shortener.clicklog.reader import ClickLog
from shortener.collector.collector import POLL_SECONDS, Collector, sleep_until_stop
from shortener.config import Config
from shortener.errors import AlreadyRunning, LeaseLost, ShortenerError, StoreBusy, StoreError, StoreUnavailable
from shortener.store import Store, clicks, log_segments

REPORT_SECONDS = 5.0
"""Seconds without progress of another collector after which a wait for it is reported."""
STALL_SECONDS = 60.0
"""Seconds without progress of another collector after which a wait for it ends in an error."""

log = logging.getLogger(__name__)


def acquire_collector(
    store: Store,
    *,
    config: Config,
    stop: Callable[[], bool],
    own_log: bool = True,  # False to read only logs that were sent to the store
    on_wait: Callable[[ShortenerError], None] = lambda error: None,  # receives the reason for waiting, at most once
) -> Collector | None:
    """Wait until no other collector runs, and return a new one; None if ``stop()`` returns true first."""
    keys, keys_checked_at, reported = DailyKeys(config.data_directory), 0.0, False
    while True:
        try:
            # Tried even after a stop, so that clicks recorded before the stop are still stored.
            return Collector(store, config=config, own_log=own_log)
        except (AlreadyRunning, LeaseLost, StoreUnavailable, StoreBusy) as error:
            if stop():
                return None
            if not reported:
                on_wait(error)
                reported = True
        if time.monotonic() - keys_checked_at >= KEY_CHECK_SECONDS:
            keys_checked_at = time.monotonic()
            keys.destroy_expired(now=time.time())
        sleep_until_stop(POLL_SECONDS, stop=stop)


def collect(
    store: Store,
    *,
    config: Config,
    stop: Callable[[], bool],
    own_log: bool = True,  # False to read only logs that were sent to the store
    on_wait: Callable[[ShortenerError], None],  # receives the reason for each wait
) -> None:
    """Move clicks from the click log into the store until ``stop()`` returns true.

    This waits while another collector runs.
    """
    while True:
        collector = acquire_collector(store, config=config, stop=stop, own_log=own_log, on_wait=on_wait)
        if collector is None:
            return
        try:
            collector.follow(stop=stop)
            return
        except LeaseLost as error:
            log.warning("%s", error)
        finally:
            collector.close()


def drain_once(store: Store, *, config: Config) -> int:
    """Store and classify all clicks in the click log; return how many lines this process read.

    Raises StoreError if another collector stalls.
    """
    expected_sizes = ClickLog(config.data_directory).complete_sizes()
    wait = _Wait()
    while True:
        try:
            collector = Collector(store, config=config)
        except (AlreadyRunning, LeaseLost):
            positions = log_segments.segment_positions(store)
            are_drained = all(
                segment_id in positions and positions[segment_id].position >= size
                for segment_id, size in expected_sizes.items()
            )
            if are_drained and clicks.all_classified(store):
                return 0
            wait.check({segment_id: position.position for segment_id, position in positions.items()})
            time.sleep(POLL_SECONDS / 4)
            continue
        try:
            return collector.drain()
        except LeaseLost:
            continue  # the other collector reads the rest
        finally:
            collector.close()


class _Wait:
    """Checks whether another collector makes progress while this process waits for it."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._since = time.monotonic()
        self._reported = False

    def check(self, positions: dict[str, int]) -> None:
        """Raise StoreError if the other collector's read positions have not changed for STALL_SECONDS."""
        if positions != self._positions:
            self._positions, self._since = positions, time.monotonic()
        waited = time.monotonic() - self._since
        if waited > REPORT_SECONDS and not self._reported:
            self._reported = True
            log.warning("waiting for the running collector, which has stored nothing for %d s", REPORT_SECONDS)
        if waited > STALL_SECONDS:
            raise StoreError(
                f"the running collector has stored nothing for {STALL_SECONDS:.0f} s; its log says why, for example a "
                "full disk",
                kind="collector_stalled",
            )
