"""The whole content of a store as text, to compare it before and after."""

from shortener.store import Store
from shortener.store.sqlite import SqliteConnection


def dump(store: Store) -> str:
    """Return all rows of all tables of a store."""
    assert isinstance(store.connection, SqliteConnection)
    return "\n".join(store.connection.sqlite.iterdump())
