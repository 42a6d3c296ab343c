"""SQL for the daily keys with which all redirect nodes hash addresses, by UTC day (days since 1970)."""

from collections.abc import Mapping

from shortener.store.database import Reader, Store


def read(reader: Reader) -> dict[int, bytes]:
    """Return the shared daily keys, with which addresses are hashed, by UTC day (days since 1970)."""
    return {day: bytes(key) for day, key in reader.execute("select day, key from shared_keys")}


def replace(store: Store, keys: Mapping[int, bytes]) -> None:
    """Replace all stored daily keys, with which addresses are hashed, by ``keys``, given by UTC day (days since 1970).

    The table is truncated, so that the database drops its file. Deleted rows would stay in the file for some time.
    """
    if read(store) == keys:
        return
    with store.transaction():
        store.execute("truncate table shared_keys")
        for day, key in keys.items():
            store.execute("insert into shared_keys (day, key) values (?, ?)", (day, key))
