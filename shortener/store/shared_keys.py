"""SQL for the keys with which all redirect nodes hash addresses, one key for each UTC day."""

from collections.abc import Mapping

from shortener.store.database import Reader, Store


def read(reader: Reader) -> dict[int, bytes]:
    """Return the keys with which all redirect nodes hash addresses, by UTC day (days since 1970)."""
    return {day: bytes(key) for day, key in reader.execute("select day, key from shared_keys")}


def replace(store: Store, keys: Mapping[int, bytes]) -> None:
    """Replace the keys with which all redirect nodes hash addresses. ``keys`` are by UTC day (days since 1970)."""
    if read(store) == keys:
        return
    with store.transaction():
        # The database deletes the file of a truncated table. Deleted rows would stay in the file for some time.
        store.execute("truncate table shared_keys")
        for day, key in keys.items():
            store.execute("insert into shared_keys (day, key) values (?, ?)", (day, key))
