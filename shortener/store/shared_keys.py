"""SQL for the daily keys (for hashing addresses) that all redirect nodes share, by UTC day (days since 1970)."""

from collections.abc import Mapping

from shortener.store.database import Reader, Store


def read(reader: Reader) -> dict[int, bytes]:
    """Return the shared daily keys, with which addresses are hashed, by UTC day (days since 1970)."""
    return {day: bytes(key) for day, key in reader.execute("select day, key from shared_keys")}


def replace(store: Store, keys: Mapping[int, bytes]) -> None:
    """Let the table contain exactly these keys, on PostgreSQL.

    The file of the table is replaced, because deleted rows would stay in it until the database cleans it up.
    """
    if read(store) == keys:
        return
    with store.transaction():
        store.execute("truncate table shared_keys")
        for day, key in keys.items():
            store.execute("insert into shared_keys (day, key) values (?, ?)", (day, key))
