"""Copies of the daily keys that all machines of a store share."""

from shortener.clicklog.pseudonyms import DailyKeys, is_expired
from shortener.store import Reader, shared_keys


def copy_keys(reader: Reader, keys: DailyKeys, *, now: float) -> set[int]:
    """Store the shared keys of the store on this machine, except expired ones; return their days (UTC, since 1970).

    Raises StoreError and OSError.
    """
    shared = {day: key for day, key in shared_keys.read(reader).items() if not is_expired(day, now=now)}
    for day, key in shared.items():
        keys.add(day, key)
    return set(shared)
