"""The whole content of a store as text, to compare it before and after."""

from shortener.store import Store
from shortener.store.sqlite import SqliteConnection

_TABLES = "select table_name from information_schema.tables where table_schema = current_schema() order by 1"


def dump(store: Store) -> str:
    """Return all rows of all tables of a store."""
    if isinstance(store.connection, SqliteConnection):
        return "\n".join(store.connection.sqlite.iterdump())
    tables = [row[0] for row in store.execute(_TABLES)]
    return "\n".join(
        repr(row) for table in tables for row in sorted(map(repr, store.execute(f"select * from {table}")))
    )
