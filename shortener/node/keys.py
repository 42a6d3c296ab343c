"""Copy the daily keys from the central store to this machine. All machines hash readers' addresses with these keys."""

from shortener.clicklog.pseudonyms import DailyKeys, is_expired
from shortener.store import Reader, shared_keys


def copy_keys(reader: Reader, keys: DailyKeys, *, now: float) -> set[int]:
    """Copy the unexpired daily keys from the store to this machine; return their days.

    Days are counted from 1970-01-01 (UTC). Raises StoreError, OSError.
    """
    shared = {day: key for day, key in shared_keys.read(reader).items() if not is_expired(day, now=now)}
    for day, key in shared.items():
        keys.add(day, key)
    return set(shared)
