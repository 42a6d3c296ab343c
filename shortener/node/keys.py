"""Copy the daily keys from the store to this machine. With these keys all machines of a store hash addresses of
readers.
"""

from shortener.clicklog.pseudonyms import DailyKeys, is_expired
from shortener.store import Reader, shared_keys


def copy_keys(reader: Reader, keys: DailyKeys, *, now: float) -> set[int]:
    """Copy the daily keys from the store to files on this machine; return the days (since 1970, UTC) whose keys were
    copied.

    Expired keys are not copied. Raises StoreError and OSError.
    """
    shared = {day: key for day, key in shared_keys.read(reader).items() if not is_expired(day, now=now)}
    for day, key in shared.items():
        keys.add(day, key)
    return set(shared)
