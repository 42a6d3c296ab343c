"""Copy the daily keys, with which every machine hashes readers' addresses, from the central store to this machine."""

from shortener.clicklog.pseudonyms import DailyKeys, is_expired
from shortener.store import Reader, shared_keys


def copy_keys(reader: Reader, keys: DailyKeys, *, now: float) -> set[int]:
    """Copy the unexpired daily keys from the store to files on this machine; return the days that they are for.

    Days are counted from 1970-01-01 in UTC. Raises StoreError and OSError.
    """
    shared = {day: key for day, key in shared_keys.read(reader).items() if not is_expired(day, now=now)}
    for day, key in shared.items():
        keys.add(day, key)
    return set(shared)
