"""Copies of the daily keys that all machines of a store share."""

from shortener.clicklog.pseudonyms import DailyKeys, is_expired
from shortener.store import Reader, shared_keys


def copy_keys(reader: Reader, keys: DailyKeys, *, now: float) -> None:
    """Store the shared keys of the store on this machine, except expired ones. Raises StoreError and OSError."""
    for day, key in shared_keys.read(reader).items():
        if not is_expired(day, now=now):
            keys.add(day, key)
